"""Reindex: make the index anew from what is kept. Packs and records tell all that it held."""

from __future__ import annotations

import os
from bisect import bisect
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from heapq import merge
from itertools import batched, groupby
from operator import attrgetter
from pathlib import Path

from pacs_panel.errors import Damaged, NotFound, Rejected
from pacs_panel.index.arrival import Arrival
from pacs_panel.index.corrected import correct
from pacs_panel.index.store import Index
from pacs_panel.keep.originals import open_original
from pacs_panel.keep.pack import whole
from pacs_panel.model import Digests, Location
from pacs_panel.pipeline.admit import commit, read_pack, recover_sessions
from pacs_panel.pipeline.labels import follow
from pacs_panel.pipeline.purge import finish_rewrites
from pacs_panel.pipeline.read import Refused, Taken, read_kept
from pacs_panel.receive.report import Report
from pacs_panel.records.store import Records
from pacs_panel.records.values import Reference, Trashed
from pacs_panel.settings import Settings
from pacs_panel.storage import layout
from pacs_panel.storage.files import lock, write_atomic


@dataclass(frozen=True, slots=True)
class _Ordered:
    """An object with its time of arrival, by which packs are merged."""

    received: int
    result: Taken | Refused

    def __lt__(self, other: _Ordered) -> bool:
        return self.received < other.received


def reindex(
    root: Path, index: Index, records: Records, settings: Settings, progress: Callable[[int], None] = lambda _: None
) -> Report:
    """Fill the index anew with everything that is kept, in the order in which it was received.

    What interrupted imports and purges left is finished on the way.

    Until it is done, nothing is imported: what is kept would not be known.

    Returns
    -------
    Report
        What every kept object is: as when it came, except that what was decided to be a duplicate stays one.

    Raises
    ------
    Busy
        An import is under way, or another reindex.
    """
    with lock(root / layout.reindex_lock(), wait=False):
        write_atomic(root / layout.reindex_mark(), b"")
        index.renew()
        recover_sessions(root, index, settings)
        with lock(root / layout.admit_lock()):  # nobody corrects anything in between
            index.clear()
            correct(index.database, records.corrections())
            follow(index, records, wholly=True)
        finish_rewrites(root, records)
        report = _fill(root, index, records, settings, progress)
        index.optimize()
        (root / layout.reindex_mark()).unlink()
    return report


def _fill(root: Path, index: Index, records: Records, settings: Settings, progress: Callable[[int], None]) -> Report:
    removed = sorted([*records.purged(), *records.trashed()], key=attrgetter("at"))
    report, done, trashed = Report(), 0, deque(removed)
    moments = [each.at for each in trashed]
    for results in _batches(_everything(root, records, settings), moments, settings.batch):
        while trashed and trashed[0].at < results[0].received:
            _hide(index, trashed.popleft())
        commit(root, index, [one.result for one in results], settings, report)
        done += len(results)
        progress(done)
    index.seal([pack for pack in index.unsealed() if (root / layout.pack(pack)).exists()])
    for each in trashed:
        _hide(index, each)
    return report


def _batches(objects: Iterable[_Ordered], moments: Sequence[int], size: int) -> Iterator[tuple[_Ordered, ...]]:
    """Objects in batches that end where something was put into the trash: what came again later stays visible."""
    for _, group in groupby(objects, key=lambda one: bisect(moments, one.received)):
        yield from batched(group, size)


def _hide(index: Index, trashed: Trashed) -> None:
    with suppress(NotFound):  # its bytes were removed for good since
        index.trash(trashed.level, trashed.key)


def _everything(root: Path, records: Records, settings: Settings) -> Iterator[_Ordered]:
    """All that is kept, in packs and in place, in order of arrival."""
    return merge(_packed(root, records, settings), _referred(records.references(), settings))


def _packed(root: Path, records: Records, settings: Settings) -> Iterator[_Ordered]:
    """All objects in packs; packs of one session are read side by side, sessions one after the other."""
    collections = {session.session: session.collection for session in records.sessions()}
    sessions: dict[str, list[tuple[Path, str]]] = {}
    for path in sorted((root / "originals").glob("*/*/*.tar")):
        sessions.setdefault(path.stem.rsplit("-", 1)[0], []).append((path, f"{path.parent.name}/{path.stem}"))
    for session in sorted(sessions):
        collection = collections.get(session, "")
        yield from merge(*(_pack(path, pack, collection, settings) for path, pack in sessions[session]))


def _pack(path: Path, pack: str, collection: str, settings: Settings) -> Iterator[_Ordered]:
    last = 0
    for result in read_pack(path, pack, collection, settings):
        last = result.arrival.kept.received if isinstance(result, Taken) else last
        yield _Ordered(last, result)
    if not whole(path):
        error = Rejected("objects behind a damaged header are not found; restore the pack from a copy", "damaged pack")
        yield _Ordered(last, Refused(pack, error))


def _referred(references: Iterable[Reference], settings: Settings) -> Iterator[_Ordered]:
    for reference in references:
        location = Location(reference.path, reference.offset, reference.length, in_place=True)
        try:
            with open_original(Path(), location) as source:
                arrival = read_kept(source, location, reference.received, reference.collection, settings)
        except Damaged as error:
            gone = Rejected(str(error), "recorded in place, but missing")
            yield _Ordered(reference.received, Refused(reference.path, gone))
            continue
        except Rejected as error:
            yield _Ordered(reference.received, Refused(reference.path, error))
            continue
        # The digests are those of what was recorded, so that a verify tells of a file that has changed since.
        kept = replace(arrival.kept, digests=Digests(reference.file_digest, reference.dataset_digest))
        yield _Ordered(reference.received, Taken(reference.path, replace(arrival, kept=kept)))


def references(arrivals: Sequence[Arrival]) -> list[Reference]:
    """What the records note of arrivals that lie in place."""
    noted = []
    for arrival in arrivals:
        kept = arrival.kept
        status = os.stat(kept.location.path)
        noted.append(
            Reference(
                kept.location.path,
                kept.location.offset,
                kept.location.length,
                status.st_size,
                status.st_mtime_ns,
                kept.digests.file,
                kept.digests.dataset,
                arrival.collection,
                kept.received,
            )
        )
    return noted
