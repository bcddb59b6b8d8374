"""Bulk data: values that a header's JSON leaves out, by where they stand in it (PS3.18 §8.7.3.3.2, §F.2.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import IO, Any, BinaryIO, cast

from pydicom import Dataset

from pacs_panel.dicom.dataset import load, quiet
from pacs_panel.dicom.full import Element
from pacs_panel.errors import NotFound
from pacs_panel.settings import Settings

NONE = "there is no bulk data of that address"


def with_addresses(header: Mapping[str, Element], at: str) -> dict[str, Element]:
    """A header of `pacs_panel.dicom.full.full`, with the address of what it left out: ``at/tag[/item/tag…]``."""
    return {tag: _addressed(element, f"{at}/{tag}") for tag, element in header.items()}


def _addressed(element: Element, at: str) -> Element:
    if "omitted" in element:
        return {"vr": element["vr"], "BulkDataURI": at}
    if element["vr"] != "SQ":
        return element
    items = [with_addresses(item, f"{at}/{number}") for number, item in enumerate(element.get("Value", []), 1)]
    return {**element, "Value": items} if items else element


def value(source: IO[bytes], path: Sequence[str], settings: Settings) -> bytes:
    """The value at ``tag[/item/tag…]``, as it stands in a data set in Explicit VR Little Endian.

    Raises
    ------
    NotFound
        There is no such element.
    """
    found, _ = load(cast(BinaryIO, source), settings)
    try:
        with quiet():
            for tag, number in zip(path[:-1:2], path[1::2], strict=True):
                found = cast(Dataset, found[int(tag, 16)].value[int(number) - 1])
            item: Any = found.get_item(int(path[-1], 16))
    except (ValueError, KeyError, IndexError, TypeError):
        raise NotFound(NONE) from None
    raw = item.value if item is not None else None
    if not isinstance(raw, bytes):
        raise NotFound(NONE)
    return raw
