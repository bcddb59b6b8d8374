"""Values of extra dimensions in the words people read: ``12.5 s``, ``b-value 1000 s/mm²``."""

from __future__ import annotations

import re

from pacs_panel.model import Dimension

# Units of attributes that order images (PS3.6): what a number of them means.
UNITS = {
    "AcquisitionTime": "s",
    "ActualFrameDuration": "ms",
    "ContentTime": "s",
    "DiffusionBValue": "s/mm²",
    "EchoTime": "ms",
    "EffectiveEchoTime": "ms",
    "FlipAngle": "°",
    "FrameReferenceTime": "ms",
    "InversionTime": "ms",
    "NominalCardiacTriggerDelayTime": "ms",
    "NominalPercentageOfCardiacPhase": "%",
    "RepetitionTime": "ms",
    "TemporalPositionTimeOffset": "s",
    "TriggerTime": "ms",
}
NAMES = {"b_value": "b-value"}
CLOCK = re.compile(r"(\d\d)(\d\d)(\d\d(?:\.\d+)?)")  # TM (PS3.5 §6.2)
LONG = 10_000.0  # ms from which a time is told in seconds


def name_words(dimension: Dimension) -> str:
    """What a dimension is called."""
    return NAMES.get(dimension.name, dimension.name.replace("_", " "))


def value_words(dimension: Dimension, value: float | str) -> str:
    """One value of a dimension, with its unit; a place in an order, such as a temporal position, is its number.

    Examples
    --------
    >>> value_words(Dimension("time", "FrameReferenceTime", (12500.0,)), 12500.0)
    '12.5 s'
    >>> value_words(Dimension("b_value", "DiffusionBValue", (1000.0,)), 1000.0)
    '1000 s/mm²'
    """
    unit = UNITS.get(dimension.keyword, "")
    if isinstance(value, str):
        clock = CLOCK.fullmatch(value.strip()) if dimension.keyword.endswith("Time") else None
        return ":".join(clock.groups()) if clock else value.replace("\\", " · ")
    if unit == "ms" and max((abs(v) for v in dimension.values if not isinstance(v, str)), default=0) >= LONG:
        value, unit = value / 1000, "s"
    number = f"{value:.7g}".replace("-", "−")
    return f"{number}{'' if unit in ('', '°') else ' '}{unit}"
