"""What may be an object: where its bytes are, and how to open them, here or in another process."""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast

from pacs_panel.errors import Rejected, TooLarge, Unreadable
from pacs_panel.receive.streams import PIECE, Expanded, Extent, open_regular, pieces
from pacs_panel.settings import MIB, Settings

SPOOL_MEMORY = 8 * MIB  # an expanded member larger than this lies in an unnamed temporary file


@dataclass(frozen=True, slots=True)
class Member:
    """A member of an archive, by the place of its bytes: any process can open it without reading the archive.

    Attributes
    ----------
    extent : Extent
        The bytes in the outermost archive's file, compressed or not.
    method : str
        ``stored`` or a key of `pacs_panel.receive.streams.METHODS`.
    size, crc : int, optional
        Size and CRC-32 of the uncompressed bytes, as the archive claims; both are checked.
    """

    extent: Extent
    method: str
    size: int | None = None
    crc: int | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """Bytes that may be an object: exactly one of ``path``, ``member``, ``data`` and ``spool`` is there. It pickles.

    Attributes
    ----------
    origin : str
        Where it came from, for reports: a path, or ``archive.zip!folder/name``.
    size : int, optional
        Bytes, where known before reading.
    path : Path, optional
        A plain file.
    member : Member, optional
        A member of an archive that can be opened at its place.
    data : bytes, optional
        The bytes themselves: small members of what can be read from front to back only.
    spool : Path, optional
        The same, larger: a temporary file in the scratch folder. Whoever takes the candidate deletes it (`discard`).
    """

    origin: str
    size: int | None = None
    path: Path | None = None
    member: Member | None = None
    data: bytes | None = None
    spool: Path | None = None

    def open(self, settings: Settings, scratch: Path | None = None) -> BinaryIO:
        """See `open_candidate`."""
        return open_candidate(self, settings, scratch)

    def discard(self) -> None:
        """Delete the temporary file, if there is one; call it when the candidate is dealt with."""
        if self.spool is not None:
            self.spool.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Refusal:
    """What was found but is no candidate, and why."""

    origin: str
    error: Rejected


def open_candidate(candidate: Candidate, settings: Settings, scratch: Path | None = None) -> BinaryIO:
    """The candidate's bytes as a seekable binary file, read only; the caller closes it.

    A compressed member of more than `SPOOL_MEMORY` bytes lies in an unnamed file in ``scratch`` until then (in the
    system's folder for temporary files, where ``None``).

    Raises
    ------
    TooLarge
        More bytes than ``settings.max_object_bytes``, or more than ``settings.max_expansion`` for each compressed one.
    Rejected
        What is there cannot be read: it vanished, is no longer a file, is damaged, or is not what the archive claims.
    """
    if candidate.data is not None:
        return io.BytesIO(candidate.data)
    try:
        if candidate.member is not None:
            return _open_member(candidate.member, settings, scratch)
        path = candidate.path or candidate.spool
        assert path is not None
        return _open_file(path, settings.max_object_bytes)
    except OSError as error:
        raise cannot_read(error) from None


def cannot_read(error: OSError) -> Rejected:
    """The refusal that stands for an error of the operating system; it names no path."""
    return Rejected(error.strerror or type(error).__name__, reason="cannot be read")


def check_size(size: int | None, settings: Settings) -> None:
    """Refuse an object whose size is known to be beyond the settings."""
    if size is not None and size > settings.max_object_bytes:
        raise TooLarge(f"{size} bytes; max_object_bytes is {settings.max_object_bytes}")


def _open_file(path: Path, limit: int) -> BinaryIO:
    file = open_regular(path)
    size = file.seek(0, io.SEEK_END)
    if size > limit:
        file.close()
        raise TooLarge(f"{size} bytes; max_object_bytes is {limit}")
    file.seek(0)
    return file


def _open_member(member: Member, settings: Settings, scratch: Path | None) -> BinaryIO:
    check_size(member.size, settings)
    if member.method != "stored":
        return _expand(member, settings, scratch)
    file = member.extent.open()
    try:
        if member.crc is not None:
            _check(member, *_copy(file, member, settings, None))
            file.seek(0)
    except BaseException:
        file.close()
        raise
    return file


def _expand(member: Member, settings: Settings, scratch: Path | None) -> BinaryIO:
    spool = cast(BinaryIO, SpooledTemporaryFile(SPOOL_MEMORY, dir=None if scratch is None else str(scratch)))  # noqa: SIM115 (the caller closes it)
    try:
        with Expanded(member.extent.open(), member.method, settings.max_expansion) as stream:
            _check(member, *_copy(stream, member, settings, spool))
        spool.seek(0)
    except BaseException:
        spool.close()
        raise
    return spool


def _copy(source: BinaryIO | Expanded, member: Member, settings: Settings, target: BinaryIO | None) -> tuple[int, int]:
    """Size and CRC-32 of what ``source`` holds; stops one piece after the claimed size, should that be a lie."""
    done = crc = 0
    for piece in pieces(source, None, settings.max_object_bytes):
        done += len(piece)
        if member.size is not None and done > member.size:
            break
        if member.crc is not None:
            crc = zlib.crc32(piece, crc)
        if target is not None:
            target.write(piece)
    return done, crc


def _check(member: Member, size: int, crc: int) -> None:
    if member.size is not None and size != member.size:
        raise Unreadable(f"holds {'more' if size > member.size else 'fewer'} bytes than the archive claims")
    if member.crc is not None and crc != member.crc:
        raise Unreadable("damaged: the archive's checksum does not fit")


def read_head(member: Member, size: int, settings: Settings) -> bytes:
    """The first ``size`` uncompressed bytes of a member."""
    if member.method == "stored":
        with member.extent.open() as file:
            return file.read(min(size, PIECE))
    with Expanded(member.extent.open(), member.method, settings.max_expansion) as stream:
        return stream.read(size)
