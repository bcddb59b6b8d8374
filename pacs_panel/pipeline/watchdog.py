"""A decoder that hangs: noticed by files that stay open while nothing is read any more, and ended with its process."""

from __future__ import annotations

import faulthandler
import io
import os
import time
from collections.abc import Buffer, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import BinaryIO

from pacs_panel.model import ImageHeader, Location

PATIENCE = 120.0  # seconds beside what a frame's size explains
SLOWEST = 1_000_000  # bytes of pixels a second that any decoder gives, on a machine with much else to do
LONGEST = 24 * 3600.0  # whatever sizes are claimed; far longer ones the clock does not know
AGAIN = 0.01  # part of the patience after which the next sign of life counts: to count each would take time


class Watch:
    """Opens files, and ends this process when some are open, but none is opened, read or closed for too long.

    Between two reads there is at most the decoding of one frame for each thread; and while no file is open, such as
    when what was written is made durable, there is no limit. The clock is `faulthandler`'s, which needs no lock that a
    decoder may hold. There is one in a process, so there may be one watch at a time.

    Parameters
    ----------
    opener : callable
        What opens the files.
    seconds : float
        Without a sign of life; `LONGEST` at most.
    note : Path
        An existing file; when the process is ended, where it was is written here: see `hung`.
    """

    def __init__(self, opener: Callable[[Location], BinaryIO], seconds: float, note: Path) -> None:
        self._opener, self._seconds = opener, min(seconds, LONGEST)
        self._note = note.open("a")
        self._lock = RLock()  # a file that is forgotten open may be closed in the midst of a sign of life
        self._open, self._set = 0, float("-inf")

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            faulthandler.cancel_dump_traceback_later()
            self._note.close()

    def __call__(self, location: Location) -> BinaryIO:
        """Open a file; reading it is a sign of life."""
        self.sign(1)
        try:
            return io.BufferedReader(_Watched(self._opener(location), self))
        except BaseException:
            self.sign(-1)
            raise

    def sign(self, opened: int = 0) -> None:
        """Something goes on; so many files more are open than before."""
        with self._lock:
            self._open += opened
            if self._note.closed:  # over: a file that is closed late starts no clock that nobody stops
                return
            now = time.monotonic()
            if not self._open:
                faulthandler.cancel_dump_traceback_later()
                self._set = float("-inf")
            elif now - self._set > AGAIN * self._seconds:
                self._set = now
                faulthandler.dump_traceback_later(self._seconds, exit=True, file=self._note)


def needed(image: ImageHeader) -> float:
    """Seconds that the slowest decoder takes for a frame, or nearly so."""
    return image.rows * image.columns * image.samples * image.bits_allocated / 8 / SLOWEST


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """End this process unless the block is left within so many seconds, `LONGEST` at most; in place of a `Watch`."""
    with open(os.devnull, "w") as nowhere:
        faulthandler.dump_traceback_later(min(seconds, LONGEST), exit=True, file=nowhere)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()


def hung(note: Path) -> bool:
    """Whether a `Watch` with this note ended its process."""
    return note.exists() and note.stat().st_size > 0


class _Watched(io.RawIOBase):
    def __init__(self, file: BinaryIO, watch: Watch) -> None:
        self._file, self._watch = file, watch

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, position: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(position, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readinto(self, buffer: Buffer, /) -> int:
        self._watch.sign()
        count: int = self._file.readinto(buffer)  # type: ignore[attr-defined]
        return count

    def close(self) -> None:
        if not self.closed:
            try:
                self._file.close()
            finally:
                self._watch.sign(-1)
                super().close()
