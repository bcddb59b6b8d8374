"""What a compressed frame states of itself, read before anything is decoded: its size, and whether it is whole."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from itertools import cycle

from pacs_panel.errors import BadPixels

MAX_JPEG_HEADER = 1 << 20
MAX_HEADER = 4096
END = b"\xff\xd9"  # EOI of JPEG, EOC of JPEG 2000: cannot occur inside entropy-coded data
J2K, JP2 = b"\xff\x4f\xff\x51", b"\x00\x00\x00\x0cjP"
JXL, JXL_FILE = b"\xff\x0a", b"\x00\x00\x00\x0cJXL "
JPEG = b"\xff\xd8\xff"
BETWEEN_SCANS = (0xC4, 0xCC, 0xDA, 0xDB, 0xDC, 0xDD, 0xFE, *range(0xE0, 0xF0))  # markers of JPEG
MARK, RESTART = re.compile(rb"\xff\xff*[^\x00\xff]"), re.compile(rb"\xff([\xd0-\xd7])")
NO_RESTART = re.compile(rb"\xff\xff*[^\x00\xff\xd0-\xd7]")
SOT, SOD, PACKET = 0x90, 0x93, b"\xff\x91"  # markers of JPEG 2000: of a tile-part, its data, and a packet in them
J2K_MARK = re.compile(rb"\xff[\x90\x93-\xff]")  # FF92 ends a packet's header
RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))


@dataclass(frozen=True, slots=True)
class Size:
    """Shape of a codestream; ``samples``, and the ``bits`` of the first one, are 0 where only decoding tells."""

    rows: int
    columns: int
    samples: int = 0
    bits: int = 0


def size(data: bytes) -> Size | None:
    """What a JPEG, JPEG-LS, JPEG 2000 or JPEG XL codestream states; ``None`` where it is none of them.

    Raises
    ------
    BadPixels
        JPEG XL that is more than one picture.
    """
    if data.startswith(JPEG[:2]):
        return _jpeg(data)
    if data.startswith((J2K, JP2)):
        return _jpeg_2000(data)
    if data.startswith((JXL, JXL_FILE)):
        return _jpeg_xl(data)
    return None


def ended(data: bytes) -> bool:
    """Whether the codestream has its end mark, as JPEG, JPEG-LS and JPEG 2000 want it."""
    end = data.rfind(END)
    return end > 0 and not any(start in data[end:] for start in (b"\xff\xda", b"\xff\x93"))  # of a scan, of a tile


def damage(data: bytes) -> str:
    """In words, what shows that a JPEG or JPEG 2000 codestream is not as written; empty where nothing does.

    Whatever the bits are, their decoders give some values. But in entropy-coded data few bytes may follow FF
    (ISO/IEC 10918-1 §B.1.1.5, 15444-1 §A.1.3), and restarts are numbered: so a stretch of what does not belong there
    is mostly found. A single bit seldom is.
    """
    return _jpeg_damage(data) if data.startswith(JPEG) else _jpeg_2000_damage(data)


def begins(head: bytes, transfer_syntax: str) -> bool:
    """Whether a fragment with these first 12 bytes is the first of a frame, as its codec's signature tells."""
    family = transfer_syntax.removeprefix("1.2.840.10008.1.2.")
    if family == "5":  # the RLE header: number of segments, offset of the first (PS3.5 §G.5)
        return len(head) >= 8 and 1 <= head[0] <= 15 and head[1:8] == b"\0\0\0\x40\0\0\0"
    if family in ("4.110", "4.111", "4.112"):
        return head.startswith((JXL, JXL_FILE))
    return head.startswith((JPEG, J2K, JP2))


def _jpeg(data: bytes) -> Size | None:
    position = 2
    while position + 10 <= min(len(data), MAX_JPEG_HEADER) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF:  # a fill byte
            position += 1
        elif marker == 0xF7 or (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)):
            bits, rows, columns, samples = struct.unpack(">BHHB", data[position + 4 : position + 10])
            return Size(rows, columns, samples, bits)
        else:
            position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return None


def _jpeg_damage(data: bytes) -> str:
    position, interval = 2, 0
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker, length = data[position + 1], int.from_bytes(data[position + 2 : position + 4], "big")
        if marker == 0xFF:  # a fill byte
            position += 1
            continue
        position += 2 + length
        if marker == 0xDD:
            interval = int.from_bytes(data[position - 2 : position], "big")
        if marker == 0xDA:
            end = (NO_RESTART if interval else MARK).search(data, position)
            if end is None:
                return "its data have no end"
            if interval and not _in_order(RESTART.findall(data, position, end.start())):
                return "a restart is missing"
            position = end.end() - 2
            if data[position + 1] == END[1]:
                return ""
            if data[position + 1] not in BETWEEN_SCANS:
                return "its data hold a mark that cannot be there"
    return "its segments do not follow each other"


