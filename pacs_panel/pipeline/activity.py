"""What goes on in an archive: what comes by which door, what waits to be built, what was refused, how full the disk is.

Nothing here names a patient.
"""

from __future__ import annotations

import shutil
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from pacs_panel.index.store import Index
from pacs_panel.keep.quarantine import newest
from pacs_panel.keep.session import owned
from pacs_panel.records.store import Records
from pacs_panel.records.values import Session
from pacs_panel.storage import layout

LATEST = 50  # sessions that are told of
NEWEST = 50  # refusals whose reasons are told; a page that is open asks every other second
SECOND = 10**9  # ns
MOMENT = 60 * SECOND  # for which a session may be silent without being looked at more closely

State = Literal["running", "finished", "interrupted"]


@dataclass(frozen=True, slots=True)
class Activity:
    """All of it, at one moment.

    Attributes
    ----------
    sessions : tuple of (Session, str)
        The latest first, each with its state.
    minute, hour : tuple of 2 int
        Objects and bytes that came in the last of these.
    unbuilt : int
        Series that wait for their volume, or are being built.
    failed : tuple of (str, int)
        Reasons, and how many series could not be built for each.
    quarantined : int
        Objects that lie in quarantine.
    refused : tuple of (str, int)
        Reasons for which the newest `NEWEST` of them do, and how many each concerns.
    waiting : int
        Files in the spool.
    disk_bytes, free_bytes : int
        Of the archive's disk.
    change : int
        Number of the latest change.
    """

    sessions: tuple[tuple[Session, State], ...]
    minute: tuple[int, int]
    hour: tuple[int, int]
    unbuilt: int
    failed: tuple[tuple[str, int], ...]
    quarantined: int
    refused: tuple[tuple[str, int], ...]
    waiting: int
    disk_bytes: int
    free_bytes: int
    change: int

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON types."""
        names = ("unbuilt", "quarantined", "waiting", "disk_bytes", "free_bytes", "change")
        told = {name: getattr(self, name) for name in names}
        rates = {name: dict(zip(("objects", "bytes"), getattr(self, name), strict=True)) for name in ("minute", "hour")}
        sessions = [asdict(session) | {"state": state} for session, state in self.sessions]
        return {**told, **rates, "failed": dict(self.failed), "refused": dict(self.refused), "sessions": sessions}


def activity(root: Path, index: Index, records: Records) -> Activity:
    """What goes on now."""
    now, disk = time.time_ns(), shutil.disk_usage(root)
    sessions = records.sessions(latest=LATEST)
    quarantined, latest = newest(root, NEWEST)
    refused = Counter(each.reason for each in latest)
    return Activity(
        tuple((session, _state(root, session, now)) for session in sessions),
        index.arrived(now - 60 * SECOND),
        index.arrived(now - 3600 * SECOND),
        len(index.unsettled()),
        tuple(index.failed()),
        quarantined,
        tuple(sorted(refused.items(), key=lambda each: (-each[1], each[0]))),
        spooled(root),
        disk.total,
        disk.free,
        index.change(),
    )


def spooled(root: Path) -> int:
    """Files that are on their way in or out."""
    return sum(path.is_file() for path in (root / layout.spool()).rglob("*"))


def _state(root: Path, session: Session, now: int) -> State:
    """A session that is cut off is owned by nobody; that is looked for only where it has long been silent."""
    if session.finished is not None:
        return "finished"
    recent = now - max(session.started, session.told) < MOMENT
    return "running" if recent or owned(root, session.session) else "interrupted"
