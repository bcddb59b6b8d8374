"""Members of a zip, in constant memory: by its central directory (APPNOTE 6.3), or by a scan where that is missing."""

from __future__ import annotations

import io
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

from pacs_panel.errors import Rejected, TooLarge, Unreadable
from pacs_panel.receive.members import Entry
from pacs_panel.receive.streams import PIECE, Expanded, Window, truncated

LOCAL = struct.Struct("<4s5H3I2H")
CENTRAL = struct.Struct("<4s6H3I5H2I")
END = struct.Struct("<4s4H2IH")
LOCATOR64 = struct.Struct("<4sIQI")
END64 = struct.Struct("<4sQ2H2I4Q")
MAX32 = 0xFFFFFFFF
METHODS = {0: "stored", 8: "deflate", 12: "bzip2"}
ENCRYPTED, DESCRIPTOR, UTF8 = 0x0001, 0x0008, 0x0800


@dataclass(frozen=True, slots=True)
class _Directory:
    """Where the central directory lies, how many members it claims, and how far offsets are shifted by a prefix."""

    start: int
    end: int
    count: int
    shift: int


def members(file: BinaryIO, length: int, ratio: int) -> Iterator[Entry]:
    """The members of a zip, in the directory's order; folders are left out.

    Parameters
    ----------
    file : BinaryIO
        Seekable; the zip's first byte is at 0.
    length : int
        Size of the zip in bytes.
    ratio : int
        See `Expanded`; used only where a zip without a directory must be scanned.

    Raises
    ------
    Rejected
        After the last complete member, where the zip is cut short, damaged, or lets members share bytes.
    """
    directory = _find_directory(file, length)
    if directory is None:
        yield from _scan(file, length, ratio)
        raise truncated("the zip has no central directory: members may be missing")
    position, count, used = directory.start, 0, 0
    while position < directory.end:
        header = _at(file, position, CENTRAL.size)
        if len(header) < CENTRAL.size or not header.startswith(b"PK\x01\x02"):
            break
        values = CENTRAL.unpack(header)
        rest = file.read(values[10] + values[11] + values[12])
        position += CENTRAL.size + len(rest)
        count += 1
        entry = _central(values, rest)
        entry = _located(file, entry, directory)
        used += 0 if entry.problem else LOCAL.size + entry.length
        if used > length:  # true members lie side by side; a bomb's share the same bytes
            raise TooLarge("members of the zip overlap")
        if not _is_folder(entry):
            yield entry
    if (count - directory.count) % 0x10000:
        raise Unreadable(f"the zip's directory claims {directory.count} members, {count} were found")


def _at(file: BinaryIO, position: int, size: int) -> bytes:
    file.seek(position)
    return file.read(size)


def _find_directory(file: BinaryIO, length: int) -> _Directory | None:
    base = max(0, length - END.size - 0xFFFF)
    tail = _at(file, base, length - base)
    found = tail.rfind(b"PK\x05\x06")
    while found >= 0:
        if len(tail) - found >= END.size and (directory := _directory(file, base + found, tail[found:])):
            return directory
        found = tail.rfind(b"PK\x05\x06", 0, found)
    return None


def _directory(file: BinaryIO, end: int, record: bytes) -> _Directory | None:
    """The directory that an end record at ``end`` tells of, if it can be true."""
    _, _, _, _, count, size, offset, _ = END.unpack_from(record)
    locator = _at(file, end - LOCATOR64.size, LOCATOR64.size) if end >= LOCATOR64.size else b""
    if locator.startswith(b"PK\x06\x07"):
        # The record lies where the locator says, or right before it where something was put in front of the zip.
        for position in (LOCATOR64.unpack(locator)[2], end - LOCATOR64.size - END64.size):
            record = _at(file, position, END64.size) if 0 <= position < end else b""
            if len(record) == END64.size and record.startswith(b"PK\x06\x06"):
                *_, count, size, offset = END64.unpack(record)
                end = position
                break
    start = end - size
    if start < offset or start < 0:
        return None
    if size and _at(file, start, 4) != b"PK\x01\x02":
        return None
    return _Directory(start, end, count, start - offset)