def _in_order(restarts: list[bytes]) -> bool:
    return all(mark[0] == wanted for mark, wanted in zip(restarts, cycle(range(0xD0, 0xD8)), strict=False))


def _jpeg_2000(data: bytes) -> Size | None:
    siz = data.find(J2K, 0, MAX_HEADER)
    if siz < 0 or len(data) < siz + 43:
        return None
    right, bottom, left, top = struct.unpack(">IIII", data[siz + 8 : siz + 24])
    samples, depth = struct.unpack(">HB", data[siz + 40 : siz + 43])
    return Size(bottom - top, right - left, samples, (depth & 0x7F) + 1)


def _jpeg_2000_damage(data: bytes) -> str:
    position, part, begun = data.find(J2K, 0, MAX_HEADER) + 2, 0, False
    while position + 1 < len(data) and data[position] == 0xFF and (marker := data[position + 1]) != END[1]:
        if marker == SOT:
            length = int.from_bytes(data[position + 6 : position + 10], "big")  # the last one's may be 0
            part = position + length if length else data.rfind(END)
        if marker != SOD:
            position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
            continue
        if part <= position:
            break
        packets = data[position + 2 : part]
        if PACKET not in packets and J2K_MARK.search(packets):  # its mark holds a number, which may be any bytes
            return "its data hold a mark that cannot be there"
        position, begun = part, True
    whole = begun and (position >= len(data) or data.startswith(END, position))  # decoders see what is cut short
    return "" if whole else "its segments do not follow each other"


# -- JPEG XL (ISO/IEC 18181-1, Annex D) --------------------------------------------------------------------------------


class _Bits:
    """Bits of a codestream, the lowest of each byte first."""

    def __init__(self, data: bytes) -> None:
        self.bits, self.left = int.from_bytes(data, "little"), 8 * len(data)

    def take(self, count: int) -> int:
        if count > self.left:
            raise BadPixels("the codestream ends inside its header")
        value = self.bits & ((1 << count) - 1)
        self.bits >>= count
        self.left -= count
        return value

    def choice(self, *options: tuple[int, int]) -> int:
        """One of four ``(offset, bits)``."""
        offset, count = options[self.take(2)]
        return offset + self.take(count)


def _jpeg_xl(data: bytes) -> Size | None:
    stream = _boxed(data) if data.startswith(JXL_FILE) else data
    if not stream.startswith(JXL):
        return None
    bits = _Bits(stream[2:64])
    small = bits.take(1)
    rows = _length(bits, small)
    ratio = bits.take(3)
    columns = rows * RATIOS[ratio - 1][0] // RATIOS[ratio - 1][1] if ratio else _length(bits, small)
    _single_picture(bits)
    return Size(rows, columns)


def _length(bits: _Bits, small: int) -> int:
    return 8 * (1 + bits.take(5)) if small else bits.choice((1, 9), (1, 13), (1, 18), (1, 30))


def _single_picture(bits: _Bits) -> None:
    """Refuse what would need more memory than the picture itself: animations, previews, many extra channels."""
    if bits.take(1):  # all is default
        return
    if bits.take(1):  # extra fields: orientation, then three flags
        bits.take(3)
        if bits.take(1) or bits.take(1) or bits.take(1):
            raise BadPixels("JPEG XL with a preview, an animation or another intrinsic size is not decoded")
    if bits.take(1):  # floating point
        bits.choice((32, 0), (16, 0), (24, 0), (1, 6))
        bits.take(4)
    else:
        bits.choice((8, 0), (10, 0), (12, 0), (1, 6))
    bits.take(1)
    if extra := bits.choice((0, 0), (1, 0), (2, 4), (1, 12)):
        raise BadPixels(f"JPEG XL with {extra} extra channels is not decoded")


def _boxed(data: bytes) -> bytes:
    """First bytes of the codestream in a JPEG XL file."""
    position = 0
    while position + 8 <= len(data):
        length, kind = struct.unpack(">I4s", data[position : position + 8])
        start = position + 8
        if length == 1 and len(data) >= start + 8:
            length, start = int.from_bytes(data[start : start + 8], "big"), start + 8
        if kind in (b"jxlc", b"jxlp"):
            return data[start + (4 if kind == b"jxlp" else 0) :][:64]
        if length < start - position:
            break
        position += length
    return b""
