"""Receive and keep: a batch of candidates becomes durable bytes and headers. Runs in any process.

Nothing is decided here: whether an object is new, a duplicate or a new version is `pacs_panel.pipeline.admit`'s.
"""

from __future__ import annotations

import hashlib
import io
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import BinaryIO, Literal, cast

from pacs_panel.dicom import digest, header
from pacs_panel.dicom.kind import kind
from pacs_panel.errors import Rejected
from pacs_panel.index.arrival import Arrival
from pacs_panel.index.mention import Mention
from pacs_panel.index.store import Index
from pacs_panel.keep.originals import open_original
from pacs_panel.keep.pack import member_name
from pacs_panel.keep.quarantine import refuse
from pacs_panel.keep.session import SeriesLogs, writing
from pacs_panel.model import Digests, Header, Kept, Location
from pacs_panel.pipeline.identity import outcome
from pacs_panel.pipeline.references import mentions
from pacs_panel.receive.candidate import cannot_read
from pacs_panel.receive.report import Outcome
from pacs_panel.receive.sources import Candidate, open_candidate
from pacs_panel.settings import MIB, Settings
from pacs_panel.storage import layout
from pacs_panel.storage.memory import Arena, MemoryFile

CHUNK = MIB
FLUSHES = 4  # logs that are made durable at once: the file system commits them together
PORTION_BYTES = 16 * MIB  # of a batch that is in memory at a time
SMALL = 8 * MIB  # objects up to this size are read once, into memory
CHANGED = "its bytes are not those that were read before; import it again"
QUARANTINE_BYTES = 256 * MIB  # larger refused files stay where they are; only the reason is recorded


@dataclass(frozen=True, slots=True)
class Batch:
    """What one call of `read_batch` does.

    Attributes
    ----------
    root : Path
        The archive.
    session : str
    candidates : tuple of Candidate
    received : int
        Time of arrival of the first, ns; the others follow at 1 ns each, so that order is kept.
    collection : str
    in_place : bool
        Record where the user's files lie instead of copying them.
    settings : Settings
    """

    root: Path
    session: str
    candidates: tuple[Candidate, ...]
    received: int
    collection: str
    in_place: bool
    settings: Settings


@dataclass(frozen=True, slots=True)
class Taken:
    """A readable object. Where ``outcome`` is empty it is durable, and still to be decided about."""

    origin: str
    arrival: Arrival
    outcome: Outcome | Literal[""] = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """An object that went to quarantine."""

    origin: str
    error: Rejected


@dataclass(frozen=True, slots=True)
class _Object:
    """One candidate, read."""

    candidate: Candidate
    header: Header
    digests: Digests
    size: int
    data: memoryview | None
    mentions: tuple[Mention, ...]


def read_batch(batch: Batch) -> list[Taken | Refused]:
    """Read, digest and keep a batch; when it returns, everything it took is durable.

    Small objects are read once, into memory; larger ones are streamed.
    """
    with writing(batch.root, batch.session):
        results = _taken(batch)
    for candidate in batch.candidates:
        candidate.discard()
    return results


def _taken(batch: Batch) -> list[Taken | Refused]:
    # a thread's number is unique among all processes, and an executor may well run threads
    writer = threading.get_native_id()
    with (
        Index(batch.root / layout.INDEX, batch.settings) as index,
        SeriesLogs(batch.root, batch.session, writer, batch.settings) as logs,
        ThreadPoolExecutor(FLUSHES) as behind,
    ):
        return take(batch, index, logs, Arena(PORTION_BYTES + SMALL), behind)


def take(
    batch: Batch, index: Index, logs: SeriesLogs, arena: Arena, behind: ThreadPoolExecutor
) -> list[Taken | Refused]:
    """What `read_batch` does, with what its caller keeps open for the next one.

    Portion by portion: while the disk takes in one, the next is read and digested.
    """
    results: list[Taken | Refused] = []
    flushes: list[Future[None]] = []
    for portion in _portions(batch.candidates):
        results += _portion(batch, portion, index, logs, arena)
        arena.clear()
        flushes += logs.flush(behind)
    logs.sync(flushes)
    return results


