"""A stack of an archive, as the image viewer takes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from pacs_panel.model import Revision
from pacs_panel.view.source import StackFrames, StoredFrames, meta_of
from pacs_panel.view.words import day


class HasStacks(Protocol):
    """What is asked of an archive here."""

    def find(self, uid: str) -> Mapping[str, Any]:
        """The row of a series."""
        ...

    def revision(self, uid: str, revision: str | None = None) -> Revision:
        """The current revision of a series."""
        ...

    def open_frames(self, uid: str, stack: int | None = None, revision: str | None = None) -> StoredFrames:
        """Frames of a stack of a revision."""
        ...


def stack_frames(archive: HasStacks, uid: str, stack: int | None = None) -> StackFrames:
    """The frames of a stack of a series, current as of now.

    Parameters
    ----------
    archive : HasStacks
    uid : str
        Series Instance UID, or key of a series.
    stack : int, optional
        Needed where the series holds several.

    Raises
    ------
    NotFound, NotYetShown, SeveralStacks
    """
    row = archive.find(uid)
    key = str(row["key"])
    revision = archive.revision(key).revision
    frames = archive.open_frames(key, stack, revision)
    return StackFrames(frames, meta_of(frames.describe(), key, revision, stack or 0, title_of(row)))


def title_of(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Date, modality and description of a series: nothing of who the patient is."""
    parts = (day(row["StudyDate"]), row["Modality"], row["SeriesDescription"] or row["StudyDescription"])
    return tuple(str(part) for part in parts if part) or ("Series",)
