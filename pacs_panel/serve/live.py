"""What changes in the archive, in whichever process, is told to everyone here who wants to know."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Self

from pacs_panel.errors import PacsPanelError

log = logging.getLogger(__name__)

Tell = Callable[[], None]


class Live:
    """One poller a process, fanned out.

    Parameters
    ----------
    read : callable
        Gives the number of the latest change.
    seconds : float
        Between two looks.
    """

    def __init__(self, read: Callable[[], int], seconds: float) -> None:
        self.read, self.seconds = read, seconds
        self._listeners: dict[int, Tell] = {}
        self._lock, self._end = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="changes", daemon=True)
        self._seen = read()

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def close(self) -> None:
        """Stop, and wait until it has stopped."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def subscribe(self, tell: Tell) -> Callable[[], None]:
        """Have ``tell`` called, in the poller's thread, after each change; what is returned ends that."""
        with self._lock:
            number = max(self._listeners, default=0) + 1
            self._listeners[number] = tell

        def unsubscribe() -> None:
            with self._lock:
                self._listeners.pop(number, None)

        return unsubscribe

    @property
    def alive(self) -> bool:
        """Whether somebody looks."""
        return self._thread.is_alive()

    @property
    def listeners(self) -> int:
        """How many are being told."""
        with self._lock:
            return len(self._listeners)

    def look(self) -> bool:
        """Look once, and tell if anything changed; says whether it did."""
        number = self.read()
        if number == self._seen:
            return False
        self._seen = number
        with self._lock:
            listeners = list(self._listeners.values())
        for tell in listeners:
            try:
                tell()
            except Exception:  # one page that has gone must not keep the others from hearing
                log.exception("a listener failed")
        return True

    def _run(self) -> None:
        while not self._end.wait(self.seconds):
            try:
                self.look()
            except PacsPanelError as error:
                log.warning("cannot see what has changed: %s", error)
            except Exception:
                log.exception("cannot see what has changed")