def _central(values: tuple[int, ...], rest: bytes) -> Entry:
    """An entry whose offset is still that of its local header."""
    _, _, _, flags, method, _, _, crc, length, size, names, extras, _, _, _, attributes, offset = values
    name = _name(rest[:names], flags)
    size, length, offset = _zip64(rest[names : names + extras], size, length, offset)
    problem = _problem(flags, method)
    # Whatever the maker, upper bits that tell of a link are taken at their word.
    if stat.S_ISLNK(attributes >> 16):
        problem = Rejected("links within archives are not followed", reason="link")
    return Entry(name, offset, length, METHODS.get(method, ""), size, crc, problem)


def _problem(flags: int, method: int) -> Rejected | None:
    if flags & ENCRYPTED:
        return Rejected("decrypt it first", reason="encrypted")
    if method not in METHODS:
        return Rejected(f"zip method {method}: pack it again with deflate", reason="unsupported compression")
    return None


def _name(raw: bytes, flags: int) -> str:
    return raw.decode("utf-8", "surrogateescape") if flags & UTF8 else raw.decode("cp437")


def _zip64(extra: bytes, *values: int) -> tuple[int, ...]:
    """Size, compressed size and offset with what a zip64 field says of those that did not fit in 32 bits."""
    while len(extra) >= 4:
        tag, size = struct.unpack_from("<2H", extra)
        if tag == 1:
            numbers = iter(struct.unpack_from(f"<{min(size, len(extra) - 4) // 8}Q", extra, 4))
            return tuple(next(numbers, value) if value == MAX32 else value for value in values)
        extra = extra[4 + size :]
    return values


def _located(file: BinaryIO, entry: Entry, directory: _Directory) -> Entry:
    """The entry with the offset of its bytes, which its local header tells."""
    position = entry.offset + directory.shift
    header = _at(file, position, LOCAL.size) if position < directory.start else b""
    if len(header) < LOCAL.size or not header.startswith(b"PK\x03\x04"):
        return replace(entry, problem=Unreadable("the zip's directory points to where no member is"))
    names, extras = LOCAL.unpack(header)[-2:]
    offset = position + LOCAL.size + names + extras
    if offset + entry.length > directory.start:
        return replace(entry, problem=Unreadable("a member of the zip claims bytes beyond its end"))
    return replace(entry, offset=offset)  # other problems stay


def _scan(file: BinaryIO, length: int, ratio: int) -> Iterator[Entry]:
    """Complete members of a zip whose directory is missing, by their local headers."""
    position = 4 if _at(file, 0, 8) == b"PK\x07\x08PK\x03\x04" else 0
    while (header := _at(file, position, LOCAL.size)).startswith(b"PK\x03\x04") and len(header) == LOCAL.size:
        _, _, flags, method, _, _, crc, packed, size, names, extras = LOCAL.unpack(header)
        rest = file.read(names + extras)
        name = _name(rest[:names], flags)
        size, packed = _zip64(rest[names:], size, packed)
        entry = Entry(name, position + LOCAL.size + len(rest), packed, METHODS.get(method, ""), size, crc)
        entry = replace(entry, problem=_problem(flags, method))
        if flags & DESCRIPTOR:
            if entry.method not in ("deflate", "bzip2") or entry.problem:
                return  # nothing tells where such a member ends
            entry = replace(entry, length=_measure(file, entry, length, ratio), size=None, crc=None)
        position = entry.offset + entry.length
        if position > length:
            return
        if flags & DESCRIPTOR:
            position, crc = _descriptor(file, position)
            entry = replace(entry, crc=crc)
        if not _is_folder(entry):
            yield entry


def _is_folder(entry: Entry) -> bool:
    return entry.name.endswith(("/", "\\")) and not entry.size


def _measure(file: BinaryIO, entry: Entry, length: int, ratio: int) -> int:
    """Compressed bytes of a member whose header does not tell."""
    part = io.BufferedReader(Window(file, entry.offset, length - entry.offset, borrowed=True))
    stream = Expanded(part, entry.method, ratio)
    while stream.read(PIECE):
        pass
    return stream.consumed


def _descriptor(file: BinaryIO, position: int) -> tuple[int, int | None]:
    """Where the next header is behind a data descriptor, and the CRC in it; mark and 64-bit sizes are optional."""
    data = _at(file, position, 28)
    mark = 4 if data.startswith(b"PK\x07\x08") else 0
    crc = int.from_bytes(data[mark : mark + 4], "little") if len(data) >= mark + 4 else None
    wide = data[mark + 12 : mark + 14] != b"PK" and data[mark + 20 : mark + 22] == b"PK"
    return position + mark + (20 if wide else 12), crc
