"""Pulling from a peer: what matches there and is not here yet is asked for, and comes in as everything does.

It may be interrupted at any moment and run again: what is here already is found by search, and not asked for again.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

from pacs_panel.archive import Archive
from pacs_panel.attributes import BY_KEYWORD, Level
from pacs_panel.dicom import header
from pacs_panel.errors import BadQuery, Denied, PacsPanelError, Rejected, Unreachable
from pacs_panel.peer import Peer
from pacs_panel.serve.spool import network
from pacs_panel.settings import Settings

STOPPED = "stopped; what came until then is in the archive"
TRIES = 3  # in a row for one series, without anything coming
LEVELS: tuple[Level, ...] = ("study", "series", "instance")
ASKED_BELOW = {"ModalitiesInStudy": "study"}  # of what is ours, what peers know too
OF_STUDY = (
    *("StudyInstanceUID", "PatientID", "PatientName", "StudyDate", "StudyDescription", "AccessionNumber"),
    *("ModalitiesInStudy", "NumberOfStudyRelatedInstances"),
)
OF_SERIES = ("SeriesInstanceUID", "Modality", "SeriesNumber", "SeriesDescription")
OF_OBJECT = ("SOPInstanceUID", "SOPClassUID")
Facts = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Announced:
    """A series as a peer tells of it.

    Attributes
    ----------
    study, series : str
        Their UIDs.
    objects : mapping
        SOP Instance UID to SOP Class UID, which is empty where the peer does not tell it.
    facts : mapping
        Values of study and series by keyword.
    whole : bool
        Whether these are all its objects that the peer has.
    """

    study: str
    series: str
    objects: Mapping[str, str]
    facts: Facts
    whole: bool = True


@dataclass(slots=True)
class Pulled:
    """What became of what was found.

    Attributes
    ----------
    found, here, accepted : int
        Objects that match, of these were here before, and were taken in.
    failed : dict of str to str
        SOP Instance UID to the reason.
    refused : int
        Objects that came without having been asked for.
    stopped : str
        Why it ended before everything was asked for; empty where it did not.
    series : int
        Looked at.
    """

    found: int = 0
    here: int = 0
    accepted: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    refused: int = 0
    stopped: str = ""
    series: int = 0

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


class Source(Protocol):
    """A peer as it is asked."""

    elsewhere: bool  # whether what is asked for comes to a listener, and not to whoever asks

    def find(self, level: Level, keys: Facts, wanted: Sequence[str]) -> Iterable[Facts]:
        """What matches at a level; keys of the levels above are UIDs."""
        ...

    def fetch(self, series: Announced, uids: Sequence[str], whole: bool, taking: Taking) -> None:
        """Ask for these objects; ``whole`` where they are all that the peer has of the series."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class Taking:
    """What comes in answer: an object that was asked for is taken in, any other is refused."""

    def __init__(self, door: Any, peer: str, settings: Settings, told: Callable[[], None]) -> None:
        self._door, self._peer, self._settings, self._told = door, peer, settings, told
        self._of = ("", "")
        self.missing, self.reasons, self.refused = set[str](), dict[str, str](), 0
        self.broken: OSError | None = None

    def expect(self, series: Announced, uids: Iterable[str]) -> None:
        """From now on these are asked for."""
        self._of, self.missing, self.reasons = (series.study, series.series), set(uids), {}

    def take(self, path: Path) -> None:
        """Take in a file, which is deleted; durable when it returns.

        Raises
        ------
        Rejected
            It was not asked for, or is no object.
        OSError
            The disk is full.
        """
        try:
            with path.open("rb") as source:
                said = header.read(source, path.stat().st_size, self._settings).identity
            uid = said.sop_instance_uid
            if uid not in self.missing or (said.study_uid, said.series_uid) != self._of:
                self.refused += 1
                raise Rejected("the peer sent another object than it was asked for", "not asked for")
            try:
                self._door.store(path, f"from {self._peer}: {uid}")
            except Rejected as error:
                self.reasons[uid] = error.reason
                raise
            except OSError as error:
                self.broken = error
                raise
            self.missing.discard(uid)
            self._told()
        finally:
            path.unlink(missing_ok=True)


