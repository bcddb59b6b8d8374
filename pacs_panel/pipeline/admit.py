"""Admission: the one way in. Candidates become durable bytes, identities are decided, and the index learns of it.

The order is what makes it safe: bytes durable first (`read_batch`), then one index transaction, then packs sealed. At
any moment a kill leaves either an object that was never counted, or one that `recover` finds again in its log.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import batched, count
from pathlib import Path
from typing import Any

from pacs_panel.errors import ArchiveError, Busy, Rejected
from pacs_panel.index.arrival import Arrival
from pacs_panel.index.store import Index
from pacs_panel.keep import session as sessions
from pacs_panel.keep.originals import read_original
from pacs_panel.keep.pack import members
from pacs_panel.keep.quarantine import refuse
from pacs_panel.model import Kept, Location
from pacs_panel.pipeline.identity import outcome
from pacs_panel.pipeline.jobs import run
from pacs_panel.pipeline.read import Batch, Refused, Taken, read_batch, read_kept
from pacs_panel.receive.report import Report
from pacs_panel.receive.sources import Candidate, Refusal, candidates
from pacs_panel.settings import MIB, Settings
from pacs_panel.storage import layout
from pacs_panel.storage.faults import reach
from pacs_panel.storage.files import lock, open_range, write_atomic

BATCH_BYTES = 64 * MIB
SESSION = "session.json"
NOTES = frozenset({"system file", "DICOMDIR", "folder read already"})  # said in the report; nothing was refused


@dataclass(frozen=True, slots=True)
class Import:
    """What an import is asked to do."""

    paths: tuple[str | Path, ...]
    collection: str = ""
    in_place: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an import is: objects dealt with, bytes taken in."""

    objects: int
    bytes: int


def admit(
    root: Path,
    index: Index,
    what: Import,
    settings: Settings,
    *,
    executor: Any = None,
    session: str = "",
    progress: Callable[[Progress], None] = lambda _: None,
    recorded: Callable[[Sequence[Arrival]], None] = lambda _: None,
    told: Callable[[Report], None] = lambda _: None,
) -> Report:
    """Take in everything that ``what.paths`` hold.

    Parameters
    ----------
    root : Path
        The archive.
    index : Index
    what : Import
    executor : optional
        See `pacs_panel.pipeline.jobs.run`.
    session : str, optional
        Id of the session; a new one by default.
    progress : callable
        Told after every batch.
    recorded : callable
        Told of every batch of arrivals that lie in place, before they are committed: they are records, not originals.
    told : callable
        Given the report as it is, after every batch.

    Returns
    -------
    Report
        Exact counts of what became of everything.

    Raises
    ------
    Busy
        The index is being made anew.
    ArchiveError
        The index does not know all that is kept; see `refuse_incomplete`.
    """
    report, started = Report(), time.perf_counter()
    session = session or sessions.new_session()
    with lock(root / layout.reindex_lock(), wait=False, shared=True), sessions.hold(root, session) as folder:
        refuse_incomplete(root, index)
        write_atomic(folder / SESSION, json.dumps({"collection": what.collection}).encode())
        batches = _batches(root, session, what, settings, report)
        seen = 0
        for batch, results in run(read_batch, batches, workers=settings.workers, executor=executor):
            commit(root, index, results, settings, report, recorded)
            seen += len(batch.candidates)
            told(report)
            progress(Progress(seen, report.bytes))
        seal(root, index, session, settings)
        sessions.discard(root, session)
    report.seconds = time.perf_counter() - started
    return report


def refuse_incomplete(root: Path, index: Index) -> None:
    """Let nothing be decided with an index that does not know all that is kept: it would be kept twice.

    Raises
    ------
    ArchiveError
        Making the index anew was cut short, or it was removed and not made anew.
    """
    if (root / layout.reindex_mark()).exists():
        raise ArchiveError("making the index anew was cut short; run `pacs-panel reindex` first")
    if index.is_empty() and any(next(members(path), None) for path in (root / "originals").glob("*/*/*.tar")):
        raise ArchiveError("the index is missing, and originals are there; run `pacs-panel reindex` first")


def _batches(root: Path, session: str, what: Import, settings: Settings, report: Report) -> Iterator[Batch]:
    """Candidates in batches, each for one worker and one transaction; refusals go to the report on the way."""
    start, number = time.time_ns(), count()
    scratch = root / layout.session(session)
    batch: list[Candidate] = []
    size = 0
    for found in candidates(what.paths, settings, scratch=scratch):
        if isinstance(found, Refusal):
            _note_refusal(root, found, report)
            continue
        batch.append(found)
        size += found.size if found.size is not None else MIB
        if len(batch) >= settings.batch or size >= BATCH_BYTES:
            yield _batch(root, session, what, settings, batch, start, number)
            batch, size = [], 0
    if batch:
        yield _batch(root, session, what, settings, batch, start, number)


