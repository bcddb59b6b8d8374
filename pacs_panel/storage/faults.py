"""Named places at which a test may kill the process, to prove that nothing is lost there.

`reach` does nothing unless `Settings.fault` names the point; no timing is involved.
"""

from __future__ import annotations

import os
import signal
from collections import Counter

from pacs_panel.settings import Settings

POINTS = (
    "keep.append.header",
    "keep.append.body",
    "keep.appended",
    "keep.synced",
    "admit.decided",
    "admit.committed",
    "seal.renamed",
    "seal.committed",
    "build.started",
    "build.written",
    "build.published",
    "trash.recorded",
    "purge.begun",
    "purge.copied",
    "purge.written",
    "purge.committed",
    "purge.deleted",
    "purge.ended",
    "purge.noted",
)

_reached: Counter[str] = Counter()


def reach(settings: Settings, point: str) -> None:
    """Kill this process if ``settings.fault`` is ``point``, or ``point:n`` and this is the n-th time."""
    if not settings.fault:
        return
    name, _, times = settings.fault.partition(":")
    if name != point:
        return
    _reached[point] += 1
    if _reached[point] >= int(times or 1):
        os.kill(os.getpid(), signal.SIGKILL)
