"""Objects of all requests, taken in together: one sync of the disk and one commit for many of them.

Their bytes are made durable as they come. The index learns of them when a request waits for that, or when they are
many: a commit costs as much as making a dozen images durable.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Literal, Protocol

from pacs_panel.errors import ArchiveError, Rejected
from pacs_panel.model import Stored
from pacs_panel.settings import MIB

log = logging.getLogger(__name__)
TOGETHER = 64  # objects of which the index learns at once
SOON = 0.2  # seconds without an object after which the index learns of what came, though nobody waits for it
IDLE = 2.0  # seconds without an object after which what came is sealed
MOST_BYTES = 64 * MIB  # of objects that wait in memory


class Door(Protocol):
    """Where objects are taken in; see `Archive.receiving`."""

    def keep(self, files: Mapping[str, Path | bytes]) -> None:
        """Make objects durable; by the origin of each."""
        ...

    def tell(self) -> Mapping[str, Stored | Rejected]:
        """Let the index know of what was kept, and tell what became of each, by its origin."""
        ...


Waiting = tuple[str, Path | bytes, Future[Stored]]


class Intake:
    """A thread that takes in what requests hand over.

    Parameters
    ----------
    open_door : callable
        Opens a door of the archive; it stays open while objects come one soon after another.
    most_bytes : int
        Bytes of objects that wait in memory, of all requests together.
    """

    def __init__(self, open_door: Callable[[], AbstractContextManager[Door]], most_bytes: int = MOST_BYTES) -> None:
        self._open_door = open_door
        self._queue: SimpleQueue[Waiting | Literal["hurry", "end"]] = SimpleQueue()
        self._lock, self._closed = threading.Lock(), False
        self._room = _Room(most_bytes)
        self._thread: threading.Thread | None = None

    def submit(self, origin: str, file: Path | bytes) -> Future[Stored]:
        """Hand an object over, under an origin that is no other's; waits while too many are in memory.

        The future raises what refused it.
        """
        future: Future[Stored] = Future()
        size = _in_memory(file)
        self._room.take(size)
        with self._lock:
            if self._closed:
                self._room.give(size)
                raise ArchiveError("the server ends; send it again when it runs")
            self._queue.put((origin, file, future))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="stow", daemon=True)
                self._thread.start()
        return future

    def hurry(self) -> None:
        """Somebody waits for what was handed over until now."""
        self._queue.put("hurry")

    def close(self) -> None:
        """Take in what is waiting, and seal it."""
        with self._lock:
            self._closed = True
            self._queue.put("end")
            thread = self._thread
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        while (first := self._queue.get()) != "end":
            if first != "hurry":
                self._burst(first)

    def _burst(self, first: Waiting) -> None:
        """Take in what comes one soon after another, through one door."""
        group, wanted = [first], False
        kept: dict[str, Future[Stored]] = {}
        try:
            with self._open_door() as door:
                while group or kept or (wanted and not self._closed):
                    wanted |= not group
                    self._keep(door, group, kept)
                    if wanted or len(kept) >= TOGETHER:
                        _tell(door, kept)
                    group, wanted = self._next(SOON if kept else IDLE)
        except Exception as error:  # the door did not open, or did not close: `recover` seals what it took
            log.warning("what came by STOW could not be taken in or sealed: %s", type(error).__name__)
            self._fail(group, error)
            _refuse(kept.values(), error)

    def _next(self, seconds: float) -> tuple[list[Waiting], bool]:
        """What waits, or comes within ``seconds``; and whether somebody waits for it."""
        group: list[Waiting] = []
        with suppress(Empty):
            while len(group) < TOGETHER:
                item = self._queue.get(timeout=0 if group else seconds)
                if item == "end":
                    self._queue.put("end")  # it is for `_run` to see, too
                if isinstance(item, str):
                    return group, True
                group.append(item)
        return group, False

    def _keep(self, door: Door, group: list[Waiting], kept: dict[str, Future[Stored]]) -> None:
        """Make a group durable, and count it among what is ``kept``."""
        try:
            if group:
                door.keep({origin: file for origin, file, _ in group})
        except Exception as error:
            log.warning("objects that came by STOW were not taken in: %s", type(error).__name__)
            self._fail(group, error)
        else:
            kept |= {origin: future for origin, _, future in group}
            self._room.give(sum(_in_memory(file) for _, file, _ in group))
        group.clear()

    def _fail(self, group: Sequence[Waiting], error: Exception) -> None:
        self._room.give(sum(_in_memory(file) for _, file, _ in group))
        for _, file, _ in group:
            if isinstance(file, Path):
                file.unlink(missing_ok=True)
        _refuse((future for *_, future in group), error)


class _Room:
    """Bytes that may be in memory at once; what is larger than all of it goes alone."""

    def __init__(self, most: int) -> None:
        self._most, self._used, self._changed = most, 0, threading.Condition()

    def take(self, size: int) -> None:
        """Wait until there is room."""
        with self._changed:
            self._changed.wait_for(lambda: not self._used or self._used + size <= self._most)
            self._used += size

    def give(self, size: int) -> None:
        """Give it free."""
        with self._changed:
            self._used -= size
            self._changed.notify_all()


def _in_memory(file: Path | bytes) -> int:
    return len(file) if isinstance(file, bytes) else 0


def _tell(door: Door, kept: dict[str, Future[Stored]]) -> None:
    """Answer all that wait for what is ``kept``, of which nothing is left."""
    try:
        told = door.tell()
    except Exception as error:
        log.warning("the index did not learn of what came by STOW: %s", type(error).__name__)
        _refuse(kept.values(), error)
    else:
        for origin, future in kept.items():
            found = told[origin]
            if isinstance(found, Rejected):
                future.set_exception(found)
            else:
                future.set_result(found)
    kept.clear()


def _refuse(futures: Iterable[Future[Stored]], error: Exception) -> None:
    for future in futures:
        future.set_exception(error)
