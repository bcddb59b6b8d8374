"""Files on their way in, on the archive's own disk: numbered, never named as their sender names them.

A file that has not arrived whole is ``<number>.part``, so what an import reads of a folder is whole.
"""

from __future__ import annotations

import errno
import shutil
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import IO, Self

from pacs_panel.serve.errors import Refused
from pacs_panel.settings import MIB
from pacs_panel.storage import layout

DAY = 24 * 3600.0  # seconds after which what nobody touches is nobody's
HOUR = 3600.0  # the same of the network, where an association that is silent is ended much sooner
SPARE = 256 * MIB  # bytes that are left free for the archive's own files
NETWORK = "network"  # of the spool: what comes to a listener; it stays, while what lies in it goes
FULL = (errno.ENOSPC, errno.EDQUOT)
PART = ".part"
# What begins an archive, which may be larger than any one object: zip, gzip, bzip2, xz; tar says so further on.
ARCHIVES = (b"PK\x03\x04", b"\x1f\x8b\x08", b"BZh", b"\xfd7zXZ\x00")
TAR = slice(257, 262)


def path_of(folder: Path, number: int) -> Path:
    """Where file ``number`` is when it has arrived whole."""
    return folder / f"{number:08d}"


def arrived(folder: Path, number: int) -> tuple[int, bool]:
    """How many bytes of a file are there, and whether that is all of it."""
    path = path_of(folder, number)
    for there, whole in ((path, True), (path.with_suffix(PART), False)):
        try:
            return there.stat().st_size, whole
        except FileNotFoundError:
            continue
    return 0, False


def check_space(folder: Path, wanted: int) -> None:
    """Refuse where ``wanted`` bytes would fill the disk.

    Raises
    ------
    Refused
    """
    free = shutil.disk_usage(folder).free
    if free < wanted + SPARE:
        raise full(f"there is no room: {_size(wanted)} are needed, {_size(max(0, free - SPARE))} are free")


def full(what: str = "the archive's disk is full") -> Refused:
    """That there is no room."""
    return Refused(
        507, f"{what}; nothing of this upload was taken in", "make room on the archive's disk, and try again"
    )


def _size(count: int) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e8 else f"{count / 1e6:,.1f} MB"


class Writing:
    """The bytes of one request, as they go to one file or to several that follow one another.

    Parameters
    ----------
    folder : Path
    first : int
        Number of the first file.
    lengths : sequence of int
        Bytes of each of them, when it is whole.
    offset : int
        Bytes of the first that are there already; 0 begins it anew.
    most : int
        Largest file that is no archive.
    """

    def __init__(self, folder: Path, first: int, lengths: Sequence[int], offset: int, most: int) -> None:
        self._folder, self._most = folder, most
        self._number, self._lengths, self._offset = first, list(lengths), offset
        self._file: IO[bytes] | None = None
        self._begin()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._file is not None:
            self._file.close()

    @property
    def offset(self) -> int:
        """Bytes of the present file that are there."""
        return self._offset

    def write(self, data: bytes) -> None:
        """Go on writing.

        Raises
        ------
        Refused
            The file is too large, there are more bytes than were announced, or the disk is full.
        """
        view = memoryview(data)
        while view:
            if self._file is None:
                raise Refused(400, "more bytes came than were announced", "send the files again")
            self._check_size(view)
            if shutil.disk_usage(self._folder).free < SPARE:
                raise full()
            try:
                count = self._file.write(
                    view[: self._lengths[0] - self._offset]
                )  # unbuffered: all that it says is there
            except OSError as error:
                if error.errno in FULL:
                    raise full() from None
                raise
            self._offset += count
            view = view[count:]
            self._end_if_whole()

    def _check_size(self, view: memoryview) -> None:
        if self._offset or self._lengths[0] <= self._most:
            return
        if not bytes(view[:8]).startswith(ARCHIVES) and bytes(view[TAR]) != b"ustar":
            raise Refused(
                413,
                f"a file of {_size(self._lengths[0])} is beyond the limit of {_size(self._most)} for one object",
                "raise max_object_bytes in the settings of the server, or leave this file out",
            )

    def _begin(self) -> None:
        """Open the present file; a file without bytes is whole at once."""
        if self._lengths:
            part = path_of(self._folder, self._number).with_suffix(PART)
            self._file = part.open("r+b" if self._offset else "wb", buffering=0)
            self._file.seek(self._offset)
            self._end_if_whole()

    def _end_if_whole(self) -> None:
        if self._file is not None and self._offset == self._lengths[0]:
            self._file.close()
            self._file = None
            whole = path_of(self._folder, self._number)
            whole.with_suffix(PART).replace(whole)
            self._number, self._offset = self._number + 1, 0
            del self._lengths[0]
            self._begin()


def sweep(folder: Path, older: float = DAY, keep: Collection[Path] = ()) -> None:
    """Remove what lies in a spool and nobody has touched for ``older`` seconds, apart from what is to be kept."""
    if not folder.is_dir():
        return
    for each in set(folder.iterdir()) - set(keep):
        try:
            last = max(path.stat().st_mtime for path in (each, *(each.iterdir() if each.is_dir() else ())))
        except FileNotFoundError:
            continue  # whoever owns it has just removed it
        if last < time.time() - older:
            shutil.rmtree(each, ignore_errors=True) if each.is_dir() else each.unlink(missing_ok=True)


def network(root: Path) -> Path:
    """Where objects lie that come over the network; what a listener that was killed left there is removed."""
    folder = root / layout.spool(NETWORK)
    folder.mkdir(parents=True, exist_ok=True)
    sweep(folder, HOUR)
    return folder
