"""From paths to candidates: folders, archives, DICOMDIRs and files, as one stream in constant memory."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pacs_panel.dicom.dicomdir import referenced_files
from pacs_panel.errors import Rejected, TooLarge, Unreadable
from pacs_panel.receive.archives import Found, Walk, contents, no_object
from pacs_panel.receive.candidate import Candidate, Refusal, cannot_read, check_size, open_candidate
from pacs_panel.receive.media import find
from pacs_panel.receive.sniff import CONTAINERS, HEAD, Kind, kind, shown, system_file
from pacs_panel.receive.streams import Extent, first_bytes, open_regular
from pacs_panel.settings import MIB, Settings

__all__ = ["Candidate", "Refusal", "candidates", "open_candidate"]

NESTING = 3
MAX_DICOMDIR = 256 * MIB


def candidates(
    paths: Iterable[str | Path], settings: Settings, *, scratch: Path | None = None, nesting: int = NESTING
) -> Iterator[Candidate | Refusal]:
    """Everything that may be an object in files, folders, archives and DICOMDIRs, and everything that is refused.

    A folder is read to any depth in the order of its names, files first; links are followed; no folder is read twice.
    Archives are told by their content: zip, tar, compressed tar, or one compressed file (gzip, bzip2, xz). A DICOMDIR
    given by its path stands for the files that it lists; in a folder, those are found anyway, and only missing ones are
    reported. Nothing is dropped without a `Refusal`, and nothing here raises for what is in the files.

    Parameters
    ----------
    paths : iterable of str or Path
        May be endless: the next is asked for when the last is read.
    settings : Settings
        ``max_object_bytes``, ``max_members`` and ``max_expansion`` bound what is read.
    scratch : Path, optional
        Folder for temporary files of members that only pass by (see `Candidate.spool`); the system's, where ``None``.
        How many there are is in the hands of whoever iterates: one at most is made for each step.
    nesting : int, optional
        Archives within one another that are followed.

    Yields
    ------
    Candidate or Refusal
    """
    reader = _Reader(settings, scratch, nesting)
    for path in paths:
        yield from reader.read(Path(path))


@dataclass(slots=True)
class _Reader:
    """The folders that were read already, and how to read the next."""

    settings: Settings
    scratch: Path | None
    nesting: int
    visited: set[tuple[int, int]] = field(default_factory=set)

    def read(self, path: Path) -> Found:
        """What a path that was given stands for."""
        try:
            status = os.stat(path)
            if stat.S_ISDIR(status.st_mode):
                yield from self._tree(path)
            elif (found := self._kind(path, status)) == "dicomdir" or path.name.upper() == "DICOMDIR":
                yield from self._listed(path, status, found)
            else:
                yield from self._file(path, status, found)
        except Rejected as error:
            yield Refusal(_origin(path), error)
        except (OSError, ValueError) as error:  # ValueError: a NUL in the name
            yield Refusal(_origin(path), _unreadable(error))

    def _tree(self, root: Path) -> Found:
        """Files of a folder at any depth. A stack instead of recursion: depth costs nothing."""
        waiting = [str(root)]
        while waiting:
            folder = waiting.pop()
            try:
                self._visit(folder)
                names = sorted(os.listdir(folder))
            except Rejected as error:
                yield Refusal(_origin(folder), error)
                continue
            except OSError as error:
                yield Refusal(_origin(folder), cannot_read(error))
                continue
            below: list[str] = []
            for name in names:
                yield from self._child(os.path.join(folder, name), name, below)
            waiting.extend(reversed(below))

    def _visit(self, folder: str) -> None:
        status = os.stat(folder)
        place = (status.st_dev, status.st_ino)
        if place in self.visited:
            raise Rejected("a link to a folder that was read already", reason="folder read already")
        self.visited.add(place)

    def _child(self, path: str, name: str, below: list[str]) -> Found:
        """One name in a folder; a folder is put on ``below``."""
        try:
            if problem := system_file(name):
                raise problem
            status = os.stat(path)
            if stat.S_ISDIR(status.st_mode):
                below.append(path)
                return
            found = self._kind(path, status)
            if found == "dicomdir":
                yield from self._missing(Path(path))
            yield from self._file(Path(path), status, found)
        except Rejected as error:
            yield Refusal(_origin(path), error)
        except OSError as error:
            yield Refusal(_origin(path), _unreadable(error))

    def _kind(self, path: str | Path, status: os.stat_result) -> Kind:
        if not stat.S_ISREG(status.st_mode):
            raise Rejected("a pipe, socket or device", reason="not a file")
        return kind(first_bytes(path, HEAD))

    def _file(self, path: Path, status: os.stat_result, found: Kind) -> Found:
        origin, size = _origin(path), status.st_size
        if problem := no_object(found):
            yield Refusal(origin, problem)
        elif found in CONTAINERS:
            walk = Walk.of(size, self.settings, self.scratch, self.nesting)
            yield from contents(Extent(path, 0, size), found, origin, walk)
        else:
            check_size(size, self.settings)
            yield Candidate(origin, size, path)

    def _listed(self, path: Path, status: os.stat_result, found: Kind) -> Found:
        """The files that a DICOMDIR lists; a file that is only called so is a file."""
        if found not in ("dicomdir", "other"):
            yield from self._file(path, status, found)
            return
        for listed, target in find(path.parent, _references(path)):
            if target is None:
                yield _lacking(path, listed)
                continue
            try:
                target_status = os.stat(target)
                yield from self._file(target, target_status, self._kind(target, target_status))
            except Rejected as error:
                yield Refusal(_origin(target), error)
            except OSError as error:
                yield Refusal(_origin(target), _unreadable(error))

    def _missing(self, path: Path) -> Found:
        for listed, target in find(path.parent, _references(path)):
            if target is None:
                yield _lacking(path, listed)


def _references(path: Path) -> list[tuple[str, ...]]:
    with open_regular(path) as file:
        data = file.read(MAX_DICOMDIR + 1)
    if len(data) > MAX_DICOMDIR:
        raise TooLarge("a DICOMDIR of more than 256 MiB")
    return referenced_files(data)


def _lacking(path: Path, listed: tuple[str, ...]) -> Refusal:
    where = f"{_origin(path)}!{shown('/'.join(listed))}"
    return Refusal(where, Rejected("see whether the copy is complete", reason="listed in DICOMDIR, but missing"))


def _origin(path: str | Path) -> str:
    return shown(os.fsdecode(path))


def _unreadable(error: OSError | ValueError) -> Rejected:
    if isinstance(error, FileNotFoundError):
        return Rejected("no such file, or a link that leads nowhere", reason="not found")
    return cannot_read(error) if isinstance(error, OSError) else Unreadable("no possible path", reason="not found")
