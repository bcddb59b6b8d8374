"""Building, beside serving, what other processes took in and left unbuilt."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)


class Settling:
    """Works in a thread of its own, once at a time: whenever the archive has been changed and is quiet again.

    Parameters
    ----------
    work : callable
        Finishes what was left behind; runs again after the next change.
    quiet : float
        Seconds without a change after which it begins.
    """

    def __init__(self, work: Callable[[], object], quiet: float) -> None:
        self.work, self.quiet = work, quiet
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
            self._changed.wait()
            self._changed.clear()
            if self._end.wait(self.quiet) or self._changed.is_set():
                continue
            try:
                self.work()
            except Exception:  # the next change is another chance; the pages say what is not built
                log.exception("could not build what is waiting")