def _batch(
    root: Path,
    session: str,
    what: Import,
    settings: Settings,
    batch: list[Candidate],
    start: int,
    number: Iterator[int],
) -> Batch:
    return Batch(
        root, session, tuple(batch), start + next(number) * settings.batch, what.collection, what.in_place, settings
    )


def _note_refusal(root: Path, refusal: Refusal, report: Report) -> None:
    report.refuse(refusal.origin, refusal.error)
    if refusal.error.reason not in NOTES:
        refuse(root, refusal.origin, refusal.error, None)


def commit(
    root: Path,
    index: Index,
    results: Sequence[Taken | Refused],
    settings: Settings,
    report: Report,
    recorded: Callable[[Sequence[Arrival]], None] = lambda _: None,
) -> None:
    """Decide identities and commit one batch; alone among all processes: no two decide about the same object."""
    with lock(root / layout.admit_lock()):
        fresh = _decide(root, index, results, settings, report)
        reach(settings, "admit.decided")
        if in_place := [arrival for arrival in fresh if arrival.kept.location.in_place]:
            recorded(in_place)
        index.add(fresh)
        reach(settings, "admit.committed")


def _decide(
    root: Path, index: Index, results: Sequence[Taken | Refused], settings: Settings, report: Report
) -> list[Arrival]:
    uids = [r.arrival.kept.sop_instance_uid for r in results if isinstance(r, Taken) and not r.outcome]
    versions: dict[str, list[Kept]] = defaultdict(list, index.versions(uids))
    fresh = []
    for result in results:
        if isinstance(result, Refused):
            report.refuse(result.origin, result.error)
            continue
        kept = result.arrival.kept
        what, detail = result.outcome, ""
        if not what:
            data = partial(read_original, root, kept.location)
            what, detail = outcome(root, versions[kept.sop_instance_uid], kept.digests, data, settings)
        taken = what in ("accepted", "new version")
        if taken:
            versions[kept.sop_instance_uid].insert(0, kept)
            fresh.append(result.arrival)
        size = kept.location.length if taken else 0
        report.add(what, result.origin, series=kept.series_key if taken else "", size=size, detail=detail)
    return fresh


def seal(root: Path, index: Index, session: str, settings: Settings) -> None:
    """Turn the logs of a session that the caller holds into packs."""
    index.seal(sessions.finish(root, session, settings))
    reach(settings, "seal.committed")


def recover(root: Path, index: Index, settings: Settings) -> Report:
    """Finish what interrupted sessions left: what they made durable is admitted, and their packs are sealed.

    Raises
    ------
    Busy
        The index is being made anew.
    ArchiveError
        It does not know all that is kept; see `refuse_incomplete`.
    """
    with lock(root / layout.reindex_lock(), wait=False, shared=True):
        refuse_incomplete(root, index)
        return recover_sessions(root, index, settings)


def recover_sessions(root: Path, index: Index, settings: Settings) -> Report:
    """What `recover` does, for a caller that sees to it that the index is not made anew meanwhile."""
    report = Report()
    for session in sessions.abandoned(root):
        try:
            with sessions.hold(root, session) as folder, sessions.alone(root, session):
                collection = _collection(folder)
                for pack_id in sessions.pack_ids(root, session):
                    path = root / layout.log(pack_id)
                    for results in batched(read_pack(path, pack_id, collection, settings), settings.batch):
                        commit(root, index, results, settings, report)
                seal(root, index, session, settings)
                sessions.discard(root, session)
        except Busy:
            continue  # somebody else recovers it at this moment
    index.seal([pack for pack in index.unsealed() if (root / layout.pack(pack)).exists()])
    return report


def read_pack(path: Path, pack_id: str, collection: str, settings: Settings) -> Iterator[Taken | Refused]:
    """The objects of a pack, read anew from their bytes."""
    for member in members(path):
        location = Location(pack_id, member.offset, member.length)
        with open_range(path, member.offset, member.length) as source:
            try:
                arrival = read_kept(source, location, member.received, collection, settings)
            except Rejected as error:
                yield Refused(f"{pack_id}@{member.offset}", error)
                continue
        yield Taken(member.name, arrival)


def _collection(folder: Path) -> str:
    try:
        return str(json.loads((folder / SESSION).read_text("utf-8"))["collection"])
    except (FileNotFoundError, ValueError, KeyError):
        return ""
