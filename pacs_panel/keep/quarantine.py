"""Quarantine: what was refused, with its reason. Nothing is ever dropped silently."""

from __future__ import annotations

import hashlib
import heapq
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from pacs_panel.errors import Rejected
from pacs_panel.storage import layout
from pacs_panel.storage.files import write_atomic


@dataclass(frozen=True, slots=True)
class Refused:
    """One entry of the quarantine.

    Attributes
    ----------
    digest : str
        SHA-256 of the bytes; of the origin where no bytes could be read.
    origin : str
        Where it came from, as the report says it.
    reason, detail : str
    size : int
        Bytes that are kept in quarantine; 0 where they stayed where they were.
    when : str
        ISO 8601, UTC.
    """

    digest: str
    origin: str
    reason: str
    detail: str
    size: int
    when: str


def refuse(root: Path, origin: str, error: Rejected, data: bytes | None) -> Refused:
    """Put refused bytes aside with their reason; the same bytes are kept once."""
    digest = hashlib.sha256(origin.encode() if data is None else data).hexdigest()
    entry = Refused(
        digest, origin, error.reason, error.detail, len(data or b""), datetime.now(UTC).isoformat(timespec="seconds")
    )
    path = root / layout.quarantine(digest)
    if data is not None and not path.exists():
        write_atomic(path, data)
    write_atomic(path.with_name(path.name + ".json"), json.dumps(asdict(entry), indent=1).encode())
    return entry


def quarantined(root: Path) -> Iterator[Refused]:
    """Everything in quarantine."""
    yield from map(_read, sorted(path for path, _ in _entries(root)))


def count(root: Path) -> int:
    """How many entries the quarantine has; none is read."""
    return sum(1 for _ in _entries(root))


def newest(root: Path, most: int) -> tuple[int, list[Refused]]:
    """How many entries the quarantine has, and the newest of them, latest first; no others are read."""
    found = [(entry.stat().st_mtime_ns, path) for path, entry in _entries(root)]
    return len(found), [_read(path) for _, path in heapq.nlargest(most, found)]


def _entries(root: Path) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Path and entry of each reason that lies in quarantine."""
    with os.scandir(root / "quarantine") as folders:
        for folder in folders:
            with os.scandir(folder) as files:
                yield from ((file.path, file) for file in files if file.name.endswith(".json"))


def _read(path: str) -> Refused:
    return Refused(**json.loads(Path(path).read_text("utf-8")))
