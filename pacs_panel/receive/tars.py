"""Members of a tar, read from front to back in constant memory (POSIX.1-2001 ustar and pax, GNU, and V7)."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from typing import BinaryIO

from pacs_panel.errors import Rejected, TooLarge, Unreadable
from pacs_panel.receive.members import Entry
from pacs_panel.receive.streams import PIECE, Readable, truncated
from pacs_panel.settings import MIB

BLOCK = tarfile.BLOCKSIZE
MAX_EXTENSION = MIB  # bytes of a long name or of a pax header
AFTER_END = 2048  # blocks looked at behind an end mark, for a tar that was appended to it
EXTENSIONS = (
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)
PLAIN = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)


def members(stream: Readable, length: int | None = None) -> Iterator[Entry]:
    """The members of a tar, in order; directories are left out.

    Whoever iterates may read a member's bytes from ``stream`` before asking for the next.

    Parameters
    ----------
    stream : Readable
        At the tar's first byte, with ``tell() == 0``.
    length : int, optional
        Size of the tar; if given, ``stream`` must be able to seek.

    Raises
    ------
    Rejected
        After the last complete member, where the tar is cut short or damaged.
    """
    shared: dict[str, str] = {}
    own: dict[str, str] = {}
    while (info := _next_header(stream)) is not None:
        if info.type in EXTENSIONS:
            (shared if info.type == tarfile.XGLTYPE else own).update(_extension(stream, info))
            continue
        entry = _entry(info, shared | own, stream.tell())
        own = {}
        if length is not None and entry.offset + entry.length > length:
            raise truncated("the tar ends within a member")
        if info.type != tarfile.DIRTYPE:
            yield entry
        _advance(stream, entry.offset + _padded(entry.length))


def _next_header(stream: Readable) -> tarfile.TarInfo | None:
    """The next header, ``None`` at the end; a tar appended behind an end mark is read on."""
    ended = 0
    while block := stream.read(BLOCK):
        if len(block) == BLOCK and not any(block):
            ended += 1
            if ended > AFTER_END:
                return None
            continue
        try:
            info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except (tarfile.HeaderError, ValueError):
            if ended:
                return None
            raise Unreadable("the tar is cut short or damaged: no header where the next one should be") from None
        if info.size < 0:
            raise Unreadable("a member of the tar claims a negative size")
        return info
    if not ended:
        raise truncated("the tar has no end mark: members may be missing")
    return None


def _extension(stream: Readable, info: tarfile.TarInfo) -> dict[str, str]:
    if info.size > MAX_EXTENSION:
        raise TooLarge("a header of the tar is longer than 1 MiB")
    data = stream.read(_padded(info.size))[: info.size]
    if len(data) < info.size:
        raise truncated("the tar ends within a header")
    if info.type == tarfile.GNUTYPE_LONGNAME:
        return {"path": data.split(b"\0")[0].decode("utf-8", "surrogateescape")}
    return {} if info.type == tarfile.GNUTYPE_LONGLINK else _pax_records(data)


def _pax_records(data: bytes) -> dict[str, str]:
    """Records ``<length> <key>=<value>`` and a line feed; the length is decimal and that of the whole record."""
    records = {}
    position = 0
    while position < len(data) and data[position]:
        digits = data[position : position + 20].split(b" ", 1)[0]
        end = position + int(digits) if digits.isdigit() else 0
        key, equals, value = data[position + len(digits) + 1 : end - 1].partition(b"=")
        if not position < end <= len(data) or not equals:
            raise Unreadable("a pax header of the tar is damaged")
        records[key.decode("utf-8", "replace")] = value.decode("utf-8", "surrogateescape")
        position = end
    return records


def _entry(info: tarfile.TarInfo, records: dict[str, str], offset: int) -> Entry:
    size = info.size
    if text := records.get("size"):
        if not text.isdecimal() or len(text) > 19:
            raise Unreadable("a member of the tar claims an impossible size")
        size = int(text)
    # Links, pipes and devices have no bytes, whatever they claim; unknown types do (POSIX: treat as files).
    length = size if info.type in PLAIN or info.type not in tarfile.SUPPORTED_TYPES or info.issparse() else 0
    name = records.get("GNU.sparse.name") or records.get("path") or info.name
    return Entry(name, offset, length, size=length, problem=_problem(info, records))


def _problem(info: tarfile.TarInfo, records: dict[str, str]) -> Rejected | None:
    if info.type == tarfile.GNUTYPE_SPARSE or any(key.startswith("GNU.sparse.") for key in records):
        return Rejected("pack it again without holes (tar without --sparse)", reason="sparse file")
    if info.type in (tarfile.SYMTYPE, tarfile.LNKTYPE):
        return Rejected("links within archives are not followed", reason="link")
    if info.type not in PLAIN:
        return Rejected("a pipe, device or unknown type of member", reason="not a file")
    return None


def _padded(size: int) -> int:
    return (size + BLOCK - 1) // BLOCK * BLOCK


def _advance(stream: Readable | BinaryIO, target: int) -> None:
    if hasattr(stream, "seek"):
        stream.seek(target)
        return
    while (left := target - stream.tell()) > 0:
        if not stream.read(min(left, PIECE)):
            raise truncated("the tar ends within a member")