def _portions(candidates: Sequence[Candidate]) -> Iterator[list[tuple[int, Candidate]]]:
    """Numbered candidates that are in memory together."""
    portion: list[tuple[int, Candidate]] = []
    size = 0
    for number, candidate in enumerate(candidates):
        portion.append((number, candidate))
        size += candidate.size if candidate.size is not None else MIB
        if size >= PORTION_BYTES:
            yield portion
            portion, size = [], 0
    if portion:
        yield portion


def _portion(
    batch: Batch, candidates: Sequence[tuple[int, Candidate]], index: Index, logs: SeriesLogs, arena: Arena
) -> list[Taken | Refused]:
    results: list[Taken | Refused] = []
    objects: list[tuple[int, _Object]] = []
    for number, candidate in candidates:
        try:
            objects.append((number, _read(candidate, batch.settings, arena)))
        except Rejected as error:
            _quarantine(batch, candidate, error)
            results.append(Refused(candidate.origin, error))
    settled = _settled(batch, objects, index)
    for number, item in objects:
        try:
            results.append(_keep(batch, logs, batch.received + number, item, settled.get(number, "")))
        except Rejected as error:
            _quarantine(batch, item.candidate, error)
            results.append(Refused(item.candidate.origin, error))
    return results


def _settled(batch: Batch, items: Sequence[tuple[int, _Object]], index: Index) -> dict[int, Outcome]:
    """Outcomes that need no copy: what the archive has already, in these bytes or in others of the same meaning."""
    known, versions = index.known({item.digests.file: item.header.identity.sop_instance_uid for _, item in items})
    rest = [(number, item) for number, item in items if item.digests.file not in known]
    settled: dict[int, Outcome] = {number: "duplicate" for number, item in items if item.digests.file in known}
    for number, item in rest:
        kept = versions.get(item.header.identity.sop_instance_uid, ())
        data = partial(_bytes, item, batch.settings)
        try:
            what, _ = outcome(batch.root, kept, item.digests, data, batch.settings)
        except Rejected:
            continue  # cannot be read any more; keeping it will say so
        if what in ("duplicate", "alternative encoding"):
            settled[number] = what
    return settled


def _read(candidate: Candidate, settings: Settings, arena: Arena) -> _Object:
    try:
        return _read_open(candidate, settings, arena)
    except OSError as error:
        raise cannot_read(error) from None


def _read_open(candidate: Candidate, settings: Settings, arena: Arena) -> _Object:
    with open_candidate(candidate, settings) as source:
        size = source.seek(0, io.SEEK_END)
        source.seek(0)
        data = _in_memory(candidate, source, size, arena) if size <= SMALL else None
        view = source if data is None else cast(BinaryIO, MemoryFile(data))
        head = header.read(view, size, settings)
        if data is None:
            digests = digest.file_and_dataset(source, size, head.dataset_offset)
        else:
            body = data[head.dataset_offset :]
            digests = Digests(hashlib.sha256(data).hexdigest(), hashlib.sha256(body).hexdigest())
        named = mentions(view, head, settings)
    return _Object(candidate, head, digests, size, data, named)


def _in_memory(candidate: Candidate, source: BinaryIO, size: int, arena: Arena) -> memoryview:
    return _filled(arena.take(size), source) if candidate.data is None else memoryview(candidate.data)


def _filled(room: memoryview, source: BinaryIO) -> memoryview:
    """``room`` with all that ``source`` holds, which must be as long."""
    done, file = 0, cast(io.BufferedReader, source)
    while done < len(room) and (count := file.readinto(room[done:])):
        done += count
    if done < len(room) or file.read(1):
        raise Rejected(CHANGED, "changed while it was read")
    return room


