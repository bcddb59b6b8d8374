"""Watched folders: what arrives in them, and has been still for a moment, is handed on in batches."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import batched
from pathlib import Path

from pacs_panel.errors import NotFound
from pacs_panel.receive.report import Report

BATCH = 1000  # files that are handed on together, at most
PAUSE = 1.0  # seconds between two looks


@dataclass(frozen=True, slots=True)
class Seen:
    """A file as it was seen: bytes, nanoseconds, and since when (of the inbox's clock) it is so."""

    size: int
    changed: int
    since: float
    done: bool = False

    def same(self, size: int, changed: int) -> bool:
        """Whether it still is so."""
        return (self.size, self.changed) == (size, changed)


class Inbox:
    """Hands on each file of some folders when its size and time have been still, and again only when they change.

    What was handed on is remembered while the inbox lives. After a restart all files are handed on once more, so
    ``take`` must bear duplicates, as an import does. Folders are read to any depth; links to folders are not followed.

    Parameters
    ----------
    folders : iterable of path
    take : callable
        Is handed at most ``batch`` files, and says what became of them. If it raises, they count as not handed on.
    still : float
        Seconds for which a file must not have changed.
    batch : int
    leave_out : path, optional
        A folder that is never read, such as the archive itself.
    clock : callable
        Seconds, from any beginning.

    Raises
    ------
    NotFound
        A folder is none.
    """

    def __init__(
        self,
        folders: Iterable[str | Path],
        take: Callable[[Sequence[Path]], Report],
        *,
        still: float = 5.0,
        batch: int = BATCH,
        leave_out: str | Path | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folders = tuple(Path(folder) for folder in folders)
        for folder in self._folders:
            if not folder.is_dir():
                raise NotFound(f"{folder} is no folder")
        self._take, self._still, self._batch, self._clock = take, still, batch, clock
        self._leave_out = None if leave_out is None else os.path.realpath(leave_out)
        self._seen: dict[str, Seen] = {}

    @property
    def waiting(self) -> int:
        """Files that were seen and not handed on yet."""
        return sum(not seen.done for seen in self._seen.values())

    def step(self) -> Iterator[Report]:
        """Look once, and hand on what has been still; gives a report for every batch."""
        now = self._clock()
        self._seen = {path: self._look(path, status, now) for path, status in self._files()}
        ready = [path for path, seen in self._seen.items() if not seen.done and now - seen.since >= self._still]
        for paths in batched(ready, self._batch):
            report = self._take([Path(path) for path in paths])
            for path in paths:
                seen = self._seen[path]
                self._seen[path] = Seen(seen.size, seen.changed, seen.since, done=True)
            yield report

    def _look(self, path: str, status: os.stat_result, now: float) -> Seen:
        """What was seen of a file before, if it has not changed; a file that vanished is forgotten."""
        seen = self._seen.get(path)
        if seen is not None and seen.same(status.st_size, status.st_mtime_ns):
            return seen
        return Seen(status.st_size, status.st_mtime_ns, now)

    def _files(self) -> Iterator[tuple[str, os.stat_result]]:
        for root in self._folders:
            for folder, below, names in os.walk(root):
                if self._leave_out is not None and os.path.realpath(folder) == self._leave_out:
                    below.clear()
                    continue
                below.sort()
                for name in sorted(names):
                    path = os.path.join(folder, name)
                    try:
                        yield path, os.stat(path)
                    except OSError:  # it went while we looked, or is a link to nothing: nothing that could be read
                        continue


def follow(
    inbox: Inbox, *, once: bool = False, pause: float = PAUSE, sleep: Callable[[float], None] = time.sleep
) -> Iterator[Report]:
    """Reports of all that arrives, for ever; an interrupt between two looks is the ordinary end.

    Parameters
    ----------
    inbox : Inbox
    once : bool
        End when every file that is there was handed on.
    pause : float
        Seconds between two looks.
    sleep : callable
    """
    while True:
        yield from inbox.step()
        if once and not inbox.waiting:
            return
        try:
            sleep(pause)
        except KeyboardInterrupt:
            return
