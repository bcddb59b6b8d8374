"""A zip archive that is made while it is sent: nothing of it is kept, and nothing of it is written to a disk."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

PIECE = 1 << 20


class _Outlet:
    """A file that cannot be sought in: what is written waits to be taken."""

    def __init__(self) -> None:
        self._waiting: list[bytes] = []
        self.size = 0

    def write(self, data: bytes) -> int:
        self._waiting.append(bytes(data))
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def take(self) -> bytes:
        waiting, self._waiting, self.size = self._waiting, [], 0
        return b"".join(waiting)


class Zipped:
    """A zip archive, entry by entry, with the 64-bit extensions where they are needed.

    Each method gives the bytes that are ready to be sent; they must be taken for the archive to go on. About half a
    kilobyte a file stays in memory until the directory is written at the end.
    """

    def __init__(self) -> None:
        self._outlet = _Outlet()
        self._zip = ZipFile(self._outlet, "w")  # type: ignore[call-overload]  # it only needs to be written to
        self._moment = time.gmtime()[:6]

    def add(self, name: str, parts: Iterable[bytes], size: int, *, pack: bool = False) -> Iterator[bytes]:
        """Add a file.

        Parameters
        ----------
        name : str
        parts : iterable of bytes
            If it raises, the entry ends there, the archive goes on, and the error is passed on.
        size : int
            Bytes, at least about as many as will come.
        pack : bool
            Compress it; else it is stored as it is.
        """
        info = ZipInfo(name, self._moment)
        info.compress_type = ZIP_DEFLATED if pack else ZIP_STORED
        info.external_attr = 0o644 << 16
        info.file_size = size
        with self._zip.open(info, "w") as entry:
            for part in parts:
                entry.write(part)
                if self._outlet.size >= PIECE:
                    yield self._outlet.take()
        yield self._outlet.take()

    def end(self) -> Iterator[bytes]:
        """The directory. Nothing can be added after it."""
        self._zip.close()
        yield self._outlet.take()
