"""Publishing: an archive, or what searches find in it, becomes a folder for a file server."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pacs_panel.errors import ArchiveError, Busy, Damaged
from pacs_panel.index import portable
from pacs_panel.index.portable import Batch, Taken, taking
from pacs_panel.index.search import Search
from pacs_panel.index.store import Index
from pacs_panel.published import description, tables
from pacs_panel.published.description import CATALOG, NAME, Description
from pacs_panel.published.entries import ENTRIES
from pacs_panel.published.originals import offsets, pack_name, write_pack
from pacs_panel.settings import Settings
from pacs_panel.storage import layout
from pacs_panel.storage.files import PART, lock, make_folder, sync_folder, write_atomic
from pacs_panel.volume.build import MANIFEST

LOCK = ".publishing"
OURS = frozenset({NAME, CATALOG, LOCK, "index", "volumes", "originals"})


@dataclass(frozen=True, slots=True)
class Publication:
    """What was published.

    Attributes
    ----------
    hash : str
        Of the content.
    series, objects : int
        How many are there now.
    added, removed : int
        Files that came, beside the description and the catalog, and files that went.
    index_bytes : int
        What a reader fetches before its first search.
    """

    hash: str
    series: int
    objects: int
    added: int
    removed: int
    index_bytes: int

    def __str__(self) -> str:
        return (
            f"{self.series} series, {self.objects} objects; index of {self.index_bytes / 1e6:.1f} MB; "
            f"{self.added} files added, {self.removed} removed; {self.hash[:12]}"
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be there: current revision and, where they are asked for, pack of originals of each series."""

    described: Description
    revisions: Mapping[str, str]
    packs: Mapping[str, str]


def publish(
    root: Path,
    index: Index,
    searches: Iterable[Search],
    folder: Path,
    settings: Settings,
    *,
    originals: bool = False,
    prune: bool = False,
    progress: Callable[[int], None] = lambda _: None,
) -> Publication:
    """Write, or renew, a published archive in a folder; readers see the state before until the very end.

    Files are hard links to the archive's own where the file system allows that: they are to be served, not changed.
    Nothing is de-identified. What was corrected in the archive is corrected in the tables; received objects, and what
    the volumes tell of them, are as they were received.

    Parameters
    ----------
    root : Path
        Of the archive.
    searches : iterable of Search
        Their series are published.
    folder : Path
        New or empty, or one that was published to.
    originals : bool
        The received objects, too.
    prune : bool
        Remove what an earlier state needed alone: who reads that state will miss it.
    progress : callable, optional
        Told the number of series done.

    Raises
    ------
    ArchiveError
        The folder holds something else, or lies in the archive.
    Busy
        Somebody publishes to the folder, or the archive changes meanwhile.
    """
    before = _prepared(root, folder)
    with lock(folder / LOCK, wait=False):
        with taking(index.database, searches) as taken:
            there = set(folder.glob("index/*"))
            plan = _plan(taken, folder, before, originals)
        added = len(set(folder.glob("index/*")) - there)
        for number, key in enumerate(sorted(plan.revisions.keys() | plan.packs.keys()), 1):
            added += _link(root, folder, key, plan.revisions.get(key))
            added += _copy(root, index, folder, key, plan.packs.get(key), settings)
            progress(number)
        _put(folder / CATALOG, ENTRIES.encode())
        if before is None or before.hash != plan.described.hash:
            _put(folder / NAME, plan.described.to_json())
        removed = _prune(folder, plan) if prune else 0
    told = plan.described.tables
    size = sum(told[name].bytes for name in portable.SERIES)
    return Publication(plan.described.hash, told["series"].rows, told["object"].rows, added, removed, size)


def _prepared(root: Path, folder: Path) -> Description | None:
    """The folder, made where there is none; gives what was published to it last."""
    if folder.resolve().is_relative_to(root.resolve()):
        raise ArchiveError("publish to a folder outside the archive")
    if folder.exists() and not folder.is_dir():
        raise ArchiveError(f"{folder} is a file; give a folder")
    make_folder(folder.absolute())
    if (folder / NAME).exists():
        return description.read((folder / NAME).read_bytes(), str(folder))
    foreign = {path.name for path in folder.iterdir()} - OURS
    if any(not name.startswith(PART) for name in foreign):
        raise ArchiveError(f"{folder} is no published archive, and not empty; give an empty or a new folder")
    return None


