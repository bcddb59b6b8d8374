"""What the records hold, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pacs_panel.attributes import Level


@dataclass(frozen=True, slots=True)
class Reference:
    """An object that stays in its owner's file: what must be known of it to index it anew, and to notice a change.

    Attributes
    ----------
    path : str
        Absolute.
    offset, length : int
        The object's bytes in the file.
    size, mtime_ns : int
        Of the file, when it was referred to.
    file_digest, dataset_digest : str
        SHA-256, in hex.
    collection : str
    received : int
        ns since 1970.
    """

    path: str
    offset: int
    length: int
    size: int
    mtime_ns: int
    file_digest: str
    dataset_digest: str
    collection: str
    received: int


@dataclass(frozen=True, slots=True)
class Session:
    """One import, upload or association, and what came by it.

    Attributes
    ----------
    session : str
        Its id.
    kind : str
        The door: ``import``, ``upload``, ``watched folder`` or ``association``.
    collection : str
    started : int
        ns since 1970, as all times here.
    finished : int, optional
        ``None`` while it runs, and where it was cut off.
    peer : str
        AE title of whoever sent; empty where nobody did.
    told : int
        When the counts were told; 0 before.
    accepted, duplicates, new_versions, refused : int
        Objects; another encoding of what was there counts as a new version.
    bytes : int
        Of what was taken in.
    """

    session: str
    kind: str
    collection: str
    started: int
    finished: int | None = None
    peer: str = ""
    told: int = 0
    accepted: int = 0
    duplicates: int = 0
    new_versions: int = 0
    refused: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Trashed:
    """What somebody put into the trash: an object by SOP Instance UID, anything else by its key."""

    level: Level
    key: str
    at: int
    by: str


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A pack that is taking the place of another while what was in the trash is removed for good.

    Attributes
    ----------
    new : str
        Id of the new pack. Where nothing stays there is no such file; the index then knows the id all the same.
    old : str
        Id of the pack that goes; empty where a series has none.
    series_key : str
    """

    new: str
    old: str
    series_key: str


MarkKind = Literal["tag", "note", "rating", "collection"]
SavedKind = Literal["search", "collection"]


@dataclass(frozen=True, slots=True)
class Mark:
    """What somebody said of a patient, a study or a series.

    Attributes
    ----------
    kind : str
    level, key : str
        Of what.
    name : str
        The tag, or the collection; an id of the note; of a rating, who rates.
    value : str
        Text of the note, or the rating.
    uid : str
        Of the study or series; empty where it has none, and for patients.
    at : int
        ns since 1970.
    by : str
        Who said so last.
    """

    kind: MarkKind
    level: Level
    key: str
    name: str
    value: str
    uid: str
    at: int
    by: str


@dataclass(frozen=True, slots=True)
class Saved:
    """A search under a name, or the rule of a collection; criteria and order as JSON."""

    kind: SavedKind
    name: str
    criteria: str
    order: str
    at: int
    by: str