def _keep(batch: Batch, logs: SeriesLogs, received: int, item: _Object, settled: Outcome | Literal[""]) -> Taken:
    keys = _keys(item.header, batch.collection)
    if settled:
        location = Location("", 0, item.size)
    elif batch.in_place and (placed := _place(item.candidate, item.size, batch.session)):
        location = placed
    else:
        name = member_name(received, item.digests.file)
        pack_id, offset = logs.append(keys.series, name, item.size, _chunks(item, batch.settings))
        location = Location(pack_id, offset, item.size)
    made = arrival(item.header, keys, item.digests, location, received, batch.collection)
    return Taken(item.candidate.origin, replace(made, mentions=item.mentions), settled)


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys of the levels that an object belongs to."""

    patient: str
    study: str
    series: str


def _keys(head: Header, collection: str) -> Keys:
    identity, values = head.identity, head.values
    patient = layout.patient_key(
        str(values.get("PatientID", "")),
        str(values.get("IssuerOfPatientID", "")),
        collection,
        identity.study_uid or identity.series_uid or identity.sop_instance_uid,
    )
    study = layout.study_key(identity.study_uid, patient, str(values.get("StudyDate", "")))
    return Keys(patient, study, layout.series_key(study, identity.series_uid, identity.sop_class_uid))


def arrival(head: Header, keys: Keys, digests: Digests, location: Location, received: int, collection: str) -> Arrival:
    """What the index is told of an object whose bytes lie at ``location``."""
    identity = head.identity
    kept = Kept(
        identity.sop_instance_uid,
        identity.sop_class_uid,
        keys.series,
        identity.transfer_syntax,
        location,
        digests,
        head.dataset_offset,
        received,
        current=True,
        image=head.image,
    )
    what = kind(identity.sop_class_uid, str(head.values.get("Modality", "")), head.image)
    return Arrival(kept, head.values, keys.study, keys.patient, collection, what.name)


def read_kept(source: BinaryIO, location: Location, received: int, collection: str, settings: Settings) -> Arrival:
    """The arrival of an object whose bytes are kept already: for recovery and reindexing."""
    head = header.read(source, location.length, settings)
    digests = digest.file_and_dataset(source, location.length, head.dataset_offset)
    made = arrival(head, _keys(head, collection), digests, location, received, collection)
    return replace(made, mentions=mentions(source, head, settings))


def read_again(root: Path, kept: Kept, collection: str, settings: Settings) -> Arrival:
    """The arrival of an object as it was when it came, from its header; nothing is digested.

    Raises
    ------
    Damaged, Rejected
        It cannot be read any more.
    """
    with open_original(root, kept.location) as source:
        head = header.read(source, kept.location.length, settings)
    return arrival(head, _keys(head, collection), kept.digests, kept.location, kept.received, collection)


def _place(candidate: Candidate, size: int, session: str) -> Location | None:
    """Where a candidate's bytes lie as they are on disk, if they do."""
    path, offset, member = candidate.path, 0, candidate.member
    if member is not None and member.method == "stored":
        path, offset = member.extent.path, member.extent.offset
    if path is None:
        return None
    name = str(path)
    if os.path.islink(name):
        place = os.path.realpath(name)
    else:
        place = os.path.join(_folder(session, os.path.dirname(name)), os.path.basename(name))
    if not _is_text(place):
        return None  # bytes that are no text cannot be recorded: what has such a name is copied
    return Location(place, offset, size, in_place=True)


@lru_cache(maxsize=256)
def _folder(_session: str, folder: str) -> str:
    """A folder without links, which are followed once an import: later they may lead elsewhere."""
    return os.path.realpath(folder)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _chunks(item: _Object, settings: Settings) -> Iterator[bytes | memoryview]:
    if item.data is not None:
        yield item.data
        return
    again = hashlib.sha256()
    with open_candidate(item.candidate, settings) as source:
        while chunk := _chunk(source):
            again.update(chunk)
            yield chunk
    if again.hexdigest() != item.digests.file:
        raise Rejected(CHANGED, "changed while it was read")


def _chunk(source: BinaryIO) -> bytes:
    try:
        return source.read(CHUNK)
    except OSError as error:
        raise cannot_read(error) from None


def _bytes(item: _Object, settings: Settings) -> bytes:
    return b"".join(_chunks(item, settings))


def _quarantine(batch: Batch, candidate: Candidate, error: Rejected) -> None:
    data = None
    try:
        with open_candidate(candidate, batch.settings) as source:
            if not batch.in_place and source.seek(0, io.SEEK_END) <= QUARANTINE_BYTES:
                source.seek(0)
                data = source.read()
    except (Rejected, OSError):
        data = None  # what cannot be read stays where it is; its reason is recorded all the same
    refuse(batch.root, candidate.origin, error, data)
