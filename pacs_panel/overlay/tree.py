"""A data set up to its pixel data as plain nested dicts of bytes: quick where thousands of frames are described.

pydicom makes an object of every element, which takes seconds for the functional groups of a large segmentation. Here an
element is its value's bytes, a sequence a list of items; `reduce` may take each item of a sequence as it is met, so
that memory stays flat.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, BinaryIO

from pydicom._dicom_dict import DicomDictionary
from pydicom.datadict import dictionary_has_tag, dictionary_VR, tag_for_keyword

from pacs_panel.dicom import values
from pacs_panel.dicom.scan import (
    DEFLATED,
    EXPLICIT_BE,
    IMPLICIT_LE,
    PIXELS,
    SHORT,
    UNDEFINED,
    inflated,
)
from pacs_panel.errors import NotDicom, TooLarge, Unreadable
from pacs_panel.settings import Settings

Item = dict[int, Any]
Reduce = Mapping[int, Callable[[Item], object]]

SEQUENCES = frozenset(tag for tag, entry in DicomDictionary.items() if entry[0] == "SQ")
CHARSET, TRANSFER_SYNTAX = 0x00080005, 0x00020010
FIRST_READ = 1 << 20
BULK = frozenset((b"OB", b"OW", b"OF", b"OD"))


@lru_cache(maxsize=1024)
def tag_of(keyword: str) -> int:
    """The tag of a keyword of the standard's dictionary."""
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise KeyError(keyword)
    return int(tag)


@dataclass(frozen=True, slots=True)
class Tree:
    """A data set as nested dicts, and what is needed to read the values in it.

    Attributes
    ----------
    root : dict of int to bytes or list
        Tag to value; a sequence is a list of such dicts, or of what `read`'s ``reduce`` made of them.
    little : bool
        Byte order.
    transfer_syntax : str
    charsets : tuple of str
        Values of Specific Character Set.
    """

    root: Item
    little: bool
    transfer_syntax: str
    charsets: tuple[str, ...]

    def text(self, item: Item, keyword: str) -> str:
        """A value as text, several joined by backslash; empty where absent."""
        value = item.get(tag := tag_of(keyword))
        return values.text((b"", value), _vr(tag), self.charsets, self.little) if isinstance(value, bytes) else ""

    def numbers(self, item: Item, keyword: str) -> list[int | float]:
        """A value as finite numbers; empty where absent."""
        value = item.get(tag := tag_of(keyword))
        return values.numbers((b"", value), _vr(tag), self.little) if isinstance(value, bytes) else []

    def number(self, item: Item, keyword: str, default: float = 0) -> int | float:
        """The first number of a value."""
        return next(iter(self.numbers(item, keyword)), default)

    def items(self, item: Item, keyword: str) -> list[Item]:
        """Items of a sequence; empty where absent."""
        value = item.get(tag_of(keyword))
        return value if isinstance(value, list) else []

    def first(self, item: Item, *keywords: str) -> Item:
        """The first item of a sequence, or of sequences nested in each other; empty where there is none."""
        for keyword in keywords:
            item = next(iter(self.items(item, keyword)), {})
        return item


@lru_cache(maxsize=1024)
def _vr(tag: int) -> str:
    if not dictionary_has_tag(tag):
        return "UN"
    return dictionary_VR(tag).partition(" ")[0]


def read(
    source: BinaryIO,
    settings: Settings,
    reduce: Reduce | None = None,
    skip: frozenset[int] = frozenset(),
    expected: int = 0,
) -> Tree:
    """Read a data set up to its pixel data.

    Parameters
    ----------
    source : binary file
        Seekable; the object's file begins at 0.
    reduce : mapping of int to callable, optional
        By tag of a top-level sequence, what takes the place of each of its items. It may be called again for an item.
    skip : frozenset of int
        Tags of sequences that may be left out.
    expected : int
        Bytes up to the pixel data, where they are known: they are then read at once.

    Raises
    ------
    NotDicom, Unreadable, TooLarge
    """
    size = source.seek(0, 2)
    if size > settings.max_object_bytes:
        raise TooLarge(f"the object has {size} bytes, the limit is {settings.max_object_bytes}")
    source.seek(0)
    data = source.read(min(size, max(expected + 12, FIRST_READ)))
    begin, syntax = _meta(data)
    if syntax == DEFLATED:
        data, begin, source, size = inflated(source, size, begin, settings), 0, _NOTHING, 0
    implicit = not data[begin + 4 : begin + 6].isalpha()
    little = syntax != EXPLICIT_BE
    parser = _Parser(data, little, settings.max_depth, reduce or {}, skip)
    root: Item = {}
    parser.complete = begin
    while True:
        try:
            parser.dataset(root, parser.complete, implicit)
            break
        except _Short:
            more = source.read(max(3 * len(parser.data), FIRST_READ)) if len(parser.data) < size else b""
            if not more:
                raise Unreadable("the file ends inside an element") from None
            parser.data += more
    charsets = tuple(part.strip(" \0") for part in root.get(CHARSET, b"").decode("ascii", "replace").split("\\"))
    return Tree(root, little, syntax or IMPLICIT_LE, charsets if charsets != ("",) else ())


