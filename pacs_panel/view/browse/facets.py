"""What a list can be narrowed by: values with counts, and ranges with small histograms."""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pacs_panel.view.words import VERDICTS, number

FEW = 100  # values that are sent of a facet; more are looked for by their words
BARS = 28

YEARS = {"Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}

Kind = Literal["values", "numbers", "dates"]
Counted = list[tuple[Any, int]]


@dataclass(frozen=True, slots=True)
class Facet:
    """One attribute to narrow by.

    Attributes
    ----------
    keyword : str
    words : str
        Its name.
    kind : str
        Of its values any may be chosen, or a range is.
    unit : str
    open : bool
        Whether it is unfolded for whoever never said otherwise.
    private : bool
        Whether its values are text that somebody typed, which could name a patient: such never stand in an address.
    names : mapping
        Words for values that are codes.
    """

    keyword: str
    words: str
    kind: Kind = "values"
    unit: str = ""
    open: bool = False
    private: bool = False
    names: Mapping[str, str] = field(default_factory=dict)

    def said(self, value: Any) -> str:
        """A value in words."""
        return "none" if value is None else self.names.get(str(value), str(value))


SEXES = {"F": "female", "M": "male", "O": "other"}
TABLE = (
    Facet("Modality", "Modality", open=True),
    Facet("StudyDate", "Study date", "dates", open=True),
    Facet("BodyPartExamined", "Body part", open=True),
    Facet("Collection", "Collection", open=True),
    Facet("Kind", "Kind", open=True),
    Facet("Tags", "Tags", open=True),
    Facet("Verdict", "Geometry", names=VERDICTS),
    Facet("Objects", "Has objects"),
    Facet("PatientSex", "Sex", names=SEXES),
    Facet("PatientAge", "Age", "numbers", "years"),
    Facet("PatientWeight", "Weight", "numbers", "kg"),
    Facet("Laterality", "Side", names={"L": "left", "R": "right", "B": "both"}),
    Facet("StudyDescription", "Study description", private=True),
    Facet("SeriesDescription", "Series description", private=True),
    Facet("ProtocolName", "Protocol", private=True),
    Facet("Manufacturer", "Manufacturer"),
    Facet("ManufacturerModelName", "Scanner"),
    Facet("InstitutionName", "Institution"),
    Facet("StationName", "Station"),
    Facet("SoftwareVersions", "Software"),
    Facet("MagneticFieldStrength", "Field strength (T)"),
    Facet("ScanningSequence", "Sequence"),
    Facet("SequenceName", "Sequence name"),
    Facet("ContrastBolusAgent", "Contrast agent"),
    Facet("ConvolutionKernel", "Kernel"),
    Facet("KVP", "Tube voltage", "numbers", "kV"),
    Facet("SliceThickness", "Slice thickness", "numbers", "mm"),
    Facet("SpacingBetweenSlices", "Slice spacing", "numbers", "mm"),
    Facet("RepetitionTime", "Repetition time", "numbers", "ms"),
    Facet("EchoTime", "Echo time", "numbers", "ms"),
    Facet("PatientPosition", "Position"),
    Facet("NumberOfSeriesRelatedInstances", "Images", "numbers"),
    Facet("ArrivalDate", "Arrived", "dates"),
)
FACETS: dict[str, Facet] = {facet.keyword: facet for facet in TABLE}


def bars(kind: Kind, counted: Iterable[tuple[Any, int]], most: int = BARS) -> dict[str, Any]:
    """A small histogram of values with their counts.

    Returns
    -------
    dict
        ``edges`` (as text that a range takes, one more than there are bars) and ``counts``; empty without values.
    """
    found = [(place, count) for value, count in counted if (place := _place(kind, value)) is not None]
    if not found:
        return {}
    low, high = min(found)[0], max(found)[0]
    width = _width(kind, high - low, most)
    first = math.floor(low / width)
    size = math.floor(high / width) - first + 1
    counts = [0] * size
    for place, count in found:
        counts[min(math.floor(place / width) - first, size - 1)] += count
    edges = [_edge(kind, (first + step) * width) for step in range(size + 1)]
    return {"edges": edges, "counts": counts, "low": _edge(kind, low), "high": _edge(kind, high)}


def _place(kind: Kind, value: Any) -> float | None:
    """Where a value lies: a number, or a date as its day."""
    text = str(value)
    if kind == "dates":
        try:  # thousands of them: `strptime` takes twenty times as long
            return float(datetime.date(int(text[:4]), int(text[4:6]), int(text[6:])).toordinal())
        except ValueError:
            return None
    years = YEARS.get(text[-1:], 1.0)  # ages (AS) end in their unit
    try:
        place = float(text[:-1] if text[-1:] in YEARS else text) * years
    except ValueError:
        return None
    return place if math.isfinite(place) else None


def _width(kind: Kind, span: float, most: int) -> float:
    """A round width by which no more than ``most`` bars cover a span."""
    least = span / max(most - 1, 1)
    if kind == "dates":
        return float(next((days for days in (1, 7, 30, 91, 182, 365, 1826) if days >= least), math.ceil(least)))
    if least <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(least))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= least)


def _edge(kind: Kind, place: float) -> str:
    if kind == "dates":
        last = datetime.date.max.toordinal()
        return datetime.date.fromordinal(min(max(int(place), 1), last)).isoformat()
    return number(place, 4).replace("−", "-")
