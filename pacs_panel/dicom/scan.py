"""Where the elements of a file lie, without reading what nobody asked for.

The scan walks element headers (PS3.5 §7.1) and keeps the values of wanted top-level elements. It doesn't recurse, never
allocates by a claimed length, and bounds depth, element count and inflation, so that any bytes may be thrown at it.
Leniency follows pydicom's: the first element, and any without a valid VR, decide between explicit and implicit VR.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import BinaryIO, NoReturn

from pacs_panel.dicom.quick import TAIL, Layout, Layouts, Raw, Trail
from pacs_panel.errors import NotDicom, TooLarge, Unreadable
from pacs_panel.settings import Settings

IMPLICIT_LE = "1.2.840.10008.1.2"
EXPLICIT_LE = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
EXPLICIT_BE = "1.2.840.10008.1.2.2"

SHORT = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())
LONG = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())  # 32-bit length (PS3.5 §7.1.2)
UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
END = -1
PIXELS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})  # float, double, integer
TRANSFER_SYNTAX, SOP_CLASS = 0x00020010, 0x00080016
INSIDE_DEFLATED = -2

MAX_VALUE = 1 << 16  # a wanted value longer than this is no identifier, date or number
MAX_ELEMENTS = 10_000_000
CHUNK = 1 << 15
PREFIX = (128, 4)  # where "DICM" lies

__all__ = ["Raw", "Scan", "inflated", "scan"]


@dataclass(frozen=True, slots=True)
class Scan:
    """What a scan found.

    Attributes
    ----------
    meta, elements : mapping of int to Raw
        File meta information (group 2), and the wanted elements of the data set, by tag.
    transfer_syntax : str
        As the file meta says, else as the first element looks.
    dataset_offset : int
        First byte after group 2.
    implicit, little : bool
        Encoding of the data set: implicit VR, little endian.
    pixel_tag, pixel_offset, pixel_length : int
        Pixel data's tag (0: there is none), and its value as `pacs_panel.model.ImageHeader` tells it; inside a deflated
        data set the length is `INSIDE_DEFLATED`, and the offset that of the deflated stream.
    empty : bool
        There is no element after group 2.
    """

    meta: Mapping[int, Raw]
    elements: Mapping[int, Raw]
    transfer_syntax: str
    dataset_offset: int
    implicit: bool
    little: bool
    pixel_tag: int
    pixel_offset: int
    pixel_length: int
    empty: bool


def scan(source: BinaryIO, size: int, wanted: Collection[int], settings: Settings) -> Scan:
    """Walk a file up to its pixel data; one that lies as another did is read without walking.

    Parameters
    ----------
    source : binary file
        Seekable; the file begins at 0.
    size : int
        Bytes.
    wanted : collection of int
        Tags of top-level elements whose values are kept, as long as they are no longer than `MAX_VALUE`; a sequence's
        of undefined length is kept as empty.

    Raises
    ------
    NotDicom, Unreadable, TooLarge
    """
    if size > settings.max_object_bytes:
        raise TooLarge(f"the object has {size} bytes, the limit is {settings.max_object_bytes}")
    plain = _Window(_Plain(source, size), size)
    head, layouts = plain.data, _layouts(frozenset(wanted), settings.max_depth)
    if (known := layouts.read(head)) is not None:
        return known
    trail = Trail()
    found = _walked(plain, source, size, wanted, settings, trail)
    end = found.pixel_offset + TAIL
    certain = trail.fixed[:1] == [PREFIX] and found.pixel_tag and found.pixel_length != INSIDE_DEFLATED
    if certain and end <= len(head) and layouts.again(trail):
        layouts.learn(_layout(head, trail, found))
    return found


@lru_cache(maxsize=16)
def _layouts(wanted: frozenset[int], max_depth: int) -> Layouts[Scan]:
    """What was learned of walks that differ in nothing but the file; the arguments are told apart by the cache."""
    return Layouts()


def _layout(head: bytes, trail: Trail, found: Scan) -> Layout[Scan]:
    meta = sum(position < found.dataset_offset for _, _, position, _ in trail.places)
    make = partial(
        Scan,
        transfer_syntax=found.transfer_syntax,
        dataset_offset=found.dataset_offset,
        implicit=found.implicit,
        little=found.little,
        pixel_tag=found.pixel_tag,
        pixel_offset=found.pixel_offset,
        pixel_length=found.pixel_length,
        empty=found.empty,
    )
    return Layout(head, trail, meta, make)


def _walked(
    plain: _Window, source: BinaryIO, size: int, wanted: Collection[int], settings: Settings, trail: Trail
) -> Scan:
    start = _start(plain)
    if start:
        trail.fixed.append(PREFIX)
    meta: dict[int, Raw] = {}
    dataset_offset = _Walk(plain, False, "<", settings.max_depth, trail).group_2(start, meta)
    syntax = meta.get(TRANSFER_SYNTAX, (b"", b""))[1].decode("ascii", "replace").strip(" \0")
    window, begin = plain, dataset_offset
    if syntax == DEFLATED:
        window, begin = _Window(_Inflated(source, size, dataset_offset, settings)), 0
    implicit, order, guess = _encoding(window, begin, syntax)
    elements: dict[int, Raw] = {}
    walk = _Walk(window, implicit, order, settings.max_depth, trail)
    try:
        tag, offset, length = walk.dataset(begin, wanted, elements)
    except Unreadable:
        if start or SOP_CLASS in elements:
            raise
        raise NotDicom("there is no DICM prefix, and the bytes are no data set") from None
    if tag and syntax == DEFLATED:
        offset, length = dataset_offset, INSIDE_DEFLATED
    empty = not window.has(begin, 8)
    return Scan(meta, elements, syntax or guess, dataset_offset, implicit, order == "<", tag, offset, length, empty)


def inflated(source: BinaryIO, size: int, dataset_offset: int, settings: Settings) -> bytes:
    """The whole data set out of its deflated stream (PS3.5 §A.5); `TooLarge` beyond the settings' bounds."""
    return _Inflated(source, size, dataset_offset, settings).read(0, settings.max_object_bytes)


