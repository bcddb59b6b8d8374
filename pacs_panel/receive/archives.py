"""What archives hold, to any allowed depth: members that can be opened at their place, and those that only pass by.

Members of a file that stays (a zip, an uncompressed tar, what is stored in them without compression) are handed out
as byte ranges. Members of what must be expanded to be read (a compressed tar, an archive compressed within another)
pass by once, and are handed out as bytes or as a temporary file each.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from pacs_panel.errors import Rejected, TooLarge
from pacs_panel.receive import tars, zips
from pacs_panel.receive.candidate import (
    Candidate,
    Member,
    Refusal,
    cannot_read,
    check_size,
    open_candidate,
    read_head,
)
from pacs_panel.receive.members import Entry
from pacs_panel.receive.sniff import CONTAINERS, HEAD, SYSTEM_FILE, Kind, kind, name_problem, shown
from pacs_panel.receive.streams import Expanded, Extent, Readable, pieces
from pacs_panel.settings import MIB, Settings

ALLOWANCE = 1024 * MIB  # whatever the ratio, one file given to us may expand to this much in all
INLINE = 64 << 10  # passing members up to this size are handed out as bytes


@dataclass(slots=True)
class Walk:
    """One file given to us, and what reading it may still cost, nested archives included.

    Attributes
    ----------
    settings : Settings
    scratch : Path, optional
        Folder for temporary files; the system's, where ``None``.
    nesting : int
        Archives within one another that are followed.
    bytes_left, members_left : int
        Uncompressed bytes and members that may still come out.
    """

    settings: Settings
    scratch: Path | None
    nesting: int
    bytes_left: int
    members_left: int

    @classmethod
    def of(cls, size: int, settings: Settings, scratch: Path | None, nesting: int) -> Walk:
        """A walk through a file of ``size`` bytes."""
        allowed = max(ALLOWANCE, size * settings.max_expansion)
        return cls(settings, scratch, nesting, allowed, settings.max_members)

    def enter_member(self) -> None:
        """Count a member."""
        self.members_left -= 1
        if self.members_left < 0:
            raise TooLarge(f"more members than max_members, {self.settings.max_members}")
        self.spend(0)

    def claim(self, size: int) -> None:
        """Count bytes that a member claims to have; a claim that cannot be met costs the others nothing."""
        if size > self.bytes_left:
            raise self._swollen()
        self.bytes_left -= size

    def spend(self, size: int) -> None:
        """Count bytes that came out."""
        self.bytes_left -= size
        if self.bytes_left < 0:
            raise self._swollen()

    def _swollen(self) -> TooLarge:
        return TooLarge(f"all archives in it expand to more than {self.settings.max_expansion} times its size")


Found = Iterator[Candidate | Refusal]


def contents(extent: Extent, found: Kind, origin: str, walk: Walk, depth: int = 1, passing: bool = False) -> Found:
    """Candidates and refusals in an archive; what follows a damaged place is one refusal, at the end.

    Parameters
    ----------
    extent : Extent
        The archive's bytes.
    found : str
        Its format: one of `CONTAINERS`.
    origin : str
        What the archive is called in reports.
    walk : Walk
        Limits and what is left of them.
    depth : int
        1 for an archive that is in no other.
    passing : bool
        The file is temporary: nothing may point into it.
    """
    try:
        if depth > walk.nesting:
            raise TooLarge(f"more than {walk.nesting} archives within one another")
        if found == "zip":
            yield from _zip(extent, origin, walk, depth, passing)
        elif found == "tar":
            yield from _tar(extent, origin, walk, depth, passing)
        else:
            yield from _compressed(extent, found, origin, walk, depth, passing)
    except Rejected as error:
        yield Refusal(origin, error)
    except OSError as error:
        yield Refusal(origin, cannot_read(error))


def _zip(extent: Extent, origin: str, walk: Walk, depth: int, passing: bool) -> Found:
    with extent.open() as file:
        for entry in zips.members(file, extent.length, walk.settings.max_expansion):
            yield from _placed(extent, entry, origin, walk, depth, passing)


def _tar(extent: Extent, origin: str, walk: Walk, depth: int, passing: bool) -> Found:
    with extent.open() as file:
        for entry in tars.members(file, extent.length):
            yield from _placed(extent, entry, origin, walk, depth, passing)


def _compressed(extent: Extent, method: Kind, origin: str, walk: Walk, depth: int, passing: bool) -> Found:
    """A compressed tar is read once, from front to back; one compressed file is a member by itself."""
    member = Member(extent, method)
    found = kind(read_head(member, HEAD, walk.settings))
    if found != "tar":
        yield from _member(member, origin, walk, depth, passing)
        return
    with Expanded(extent.open(), method, walk.settings.max_expansion) as stream:
        for entry in tars.members(stream):
            walk.enter_member()
            label = f"{origin}!{shown(entry.name)}"
            if problem := _problem(entry, walk.settings):
                yield Refusal(label, problem)
                continue
            stream.mark()
            yield from _pass(stream, entry.length, label, walk, depth)
            stream.mark()


def _problem(entry: Entry, settings: Settings) -> Rejected | None:
    try:
        check_size(entry.size, settings)
    except TooLarge as error:
        return entry.problem or name_problem(entry.name) or error
    return entry.problem or name_problem(entry.name)


def _placed(extent: Extent, entry: Entry, origin: str, walk: Walk, depth: int, passing: bool) -> Found:
    """A member whose place is known; one that cannot be read leaves the others as they are."""
    walk.enter_member()
    label = f"{origin}!{shown(entry.name)}"
    if problem := _problem(entry, walk.settings):
        yield Refusal(label, problem)
        return
    place = Extent(extent.path, extent.offset + entry.offset, entry.length)
    member = Member(place, entry.method, entry.size, entry.crc)
    try:
        yield from _member(member, label, walk, depth, passing)
    except Rejected as error:
        yield Refusal(label, error)


def _member(member: Member, label: str, walk: Walk, depth: int, passing: bool) -> Found:
    candidate = Candidate(label, member.size, member=member)
    found = kind(read_head(member, HEAD, walk.settings))
    if found in CONTAINERS and member.method == "stored":
        walk.claim(member.extent.length)
        yield from contents(member.extent, found, label, walk, depth + 1, passing)
    elif found in CONTAINERS or (passing and no_object(found) is None):
        with open_candidate(candidate, walk.settings, walk.scratch) as file:
            yield from _pass(file, None, label, walk, depth)
    elif problem := no_object(found):
        yield Refusal(label, problem)
    else:
        walk.claim(member.size or 0)
        yield candidate


def no_object(found: Kind) -> Rejected | None:
    """Why a file of this kind is no candidate, if it is none."""
    if found == "dicomdir":
        return Rejected("lists other files; is kept nowhere itself", reason="DICOMDIR")
    if found == "unsupported":
        return Rejected("7z, RAR or zstd: unpack it first", reason="unsupported archive")
    return SYSTEM_FILE if found == "system" else None


def _pass(stream: Readable, size: int | None, label: str, walk: Walk, depth: int) -> Found:
    """A member that passes by: handed out as bytes or a temporary file, or, if it is an archive, walked in turn."""
    head = stream.read(HEAD if size is None else min(HEAD, size))
    found = kind(head)
    if problem := no_object(found):
        yield Refusal(label, problem)
        return
    parts = _counted(pieces(stream, size, walk.settings.max_object_bytes, head), walk)
    if found not in CONTAINERS:
        yield _kept(parts, label, walk)
        return
    path, length = _spool(parts, walk.scratch)
    try:
        yield from contents(Extent(path, 0, length), found, label, walk, depth + 1, passing=True)
    finally:
        path.unlink(missing_ok=True)


def _counted(parts: Iterable[bytes], walk: Walk) -> Iterator[bytes]:
    for part in parts:
        walk.spend(len(part))
        yield part


def _kept(parts: Iterator[bytes], label: str, walk: Walk) -> Candidate:
    start = bytearray()
    for part in parts:
        start += part
        if len(start) > INLINE:
            path, length = _spool(chain([bytes(start)], parts), walk.scratch)
            return Candidate(label, length, spool=path)
    return Candidate(label, len(start), data=bytes(start))


def _spool(parts: Iterable[bytes], scratch: Path | None) -> tuple[Path, int]:
    """A new temporary file with the bytes, and their count; nothing is left behind if they cannot be had."""
    handle, name = tempfile.mkstemp(prefix="passing-", dir=scratch)
    try:
        with os.fdopen(handle, "wb") as file:
            return Path(name), sum(map(file.write, parts))
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