def announced(source: Source, asked: Facts, level: Level) -> Iterator[Announced]:
    """Series at a peer, with the objects in them that are meant; see `pull`."""
    keys = _by_level(asked)
    for study in source.find("study", _at_study(keys), OF_STUDY):
        of = {"StudyInstanceUID": study["StudyInstanceUID"]}
        matching = list(source.find("series", of | keys["series"], OF_SERIES))
        matching = [each for each in matching if _exact(each, keys["series"])]
        found = [each for row in matching if (each := _objects(source, study, row, of, keys["instance"], level))]
        if level == "study" and found and (keys["series"] or keys["instance"]):
            rows = source.find("series", of, OF_SERIES)
            found = [each for row in rows if (each := _objects(source, study, row, of, {}, level))]
        yield from found


def studies(source: Source, asked: Facts) -> Iterator[Facts]:
    """Studies at a peer, as it tells of them; those without the modality that is asked for are left out."""
    keys = _by_level(asked)
    modality = _at_study(keys).get("ModalitiesInStudy", "")
    for study in source.find("study", _at_study(keys), OF_STUDY):
        told = study["ModalitiesInStudy"].split("\\")
        if not any(told) or any(_exact({"Modality": each}, {"Modality": modality}) for each in told):
            yield study


def _at_study(keys: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """What is asked for at the level of studies: a series' modality, too."""
    modality = keys["series"].get("Modality")
    return ({"ModalitiesInStudy": modality} if modality else {}) | dict(keys["study"])


def _objects(source: Source, study: Facts, row: Facts, of: Facts, keys: Facts, level: Level) -> Announced | None:
    of = {**of, "SeriesInstanceUID": row["SeriesInstanceUID"]}
    found = list(source.find("instance", {**of, **keys}, OF_OBJECT))
    whole = not keys
    if keys and found and level != "instance":
        found, whole = list(source.find("instance", of, OF_OBJECT)), True
    objects = {each["SOPInstanceUID"]: each["SOPClassUID"] for each in found if each["SOPInstanceUID"]}
    facts = {**study, **row}
    return Announced(of["StudyInstanceUID"], of["SeriesInstanceUID"], objects, facts, whole) if objects else None


def _exact(found: Facts, keys: Facts) -> bool:
    """Whether a peer that may not match by an attribute tells of another modality than the one asked for."""
    wanted, told = keys.get("Modality", ""), found.get("Modality", "")
    return not told or not wanted or "*" in wanted or "?" in wanted or told in wanted.split("\\")


def _by_level(asked: Facts) -> dict[str, dict[str, str]]:
    """What is asked for at each level; patients are asked for with their studies (PS3.4 §C.6.2.1)."""
    keys: dict[str, dict[str, str]] = {level: {} for level in LEVELS}
    if not any(asked.values()):
        raise BadQuery("say what to pull, e.g. PatientID=42 or StudyDate=20250101-")
    for keyword, value in asked.items():
        known = BY_KEYWORD.get(keyword)
        if known is None or (known.ours and keyword not in ASKED_BELOW):
            raise BadQuery(
                f"{keyword!r} is nothing by which peers can be asked, as PatientID, StudyDate or Modality are"
            )
        if value:
            keys["study" if known.level == "patient" else known.level][keyword] = value
    return keys


def here(archive: Archive, series: Announced) -> set[str]:
    """Objects of a series that are here already."""
    rows = archive.search("instance", StudyInstanceUID=series.study, SeriesInstanceUID=series.series).rows()
    return {str(row["SOPInstanceUID"]) for row in rows}


def pull(
    archive: Archive,
    source: Source,
    peer: Peer,
    asked: Facts | Sequence[Facts],
    *,
    level: Level = "series",
    collection: str = "",
    progress: Callable[[Pulled], None] = lambda _: None,
    stop: Callable[[], bool] = lambda: False,
) -> Pulled:
    """Take in what a peer has and this archive has not.

    Parameters
    ----------
    archive : Archive
        As whoever pulls may see and change it.
    source : Source
        The peer as it is asked, such as of `pacs_panel.serve.peers.calling`; it stays open.
    peer : Peer
    asked : mapping of str to str, or several
        Keywords and what must match, with DICOM matching (PS3.4 §C.2.2.2); several are asked for one after another.
    level : str
        What is pulled whole: each ``study``, ``series`` or ``instance`` that matches.
    collection : str, optional
        Name under which it can be found; by default, that of the peer.
    progress : callable, optional
        Told after every object.
    stop : callable, optional
        Asked before each series whether to stop.

    Raises
    ------
    BadQuery
        Nothing is asked for, or by a keyword that peers do not know.
    Denied, Unreachable, PacsPanelError
        The peer does not let us ask.
    """
    archive.may("write")
    archive.recover()  # what came to a run that was killed is here, and is not asked for again
    done = Pulled()
    awaited: list[tuple[Announced, set[str]]] = []

    def told() -> None:
        done.accepted += 1
        progress(done)

    with spooling(archive), archive.receiving(collection=collection or peer.collection, kind="pull") as door:
        taking = Taking(door, peer.name, archive.settings, told)
        try:
            several = [asked] if isinstance(asked, Mapping) else asked
            for series in chain.from_iterable(announced(source, each, level) for each in several):
                if stop():
                    done.stopped = STOPPED
                    break
                left = set(series.objects) - (known := here(archive, series))
                done.series, done.found = done.series + 1, done.found + len(series.objects)
                done.here += len(series.objects) - len(left)
                progress(done)
                if left:
                    whole = series.whole and not known
                    _fetch(source, series, left, whole, taking, done)
                    awaited += [(series, left)] * source.elsewhere
        except (Unreachable, OSError) as error:
            if isinstance(error, Denied) or not done.series:
                raise
            done.stopped = str(error) if isinstance(error, PacsPanelError) else f"cannot write ({error.strerror})"
        finally:
            done.refused = taking.refused
            door.commit()
    source.close()
    for series, left in awaited:
        _arrived(archive, series, left, done)
    progress(done)
    return done


def _fetch(source: Source, series: Announced, left: set[str], whole: bool, taking: Taking, done: Pulled) -> None:
    """Ask for what is missing of a series until it is here; where the line breaks, for the rest over another one."""
    taking.expect(series, left)
    tries, problem = 0, "the peer did not send it"
    while taking.missing and tries < TRIES:
        before = len(taking.missing)
        try:
            source.fetch(series, sorted(taking.missing), whole and taking.missing == left, taking)
            break
        except Unreachable as error:
            tries = 0 if len(taking.missing) < before else tries + 1
            if tries == TRIES:
                raise
            problem = str(error)
        except Denied:
            raise
        except PacsPanelError as error:
            problem = str(error)
            break
    if taking.broken is not None:
        raise taking.broken
    if not source.elsewhere:
        done.failed |= {uid: taking.reasons.get(uid, problem) for uid in sorted(taking.missing)}


def _arrived(archive: Archive, series: Announced, left: set[str], done: Pulled) -> None:
    """Count what came to the listener."""
    came = left & here(archive, series)
    done.accepted += len(came)
    why = "it did not come: see that the peer knows our title, address and port"
    done.failed |= dict.fromkeys(sorted(left - came), why)


@contextmanager
def spooling(archive: Archive) -> Iterator[Path]:
    """What is on its way in lies on the archive's own disk meanwhile, whatever its size."""
    folder, before = network(archive.root), tempfile.tempdir
    tempfile.tempdir = str(folder)
    try:
        yield folder
    finally:
        tempfile.tempdir = before


def missing(archive: Archive, source: Source, asked: Facts, level: Level = "series") -> Iterator[tuple[Announced, int]]:
    """What `pull` would ask for: series, each with how many of its objects are not here."""
    with closing(source):
        for series in announced(source, asked, level):
            yield series, len(set(series.objects) - here(archive, series))
