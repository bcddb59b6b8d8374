"""Tables that give stored values a meaning: the Modality LUT (PS3.3 §C.11.1), and the palette (§C.7.6.3.1.5)."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydicom import Dataset

from pacs_panel.dicom.dataset import numbers_of, text_of
from pacs_panel.model import ImageHeader

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
    return found


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
