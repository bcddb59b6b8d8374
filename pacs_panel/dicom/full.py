"""The whole header, for people and programs to read: the DICOM JSON model (PS3.18 Annex F), and rows of a table."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from pydicom import DataElement, Dataset
from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import RawDataElement

from pacs_panel.dicom.dataset import load, quiet
from pacs_panel.errors import TooLarge
from pacs_panel.settings import Settings

MAX_VALUE = 4096
BULK = {0x7FE00008: "OF", 0x7FE00009: "OD", 0x7FE00010: "OW"}

Element = dict[str, Any]
Row = tuple[str, str, str, str, int]


def full(data: bytes | BinaryIO, settings: Settings) -> dict[str, Element]:
    """A header in the DICOM JSON model, without group 2.

    Parameters
    ----------
    data : bytes or binary file
        The object's whole file.

    Returns
    -------
    dict
        Tag (``"00100010"``) to ``{"vr": …, "Value": […]}``. Pixel data, and values above 4096 bytes, are
        ``{"vr": …, "omitted": bytes}`` (-1 where encapsulated); a value that is not what its VR demands is its text.

    Raises
    ------
    NotDicom, Unreadable, TooLarge
    """
    dataset, found = load(data, settings)
    try:
        with quiet():
            out = _dataset(dataset, settings.max_depth)
    except RecursionError:
        raise TooLarge("sequences are nested too deep") from None
    if found.pixel_tag:
        out[f"{found.pixel_tag:08X}"] = {"vr": BULK[found.pixel_tag], "omitted": found.pixel_length}
    return out


def rows(header: Mapping[str, Element]) -> list[Row]:
    """A header as rows ``(tag, keyword, VR, value as text, depth)``; items of sequences follow, one deeper."""
    return list(_rows(header, 0))


def _rows(header: Mapping[str, Element], depth: int) -> Iterator[Row]:
    for tag, element in sorted(header.items()):
        name = f"({tag[:4]},{tag[4:]})"
        keyword, values = keyword_for_tag(int(tag, 16)), element.get("Value", [])
        if element["vr"] != "SQ" or "omitted" in element:
            yield name, keyword, element["vr"], _text(element), depth
            continue
        yield name, keyword, "SQ", f"{len(values)} item{'s' if len(values) != 1 else ''}", depth
        for number, item in enumerate(values, 1):
            yield "", f"item {number}", "", "", depth + 1
            yield from _rows(item, depth + 1)


def _text(element: Element) -> str:
    if "omitted" in element:
        return "encapsulated" if element["omitted"] < 0 else f"{element['omitted']} bytes"
    if "InlineBinary" in element:
        return str(element["InlineBinary"])
    return "\\".join(_one(value) for value in element.get("Value", []))


def _one(value: Any) -> str:
    if isinstance(value, dict):  # a person's name
        groups = (value.get(group, "") for group in ("Alphabetic", "Ideographic", "Phonetic"))
        return "=".join(groups).rstrip("=")
    return "" if value is None else str(value)


def _dataset(dataset: Dataset, depth: int) -> dict[str, Element]:
    if depth < 0:
        raise TooLarge("sequences are nested too deep")
    return {f"{tag:08X}": _element(dataset, tag, depth) for tag in sorted(dataset.keys())}


def _element(dataset: Dataset, tag: int, depth: int) -> Element:
    raw = dataset.get_item(tag)
    length = len(raw.value or b"") if isinstance(raw, RawDataElement) else 0
    try:
        element = dataset[tag]
    except (TooLarge, RecursionError):
        raise
    except Exception:  # pydicom raises whatever the bad value provokes
        return _as_text(raw)
    vr = str(element.VR)
    if vr == "SQ":
        return {"vr": vr, "Value": [_dataset(item, depth - 1) for item in element.value]}
    if length > MAX_VALUE:
        return {"vr": vr, "omitted": length}
    try:
        return _finite(element.to_json_dict(None, MAX_VALUE))
    except Exception:
        return _as_text(raw)


def _as_text(raw: RawDataElement | DataElement) -> Element:
    value = raw.value if isinstance(raw.value, bytes) else str(raw.value).encode()
    return {"vr": str(raw.VR or "UN"), "Value": [value[:MAX_VALUE].decode("ascii", "replace").rstrip(" \0")]}


def _finite(element: Element) -> Element:
    """JSON has no NaN and no infinity; the model writes them as text (PS3.18 §F.2.3)."""
    if "Value" in element:
        element["Value"] = [str(v) if isinstance(v, float) and not math.isfinite(v) else v for v in element["Value"]]
    return element
