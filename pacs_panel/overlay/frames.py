"""Objects that speak of images, as arrays and contours on the images' grid; each part is read when it is asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, Self, cast

import numpy as np

from pacs_panel.errors import NotFound, NotYetShown
from pacs_panel.model import Contour, Kept, Overlay, OverlayKind, Segment, Stack
from pacs_panel.overlay.dose import DoseOnImages
from pacs_panel.overlay.labels import Labels
from pacs_panel.overlay.structures import Structures
from pacs_panel.settings import Settings

if TYPE_CHECKING:
    import xarray as xr

Array = np.ndarray
ROOT = "1.2.840.10008.5.1.4.1.1."


class Content(Protocol):
    """What each kind of overlay gives."""

    overlay: Overlay

    @property
    def dtype(self) -> np.dtype:
        """Of the arrays."""

    def section(self, layer: int, index: int) -> Array:
        """One slice of a layer, ``(rows, columns)``."""

    def volume(self, layer: int) -> Array:
        """A whole layer, ``(slices, rows, columns)``."""

    def contours(self, index: int) -> list[Contour]:
        """The contours on a slice."""

    def close(self) -> None:
        """Close its file."""

    def segments(self, layer: int) -> tuple[Segment, ...]:
        """What a layer holds."""


Maker = Callable[[Callable[[], BinaryIO], Kept, Stack, Settings], Content]
KINDS: dict[str, Maker] = {
    ROOT + "66.4": Labels,
    ROOT + "66.7": Labels,
    ROOT + "481.3": Structures,
    ROOT + "481.2": DoseOnImages,
}

DRAWN: dict[str, OverlayKind] = {
    ROOT + "66.4": "segmentation",
    ROOT + "66.7": "segmentation",
    ROOT + "481.3": "structures",
    ROOT + "481.2": "dose",
}
KEPT = {
    ROOT + "66.5": "a segmentation by surfaces (meshes) is kept; it is not yet drawn over images",
    ROOT + "104.3": "an encapsulated STL model is kept; it is not yet drawn over images",
}


def is_overlay(sop_class_uid: str) -> bool:
    """Whether objects of a SOP class can be laid over images: SEG, label map SEG, RTSTRUCT, RTDOSE."""
    return sop_class_uid in KINDS


def describe(source: BinaryIO, kept: Kept, stack: Stack, settings: Settings) -> Overlay:
    """An object as it lies on the images of a stack, in words; raises as `open_overlay`."""
    with open_overlay(lambda: cast(BinaryIO, _Borrowed(source)), kept, stack, settings) as opened:
        return opened.overlay


def open_overlay(opener: Callable[[], BinaryIO], kept: Kept, stack: Stack, settings: Settings) -> OverlayFrames:
    """An object that speaks of images, on the images of a stack.

    Parameters
    ----------
    opener : callable
        Opens the object's file; `OverlayFrames.close` closes it.
    kept : Kept
        The object's facts.
    stack : Stack
        The images.

    Raises
    ------
    NotYetShown
        It is of another kind, of other images, or has no place on them; the words say which.
    NotDicom, Unreadable, TooLarge, BadPixels
    """
    if (maker := KINDS.get(kept.sop_class_uid)) is None:
        raise NotYetShown(KEPT.get(kept.sop_class_uid, "the object is none that can be laid over images"))
    return OverlayFrames(maker(opener, kept, stack, settings), stack)


class OverlayFrames:
    """An overlay, plane by plane; use it as a context manager, or `close` it.

    Threads may share it. At most one layer is held as a volume.

    Parameters
    ----------
    content : Content
        A segmentation, structure set, dose, or overlay planes.
    stack : Stack
        The images.
    """

    def __init__(self, content: Content, stack: Stack) -> None:
        self.content, self.stack = content, stack
        self._held: tuple[int, Array] | None = None
        self._lock = threading.RLock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the object's file; nothing can be read any more."""
        with self._lock:
            self._held = None
            self.content.close()

    @property
    def overlay(self) -> Overlay:
        """What it is, in words."""
        return self.content.overlay

    @property
    def peak(self) -> float | None:
        """The largest value of a dose on the images; ``None`` of anything else."""
        if self.overlay.kind != "dose" or not self.overlay.layers:
            return None
        found = self.volume(0)
        return float(np.nanmax(found)) if np.isfinite(found).any() else None

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(slices, rows, columns)`` of the images."""
        return self.stack.passport.shape

    @property
    def dtype(self) -> np.dtype:
        """``uint8`` or ``uint16`` labels (0: none, else a segment's number); ``float32`` doses or fractions."""
        return self.content.dtype

    def segments(self, layer: int) -> tuple[Segment, ...]:
        """What a layer holds; a layer of fractions holds one segment, a dose none."""
        return self.content.segments(self._checked(layer))

    def volume(self, layer: int = 0) -> Array:
        """A whole layer, ``(slice, row, column)``, read-only."""
        self._checked(layer)
        with self._lock:
            if self._held is None or self._held[0] != layer:
                self._held = None  # before the next is made: two don't fit where one does
                made = self.content.volume(layer)
                made.setflags(write=False)
                self._held = (layer, made)
            return self._held[1]

    def plane(self, layer: int, axis: int, index: int) -> Array:
        """One plane of a layer.

        Parameters
        ----------
        axis : int
            0 gives ``(row, column)`` and reads only that slice, 1 ``(slice, column)``, 2 ``(slice, row)``.

        Raises
        ------
        NotFound
            There is no such plane.
        """
        self._checked(layer)
        if axis not in (0, 1, 2) or not 0 <= index < self.shape[axis]:
            raise NotFound(f"no plane {index} on axis {axis} of an overlay whose shape is {self.shape}")
        with self._lock:
            if axis == 0 and (self._held is None or self._held[0] != layer):
                return self.content.section(layer, index)
            return self.volume(layer)[(slice(None),) * axis + (index,)]

    def contours(self, index: int) -> list[Contour]:
        """The contours on a slice."""
        return self.content.contours(index)

    def to_xarray(self, layer: int = 0) -> xr.DataArray:
        """A layer with dims ``slice, row, column``; coordinates are mm along the array's own axes.

        Where it does not hold at all times, ``places`` are the indices along the extra dimensions at which it does.
        """
        import xarray as xr

        overlay, passport = self.overlay, self.stack.passport
        coordinates = {
            name: np.arange(size) * step
            for name, size, step in zip(("slice", "row", "column"), self.shape, passport.spacing, strict=True)
        }
        attributes = {
            "kind": overlay.kind,
            "title": overlay.title,
            "units": overlay.unit,
            "segments": {segment.number: segment.label for segment in self.segments(layer)},
            "affine": [list(line) for line in passport.affine] if passport.affine else None,
            "sop_instance_uid": overlay.sop_instance_uid,
            "matched": overlay.matched,
            "notes": list(overlay.notes),
            "places": [list(place) for place in overlay.places[layer]] if overlay.places else [],
        }
        return xr.DataArray(self.volume(layer), coordinates, ("slice", "row", "column"), overlay.kind, attributes)

    def _checked(self, layer: int) -> int:
        if not 0 <= layer < self.overlay.layers:
            raise NotFound(f"no layer {layer}: the overlay has {self.overlay.layers}")
        return layer


def unopened(kept: Kept, stack: Stack, reason: str, matched: str = "") -> OverlayFrames:
    """In the place of an object that speaks of a stack and cannot be laid on it: it has no layers, and says why.

    Parameters
    ----------
    reason : str
        Why not, in words.
    matched : str
        How it belongs to the images, as `pacs_panel.overlay.references.match` tells.
    """
    overlay = Overlay(
        kept.sop_instance_uid,
        kept.series_key,
        DRAWN[kept.sop_class_uid],
        title="",
        layers=0,
        matched=matched,
        version=kept.digests.dataset,
        reason=reason,
    )
    return OverlayFrames(_Unopened(overlay), stack)


@dataclass(slots=True)
class _Unopened:
    """Content without layers; `OverlayFrames` asks for none."""

    overlay: Overlay

    @property
    def dtype(self) -> np.dtype:
        """Of arrays that there are none of."""
        return np.dtype(np.uint8)

    def section(self, layer: int, index: int) -> Array:
        raise NotFound(self.overlay.reason)

    def volume(self, layer: int) -> Array:
        raise NotFound(self.overlay.reason)

    def contours(self, index: int) -> list[Contour]:
        raise NotFound(self.overlay.reason)

    def segments(self, layer: int) -> tuple[Segment, ...]:
        raise NotFound(self.overlay.reason)

    def close(self) -> None:
        """Nothing is open."""


class _Borrowed:
    """A file that is somebody else's to close."""

    def __init__(self, source: BinaryIO) -> None:
        self.seek, self.read = source.seek, source.read

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave it open."""
