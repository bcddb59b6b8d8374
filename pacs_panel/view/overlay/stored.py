"""Overlays of a stack of an archive, as the image viewer takes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pacs_panel.errors import NotFound
from pacs_panel.model import Contour, Overlay, Revision
from pacs_panel.view.overlay.source import parted


class StoredOverlay(Protocol):
    """One overlay on the grid of one stack. It may also have ``peak``, the largest value of a dose."""

    @property
    def overlay(self) -> Overlay:
        """What it is."""
        ...

    def plane(self, layer: int, axis: int, index: int) -> np.ndarray:
        """As `OverlaySource.plane`."""
        ...

    def contours(self, index: int) -> list[Contour]:
        """As `OverlaySource.contours`."""
        ...


class HasOverlays(Protocol):
    """What is asked of an archive here, each time anew: it knows who may see what, and what is newest."""

    def overlays(self, uid: str, stack: int | None = None) -> tuple[Overlay, ...]:
        """What speaks of a stack of a series."""
        ...

    def overlay(self, uid: str, sop_instance_uid: str, stack: int | None = None) -> StoredOverlay:
        """One of them, opened; quick where it was opened lately."""
        ...

    def revision(self, uid: str) -> Revision:
        """The newest revision of a series, whose grid overlays lie on."""
        ...


@dataclass(frozen=True, slots=True)
class StackOverlays:
    """The overlays of a stack of a series, as of now.

    Parameters
    ----------
    archive : HasOverlays
    series : str
        Key of the series.
    stack : int
    revision : str
        That of the images over which they are drawn; where the series is of another one by now, its slices may be
        others, and nothing is given. Empty: of whichever is newest.

    Raises
    ------
    NotFound
        Each method: it is not there, or not any more as it was told.
    """

    archive: HasOverlays
    series: str
    stack: int = 0
    revision: str = ""

    def overlays(self) -> tuple[Overlay, ...]:
        """What there is."""
        found = self.archive.overlays(self.series, self.stack)
        self._check()
        return found

    def plane(self, sop_instance_uid: str, layer: int, axis: int, index: int) -> np.ndarray:
        """One plane of one layer; see `OverlaySource.plane`."""
        return self._open(sop_instance_uid).plane(layer, axis, index)

    def contours(self, sop_instance_uid: str, index: int) -> list[Contour]:
        """The contours on one plane; see `OverlaySource.contours`."""
        return self._open(sop_instance_uid).contours(index)

    def peak(self, sop_instance_uid: str) -> float | None:
        """The largest value of a dose, where what was opened tells it."""
        found = getattr(self._open(sop_instance_uid), "peak", None)
        return None if found is None else float(found)

    def _open(self, name: str) -> StoredOverlay:
        uid, version = parted(name)
        opened = self.archive.overlay(self.series, uid, self.stack)
        self._check()
        if version and opened.overlay.version != version:
            raise NotFound(f"object {uid} is another one by now")
        return opened

    def _check(self) -> None:
        """Checked after opening: what was opened before is then of no later revision."""
        if self.revision and self.archive.revision(self.series).revision != self.revision:
            raise NotFound(f"series {self.series} is of another revision by now")
