"""Tables that give stored values a meaning.

The Modality LUT (PS3.3 §C.11.1), VOI LUTs (§C.11.2), palettes (§C.7.6.3.1.5, §C.7.6.19), and maps to the real world
(§C.7.6.16.2.11).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from pydicom import Dataset

from pacs_panel.dicom import regions
from pacs_panel.dicom.dataset import number_of, numbers_of, text_of
from pacs_panel.errors import BadPixels
from pacs_panel.model import ImageHeader, RealWorldMap
from pacs_panel.pixels.palette import Palette, palette, rgb

COLOURS = ("Red", "Green", "Blue")
LUT_UNITS = {"HU": "HU", "OD": "10⁻³ OD", "US": ""}


def read(dataset: Dataset, image: ImageHeader) -> dict[str, Any]:
    """Fields of an image's header that its tables give.

    ``table``, ``rescale_type``, ``palette``, ``supplemental``, ``voi_tables``, ``real_world``; ``spacing`` of an
    ultrasound image without Pixel Spacing.
    """
    found: dict[str, Any] = {}
    for item in dataset.get("ModalityLUTSequence") or []:
        table = _modality(item, image)
        if table is not None:
            kind = text_of(item, "ModalityLUTType")
            found |= {"table": table, "rescale_type": LUT_UNITS.get(kind, kind), "slope": None, "intercept": None}
        break
    if image.photometric == "PALETTE COLOR" and image.samples == 1:
        found["palette"] = _palette(dataset, image)
    elif text_of(dataset, "PixelPresentation") in ("COLOR", "MIXED") and (extra := _found(dataset, image)) is not None:
        found["supplemental"] = (extra.first, extra.colours.tobytes())
    if greys := voi(dataset, signed=_signed(image, found)):
        found["voi_tables"] = greys
    if maps := real_world(dataset, signed=image.signed):
        found["real_world"] = maps
    if image.spacing is None and (spacing := regions.spacing(dataset, image)) is not None:
        found["spacing"] = spacing
    return found


def real_world(dataset: Dataset, *, signed: bool) -> tuple[RealWorldMap, ...]:
    """Maps to the real world that a data set, or an item of functional groups, holds; those without a rule left out.

    Parameters
    ----------
    signed : bool
        Whether the stored values are: some files state the bounds in the other representation.
    """
    found = []
    for item in dataset.get("RealWorldValueMappingSequence") or []:
        first, last = (_bound(item, which, signed) for which in ("First", "Last"))
        slope, intercept = number_of(item, "RealWorldValueSlope"), number_of(item, "RealWorldValueIntercept")
        table = () if slope is not None else numbers_of(item, "RealWorldValueLUTData") or ()
        if first is None if table else slope is None or intercept is None:
            continue
        label, explanation = text_of(item, "LUTLabel"), text_of(item, "LUTExplanation")
        unit, quantity = _unit(item), _quantity(item)
        rule = (None, None, table) if table else (slope, intercept, ())
        found.append(RealWorldMap(label, explanation, unit, quantity, first, last, *rule))
    return tuple(found)


def _bound(item: Dataset, which: str, signed: bool) -> float | None:
    number = number_of(item, f"RealWorldValue{which}ValueMapped")
    if number is None:
        return number_of(item, f"DoubleFloatRealWorldValue{which}ValueMapped")
    if signed:
        return number - (1 << 16) if number >= 1 << 15 else number
    return number + (1 << 16) if number < 0 else number


def _unit(item: Dataset) -> str:
    return next((text_of(unit, "CodeValue") for unit in item.get("MeasurementUnitsCodeSequence") or []), "")


def _quantity(item: Dataset) -> str:
    for definition in item.get("QuantityDefinitionSequence") or []:
        for concept in definition.get("ConceptCodeSequence") or []:
            return text_of(concept, "CodeMeaning")
    return ""


def voi(dataset: Dataset, *, signed: bool) -> tuple[tuple[str, int, bytes], ...]:
    """VOI LUTs that a data set, or an item of a Softcopy VOI LUT Sequence, holds; damaged ones left out.

    Parameters
    ----------
    signed : bool
        Whether the values that they map may be below 0 (PS3.3 §C.11.2.1.1).

    Returns
    -------
    tuple of (explanation, first, greys)
        The first value that is mapped, and the grey of each from there on, 8 bits each.
    """
    found = []
    for item in dataset.get("VOILUTSequence") or []:
        descriptor = numbers_of(item, "LUTDescriptor", 3)
        if descriptor is None or "LUTData" not in item:
            continue
        count, first, bits = (int(number) for number in descriptor)
        count = count or 1 << 16
        values = _words(item["LUTData"].value, count, bits)
        if len(values) != count or not 0 < bits <= 16:
            continue
        first = first - (1 << 16) if signed and first >= 1 << 15 else first
        top = max((1 << bits) - 1, float(values.max()))
        found.append((text_of(item, "LUTExplanation"), first, np.rint(values * (255 / top)).astype(np.uint8).tobytes()))
    return tuple(found)


def _signed(image: ImageHeader, found: dict[str, Any]) -> bool:
    """Whether physical values may be below 0."""
    table = found.get("table", image.table)
    slope, intercept = (found.get(name, getattr(image, name)) for name in ("slope", "intercept"))
    if table is not None:
        return min(table[1]) < 0
    return image.signed or (intercept or 0.0) < 0 or (slope or 1.0) < 0


def _palette(dataset: Dataset, image: ImageHeader) -> bytes:
    """Colours of stored values from 0 on; empty where the palette makes no sense, and indices are shown as greys."""
    found = _found(dataset, image)
    return b"" if found is None else rgb(np.arange(1 << min(image.bits_stored, 16)), found).tobytes()


def _found(dataset: Dataset, image: ImageHeader) -> Palette | None:
    """The palette; ``None`` where there is none, or it makes no sense."""
    segmented = "SegmentedRedPaletteColorLookupTableData" in dataset
    descriptors = [numbers_of(dataset, f"{colour}PaletteColorLookupTableDescriptor", 3) for colour in COLOURS]
    name = "Segmented{}PaletteColorLookupTableData" if segmented else "{}PaletteColorLookupTableData"
    data = [dataset.get(name.format(colour)) for colour in COLOURS]
    if any(descriptor is None for descriptor in descriptors) or not all(isinstance(table, bytes) for table in data):
        return None
    try:
        whole = [[int(number) for number in descriptor or ()] for descriptor in descriptors]
        return palette(whole, [bytes(table or b"") for table in data], segmented=segmented, signed=image.signed)
    except BadPixels:
        return None


def _modality(item: Dataset, image: ImageHeader) -> tuple[int, tuple[float, ...]] | None:
    """First stored value that is mapped, and what each value from there on maps to."""
    descriptor = numbers_of(item, "LUTDescriptor", 3)
    if descriptor is None or "LUTData" not in item:
        return None
    count, first, bits = (int(number) for number in descriptor)
    count = count or 1 << 16
    first = first - (1 << 16) if image.signed and first >= 1 << 15 else first
    values = _words(item["LUTData"].value, count, bits)
    return (first, tuple(values.tolist())) if len(values) == count else None


def _words(data: Any, count: int, bits: int) -> np.ndarray:
    if isinstance(data, bytes | bytearray):
        width = "u1" if bits <= 8 and len(data) < 2 * count else "<u2"
        return np.frombuffer(bytes(data), width)[:count].astype(float)
    return np.asarray(data, float).reshape(-1)[:count]
