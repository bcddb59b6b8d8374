"""Building, beside serving, what other processes took in and left unbuilt."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from pacs_panel.archive import Archive
from pacs_panel.serve.live import Live

log = logging.getLogger(__name__)
HOUR = 3600.0  # seconds


class Settling:
    """Works in a thread of its own, once at a time: whenever the archive has been changed and is quiet again.

    Parameters
    ----------
    work : callable
        Finishes what was left behind; runs again after the next change.
    quiet : float
        Seconds without a change after which it begins.
    often : float
        Seconds after which it works although nothing has changed: what is in the trash grows old.
    """

    def __init__(self, work: Callable[[], object], quiet: float, often: float = HOUR) -> None:
        self.work, self.quiet, self.often = work, quiet, often
        self._changed, self._end = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="settling", daemon=True)

    def start(self) -> None:
        """Begin, with what is there already."""
        self._changed.set()
        self._thread.start()

    def wake(self) -> None:
        """The archive has changed."""
        self._changed.set()

    def close(self) -> None:
        """Stop; what is under way is left to whoever settles next."""
        self._end.set()
        self._changed.set()

    def _run(self) -> None:
        while not self._end.is_set():
            self._changed.wait(self.often)
            self._changed.clear()
            if self._end.wait(self.quiet) or self._changed.is_set():
                continue
            try:
                self.work()
            except Exception:  # the next change is another chance; the pages say what is not built
                log.exception("could not build what is waiting")


def look_after(archive: Archive) -> None:
    """Finish what was interrupted, build what waits, and remove what has been in the trash for long enough."""
    archive.recover()
    archive.settle()
    archive.expire_trash()


@contextmanager
def building(archive: Archive, live: Live) -> Iterator[None]:
    """While the block runs, `look_after` an archive whenever it has been changed."""
    settling = Settling(partial(look_after, archive), quiet=2 * archive.settings.poll_seconds)
    unsubscribe = live.subscribe(settling.wake)
    settling.start()
    try:
        yield
    finally:
        unsubscribe()
        settling.close()
