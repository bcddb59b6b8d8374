"""Values of an object's elements by keyword, and those that the index's columns hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pydicom.datadict import keyword_dict

from pacs_panel.attributes import ATTRIBUTES
from pacs_panel.dicom import values
from pacs_panel.dicom.scan import Raw

Value = str | int | float
CHARSET = 0x00080005
TAGS: Mapping[str, int] = keyword_dict
COLUMNS = {TAGS[a.keyword]: a for a in ATTRIBUTES if not a.ours and a.keyword != "TransferSyntaxUID"}


class Fields:
    """Values of raw elements by keyword.

    Parameters
    ----------
    elements : mapping of int to Raw
        By tag; Specific Character Set is one of them.
    little : bool
        Byte order.
    """

    def __init__(self, elements: Mapping[int, Raw], little: bool) -> None:
        self.elements, self.little = elements, little
        charsets = elements.get(CHARSET)
        self.charsets = tuple(values.text(charsets, "CS").split("\\")) if charsets else ()

    def text(self, keyword: str, vr: str = "CS") -> str:
        """An element as text; empty where it is absent."""
        raw = self.elements.get(TAGS[keyword])
        return values.text(raw, vr, self.charsets, self.little) if raw else ""

    def numbers(self, keyword: str, vr: str = "DS") -> list[int | float]:
        """An element's numbers; what is none is left out."""
        raw = self.elements.get(TAGS[keyword])
        return values.numbers(raw, vr, self.little) if raw else []

    def first(self, keyword: str, vr: str = "DS") -> int | float | None:
        """The first of an element's numbers."""
        raw = self.elements.get(TAGS[keyword])
        return values.first(raw, vr, self.little) if raw else None

    def whole(self, keyword: str, default: int, vr: str = "US") -> int:
        """The first number without fraction; ``default`` where there is none."""
        found = self.first(keyword, vr)
        return default if found is None else int(found)

    def vector(self, keyword: str, length: int) -> tuple[float, ...] | None:
        """All ``length`` numbers, or none."""
        raw = self.elements.get(TAGS[keyword])
        if raw is None or raw[1].count(b"\\") != length - 1:
            return None
        found = values.numbers(raw, "DS", self.little)
        return tuple(map(float, found)) if len(found) == length else None

    def columns(self, tags: Iterable[int]) -> dict[str, Value]:
        """What the index's columns of ``tags`` hold; a column of numbers takes the first of several."""
        out: dict[str, Value] = {}
        for tag in tags:
            raw = self.elements.get(tag)
            if raw is None or not raw[1]:
                continue
            attribute = COLUMNS[tag]
            if attribute.number:
                number = values.first(raw, attribute.vr, self.little)
                if number is not None:
                    out[attribute.keyword] = number
            elif text := values.text(raw, attribute.vr, self.charsets, self.little):
                out[attribute.keyword] = text
        return out
