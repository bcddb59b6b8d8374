"""Objects of all requests, taken in together: one sync of the disk and one commit for many of them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Protocol

from pacs_panel.errors import ArchiveError, Rejected
from pacs_panel.model import Stored

log = logging.getLogger(__name__)
TOGETHER = 128  # objects at most that are made durable at once
IDLE = 2.0  # seconds without an object after which what came is sealed


class Door(Protocol):
    """Where objects are taken in; see `Archive.receiving`."""

    def store_all(self, files: Mapping[str, Path | bytes]) -> Mapping[str, Stored | Rejected]:
        """Keep objects, and tell what became of each, by its origin."""
        ...


Waiting = tuple[str, Path | bytes, Future[Stored]]


class Intake:
    """A thread that takes in what requests hand over.

    Parameters
    ----------
    open_door : callable
        Opens a door of the archive; it stays open while objects come one soon after another.
    """

    def __init__(self, open_door: Callable[[], AbstractContextManager[Door]]) -> None:
        self._open_door = open_door
        self._queue: SimpleQueue[Waiting | None] = SimpleQueue()
        self._lock, self._closed = threading.Lock(), False
        self._thread: threading.Thread | None = None

    def submit(self, origin: str, file: Path | bytes) -> Future[Stored]:
        """Hand an object over, under an origin that is no other's. The future raises what refused it."""
        future: Future[Stored] = Future()
        with self._lock:
            if self._closed:
                raise ArchiveError("the server ends; send it again when it runs")
            self._queue.put((origin, file, future))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="stow", daemon=True)
                self._thread.start()
        return future

    def close(self) -> None:
        """Take in what is waiting, and seal it."""
        with self._lock:
            self._closed = True
            self._queue.put(None)
            thread = self._thread
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            self._burst([first])

    def _burst(self, group: list[Waiting]) -> None:
        """Take in what comes one soon after another, through one door."""
        try:
            with self._open_door() as door:
                while group:
                    self._more(group)
                    _take(door, group)
                    group = []
                    with suppress(Empty):
                        group = self._following(self._queue.get(timeout=IDLE))
        except Exception as error:  # the door did not open, or did not close: `recover` seals what it took
            log.warning("what came by STOW could not be taken in or sealed: %s", type(error).__name__)
            _fail(group, error)

    def _following(self, following: Waiting | None) -> list[Waiting]:
        if following is None:
            self._queue.put(None)  # the end is for `_run` to see
        return [following] if following else []

    def _more(self, group: list[Waiting]) -> None:
        """Add what waits already."""
        with suppress(Empty):
            while len(group) < TOGETHER:
                if not (following := self._following(self._queue.get_nowait())):
                    return
                group += following


def _take(door: Door, group: Sequence[Waiting]) -> None:
    try:
        told = door.store_all({origin: file for origin, file, _ in group})
    except Exception as error:
        log.warning("objects that came by STOW were not taken in: %s", type(error).__name__)
        _fail(group, error)
        return
    for origin, _, future in group:
        found = told[origin]
        if isinstance(found, Rejected):
            future.set_exception(found)
        else:
            future.set_result(found)


def _fail(group: Sequence[Waiting], error: Exception) -> None:
    for _, file, future in group:
        if isinstance(file, Path):
            file.unlink(missing_ok=True)
        future.set_exception(error)
