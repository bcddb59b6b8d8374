"""Emptying the trash: what was removed long enough ago goes for good, and nothing else does.

Packs never change, so one that holds such an object is written again without it. For each series: the records note
which packs take the place of which, the new ones are written, one index transaction leads to them, then the old ones
and the volumes that showed what is gone are deleted. A purge that is cut short is finished, or undone, by the next.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

from pacs_panel.dicom import header
from pacs_panel.errors import Busy, Damaged, Rejected
from pacs_panel.index import purge as rows
from pacs_panel.index.arrival import Arrival
from pacs_panel.index.purge import Row
from pacs_panel.index.store import Index
from pacs_panel.keep.pack import Member, members
from pacs_panel.keep.rewrite import part, rewrite, successor
from pacs_panel.pipeline.admit import refuse_incomplete
from pacs_panel.pipeline.read import read_again
from pacs_panel.records.store import Records
from pacs_panel.records.values import Rewrite
from pacs_panel.settings import Settings
from pacs_panel.storage import layout
from pacs_panel.storage.faults import reach
from pacs_panel.storage.files import lock, open_range, sync_folder

DAY = 86_400 * 10**9  # ns


@dataclass(slots=True)
class Purged:
    """What emptying the trash removed for good, and what stays in it.

    Attributes
    ----------
    objects, bytes : int
        Object versions, and the bytes of those that lay in packs.
    left : list of str
        Why something that was due is still there.
    """

    objects: int = 0
    bytes: int = 0
    left: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON types."""
        return {"objects": self.objects, "bytes": self.bytes, "left": self.left}

    def __str__(self) -> str:
        lines = [f"{self.objects:,} objects removed for good, {self.bytes / 1e6:,.1f} MB"]
        return "\n".join([*lines, *(f"  left: {reason}" for reason in self.left)])


@dataclass(frozen=True, slots=True)
class Pins:
    """What must stay, for cohorts name it.

    Attributes
    ----------
    objects : mapping of (str, str) to str
        SOP Instance UID and digest of the file, to the name of a cohort.
    revisions : mapping of str to set of str
        Key of a series, to ids of revisions.
    """

    objects: Mapping[tuple[str, str], str] = field(default_factory=dict)
    revisions: Mapping[str, Collection[str]] = field(default_factory=dict)

    def free(self, due: Iterable[Row]) -> tuple[list[Row], list[str]]:
        """Those rows that may go, and the names of the cohorts that hold the others."""
        names = {row.id: self.objects.get((row.kept.sop_instance_uid, row.kept.digests.file)) for row in due}
        return [row for row in due if names[row.id] is None], sorted({name for name in names.values() if name})


@dataclass(frozen=True, slots=True)
class _Archive:
    root: Path
    index: Index
    records: Records
    settings: Settings
    pins: Pins = Pins()


def purge(
    root: Path,
    index: Index,
    records: Records,
    settings: Settings,
    *,
    older_than_days: float = 0,
    pins: Callable[[], Pins] = Pins,
    progress: Callable[[int], None] = lambda _: None,
) -> Purged:
    """Remove for good what was put into the trash at least so many days ago, apart from what is pinned.

    Files in place are never touched: the archive forgets where they lie. May be killed at any moment and run again.

    Raises
    ------
    Busy
        An import, a build or a verify is under way.
    ArchiveError
        The index does not know all that is kept.
    """
    archive, result = _Archive(root, index, records, settings), Purged()
    with _alone(root):
        refuse_incomplete(root, index)
        _finish_all(archive)
        until = time.time_ns() - round(older_than_days * DAY)
        trashed = [each for each in records.trashed() if each.at <= until]
        removals = {(each.level, each.key): each.at for each in records.trashed()}
        found = rows.due(index, removals, until)
        archive = replace(archive, pins=pins() if found else Pins())
        for series_key, all_due in found.items():
            due, cohorts = archive.pins.free(all_due)
            if cohorts:
                held = f"{len(all_due) - len(due)} objects of series {series_key}"
                result.left.append(f"{held} belong to {', '.join(map(repr, cohorts))}, which was frozen")
            if not due:
                continue
            try:
                _purge_series(archive, series_key, due)
            except (Busy, Damaged) as error:
                result.left.append(str(error))
                continue
            result.objects += len(due)
            result.bytes += sum(row.kept.location.length for row in due if not row.kept.location.in_place)
            progress(result.objects)
        left = rows.named(index, removals)
        records.purge(each for each in trashed if (each.level, each.key) not in left)
        reach(settings, "purge.noted")
    return result


