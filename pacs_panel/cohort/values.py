"""What a cohort is opened with, and what it gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pacs_panel.cohort.frozen import Facts, Row
from pacs_panel.index.store import Index
from pacs_panel.pipeline.verify import Damage
from pacs_panel.settings import Settings


@dataclass(frozen=True, slots=True)
class Source:
    """Where a cohort's contents are, and what may be seen of it now: ``scope`` raises `Denied` where that is nothing.

    ``keep`` writes another cohort, if the principal may, and gives it opened.
    """

    root: Path
    index: Index
    settings: Settings
    scope: Callable[[], Any]
    keep: Callable[[Facts, tuple[Row, ...]], Any]


@dataclass(frozen=True, slots=True)
class Checked:
    """What verifying a cohort found.

    Attributes
    ----------
    objects, bytes : int
        Read again.
    damaged : tuple of pacs_panel.pipeline.verify.Damage
        Objects that are gone, or whose bytes are not those that were frozen.
    gone : tuple of str
        Series that are gone, and revisions that are not kept any more.
    """

    objects: int
    bytes: int
    damaged: tuple[Damage, ...]
    gone: tuple[str, ...]

    @property
    def clean(self) -> bool:
        """Whether all is as it was frozen."""
        return not self.damaged and not self.gone

    def __str__(self) -> str:
        bad = len(self.damaged) + len(self.gone)
        lines = [f"{self.objects:,} objects, {self.bytes / 1e6:,.1f} MB read again: {bad:,} not as frozen"]
        lines += [f"  {each}" for each in self.gone]
        return "\n".join(lines + [f"  {each.sop_instance_uid}: {each.reason}" for each in self.damaged])


@dataclass(frozen=True, slots=True)
class Exported:
    """Files that were written, and in words what was left out."""

    paths: tuple[Path, ...]
    left: tuple[str, ...] = ()
