"""A door that stays open: objects come one after another, and each is durable before the next.

It takes the same way in as an import, in the same order: bytes durable first, then the index learns of many at once. A
door that is not closed, because its process died, is closed by `pacs_panel.pipeline.admit.recover`.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

from pacs_panel.errors import Rejected
from pacs_panel.index.store import Index
from pacs_panel.keep import session as sessions
from pacs_panel.keep.session import SeriesLogs
from pacs_panel.model import Stored
from pacs_panel.pipeline.admit import SESSION, commit, refuse_incomplete, seal
from pacs_panel.pipeline.read import FLUSHES, Batch, Refused, Taken, take
from pacs_panel.receive.report import Report
from pacs_panel.receive.sources import Candidate
from pacs_panel.settings import MIB, Settings
from pacs_panel.storage import layout
from pacs_panel.storage.files import lock, write_atomic
from pacs_panel.storage.memory import Arena

MOST_LOGS = 64  # that are open at once
ROOM = 16 * MIB  # of memory that is used again and again; a larger object has memory of its own, or is streamed


class Door(AbstractContextManager["Door"]):
    """One session into which objects are handed, such as an association.

    One thread at a time may `take`; any may `commit` meanwhile.

    Parameters
    ----------
    root : Path
        The archive.
    index : Index
    settings : Settings
    collection : str, optional
        Name under which what comes can be found.
    session : str, optional
        Id of the session; a new one by default.
    told : callable
        Given the report as it is, after every commit.

    Raises
    ------
    Busy
        The index is being made anew.
    ArchiveError
        The index does not know all that is kept.
    """

    def __init__(
        self,
        root: Path,
        index: Index,
        settings: Settings,
        collection: str = "",
        session: str = "",
        told: Callable[[Report], None] = lambda _: None,
    ) -> None:
        self._told = told
        self.root, self.settings, self.collection = root, settings, collection
        self.session, self.report = session or sessions.new_session(), Report()
        self._index, self._arena = index, Arena(ROOM)
        self._writing, self._series = ExitStack(), set[str]()
        self._waiting, self._committing = list[Taken | Refused](), threading.Lock()
        with ExitStack() as held:
            held.enter_context(lock(root / layout.reindex_lock(), wait=False, shared=True))
            folder = held.enter_context(sessions.hold(root, self.session))
            refuse_incomplete(root, index)
            write_atomic(folder / SESSION, json.dumps({"collection": collection}).encode())
            self._begin()
            self._held = held.pop_all()

    def take(self, candidates: Sequence[Candidate]) -> list[Taken | Refused]:
        """Take objects in; when it returns, what was taken is durable. The index knows of it after `commit`.

        Returns
        -------
        list of Taken or Refused
            What was refused lies in quarantine.

        Raises
        ------
        OSError
            The disk is full, or cannot be written; what was handed in is not taken, and may be handed in again.
        """
        results = self._take(candidates)
        if len(self._waiting) >= self.settings.batch:
            self.commit()
        return results

    def _take(self, candidates: Sequence[Candidate]) -> list[Taken | Refused]:
        batch = Batch(self.root, self.session, tuple(candidates), time.time_ns(), self.collection, False, self.settings)
        if len(self._series) > MOST_LOGS:
            self._begin()
        with sessions.writing(self.root, self.session):
            try:
                results = take(batch, self._index, self._logs, self._arena, self._behind)
            except BaseException:
                self._logs.take_back()
                raise
        self._series |= {result.arrival.kept.series_key for result in results if isinstance(result, Taken)}
        self._waiting.extend(results)
        for candidate in candidates:
            candidate.discard()
        return results

    def store(self, path: Path, origin: str) -> str:
        """Take in one file, which is deleted; gives the SOP Instance UID under which it is kept.

        Raises
        ------
        Rejected
            It lies in quarantine, under ``origin``.
        OSError
            As `take`.
        """
        (result,) = self.take([Candidate(origin, path.stat().st_size, spool=path)])
        if isinstance(result, Refused):
            raise result.error
        return result.arrival.kept.sop_instance_uid

    def commit(self) -> Report:
        """Let the index know what was taken since the last time; where that fails, it is tried again.

        Returns
        -------
        Report
            Of these alone.
        """
        return self._commit()[1]

    def keep(self, files: Mapping[str, Path | bytes]) -> None:
        """Take objects in, as `take`; what became of them is for `tell` to say.

        Parameters
        ----------
        files : mapping
            By the origin of each: a file, which is deleted, or its bytes.
        """
        self._take([_candidate(origin, file) for origin, file in files.items()])

    def tell(self) -> dict[str, Stored | Rejected]:
        """What became of all that was taken in since the last time, by origin; the index knows of it."""
        results, report = self._commit()
        newer = {origin for origin, _ in report.outcomes["new version"].examples}
        return {each.origin: _stored(each, each.origin in newer) for each in results}

    def _commit(self) -> tuple[list[Taken | Refused], Report]:
        with self._committing:
            results = self._waiting[:]
            report = Report(len(results))
            if results:
                commit(self.root, self._index, results, self.settings, report)
                del self._waiting[: len(results)]
                self._told(self.report.merge(report))
            return results, report

    def close(self) -> None:
        """Commit and seal what was taken. Where that fails, `recover` does it: nothing of it is lost."""
        with self._held:
            self._writing.close()
            self.commit()
            seal(self.root, self._index, self.session, self.settings)
            sessions.discard(self.root, self.session)

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _begin(self) -> None:
        """Let go of the logs that are open; they are opened again when there is more for them."""
        self._writing.close()
        logs = SeriesLogs(self.root, self.session, threading.get_native_id(), self.settings)
        self._logs = self._writing.enter_context(logs)
        self._behind = self._writing.enter_context(ThreadPoolExecutor(FLUSHES))
        self._series = set()


def _candidate(origin: str, file: Path | bytes) -> Candidate:
    if isinstance(file, bytes):
        return Candidate(origin, len(file), data=file)
    return Candidate(origin, file.stat().st_size, spool=file)


def _stored(result: Taken | Refused, newer: bool) -> Stored | Rejected:
    if isinstance(result, Refused):
        return result.error
    kept, values = result.arrival.kept, result.arrival.values
    study, series = (str(values.get(name, "")) for name in ("StudyInstanceUID", "SeriesInstanceUID"))
    return Stored(study, series, kept.sop_class_uid, kept.sop_instance_uid, newer)