def finish_rewrites(root: Path, records: Records) -> None:
    """Make the packs tell one story again, for an index that is made anew: where an old one is left, it counts."""
    for series_key, rewrites in _begun(records):
        for each in rewrites:
            if each.old and (root / layout.pack(each.old)).exists():
                _delete(root, each.new)
        with lock(root / layout.build_lock(series_key)):
            shutil.rmtree(_volumes(root, series_key), ignore_errors=True)  # some may show what is gone
        records.end_rewrites(rewrites)


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    with ExitStack() as stack:
        try:
            stack.enter_context(lock(root / layout.reindex_lock(), wait=False))
        except Busy:
            raise Busy("an import, a build or a verify is under way; empty the trash when it is done") from None
        yield


def _purge_series(archive: _Archive, series_key: str, due: Sequence[Row]) -> None:
    root, settings = archive.root, archive.settings
    gone = {row.id for row in due}
    stay = [row for row in rows.in_series(archive.index, series_key) if row.id not in gone]
    drops = _drops(root, series_key, due, stay, settings)
    rewrites = [Rewrite(successor(old, number), old, series_key) for number, old in enumerate(drops)]
    rewrites = rewrites or [Rewrite(successor(f"{series_key}/none-0"), "", series_key)]
    archive.records.begin_rewrites(rewrites)
    reach(settings, "purge.begun")
    try:
        _replace(archive, series_key, due, stay, rewrites, drops)
    finally:
        _finish(archive, series_key, rewrites)


def _replace(
    archive: _Archive,
    series_key: str,
    due: Sequence[Row],
    stay: Sequence[Row],
    rewrites: Sequence[Rewrite],
    drops: dict[str, set[int]],
) -> None:
    """Write the new packs, and lead the index to them."""
    root = archive.root
    moves: dict[rows.Place, rows.Place] = {}
    for each in rewrites:
        if each.old:
            old, new = root / layout.pack(each.old), root / layout.pack(each.new)
            moved = rewrite(old, new, drops[each.old], archive.settings)
            moves |= {(each.old, a): (each.new, b) for a, b in moved.items()}
    reach(archive.settings, "purge.written")
    gone = {row.id for row in due}
    told = list(_told(archive, series_key, gone))
    references = archive.records.forget(_places(due, stay))
    try:
        packs = {each.new: each.old for each in rewrites}
        rows.purge(archive.index, series_key, gone, packs, moves, told, archive.pins.revisions.get(series_key, ()))
    except BaseException:
        archive.records.refer(references)
        raise
    reach(archive.settings, "purge.committed")


def _told(archive: _Archive, series_key: str, gone: Collection[int]) -> Iterator[Arrival]:
    """What is left of the patients of a series, read again; what cannot be read tells nothing."""
    for kept, collection in rows.relatives(archive.index, series_key, gone):
        with suppress(Damaged, Rejected, OSError):
            yield read_again(archive.root, kept, collection, archive.settings)


def _places(due: Iterable[Row], stay: Iterable[Row]) -> list[tuple[str, int, int]]:
    """Places of the files in place that are forgotten; one of which another version is left stays known."""
    at = {(row.kept.location.path, row.kept.location.offset) for row in stay if row.kept.location.in_place}
    places = [(row.kept.location, row.kept.received) for row in due if row.kept.location.in_place]
    return [(it.path, it.offset, received) for it, received in places if (it.path, it.offset) not in at]


