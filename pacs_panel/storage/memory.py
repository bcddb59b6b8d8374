"""Memory that is filled again and again, and bytes in memory as a file."""

from __future__ import annotations

import io
import mmap
import os
from collections.abc import Buffer
from contextlib import suppress

HUGE = getattr(mmap, "MADV_HUGEPAGE", None)


class Arena:
    """Room for many pieces of bytes, used anew after `clear`.

    A process that asks the system for fresh pages pays for each of them, zeros included: more than it costs to read a
    file into pages that are there already.

    Parameters
    ----------
    size : int
        Bytes. Pages that were never used take no memory.
    """

    def __init__(self, size: int) -> None:
        room = mmap.mmap(-1, size)
        if HUGE is not None:
            with suppress(OSError):  # a kernel may be built without large pages
                room.madvise(HUGE)
        self._room, self._used = memoryview(room), 0

    def take(self, size: int) -> memoryview:
        """``size`` bytes to be filled, valid until `clear`; where there is no room left, bytes of their own."""
        start = self._used
        if start + size > len(self._room):
            return memoryview(bytearray(size))
        self._used = start + size
        return self._room[start : self._used]

    def clear(self) -> None:
        """Give all room free; what lies there is overwritten."""
        self._used = 0


class MemoryFile(io.RawIOBase):
    """A read-only, seekable file of bytes that stay where they are (`io.BytesIO` would copy them)."""

    def __init__(self, data: Buffer) -> None:
        self._data, self._position = memoryview(data).cast("B"), 0

    def readable(self) -> bool:
        """True: it is read only."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def seek(self, position: int, whence: int = os.SEEK_SET) -> int:
        """Set the position."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: len(self._data)}[whence]
        self._position = max(0, start + position)
        return self._position

    def tell(self) -> int:
        """The position."""
        return self._position

    def read(self, size: int | None = -1, /) -> bytes:
        """The next ``size`` bytes, or all that follow."""
        end = len(self._data) if size is None or size < 0 else self._position + size
        found = bytes(self._data[self._position : end])
        self._position += len(found)
        return found

    def readinto(self, buffer: Buffer, /) -> int:
        """Read at the position into ``buffer``; gives the number of bytes, 0 at the end."""
        view = memoryview(buffer).cast("B")
        found = self._data[self._position : self._position + len(view)]
        view[: len(found)] = found
        self._position += len(found)
        return len(found)
