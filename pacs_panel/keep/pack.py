"""Packs: tar files that hold a series' originals, byte for byte.

While a session lasts, a pack grows as an append log; when the session ends, the log *is* the pack: an end mark, an
fsync and a rename, no copy. Any tar program opens it, and the archive reads it by byte range. Creating a small file for
every object would be five to fifty times slower than appending.

Member names are ``<time received, ns>-<digest>.dcm``: they sort by arrival, and tell nothing about a patient.
"""

from __future__ import annotations

import os
import tarfile
from collections.abc import Buffer, Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pacs_panel.errors import Damaged
from pacs_panel.settings import Settings
from pacs_panel.storage.faults import reach
from pacs_panel.storage.files import move, sync_folder

BLOCK = 512
END = b"\0" * (2 * BLOCK)
NAME, SIZE, CHECKSUM = slice(0, 100), slice(124, 136), slice(148, 156)  # of a tar header
BASE_256 = 0x80  # from here on, the first byte of a size tells that it is no octal number


@dataclass(frozen=True, slots=True)
class Member:
    """One object in a pack: its name, and the byte range of its content."""

    name: str
    offset: int
    length: int

    @property
    def received(self) -> int:
        """Time of arrival, nanoseconds since 1970 (UTC)."""
        return int(self.name.partition("-")[0])


def _info(name: str, length: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode = length, int(name[:20]) // 10**9, 0o444
    return info


TEMPLATE = _info("0" * 20, 0).tobuf(tarfile.GNU_FORMAT)


def member_name(received: int, digest: str) -> str:
    """Name of an object that arrived at ``received`` ns with the file digest ``digest``."""
    return f"{received:020d}-{digest[:32]}.dcm"


class PackLog:
    """An append log, open for writing by one process.

    Parameters
    ----------
    path : Path
        Created if absent. A log has one writer in its life, so an existing one ends with a complete member.
    settings : Settings
    """

    def __init__(self, path: Path, settings: Settings) -> None:
        self.path = path
        self._settings = settings
        path.parent.mkdir(parents=True, exist_ok=True)
        # Synced later, with what is appended: whoever waits for the disk waits for what others wrote to it meanwhile.
        self._unnamed: tuple[Path, ...] = (path.parent, path.parent.parent)
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self._end = self._durable = os.fstat(self._fd).st_size

    def append(self, name: str, length: int, chunks: Iterable[Buffer]) -> int:
        """Write one member; returns the offset of its content.

        Nothing is durable before `sync`. If the chunks do not add up to ``length`` (the source changed while it was
        read), the member is taken back.

        Raises
        ------
        Damaged
            If more or fewer than ``length`` bytes came.
        """
        offset = self._end + BLOCK
        position = offset
        os.pwrite(self._fd, header(name, length), self._end)
        reach(self._settings, "keep.append.header")
        try:
            for chunk in chunks:
                view = memoryview(chunk)
                while view:
                    written = os.pwrite(self._fd, view, position)
                    position += written
                    view = view[written:]
                reach(self._settings, "keep.append.body")
            if position - offset != length:
                raise Damaged(f"{position - offset} bytes were read where {length} were announced; read it again")
        except BaseException:
            os.ftruncate(self._fd, self._end)
            raise
        self._end = offset + _padded(length)
        os.ftruncate(self._fd, self._end)
        reach(self._settings, "keep.appended")
        return offset

    def sync(self) -> None:
        """Make everything appended so far durable, and the names by which it is found."""
        os.fsync(self._fd)
        for folder in self._unnamed:
            sync_folder(folder)
        self._unnamed, self._durable = (), self._end

    def take_back(self) -> None:
        """Remove what was appended since the last `sync`: it is not durable, and nobody was told that it is kept."""
        os.ftruncate(self._fd, self._durable)
        self._end = self._durable

    def close(self) -> None:
        """Close the file; nothing is sealed."""
        os.close(self._fd)


def seal(log: Path, pack: Path) -> None:
    """Turn a finished log into the pack: end mark, fsync, rename. May be repeated after a crash.

    Raises
    ------
    Damaged
        There is a pack of this name already: it is never overwritten.
    """
    if pack.exists():
        if not log.exists():
            return
        raise Damaged(f"pack {pack.stem} is sealed, and there is another log of its name; move one of them away")
    length = complete_length(log)
    with log.open("r+b") as file:
        file.truncate(length)
        file.seek(length)
        file.write(END)
        file.flush()
        os.fsync(file.fileno())
    move(log, pack)


def members(path: Path) -> Iterator[Member]:
    """The complete members of a pack or log, in order; a half-written one at the end is left out."""
    # Opened for each: a reindex walks through thousands of packs at a time, more than a process may hold open.
    return _members(path.stat().st_size, partial(_block, path))


def _members(size: int, block: Callable[[int], bytes]) -> Iterator[Member]:
    position = 0
    while position + BLOCK <= size:
        info = parsed(block(position))
        if info is None:
            return
        end = position + BLOCK + _padded(info.size)
        if end > size:
            return
        yield Member(info.name, position + BLOCK, info.size)
        position = end


def _block(path: Path, position: int) -> bytes:
    with path.open("rb", buffering=0) as file:
        file.seek(position)
        return file.read(BLOCK)


@dataclass(frozen=True, slots=True)
class Heading:
    """What a tar header says of its member."""

    name: str
    size: int


def parsed(block: bytes) -> Heading | None:
    """What a tar header says; ``None`` if the block is none, or is damaged."""
    try:
        if len(block) == BLOCK and block[SIZE][0] < BASE_256 and _checksum(block) == _octal(block[CHECKSUM]):
            return Heading(block[NAME].partition(b"\0")[0].decode("ascii"), _octal(block[SIZE]))
        info = tarfile.TarInfo.frombuf(block, "ascii", "strict")
    except (tarfile.HeaderError, ValueError):  # also of the zeros at the end
        return None
    return Heading(info.name, info.size)


def whole(path: Path) -> bool:
    """Whether a sealed pack can be read to its end mark: behind a damaged header, the rest would not be found."""
    end = complete_length(path)
    with path.open("rb") as file:
        file.seek(end)
        return file.read() == END


def complete_length(path: Path) -> int:
    """Bytes of a log up to the end of its last complete member."""
    end = 0
    with path.open("rb", buffering=0) as file:
        descriptor = file.fileno()
        for member in _members(os.fstat(descriptor).st_size, lambda position: os.pread(descriptor, BLOCK, position)):
            end = member.offset + _padded(member.length)
    return end


def header(name: str, length: int) -> bytes:
    """A header in the GNU format, as `tarfile` makes it, in a quarter of the time."""
    named, size, seconds = name.encode("ascii"), b"%011o\0" % length, b"%011o\0" % (int(name[:20]) // 10**9)
    if len(named) > len(TEMPLATE[NAME]) or len(size) > len(TEMPLATE[SIZE]):
        return _info(name, length).tobuf(tarfile.GNU_FORMAT)  # sizes from 8 GiB on are in base 256, still in one block
    block = b"".join((named.ljust(100, b"\0"), TEMPLATE[100:124], size, seconds, TEMPLATE[148:]))
    return b"".join((block[:148], b"%06o\0" % _checksum(block), block[155:]))


def _octal(field: bytes) -> int:
    return int(field.partition(b"\0")[0], 8)


def _checksum(block: bytes) -> int:
    """Sum of a header's bytes, those of the sum itself counted as blanks (POSIX.1-1988, ustar)."""
    return sum(block) - sum(block[CHECKSUM]) + 8 * ord(" ")


def _padded(length: int) -> int:
    return -(-length // BLOCK) * BLOCK