# -- the index ---------------------------------------------------------------------------------------------------------


def _plan(taken: Taken, folder: Path, before: Description | None, originals: bool) -> Plan:
    """Write the tables, all of one state of the archive's index."""
    places: dict[tuple[str, str], tuple[str, int]] = {}
    packs: dict[str, str] = {}
    for key in sorted(taken.keys) if originals else ():
        kept = taken.objects(key)
        packs[key] = pack_name(key, kept)
        for one, offset in zip(kept, offsets(kept), strict=True):
            places[one.sop_instance_uid, one.digests.file] = packs[key], offset
    made = {}
    for name in (*portable.SERIES, *portable.OBJECTS):
        batches, columns = taken.batches(name), portable.columns(name)
        if name == "object":
            columns = columns if originals else {c: kind for c, kind in columns.items() if c not in _OF_ORIGINALS}
            batches = _placed(batches, places) if originals else batches
        made[name] = tables.write(folder / "index", name, columns, batches)
    described = Description(
        before.id if before else uuid.uuid4().hex,
        datetime.now(UTC).isoformat(timespec="seconds"),
        taken.change,
        originals,
        made,
    )
    return Plan(described, taken.revisions(), packs)


_OF_ORIGINALS = frozenset({"pack", "offset", "dataset_offset", "image"})


def _placed(batches: Iterable[Batch], places: Mapping[tuple[str, str], tuple[str, int]]) -> Iterator[Batch]:
    """Rows of objects, with the places that these have in the published packs."""
    for batch in batches:
        names = zip(batch["SOPInstanceUID"], batch["file_digest"], strict=True)
        packs, starts = zip(*(places[name] for name in names), strict=True)
        yield {**batch, "pack": packs, "offset": starts}


# -- the files ---------------------------------------------------------------------------------------------------------


def _link(root: Path, folder: Path, key: str, revision: str | None) -> int:
    """Have a revision in the folder; its manifest comes last. Gives the number of files that were added."""
    if revision is None:
        return 0
    place = layout.revision(key, revision)
    source, target = root / place, folder / place
    if (target / MANIFEST).exists():
        return 0
    if not (source / MANIFEST).exists():
        raise Damaged(f"the volume of series {key} is missing; run `pacs-panel reindex`, then `pacs-panel build`")
    shutil.rmtree(target, ignore_errors=True)
    files = [path for path in sorted(source.rglob("*")) if path.is_file() and path.name != MANIFEST]
    for path in [*files, source / MANIFEST]:
        _same(path, target / path.relative_to(source))
    return len(files) + 1


def _same(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        part = target.with_name(f"{PART}{target.name}")
        shutil.copyfile(source, part)
        with part.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(part, target)


def _copy(root: Path, index: Index, folder: Path, key: str, pack: str | None, settings: Settings) -> int:
    if pack is None or (folder / layout.pack(pack)).exists():
        return 0
    kept = index.objects(key)
    if pack_name(key, kept) != pack:
        raise Busy(f"series {key} changed while it was being published; publish again")
    write_pack(root, folder / layout.pack(pack), kept, settings)
    return 1


def _put(path: Path, data: bytes) -> None:
    if not path.exists() or path.read_bytes() != data:
        write_atomic(path, data)
        path.chmod(0o644)  # the server may run as somebody else


def _prune(folder: Path, plan: Plan) -> int:
    """Remove what the present state does not name."""
    wanted: set[Any] = {folder / plan.described.path(name) for name in plan.described.tables}
    wanted |= {folder / layout.revision(key, revision) for key, revision in plan.revisions.items()}
    wanted |= {folder / layout.pack(pack) for pack in plan.packs.values()}
    found = [*folder.glob("index/*"), *folder.glob("volumes/*/*/*"), *folder.glob("originals/*/*/*")]
    removed = 0
    for path in found:
        if path in wanted:
            continue
        files = [each for each in path.rglob("*") if each.is_file()] if path.is_dir() else [path]
        removed += len(files)
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    if removed:
        sync_folder(folder)
    return removed
