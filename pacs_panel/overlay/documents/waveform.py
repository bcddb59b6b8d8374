"""Waveforms: ECG, pressures, breathing, sound, in physical units (PS3.3 §C.10.9)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from pacs_panel.dicom.dataset import number_of, text_of
from pacs_panel.errors import NotFound, TooLarge, Unreadable
from pacs_panel.overlay.documents.fields import Head, code, codes, data, head, integer, integers, items, plain
from pacs_panel.overlay.documents.report import unit_text
from pacs_panel.settings import Settings

if TYPE_CHECKING:
    import xarray as xr

TYPES = {
    (8, "SB"): "i1", (8, "UB"): "u1", (8, "MB"): "u1", (8, "AB"): "u1", (16, "SS"): "i2", (16, "US"): "u2",
    (32, "SL"): "i4", (32, "UL"): "u4", (64, "SV"): "i8", (64, "UV"): "u8",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel.

    Attributes
    ----------
    label : str
        Channel Label, else what its source code means.
    source : str
        Where it comes from, with modifiers.
    unit : str
        Of its values, as UCUM code where it is one.
    scale, baseline : float
        Value = sample · ``scale`` + ``baseline``; the scale is sensitivity times correction factor.
    low, high, notch : float, optional
        Filters, Hz.
    skew : float
        s by which its samples were taken late; not applied.
    """

    label: str
    source: str
    unit: str
    scale: float = 1.0
    baseline: float = 0.0
    low: float | None = None
    high: float | None = None
    notch: float | None = None
    skew: float = 0.0


@dataclass(frozen=True, slots=True)
class Multiplex:
    """Channels that were sampled together.

    Attributes
    ----------
    label, originality : str
        Multiplex Group Label; ``ORIGINAL`` or ``DERIVED``.
    samples : int
        A channel, as far as the object holds them.
    frequency : float
        Samples a second.
    start : float
        s after the acquisition's start.
    channels : tuple of Channel
    bits : int
    interpretation : str
        Such as ``SS`` (PS3.3 §C.10.9.1.5).
    note : str
        What is odd about it.
    """

    label: str
    originality: str
    samples: int
    frequency: float
    start: float
    channels: tuple[Channel, ...]
    bits: int
    interpretation: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Remark:
    """An annotation of a waveform.

    Attributes
    ----------
    text : str
        With its unit.
    channels : tuple of (int, int)
        Multiplex group and channel, from 1; channel 0 stands for all.
    samples : tuple of int
        Sample positions from 1; empty where it speaks of all.
    """

    text: str
    channels: tuple[tuple[int, int], ...] = ()
    samples: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Waveforms:
    """An object of waveforms: what they are. `pacs_panel.overlay.documents.read.waveform` gives the values."""

    head: Head
    acquired: str
    groups: tuple[Multiplex, ...]
    remarks: tuple[Remark, ...] = ()


def description(dataset: Dataset) -> Waveforms:
    """What the waveforms of a data set are."""
    return Waveforms(
        head(dataset),
        text_of(dataset, "AcquisitionDateTime"),
        tuple(_multiplex(one) for one in items(dataset, "WaveformSequence")),
        tuple(_remark(one) for one in items(dataset, "WaveformAnnotationSequence")),
    )


def values(dataset: Dataset, group: int, little: bool, settings: Settings) -> xr.Dataset:
    """The values of one multiplex group.

    Parameters
    ----------
    group : int
        From 0.
    little : bool
        Byte order of the data set.

    Returns
    -------
    xarray.Dataset
        ``waveform``, float64, of dimensions ``(time, channel)``, in each channel's unit, NaN where padded. ``time`` is
        in s, ``channel`` holds labels; beside it are ``unit``, ``source``, ``low``, ``high``, ``notch`` (Hz), ``skew``
        (s).

    Raises
    ------
    NotFound
        No such group.
    Unreadable
        The samples are of no kind that DICOM knows.
    TooLarge
        There are more than the settings allow.
    """
    import xarray as xr

    groups = items(dataset, "WaveformSequence")
    if not 0 <= group < len(groups):
        raise NotFound(f"there is no multiplex group {group}: this object has {len(groups)}")
    told = _multiplex(groups[group])
    samples = _samples(groups[group], told, little, settings)
    labels = [channel.label for channel in told.channels]
    units = {channel.unit for channel in told.channels}
    named = {name: ("channel", [getattr(c, name) for c in told.channels]) for name in ("unit", "source")}
    numbers = {
        name: ("channel", np.array([getattr(c, name) for c in told.channels], float))
        for name in ("low", "high", "notch", "skew")
    }
    time = told.start + np.arange(len(samples)) / told.frequency
    coordinates: dict[str, Any] = {"time": ("time", time, {"units": "s"}), "channel": labels, **named, **numbers}
    about = {"units": units.pop()} if len(units) == 1 else {}
    return xr.Dataset(
        {"waveform": (("time", "channel"), samples, about)},
        coordinates,
        {"label": told.label, "frequency": told.frequency, "originality": told.originality, "note": told.note},
    )


