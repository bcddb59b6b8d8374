"""Verify: read everything again, and say what is damaged. Online: nothing waits for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import batched
from pathlib import Path
from typing import Any

from pacs_panel.index.store import Index
from pacs_panel.keep.originals import damage
from pacs_panel.model import Kept
from pacs_panel.pipeline.jobs import run
from pacs_panel.settings import Settings

BATCH = 64


@dataclass(frozen=True, slots=True)
class Damage:
    """One object version whose bytes are no longer those that were received."""

    sop_instance_uid: str
    series_key: str
    reason: str


@dataclass(slots=True)
class Verification:
    """What verifying found; ``clean`` if nothing is damaged."""

    objects: int = 0
    bytes: int = 0
    damaged: list[Damage] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether every object is as it was received."""
        return not self.damaged

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON types."""
        found = [{"object": d.sop_instance_uid, "series": d.series_key, "reason": d.reason} for d in self.damaged]
        return {"objects": self.objects, "bytes": self.bytes, "damaged": found}

    def __str__(self) -> str:
        lines = [f"{self.objects:,} objects, {self.bytes / 1e6:,.1f} MB read again: {len(self.damaged):,} damaged"]
        return "\n".join(lines + [f"  {d.sop_instance_uid}: {d.reason}" for d in self.damaged])


@dataclass(frozen=True, slots=True)
class Check:
    """Some objects to read again."""

    root: Path
    kept: tuple[Kept, ...]


def verify(
    root: Path,
    index: Index,
    settings: Settings,
    *,
    executor: Any = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Verification:
    """Re-hash every version of every object, and note in the index which are damaged, and which no longer are."""
    result = Verification()
    before = {_name(kept): reason for kept, reason in index.damaged()}
    checks = _checks(root, index.all_objects(trashed=True))
    for check, found in run(examine, checks, workers=settings.workers, executor=executor):
        for kept, reason in zip(check.kept, found, strict=True):
            result.objects += 1
            result.bytes += kept.location.length
            if reason:
                result.damaged.append(Damage(kept.sop_instance_uid, kept.series_key, reason))
            if reason != before.get(_name(kept), ""):
                index.mark_damaged(kept, reason or None)
        progress(result.objects)
    return result


def _checks(root: Path, objects: Iterable[Kept]) -> Iterator[Check]:
    for kept in batched(objects, BATCH):
        yield Check(root, kept)


def examine(check: Check) -> list[str]:
    """What is wrong with each object of a check, in words; empty where nothing is. Runs in any process."""
    return [damage(check.root, kept) for kept in check.kept]


def _name(kept: Kept) -> tuple[str, int]:
    return kept.location.path, kept.location.offset