# -- which members go --------------------------------------------------------------------------------------------------


def _drops(
    root: Path, series_key: str, due: Iterable[Row], stay: Iterable[Row], settings: Settings
) -> dict[str, set[int]]:
    """Packs of a series that must be written again, with the offsets of the members that go.

    A member that the index does not know was a duplicate when it came: it goes when no version of its object stays.
    """
    packed = [row.kept for row in due if not row.kept.location.in_place]
    going = {(kept.location.path, kept.location.offset) for kept in packed}
    known = going | {(row.kept.location.path, row.kept.location.offset) for row in stay}
    uids = {row.kept.sop_instance_uid for row in due} - {row.kept.sop_instance_uid for row in stay}
    drops: dict[str, set[int]] = {}
    folder = (root / layout.pack(f"{series_key}/any-0")).parent
    for path in sorted(folder.glob("*.tar")):
        pack = f"{series_key}/{path.stem}"
        found = {one.offset: one for one in members(path)}
        drop = {offset for offset in found if (pack, offset) in going}
        unknown = (one for offset, one in found.items() if (pack, offset) not in known)
        drop |= {one.offset for one in unknown if _uid(path, one, settings) in uids}
        if drop:
            drops[pack] = drop
    for pack, offset in sorted(going):
        _check(root, pack, offset, drops)
    return drops


def _check(root: Path, pack: str, offset: int, drops: dict[str, set[int]]) -> None:
    """Refuse what would not be found again; a pack that is missing altogether hinders nothing."""
    if (root / layout.log(pack)).exists():
        raise Busy(f"pack {pack} is not sealed yet; recover, then empty the trash again")
    if (root / layout.pack(pack)).exists() and offset not in drops.get(pack, ()):
        raise Damaged(f"pack {pack} is damaged, so it is left as it is; restore it from a copy")


def _uid(path: Path, member: Member, settings: Settings) -> str:
    with open_range(path, member.offset, member.length) as source:
        try:
            return header.read(source, member.length, settings).identity.sop_instance_uid
        except Rejected:
            return ""


# -- finishing ---------------------------------------------------------------------------------------------------------


def _begun(records: Records) -> Iterator[tuple[str, list[Rewrite]]]:
    begun = sorted(records.rewrites(), key=attrgetter("series_key"))
    for series_key, rewrites in groupby(begun, key=attrgetter("series_key")):
        yield series_key, list(rewrites)


def _finish_all(archive: _Archive) -> None:
    for series_key, rewrites in _begun(archive.records):
        _finish(archive, series_key, rewrites)


def _finish(archive: _Archive, series_key: str, rewrites: Sequence[Rewrite]) -> None:
    """Delete the old packs where the index knows the new ones, else the new ones."""
    root, settings = archive.root, archive.settings
    names = [each.new for each in rewrites]
    if archive.index.sealed(names):
        with lock(root / layout.build_lock(series_key)):
            for each in rewrites:
                if each.old:
                    _delete(root, each.old)
            reach(settings, "purge.deleted")
            _delete_revisions(archive, series_key)
    else:
        for name in names:
            _delete(root, name)
    archive.records.end_rewrites(rewrites)
    reach(settings, "purge.ended")
    rows.forget_packs(archive.index, names)


def _delete(root: Path, pack: str) -> None:
    path = root / layout.pack(pack)
    part(path).unlink(missing_ok=True)
    path.unlink(missing_ok=True)
    if path.parent.is_dir():
        sync_folder(path.parent)


def _delete_revisions(archive: _Archive, series_key: str) -> None:
    folder, known = _volumes(archive.root, series_key), rows.revisions(archive.index, series_key)
    known |= {*archive.pins.revisions.get(series_key, ())}
    for path in folder.glob("*"):
        if path.name not in known:
            shutil.rmtree(path, ignore_errors=True)


def _volumes(root: Path, series_key: str) -> Path:
    return (root / layout.revision(series_key, "any")).parent