class _Plain:
    def __init__(self, source: BinaryIO, size: int) -> None:
        self.source, self.size = source, size

    def read(self, position: int, count: int) -> bytes:
        self.source.seek(position)
        return self.source.read(max(0, min(count, self.size - position)))


class _Inflated:
    """A deflated data set (PS3.5 §A.5), inflated only as far as it is read."""

    def __init__(self, source: BinaryIO, size: int, offset: int, settings: Settings) -> None:
        self.source, self.next, self.size = source, offset, size
        self.limit = min(settings.max_object_bytes, (size - offset) * settings.max_expansion)
        self.engine = zlib.decompressobj(-zlib.MAX_WBITS)
        self.out = bytearray()

    def read(self, position: int, count: int) -> bytes:
        while len(self.out) < position + count and not self.engine.eof and self._more():
            pass
        return bytes(self.out[position : position + count])

    def _more(self) -> bool:
        piece = self.engine.unconsumed_tail
        if not piece:
            self.source.seek(self.next)
            piece = self.source.read(min(CHUNK, self.size - self.next))
            self.next += len(piece)
        if len(self.out) >= self.limit:
            raise TooLarge(f"the deflated data set holds more than {self.limit} bytes")
        try:
            self.out += self.engine.decompress(piece, 1 << 20)
        except zlib.error:
            raise Unreadable("the deflated data set is damaged") from None
        return bool(piece)


class _Window:
    """Part of a file in memory: ``data`` holds the bytes from ``base`` on."""

    def __init__(self, reader: _Plain | _Inflated, size: int | None = None) -> None:
        self.reader, self.base = reader, 0
        self.size = 1 << 62 if size is None else size
        self.data = reader.read(0, CHUNK)

    def index(self, position: int, count: int) -> int:
        """Where ``position`` is in ``data``, which is refilled so that ``count`` bytes follow unless the file ends."""
        at = position - self.base
        if at < 0 or at + count > len(self.data):
            self.base, self.data = position, self.reader.read(position, max(count, CHUNK))
            at = 0
        return at

    def has(self, position: int, count: int) -> bool:
        at = self.index(position, count)  # first: it may replace `data`
        return len(self.data) - at >= count

    def take(self, position: int, count: int) -> bytes:
        at = self.index(position, count)
        return self.data[at : at + count]


