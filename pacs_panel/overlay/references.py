"""What an object refers to: images, series, studies and frames of reference, wherever in its header they are named."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import BinaryIO

from pydicom.datadict import keyword_for_tag

from pacs_panel.overlay import tree
from pacs_panel.overlay.tree import Item, Tree
from pacs_panel.settings import Settings

SOP_CLASS, STUDY, SERIES = 0x00080016, 0x0020000D, 0x0020000E
REFERENCED_CLASS, REFERENCED_INSTANCE = 0x00081150, 0x00081155
FRAMES_OF_REFERENCE = (0x00200052, 0x30060024)  # its own or a referenced one
PER_FRAME = 0x52009230
CONCEPT_NAME, CODE, SCHEME = 0x0040A043, 0x00080100, 0x00080102
# Sequences in each of many frames that refer to nothing.
SILENT = frozenset(
    map(tree.tag_of, ("FrameContentSequence", "DerivationCodeSequence", "PurposeOfReferenceCodeSequence"))
)
STUDY_CLASSES = frozenset({"1.2.840.10008.3.1.2.3.1", "1.2.840.10008.3.1.2.3.2"})  # (detached) study management
MANAGEMENT = "1.2.840.10008.3.1.2."  # patients, visits, studies, procedure steps: nothing that is stored


@dataclass(frozen=True, slots=True)
class Reference:
    """One object that another one names.

    Attributes
    ----------
    sop_instance_uid, sop_class_uid : str
    series_uid, study_uid : str
        As far as the reference tells.
    role : str
        Keyword of the sequence that holds the reference, such as ``SourceImageSequence``.
    """

    sop_instance_uid: str
    sop_class_uid: str = ""
    series_uid: str = ""
    study_uid: str = ""
    role: str = ""


@dataclass(frozen=True, slots=True)
class Referred:
    """All that an object refers to, each once, in the order of the header.

    Attributes
    ----------
    sop_class_uid : str
        Of the referring object itself.
    frame_of_reference : tuple of str
        Frame of Reference UIDs: its own, and those that it names.
    series, instances, studies : tuple of str
        UIDs of what it names; its own Series and Study UID are not among them unless it names them.
    references : tuple of Reference
        The instances with their roles; one that is named in two roles is here twice.
    """

    sop_class_uid: str
    frame_of_reference: tuple[str, ...] = ()
    series: tuple[str, ...] = ()
    instances: tuple[str, ...] = ()
    studies: tuple[str, ...] = ()
    references: tuple[Reference, ...] = ()


def refers(source: BinaryIO, settings: Settings) -> Referred:
    """What an object of any kind refers to; its pixel data is not read.

    Parameters
    ----------
    source : binary file
        Seekable; the object's file begins at 0.

    Raises
    ------
    NotDicom, Unreadable, TooLarge
    """
    frames = _Found()
    read = tree.read(source, settings, {PER_FRAME: lambda item: frames.walk(item, "", "", "")}, SILENT)
    return of_tree(read, [reference.sop_instance_uid for reference in frames.references.values()])


def title(source: BinaryIO, settings: Settings) -> str:
    """Code of the title of a report or a key object selection, as far as it is one of DICOM's own; else empty.

    Raises
    ------
    NotDicom, Unreadable, TooLarge
    """
    named = tree.read(source, settings).root.get(CONCEPT_NAME)
    first = named[0] if isinstance(named, list) and named else {}
    return _uid(first.get(CODE)) if _uid(first.get(SCHEME)) == "DCM" else ""


def of_tree(read: Tree, sources: Iterable[str] = ()) -> Referred:
    """As `refers`, of a header that is read already.

    Parameters
    ----------
    sources : iterable of str
        SOP Instance UIDs that the functional groups of the frames name as their sources.
    """
    found = _Found()
    root = {tag: value for tag, value in read.root.items() if tag not in (STUDY, SERIES, PER_FRAME)}
    found.walk(root, "", "", "")
    for uid in sources:
        found.refer(uid, "", "SourceImageSequence", "", "")
    return found.referred(_uid(read.root.get(SOP_CLASS)))


def match(referred: Referred, members: Collection[str], frame_of_reference: str = "", series_uid: str = "") -> str:
    """How an object belongs to the images of a stack, in words; empty where it does not.

    Parameters
    ----------
    members : collection of str
        SOP Instance UIDs of the images.
    frame_of_reference, series_uid : str
        Of the images.
    """
    images = set(members)
    hits = len(images.intersection(referred.instances))
    if hits:
        return f"refers to {hits} of the {len(images)} image{'' if len(images) == 1 else 's'}"
    same = bool(frame_of_reference) and frame_of_reference in referred.frame_of_reference
    if series_uid and series_uid in referred.series:
        extra = " and shares their frame of reference" if same else ""
        return f"refers to the series{extra}, although to none of the images that are here"
    if not same:
        return ""
    but = ", although to images that are not here" if referred.instances else ""
    return f"shares the frame of reference{but}"


class _Found:
    """What has been found so far; dicts serve as sets that keep their order."""

    def __init__(self) -> None:
        self.frames: dict[str, None] = {}
        self.series: dict[str, None] = {}
        self.studies: dict[str, None] = {}
        self.references: dict[tuple[str, str], Reference] = {}

    def walk(self, item: Item, role: str, series: str, study: str) -> None:
        study, series = _uid(item.get(STUDY)) or study, _uid(item.get(SERIES)) or series
        for uid, known in ((study, self.studies), (series, self.series)):
            if uid:
                known.setdefault(uid)
        for tag in FRAMES_OF_REFERENCE:
            if tag in item and (uid := _uid(item[tag])):
                self.frames.setdefault(uid)
        if REFERENCED_INSTANCE in item and (uid := _uid(item[REFERENCED_INSTANCE])):
            study = self.refer(uid, _uid(item.get(REFERENCED_CLASS)), role, series, study)
        for tag, value in item.items():
            if isinstance(value, list):
                inside = _role(tag)
                for nested in value:
                    self.walk(nested, inside, series, study)

    def refer(self, uid: str, sop_class: str, role: str, series: str, study: str) -> str:
        """Note a reference; returns the study that holds for what is nested in it."""
        if sop_class in STUDY_CLASSES:
            self.studies.setdefault(uid)
            return uid
        if not sop_class.startswith(MANAGEMENT):
            known = self.references.get((uid, role))
            if known is None or (series and not known.series_uid):
                self.references[uid, role] = Reference(uid, sop_class, series, study, role)
        return study

    def referred(self, sop_class: str) -> Referred:
        references = tuple(self.references.values())
        instances = tuple(dict.fromkeys(reference.sop_instance_uid for reference in references))
        return Referred(sop_class, tuple(self.frames), tuple(self.series), instances, tuple(self.studies), references)


@lru_cache(maxsize=1024)
def _role(tag: int) -> str:
    return keyword_for_tag(tag) or f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def _uid(value: object) -> str:
    return value.decode("ascii", "replace").strip(" \0") if isinstance(value, bytes) else ""


def missing(referred: Referred, present: Collection[str]) -> Iterator[str]:
    """SOP Instance UIDs that an object refers to and that are not ``present``."""
    here = set(present)
    return (uid for uid in referred.instances if uid not in here)
