"""The folders of real DICOM, each imported alone into an archive of its own."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pacs_panel import open_archive
from pacs_panel.archive import Archive
from pacs_panel.dicom.kind import kind
from pacs_panel.model import Kept, Passport, Revision
from pacs_panel.settings import Settings
from pacs_panel.volume.read import open_stack

NOT_DATA = "LICENSES"


@dataclass(frozen=True)
class Series:
    """One series of a folder.

    Attributes
    ----------
    key, uid : str
        Ours; Series Instance UID, empty where there is none.
    kept : dict of str to Kept
        Its objects by SOP Instance UID.
    files : dict of str to Path
        The file of each object.
    """

    folder: str
    key: str
    uid: str
    revision: Revision
    kept: dict[str, Kept]
    files: dict[str, Path]

    @property
    def first(self) -> str:
        """The smallest SOP Instance UID: it tells apart series whose UIDs repeat or lack."""
        return min(self.kept)

    def kind(self, uid: str) -> str:
        """What one of its objects is, in words."""
        return kind(self.kept[uid].sop_class_uid, "", self.kept[uid].image).name


class Imported:
    """A folder's archive, open."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.name
        self.archive: Archive = open_archive("memory://", settings=replace(Settings(), workers=0))
        self.report = self.archive.ingest(folder)
        files = {hashlib.sha256(path.read_bytes()).hexdigest(): path for path in files_in(folder)}
        self.series = [self._series(dict(row), files) for row in self.archive.search().rows()]

    def _series(self, row: dict[str, object], files: dict[str, Path]) -> Series:
        key = str(row["key"])
        kept = {one.sop_instance_uid: one for one in self.archive.objects(key)}
        return Series(
            self.folder,
            key,
            str(row["SeriesInstanceUID"] or ""),
            self.archive.revision(key),
            kept,
            {uid: files[one.digests.file] for uid, one in kept.items() if one.digests.file in files},
        )

    def planes(self, series: Series, number: int, *, physical: bool) -> np.ndarray:
        """Values of a stack's planes, ``(plane, row, column)`` or in colour ``(plane, row, column, 3)``."""
        path = self.archive.stack_path(series.key, number)
        return in_order(open_stack(path, physical=physical)["image"].values, series.revision.stacks[number].passport)


def files_in(folder: Path) -> list[Path]:
    """All files below a folder."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def folders(data: Path) -> list[str]:
    """Names of the folders with DICOM."""
    return sorted(path.name for path in data.iterdir() if path.is_dir() and path.name != NOT_DATA)


def in_order(values: np.ndarray, passport: Passport) -> np.ndarray:
    """An array ``(*extra, slice, row, column)`` as one plane after the other."""
    rows, columns = values.shape[-2:]
    if not is_colour(passport):
        return values.reshape(-1, rows, columns)
    return np.moveaxis(values, -4, -1).reshape(-1, rows, columns, 3)


def is_colour(passport: Passport) -> bool:
    """Whether the last extra dimension is that of red, green and blue."""
    return bool(passport.dimensions) and passport.dimensions[-1].name == "channel"
