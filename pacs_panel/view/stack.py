"""A stack of an archive, as the image viewer takes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from pacs_panel.errors import NotYetShown
from pacs_panel.model import Revision
from pacs_panel.view.colour import in_colour
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

    def received(self, uid: str) -> HasRevision:
        """The stacks of a series that is not built yet."""
        ...

    def open_frames(self, uid: str, stack: int | None = None, revision: str | None = None) -> StoredFrames:
        """Frames of a stack of a revision."""
        ...


class HasRevision(Protocol):
    """A state of a series."""

    @property
    def revision(self) -> str:
        """Its name."""
        ...

    @property
    def stacks(self) -> Sequence[Any]:
        """Its stacks; none where nothing can be drawn."""
        ...


def stack_frames(archive: HasStacks, uid: str, stack: int | None = None) -> StackFrames:
    """The frames of a stack of a series, current as of now; of one that is not built yet, the received images.

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
    revision = _newest(archive, key).revision
    frames = in_colour(archive.open_frames(key, stack, revision))
    return StackFrames(frames, meta_of(frames.describe(), key, revision, stack or 0, title_of(row)))


def _newest(archive: HasStacks, key: str) -> HasRevision:
    try:
        return archive.revision(key)
    except NotYetShown:
        received = archive.received(key)
        if not received.stacks:
            raise
        return received


def title_of(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Date, modality and description of a series: nothing of who the patient is."""
    parts = (day(row["StudyDate"]), row["Modality"], row["SeriesDescription"] or row["StudyDescription"])
    return tuple(str(part) for part in parts if part) or ("Series",)
