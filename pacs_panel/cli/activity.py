"""What goes on in an archive, in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

MOST = 5  # sessions that are told of


def words(now: Any) -> Iterator[str]:
    """Lines that tell of it; ``now`` as `Archive.activity` gives it."""
    for name, (objects, size) in (("last minute", now.minute), ("last hour", now.hour)):
        yield f"{name:>14}  {objects} objects, {size / 1e6:.1f} MB came"
    yield f"{'spool':>14}  {now.waiting} files on their way"
    yield f"{'disk':>14}  {now.free_bytes / 1e9:.1f} of {now.disk_bytes / 1e9:.1f} GB free"
    for name, reasons in (("not built", now.failed), ("refused", now.refused)):
        for reason, count in reasons:
            yield f"{name:>14}  {count}: {reason}"
    told = sum(count for _, count in now.refused)
    if told < now.quarantined:
        yield f"{'refused':>14}  {now.quarantined - told} more, before these"
    for session, state in now.sessions[:MOST]:
        came = f"{session.accepted} accepted, {session.duplicates} duplicates, {session.new_versions} new versions"
        who = f" from {session.peer}" if session.peer else ""
        into = f" into {session.collection}" if session.collection else ""
        yield f"{session.kind:>14}  {state}: {came}, {session.refused} refused{who}{into}"
