"""Quarantine: what was refused, with its reason. Nothing is ever dropped silently."""

from __future__ import annotations

import hashlib
import json
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
    for path in sorted((root / "quarantine").glob("*/*.json")):
        yield Refused(**json.loads(path.read_text("utf-8")))
