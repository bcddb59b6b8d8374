"""Files on a web server as paths, files and bytes, which whoever only reads need not tell from local ones."""

from __future__ import annotations

import io
import os
import threading
from collections import OrderedDict
from collections.abc import Buffer, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pacs_panel.errors import Damaged, ReadOnly

if TYPE_CHECKING:
    from pacs_panel.storage.http import Remote  # not loaded before an archive on a server is opened

SCHEMES = ("http", "https")
AHEAD = 1 << 20  # bytes that a file reads at least
HELD = 64 << 20  # bytes of one file that stay at hand
NEAR = 64 << 10  # ranges that lie no further apart are fetched as one


def is_remote(url: object) -> bool:
    """Whether an address is one of a web server."""
    scheme, separator, _ = str(url).partition("://")
    return bool(separator) and scheme.lower() in SCHEMES


class RemotePath(Path):
    """A path below a folder on a web server, for reading. It is relative to that folder.

    What would change it, or list it, raises `ReadOnly`.
    """

    def __init__(self, *segments: str | Path, remote: Remote) -> None:
        super().__init__(*segments)
        self.remote = remote

    def with_segments(self, *segments: Any) -> Self:
        """Of the same server."""
        return type(self)(*segments, remote=self.remote)

    def __reduce__(self) -> tuple[Any, ...]:
        return (_path, (str(self), self.remote))

    def __fspath__(self) -> str:
        raise ReadOnly(f"{self.name or 'the archive'} lies on a server: it can be read, not changed or listed")

    def read_bytes(self) -> bytes:
        """The whole file."""
        return self.remote.read(str(self))

    def read_range(self, start: int, stop: int = 0) -> bytes:
        """See `Remote.read_range`."""
        return self.remote.read_range(str(self), start, stop)

    def exists(self, *, follow_symlinks: bool = True) -> bool:
        """Whether there is such a file; a server has no folders."""
        return self.remote.exists(str(self))

    def open_range(self, offset: int, length: int) -> io.BufferedReader:
        """The byte range ``[offset, offset + length)`` as a buffered file of its own."""
        return io.BufferedReader(RemoteFile(self, offset, length), AHEAD)


def _path(path: str, remote: Remote) -> RemotePath:
    return RemotePath(path, remote=remote)


class RemoteFile(io.RawIOBase):
    """A read-only, seekable file that is a byte range of another on a server."""

    def __init__(self, path: RemotePath, offset: int, length: int) -> None:
        self._path, self._offset, self._length, self._position = path, offset, length, 0

    def readable(self) -> bool:
        """True: it is read only."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def seek(self, position: int, whence: int = os.SEEK_SET) -> int:
        """Set the position within the range."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._length}[whence]
        self._position = max(0, start + position)
        return self._position

    def tell(self) -> int:
        """The position within the range."""
        return self._position

    def readinto(self, buffer: Buffer, /) -> int:
        """Read at the position into ``buffer``; gives the number of bytes, 0 at the end."""
        view = memoryview(buffer).cast("B")
        found = self._read(min(len(view), self._length - self._position))
        view[: len(found)] = found
        return len(found)

    def readall(self) -> bytes:
        """The rest, in one request."""
        return self._read(self._length - self._position)

    def _read(self, count: int) -> bytes:
        if count <= 0:
            return b""
        start = self._offset + self._position
        try:
            found = self._path.read_range(start, start + count)
        except FileNotFoundError:
            raise Damaged(f"{self._path} is not there any more; refresh() the archive") from None
        self._position += len(found)
        return found


class RemoteBytes:
    """The bytes of a file on a server: slices are fetched as they are asked for. Threads may share it.

    Parameters
    ----------
    path : RemotePath
    """

    def __init__(self, path: RemotePath) -> None:
        self._path = path
        self._held: OrderedDict[tuple[int, int], memoryview] = OrderedDict()
        self._lock = threading.Lock()

    def __getitem__(self, part: slice) -> memoryview:
        """Bytes from ``start`` to ``stop``; from a negative ``start`` on, the last ones."""
        start, stop = part.start, part.stop
        if start < 0:
            return memoryview(self._path.read_range(start))
        with self._lock:
            for (first, last), held in self._held.items():
                if first <= start and stop <= last:
                    return held[start - first : stop - first]
        return memoryview(self._path.read_range(start, stop))

    def fetch(self, ranges: list[tuple[int, int]]) -> None:
        """Have at hand what lies in these ranges: those that lie near one another come by one request."""
        for start, stop in _joined(ranges):
            with self._lock:
                if any(first <= start and stop <= last for first, last in self._held):
                    continue
            found = memoryview(self._path.read_range(start, stop))
            with self._lock:
                self._held[start, stop] = found
                while sum(map(len, self._held.values())) > HELD and len(self._held) > 1:
                    self._held.popitem(last=False)


def _joined(ranges: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    here: tuple[int, int] | None = None
    for start, stop in sorted(ranges):
        if here is not None and start <= here[1] + NEAR:
            here = here[0], max(here[1], stop)
            continue
        if here is not None:
            yield here
        here = start, stop
    if here is not None:
        yield here
