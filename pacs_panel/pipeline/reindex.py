"""Reindex: make the index anew from what is kept. Packs and records tell all that it held."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import batched
from pathlib import Path

from pacs_panel.errors import NotFound, Rejected
from pacs_panel.index.arrival import Arrival
from pacs_panel.index.store import Index
from pacs_panel.keep.originals import open_original
from pacs_panel.model import Location
from pacs_panel.pipeline.admit import commit, read_pack
from pacs_panel.pipeline.read import Refused, Taken, read_kept
from pacs_panel.receive.report import Report
from pacs_panel.records.store import Records
from pacs_panel.records.values import Reference
from pacs_panel.settings import Settings
from pacs_panel.storage import layout


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
    """Fill an empty index with everything that is kept, in the order in which it was received.

    Returns
    -------
    Report
        What every kept object is: as when it came, except that what was decided to be a duplicate stays one.
    """
    report, done = Report(), 0
    for results in batched(_everything(root, records, settings), settings.batch):
        commit(root, index, [one.result for one in results], settings, report)
        done += len(results)
        progress(done)
    index.seal([pack for pack in index.unsealed() if (root / layout.pack(pack)).exists()])
    for trashed in records.trashed():
        try:
            index.trash(trashed.level, trashed.key)
        except NotFound:
            continue  # its bytes were removed for good since
    return report


def _everything(root: Path, records: Records, settings: Settings) -> Iterator[_Ordered]:
    """All kept objects in order of arrival; packs of one session are read one after the other."""
    collections = {session.session: session.collection for session in records.sessions()}
    sessions: dict[str, list[tuple[Path, str]]] = {}
    for path in sorted((root / "originals").glob("*/*/*.tar")):
        sessions.setdefault(path.stem.rsplit("-", 1)[0], []).append((path, f"{path.parent.name}/{path.stem}"))
    referred = list(_referred(records.references(), settings))
    position = 0
    for session in sorted(sessions):
        packs = [
            _ordered(read_pack(path, pack, collections.get(session, ""), settings)) for path, pack in sessions[session]
        ]
        for one in merge(*packs):
            while position < len(referred) and referred[position].received < one.received:
                yield referred[position]
                position += 1
            yield one
    yield from referred[position:]


def _ordered(results: Iterable[Taken | Refused]) -> Iterator[_Ordered]:
    for result in results:
        received = result.arrival.kept.received if isinstance(result, Taken) else 0
        yield _Ordered(received, result)


def _referred(references: Iterable[Reference], settings: Settings) -> Iterator[_Ordered]:
    for reference in references:
        location = Location(reference.path, reference.offset, reference.length, in_place=True)
        try:
            with open_original(Path(), location) as source:
                arrival = read_kept(source, location, reference.received, reference.collection, settings)
        except Rejected as error:
            yield _Ordered(reference.received, Refused(reference.path, error))
            continue
        yield _Ordered(reference.received, Taken(reference.path, arrival))


def references(arrivals: Sequence[Arrival]) -> list[Reference]:
    """What the records note of arrivals that lie in place."""
    noted = []
    for arrival in arrivals:
        kept = arrival.kept
        status = Path(kept.location.path).stat()
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