def _start(window: _Window) -> int:
    """Position of the first element; files without preamble must begin with a plausible one."""
    head = window.take(0, 140)
    if head[128:132] == b"DICM":
        return 132
    if len(head) < 8:
        raise NotDicom("the file is empty" if not head else "the file is too short")
    little, big = int.from_bytes(head[:2], "little"), int.from_bytes(head[:2], "big")
    if little not in (2, 8) and big != 8:
        raise NotDicom("there is no DICM prefix, and the first bytes are no element of a data set")
    return 0


def _encoding(window: _Window, begin: int, syntax: str) -> tuple[bool, str, str]:
    """Implicit VR?, byte order, and the transfer syntax these amount to."""
    head = window.take(begin, 6)
    letters = len(head) == 6 and head[4:6].isalpha() and head[4:6].isupper()
    implicit = not letters if len(head) == 6 else syntax == IMPLICIT_LE
    big = syntax == EXPLICIT_BE or (not syntax and letters and int.from_bytes(head[:2], "little") >= 0x0400)
    return implicit, ">" if big else "<", IMPLICIT_LE if implicit else EXPLICIT_BE if big else EXPLICIT_LE


class _Walk:
    """Steps over elements in one encoding."""

    def __init__(self, window: _Window, implicit: bool, order: str, max_depth: int, trail: Trail) -> None:
        self.window, self.implicit, self.max_depth, self.trail = window, implicit, max_depth, trail
        self.head = struct.Struct(order + "HH2sH").unpack_from
        self.long = struct.Struct(order + "I").unpack_from
        self.count = 0

    def header(self, position: int, implicit: bool) -> tuple[int, bytes, int, int]:
        """Tag, VR, length and value's position of the element at ``position``; tag `END` where the file ends."""
        window = self.window
        at, data = position - window.base, window.data
        if at < 0 or at + 12 > len(data):
            at = window.index(position, 12)
            data = window.data
            if len(data) - at < 12 and self.ends(data[at:]):
                return END, b"", 0, position
        self.count += 1
        group, element, vr, short = self.head(data, at)
        tag = group << 16 | element
        if vr in LONG and not implicit and group != 0xFFFE:
            if len(data) - at < 12:
                raise Unreadable(f"the file ends inside the header of element ({group:04X},{element:04X})")
            self.note(position, 12)
            return tag, vr, self.long(data, at + 8)[0], position + 12
        self.note(position, 8)
        if implicit or group == 0xFFFE:
            return tag, b"", self.long(data, at + 4)[0], position + 8
        if vr in SHORT:
            return tag, vr, short, position + 8
        if vr.isalpha() and vr.isupper():  # a VR of a later edition; those of PS3.5 §7.1.2 so far had short lengths
            return tag, vr, short, position + 8
        return tag, b"", self.long(data, at + 4)[0], position + 8  # implicit VR amid explicit, as some writers do

    def note(self, position: int, length: int) -> None:
        """Remember bytes that led the walk; beyond `CHUNK` no layout is learned."""
        if position < CHUNK:
            self.trail.fixed.append((position, length))

    def keep(self, tag: int, vr: bytes, position: int, length: int) -> None:
        """Remember where a wanted value lies."""
        if position < CHUNK:
            self.trail.places.append((tag, vr, position, length))

    def ends(self, rest: bytes) -> bool:
        """Whether no element begins in the last bytes of a file; padding may."""
        if len(rest) >= 8:
            return False
        if rest.strip(b"\0"):
            raise Unreadable("the file ends inside the header of an element")
        return True

    def group_2(self, position: int, found: dict[int, Raw]) -> int:
        """File meta information (PS3.10 §7.1): fills ``found`` and returns where the data set begins."""
        while self.window.has(position, 8) and self.window.take(position, 2) == b"\x02\x00":
            tag, vr, length, value = self.header(position, False)
            if length == UNDEFINED:
                raise Unreadable("the file meta information holds an element of undefined length")
            found[tag] = self.value(tag, vr, length, value)
            position = value + length
            if tag == TRANSFER_SYNTAX:
                self.note(value, length)
        return position

    def dataset(self, position: int, wanted: Collection[int], found: dict[int, Raw]) -> tuple[int, int, int]:
        """Fills ``found``; returns tag, offset and length of the pixel data, zeros where there are none."""
        implicit, size = self.implicit, self.window.size
        window, unpack = self.window, self.head
        while self.count < MAX_ELEMENTS:
            at, vr, group, element = position - window.base, b"", 0, 0
            if 0 <= at <= len(window.data) - 12 and not implicit:
                group, element, vr, length = unpack(window.data, at)
            if vr in SHORT and group != 0xFFFE:  # as `header` would tell, only sooner: nearly all are such
                tag, value = group << 16 | element, position + 8
                self.count += 1
                if position < CHUNK:
                    self.trail.fixed.append((position, 8))
            else:
                tag, vr, length, value = self.header(position, implicit)
            if tag == END:
                return 0, 0, 0
            if tag in PIXELS:
                return tag, value, -1 if length == UNDEFINED else length
            if length == UNDEFINED:
                if tag in wanted:
                    found[tag] = vr, b""
                    self.keep(tag, vr, value, 0)
                position = self.sequence(value, implicit)
                continue
            position = value + length
            if position > size:
                self.beyond(tag, length)
            if tag in wanted:
                found[tag] = self.value(tag, vr, length, value)
        raise TooLarge(f"the header has more than {MAX_ELEMENTS} elements")

    def value(self, tag: int, vr: bytes, length: int, position: int) -> Raw:
        if position + length > self.window.size:
            self.beyond(tag, length)
        if length > MAX_VALUE:
            self.keep(tag, vr, position, 0)
            return vr, b""
        value = self.window.take(position, length)
        if len(value) < length:
            self.beyond(tag, length)
        self.keep(tag, vr, position, length)
        return vr, value

    def beyond(self, tag: int, length: int) -> NoReturn:
        size = "fewer" if self.window.size == 1 << 62 else f"{self.window.size} in all"
        raise Unreadable(f"element ({tag >> 16:04X},{tag & 0xFFFF:04X}) claims {length} bytes, the file has {size}")

    def sequence(self, position: int, implicit: bool) -> int:
        """Position after the delimiter of a sequence, or of fragments, of undefined length that begins here."""
        levels = [implicit]  # one for each open sequence
        inside = False  # whether an item is open in the innermost
        while self.count < MAX_ELEMENTS:
            tag, _, length, value = self.header(position, levels[-1])
            if tag == END:
                raise Unreadable("the file ends inside a sequence")
            position = value + (0 if length == UNDEFINED else length)
            if inside and tag == ITEM_END:
                inside, position = False, value
            elif inside and length == UNDEFINED:
                levels.append(levels[-1])
                inside = False
                if len(levels) > self.max_depth:
                    raise TooLarge(f"sequences are nested more than {self.max_depth} deep")
            elif inside:
                if position > self.window.size:
                    self.beyond(tag, length)
            elif tag == SEQUENCE_END:
                levels.pop()
                inside, position = True, value
                if not levels:
                    return position
            elif tag == ITEM and length == UNDEFINED:
                inside = True
                levels[-1] = self.item_is_implicit(value, levels[-1])
            elif tag == ITEM_END:
                position = value
            elif tag != ITEM:
                raise Unreadable(f"({tag >> 16:04X},{tag & 0xFFFF:04X}) stands where a sequence item should be")
        raise TooLarge(f"the header has more than {MAX_ELEMENTS} elements")

    def item_is_implicit(self, position: int, implicit: bool) -> bool:
        """Items may turn to implicit VR inside explicit (PS3.5 §6.2.2 note 4 on UN), never the other way."""
        letters = self.window.take(position + 4, 2)
        return implicit or not (letters.isalpha() and letters.isupper())