def _meta(data: bytes) -> tuple[int, str]:
    """Where the data set begins, and its transfer syntax (PS3.10 §7.1)."""
    at = 132 if data[128:132] == b"DICM" else 0
    if len(data) < at + 8:
        raise NotDicom("the file is too short")
    syntax = ""
    while data[at : at + 2] == b"\x02\x00" and len(data) >= at + 12:
        group, element, vr, length = struct.unpack_from("<HH2sH", data, at)
        head = 8
        if vr not in SHORT:
            length, head = struct.unpack_from("<I", data, at + 8)[0], 12
        if group << 16 | element == TRANSFER_SYNTAX:
            syntax = data[at + head : at + head + length].decode("ascii", "replace").strip(" \0")
        at += head + length
    return at, syntax


class _Nothing:
    def read(self, count: int) -> bytes:
        return b""


_NOTHING: Any = _Nothing()


class _Short(Exception):
    """The bytes in memory end inside an element."""


class _Parser:
    def __init__(self, data: bytes, little: bool, max_depth: int, reduce: Reduce, skip: frozenset[int]) -> None:
        self.data, self.max_depth, self.reduce, self.skip = data, max_depth, reduce, skip
        self.complete = 0  # where the last top-level element begins that isn't known to be complete
        order = "<" if little else ">"
        self.head = struct.Struct(order + "HH2sH").unpack_from
        self.long = struct.Struct(order + "I").unpack_from
        self.tag = struct.Struct(order + "HHI").unpack_from
        self.item_end = struct.pack(order + "HH", 0xFFFE, 0xE00D)

    def dataset(self, root: Item, at: int, implicit: bool) -> None:
        """Fill ``root`` with the elements from ``at`` to the pixel data or the end."""
        self.complete = at
        try:
            self.elements(root, at, len(self.data), implicit, 0)
        except struct.error:
            if len(self.data) - self.complete >= 8 or self.data[self.complete :].strip(b"\0"):
                raise _Short from None

    def elements(self, found: Item, at: int, end: int, implicit: bool, depth: int) -> int:
        """Fill ``found`` up to ``end``, an item's delimiter, or the pixel data; returns where that is passed."""
        data, head, size = self.data, self.head, len(self.data)
        while at < end:
            if not depth:
                self.complete = at
            group, element, vr, length = head(data, at)
            tag = group << 16 | element
            if vr in SHORT and not implicit:
                at += 8
            elif group == 0xFFFE:
                return at + 8
            elif tag in PIXELS and not depth:
                return at
            else:
                at, length, nested = self.long_header(at, tag, vr, implicit)
                if nested:
                    at = self.nested(found, tag, vr, at, length, implicit or vr == b"UN", depth)
                    continue
            stop = at + length
            if stop > size:
                raise _Short
            found[tag] = data[at:stop]
            at = stop
        return at

    def long_header(self, at: int, tag: int, vr: bytes, implicit: bool) -> tuple[int, int, bool]:
        """Where a value begins, its length, and whether it is a sequence or fragments."""
        if implicit or not vr.isalpha():  # the second: implicit VR amid explicit, as some writers do
            length, at = self.long(self.data, at + 4)[0], at + 8
        else:
            length, at = self.long(self.data, at + 8)[0], at + 12
        known = tag in SEQUENCES and (implicit or vr == b"UN")
        return at, length, vr == b"SQ" or length == UNDEFINED or known

    def nested(self, found: Item, tag: int, vr: bytes, at: int, length: int, implicit: bool, depth: int) -> int:
        if length == UNDEFINED and vr in BULK:
            return self.fragments(at)
        if length != UNDEFINED and tag in self.skip:
            if at + length > len(self.data):
                raise _Short
            return at + length
        reduce = self.reduce.get(tag) if depth == 0 else None
        found[tag], at = self.sequence(at, length, implicit, depth + 1, reduce)
        return at

    def sequence(
        self, at: int, length: int, implicit: bool, depth: int, reduce: Callable[[Item], object] | None
    ) -> tuple[list[Any], int]:
        if depth > self.max_depth:
            raise TooLarge(f"sequences are nested more than {self.max_depth} deep")
        size = len(self.data)
        end = size if length == UNDEFINED else at + length
        items: list[Any] = []
        while at < end <= size:
            group, element, count = self.tag(self.data, at)
            at += 8
            if group != 0xFFFE:
                raise Unreadable(f"({group:04X},{element:04X}) stands where a sequence item should be")
            if element == 0xE0DD:
                return items, at
            if element == 0xE00D:
                continue
            stop = size if count == UNDEFINED else at + count
            item: Item = {}
            at = self.elements(item, at, stop, implicit, depth)
            if stop > size or (count == UNDEFINED and self.data[at - 8 : at - 4] != self.item_end):
                raise _Short
            items.append(item if reduce is None else reduce(item))
        if end > size or length == UNDEFINED:
            raise _Short
        return items, at

    def fragments(self, at: int) -> int:
        """Past the fragments of encapsulated pixels, such as an icon's."""
        while True:
            group, element, size = self.tag(self.data, at)
            at += 8
            if group != 0xFFFE:
                raise Unreadable(f"({group:04X},{element:04X}) stands where a fragment of pixel data should be")
            if element == 0xE0DD:
                return at
            at += size
