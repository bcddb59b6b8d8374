"""Files on a local disk: atomic writing, durable renaming, byte ranges, locks that die with their process."""

from __future__ import annotations

import fcntl
import io
import os
import tempfile
from collections.abc import Buffer, Iterator
from contextlib import contextmanager
from pathlib import Path

from pacs_panel.errors import Busy
from pacs_panel.storage.remote import RemotePath

PART = ".part-"  # begins the name of a file that is being written


class RangeFile(io.RawIOBase):
    """A read-only, seekable file that is a byte range of another; reads never move a shared position.

    Parameters
    ----------
    path : Path
    offset, length : int
        Bytes; the range may end beyond the file, then reading stops where the file ends.
    """

    def __init__(self, path: Path, offset: int, length: int) -> None:
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._offset, self._length, self._position = offset, length, 0

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
        count = min(len(view), self._length - self._position)
        if count <= 0:
            return 0
        got = os.preadv(self._fd, [view[:count]], self._offset + self._position)
        self._position += got
        return got

    def close(self) -> None:
        """Close the file; may be repeated."""
        if not self.closed:
            os.close(self._fd)
        super().close()


def open_range(path: Path, offset: int, length: int) -> io.BufferedReader:
    """The byte range ``[offset, offset + length)`` of a file, as a buffered file of its own."""
    if isinstance(path, RemotePath):
        return path.open_range(offset, length)
    return io.BufferedReader(RangeFile(path, offset, length), 1 << 16)


def write_atomic(path: Path, data: bytes) -> None:
    """Put ``data`` at ``path``: afterwards, and after a crash, there is all of it or what was there before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fd, name = tempfile.mkstemp(prefix=PART, dir=path.parent)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it, so that their names are durable too."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def move(source: Path, target: Path) -> None:
    """Rename durably, within one file system."""
    make_folder(target.parent)
    os.replace(source, target)
    sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@contextmanager
def lock(path: Path, *, wait: bool = True, shared: bool = False) -> Iterator[None]:
    """Hold a lock that no other process or thread can hold, and that the kernel frees when this process dies.

    A ``shared`` one may be held by many at once, but not while somebody holds it alone.

    Raises
    ------
    Busy
        If ``wait`` is false and somebody holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise Busy(f"another process holds {path.name}") from None
        yield
    finally:
        os.close(fd)
