"""Functional groups of enhanced multi-frame objects (PS3.3 §C.7.6.16), as changes of the object's header."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydicom import Dataset
from pydicom.datadict import keyword_for_tag

from pacs_panel.dicom import tables
from pacs_panel.dicom.dataset import number_of, numbers_of, text_of

Change = dict[str, Any]
SPATIAL = {"StackID", "InStackPositionNumber", "ImagePositionPatient", "ImageOrientationPatient", "FrameOfReferenceUID"}
INDEX = "DimensionIndexValues."


def read(dataset: Dataset, frames: int) -> list[Change]:
    """What each frame's groups say, those it shares with all others included.

    Returns
    -------
    list of dict
        One a frame: fields of `ImageHeader` to values; ``order`` to a mapping of its own. Frames without an item of
        their own have what is shared.
    """
    signed = number_of(dataset, "PixelRepresentation") == 1
    shared = _changes(next(iter(dataset.get("SharedFunctionalGroupsSequence") or []), Dataset()), signed)
    items = list(dataset.get("PerFrameFunctionalGroupsSequence") or [])
    if items and len(items) != frames:
        items = []  # which item speaks of which frame would be a guess
    pointers = [_pointer(item) for item in dataset.get("DimensionIndexSequence") or []]
    own = [_changes(item, signed, pointers) for item in items] + [{"order": {}} for _ in range(frames - len(items))]
    whole = [{**shared, **change, "order": {**shared["order"], **change["order"]}} for change in own]
    return [_in_units(change) for change in whole]


def _in_units(change: Change) -> Change:
    """With the unit of a mapping to the real world, and its rule where there is no transform of pixel values.

    Where the two differ, the unit is not that of the transformed values.
    """
    for one in change.get("real_world", ())[:1]:
        rule = {"slope": one.slope, "intercept": one.intercept}
        stated = {"slope": change.get("slope", one.slope), "intercept": change.get("intercept", one.intercept)}
        if one.slope is not None and stated == rule:
            return {**change, **rule, **({"units": one.unit} if one.unit else {})}
    return change


def _changes(group: Dataset, signed: bool, pointers: list[str] | None = None) -> Change:
    made: Change = {"order": {}}
    if maps := tables.real_world(group, signed=signed):
        made["real_world"] = maps
    for keyword, reader in READERS.items():
        for item in group.get(keyword) or []:
            for name, value in reader(item):
                if name[0].isupper():
                    made["order"][name] = value
                else:
                    made[name] = value
            break
    for item in group.get("FrameContentSequence") or [] if pointers else []:
        indices = numbers_of(item, "DimensionIndexValues", len(pointers or [])) or ()
        made["order"] |= {INDEX + name: value for name, value in zip(pointers or [], indices, strict=False) if name}
    return made


def _pointer(item: Dataset) -> str:
    """Keyword of a dimension that is not of space; empty for others."""
    keyword = keyword_for_tag(item.get("DimensionIndexPointer") or 0)
    return "" if keyword in SPATIAL else keyword


Pairs = Iterator[tuple[str, Any]]


def _numbers(item: Dataset, *keywords: str, **renamed: str) -> Pairs:
    for keyword, name in {**{keyword: keyword for keyword in keywords}, **renamed}.items():
        if (value := number_of(item, keyword)) is not None:
            yield name, value


def _texts(item: Dataset, *keywords: str, **renamed: str) -> Pairs:
    for keyword, name in {**{keyword: keyword for keyword in keywords}, **renamed}.items():
        if value := text_of(item, keyword):
            yield name, value


def _position(item: Dataset) -> Pairs:
    if (place := numbers_of(item, "ImagePositionPatient", 3)) is not None:
        yield "position", place


def _orientation(item: Dataset) -> Pairs:
    if (cosines := numbers_of(item, "ImageOrientationPatient", 6)) is not None:
        yield "orientation", cosines


def _measures(item: Dataset) -> Pairs:
    spacing = numbers_of(item, "PixelSpacing", 2)
    if spacing is not None and min(spacing) > 0:
        yield "spacing", spacing
    yield from _numbers(item, "SliceThickness", "SpacingBetweenSlices")


def _transform(item: Dataset) -> Pairs:
    yield from _numbers(item, RescaleSlope="slope", RescaleIntercept="intercept")
    yield from _texts(item, RescaleType="rescale_type")


def _windows(item: Dataset) -> Pairs:
    centres, widths = (numbers_of(item, keyword) or () for keyword in ("WindowCenter", "WindowWidth"))
    names = text_of(item, "WindowCenterWidthExplanation").split("\\") + [""] * len(centres)
    found = tuple((c, w, name) for c, w, name in zip(centres, widths, names, strict=False) if w > 0)
    if found:
        yield "windows", found
    yield from _texts(item, VOILUTFunction="voi_function")


def _content(item: Dataset) -> Pairs:
    yield from _numbers(item, "TemporalPositionIndex")
    yield from _texts(item, "FrameReferenceDateTime", "FrameAcquisitionDateTime")


def _diffusion(item: Dataset) -> Pairs:
    yield from _numbers(item, "DiffusionBValue")
    for direction in item.get("DiffusionGradientDirectionSequence") or []:
        vector = numbers_of(direction, "DiffusionGradientOrientation", 3)
        if vector is not None and any(vector):
            yield "DiffusionGradientOrientation", "\\".join(f"{number:.9g}" for number in vector)


def _type(item: Dataset) -> Pairs:
    yield from _texts(item, "ComplexImageComponent", FrameType="ImageType")


def _converted(item: Dataset) -> Pairs:
    """What a legacy converted object keeps of each original (PS3.3 §C.7.6.16.2.25)."""
    yield from _numbers(
        item, "InstanceNumber", "AcquisitionNumber", "TemporalPositionIdentifier", "EchoTime", "TriggerTime"
    )
    yield from _texts(item, "AcquisitionDate", "AcquisitionTime", "ContentDate", "ContentTime", "ImageType")


READERS: Mapping[str, Callable[[Dataset], Pairs]] = {
    "PlanePositionSequence": _position,
    "PlaneOrientationSequence": _orientation,
    "PixelMeasuresSequence": _measures,
    "PixelValueTransformationSequence": _transform,
    "FrameVOILUTSequence": _windows,
    "FrameContentSequence": _content,
    "MREchoSequence": lambda item: _numbers(item, EffectiveEchoTime="EchoTime"),
    "MRDiffusionSequence": _diffusion,
    "CardiacSynchronizationSequence": lambda item: _numbers(item, NominalCardiacTriggerDelayTime="TriggerTime"),
    "TemporalPositionSequence": lambda item: _numbers(item, "TemporalPositionTimeOffset"),
    "MRImageFrameTypeSequence": _type,
    "CTImageFrameTypeSequence": _type,
    "PETFrameTypeSequence": _type,
    "UnassignedPerFrameConvertedAttributesSequence": _converted,
}
