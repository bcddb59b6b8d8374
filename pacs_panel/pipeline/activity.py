"""What goes on in an archive: what comes by which door, what waits to be built, what was refused, how full the disk is.

Nothing here names a patient.
"""

from __future__ import annotations

import json
import shutil
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from pacs_panel.index.store import Index
from pacs_panel.records.store import Records
from pacs_panel.records.values import Session
from pacs_panel.storage import layout

LATEST = 50  # sessions that are told of
SECOND = 10**9  # ns
MOMENT = 60 * SECOND  # for which a session may be silent before it has a folder, or after it has none

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
    failed, refused : tuple of (str, int)
        Reasons, and how many series could not be built, or objects lie in quarantine, for each.
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
    refused: tuple[tuple[str, int], ...]
    waiting: int
    disk_bytes: int
    free_bytes: int
    change: int

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON types."""
        told = {name: getattr(self, name) for name in ("unbuilt", "waiting", "disk_bytes", "free_bytes", "change")}
        rates = {name: dict(zip(("objects", "bytes"), getattr(self, name), strict=True)) for name in ("minute", "hour")}
        sessions = [asdict(session) | {"state": state} for session, state in self.sessions]
        return {**told, **rates, "failed": dict(self.failed), "refused": dict(self.refused), "sessions": sessions}


def activity(root: Path, index: Index, records: Records) -> Activity:
    """What goes on now."""
    now, disk = time.time_ns(), shutil.disk_usage(root)
    sessions = records.sessions(latest=LATEST)
    return Activity(
        tuple((session, _state(root, session, now)) for session in sessions),
        index.arrived(now - 60 * SECOND),
        index.arrived(now - 3600 * SECOND),
        len(index.unsettled()),
        tuple(index.failed()),
        tuple(refused(root)),
        spooled(root),
        disk.total,
        disk.free,
        index.change(),
    )


def refused(root: Path) -> list[tuple[str, int]]:
    """Reasons for which something lies in quarantine, the most frequent first."""
    found: Counter[str] = Counter()
    for path in (root / "quarantine").glob("*/*.json"):
        found[str(json.loads(path.read_text("utf-8"))["reason"])] += 1
    return sorted(found.items(), key=lambda each: (-each[1], each[0]))


def spooled(root: Path) -> int:
    """Files that are on their way in or out."""
    return sum(path.is_file() for path in (root / layout.spool()).rglob("*"))


def _state(root: Path, session: Session, now: int) -> State:
    """A session that is cut off keeps its folder until it is recovered; its lock is not touched to find out."""
    if session.finished is not None:
        return "finished"
    recent = now - max(session.started, session.told) < MOMENT
    return "running" if recent or (root / layout.session(session.session)).exists() else "interrupted"
