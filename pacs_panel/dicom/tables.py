"""Tables that give stored values a meaning: the Modality LUT (PS3.3 §C.11.1), and the palette (§C.7.6.3.1.5)."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydicom import Dataset

from pacs_panel.dicom.dataset import numbers_of, text_of
from pacs_panel.errors import BadPixels
from pacs_panel.model import ImageHeader
from pacs_panel.pixels.palette import palette, rgb

COLOURS = ("Red", "Green", "Blue")
LUT_UNITS = {"HU": "HU", "OD": "10⁻³ OD", "US": ""}


def read(dataset: Dataset, image: ImageHeader) -> dict[str, Any]:
    """Fields of an image's header that its tables give: ``table`` and ``rescale_type``, ``palette``."""
    found: dict[str, Any] = {}
    for item in dataset.get("ModalityLUTSequence") or []:
        table = _modality(item, image)
        if table is not None:
            kind = text_of(item, "ModalityLUTType")
            found |= {"table": table, "rescale_type": LUT_UNITS.get(kind, kind), "slope": None, "intercept": None}
        break
    if image.photometric == "PALETTE COLOR" and image.samples == 1:
        found["palette"] = _palette(dataset, image)
    return found


def _palette(dataset: Dataset, image: ImageHeader) -> bytes:
    """Colours of stored values from 0 on; empty where the palette makes no sense, and indices are shown as greys."""
    segmented = "SegmentedRedPaletteColorLookupTableData" in dataset
    descriptors = [numbers_of(dataset, f"{colour}PaletteColorLookupTableDescriptor", 3) for colour in COLOURS]
    name = "Segmented{}PaletteColorLookupTableData" if segmented else "{}PaletteColorLookupTableData"
    data = [dataset.get(name.format(colour)) for colour in COLOURS]
    if any(descriptor is None for descriptor in descriptors) or not all(isinstance(table, bytes) for table in data):
        return b""
    try:
        whole = [[int(number) for number in descriptor or ()] for descriptor in descriptors]
        found = palette(whole, [bytes(table or b"") for table in data], segmented=segmented, signed=image.signed)
    except BadPixels:
        return b""
    stored = np.arange(1 << min(image.bits_stored, 16))
    return rgb(stored, found).tobytes()


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