def _samples(one: Dataset, told: Multiplex, little: bool, settings: Settings) -> NDArray[np.float64]:
    kind = TYPES.get((told.bits, told.interpretation))
    if kind is None or not told.channels or told.frequency <= 0:
        raise Unreadable(f"waveform samples of {told.bits} bits as {told.interpretation or 'nothing'} cannot be read")
    number = told.samples * len(told.channels)
    if number * 8 > settings.max_volume_bytes:
        raise TooLarge(f"the waveform has {number} values")
    dtype = np.dtype(kind).newbyteorder("<" if little else ">")
    stored = np.frombuffer(data(one, "WaveformData"), dtype, number).reshape(told.samples, -1)
    padding = data(one, "WaveformPaddingValue")
    table = {"MB": mu_law, "AB": a_law}.get(told.interpretation)
    found = (stored if table is None else table()[stored]).astype(float)
    found *= [channel.scale for channel in told.channels]
    found += [channel.baseline for channel in told.channels]
    if len(padding) >= dtype.itemsize:
        found[stored == np.frombuffer(padding, dtype, 1)[0]] = np.nan
    return found


def _multiplex(one: Dataset) -> Multiplex:
    number, bits = integer(one, "NumberOfWaveformChannels"), integer(one, "WaveformBitsAllocated")
    channels = _channels(one)
    told, size = integer(one, "NumberOfWaveformSamples"), len(data(one, "WaveformData"))
    held = size // max(1, len(channels) * max(bits // 8, 1))
    notes = [] if number == len(channels) else [f"it should have {number} channels, and defines {len(channels)}"]
    notes += [f"it should have {told} samples, and has {held}"] if held < told else []
    return Multiplex(
        text_of(one, "MultiplexGroupLabel"),
        text_of(one, "WaveformOriginality"),
        max(0, min(told, held)),
        number_of(one, "SamplingFrequency") or 0.0,
        (number_of(one, "MultiplexGroupTimeOffset") or 0.0) / 1000,
        channels,
        bits,
        text_of(one, "WaveformSampleInterpretation"),
        "; ".join(notes),
    )


def _channels(one: Dataset) -> tuple[Channel, ...]:
    seen: dict[str, int] = {}
    found = []
    for number, channel in enumerate(items(one, "ChannelDefinitionSequence"), 1):
        source = code(channel, "ChannelSourceSequence")
        words = [str(source or ""), *map(str, codes(channel, "ChannelSourceModifiersSequence"))]
        label = text_of(channel, "ChannelLabel") or words[0] or f"channel {number}"
        seen[label] = seen.get(label, 0) + 1
        found.append(_channel(channel, label if seen[label] == 1 else f"{label} ({seen[label]})", words, one))
    return tuple(found)


def _channel(channel: Dataset, label: str, words: list[str], group: Dataset) -> Channel:
    def number(keyword: str, default: float) -> float:
        value = number_of(channel, keyword)
        return default if value is None else value

    skew = number("ChannelSampleSkew", 0.0) / (number_of(group, "SamplingFrequency") or 1.0)
    return Channel(
        label,
        ", ".join(filter(None, words)),
        unit_text(code(channel, "ChannelSensitivityUnitsSequence")),
        number("ChannelSensitivity", 1.0) * number("ChannelSensitivityCorrectionFactor", 1.0),
        number("ChannelBaseline", 0.0),
        number_of(channel, "FilterLowFrequency"),
        number_of(channel, "FilterHighFrequency"),
        number_of(channel, "NotchFilterFrequency"),
        number("ChannelTimeSkew", skew),
    )


def _remark(one: Dataset) -> Remark:
    concept, name = code(one, "ConceptCodeSequence"), code(one, "ConceptNameCodeSequence")
    number = plain(number_of(one, "NumericValue"), unit_text(code(one, "MeasurementUnitsCodeSequence")))
    text = text_of(one, "UnformattedTextValue") or number or str(concept or "")
    pairs = integers(one, "ReferencedWaveformChannels")
    return Remark(
        ": ".join(filter(None, (str(name or ""), text))),
        tuple(zip(pairs[::2], pairs[1::2], strict=False)),
        integers(one, "ReferencedSamplePositions"),
    )


def mu_law() -> NDArray[np.int16]:
    """16-bit linear value of each of the 256 µ-law samples (ITU-T G.711)."""
    inverted = 255 - np.arange(256)
    size = (((inverted & 15) << 3) + 132 << (inverted >> 4 & 7)) - 132
    return np.where(inverted & 128, -size, size).astype(np.int16)


def a_law() -> NDArray[np.int16]:
    """16-bit linear value of each of the 256 A-law samples (ITU-T G.711)."""
    toggled = np.arange(256) ^ 0x55
    segment, step = toggled >> 4 & 7, ((toggled & 15) << 4) + 8
    size = np.where(segment, step + 256 << np.maximum(segment - 1, 0), step)
    return np.where(toggled & 128, size, -size).astype(np.int16)
