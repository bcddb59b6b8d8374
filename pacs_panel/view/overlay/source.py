"""What a viewer draws over a stack: label maps, contours and doses, on the grid of that stack.

The same contract is behind both transports, as with frames. Everything is on the grid of full resolution, and planes
are cut as those of a `FrameSource`: axis 0 gives ``(row, column)``, axis 1 ``(slice, column)``, axis 2
``(slice, row)``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np

from pacs_panel.errors import BadPixels, NotFound
from pacs_panel.model import Contour, Overlay

DTYPES = ("uint8", "uint16", "float32")  # told apart by their size


@runtime_checkable
class OverlaySource(Protocol):
    """Overlays of one stack. It is read from several threads at once, and gives arrays that nobody writes to.

    Each is asked for by its SOP Instance UID, or by its `name`: then what another version of the object says is never
    given for it.
    """

    def overlays(self) -> tuple[Overlay, ...]:
        """What there is."""
        ...

    def plane(self, sop_instance_uid: str, layer: int, axis: int, index: int) -> np.ndarray:
        """One plane of one layer, 2-D.

        Parameters
        ----------
        sop_instance_uid : str
            Empty for the overlay planes of the images themselves.
        layer : int
            Of `Overlay.layers`.
        axis, index : int
            As in `FrameSource.plane`, at full resolution.

        Returns
        -------
        ndarray
            Segment numbers as uint8 or uint16, 0 for nothing. float32 for a dose, in the overlay's unit, NaN outside
            its grid; and for a fractional segmentation, 0 to 1, whose layer ``i`` is the segment ``segments[i]``, and
            where layers hold at some places only, the segment of the remainder of ``i``.

        Raises
        ------
        NotFound
        """
        ...

    def contours(self, sop_instance_uid: str, index: int) -> list[Contour]:
        """The contours on one plane of axis 0.

        Those of one number that hold at the same places make one area in their order, as `Contour.how` tells. A plain
        ``(number, points, closed)`` does, too.
        """
        ...

    def peak(self, sop_instance_uid: str) -> float | None:
        """The largest value of a dose; ``None`` where it is not known."""
        ...


def name(overlay: Overlay) -> str:
    """What an overlay is asked for by: its SOP Instance UID, and which version of the object."""
    return f"{overlay.sop_instance_uid}@{overlay.version}" if overlay.version else overlay.sop_instance_uid


def parted(name: str) -> tuple[str, str]:
    """SOP Instance UID and version out of a `name`, or out of the UID alone."""
    uid, _, version = name.partition("@")
    return uid, version


def told(source: OverlaySource) -> list[dict[str, Any]]:
    """The overlays as plain JSON types, each with its ``name`` and ``peak``."""
    return [asdict(one) | {"name": name(one), "peak": _peak(source, one)} for one in source.overlays()]


def _peak(source: OverlaySource, overlay: Overlay) -> float | None:
    return source.peak(name(overlay)) if overlay.kind == "dose" and overlay.layers else None


def encode_told(source: OverlaySource) -> bytes:
    """`told`, as it travels."""
    return _json(told(source))


def encode_contours(contours: Iterable[Contour | tuple[int, np.ndarray, bool]]) -> bytes:
    """Contours as they travel: fields of `Contour` by their names, points as ``[[column, row], …]``."""
    return _json([_contour(Contour(*one)) for one in contours])


def _contour(one: Contour) -> dict[str, Any]:
    """As plain JSON types; what says nothing is left out."""
    made = {"number": one.number, "closed": one.closed, "points": np.round(one.points, 3).tolist()}
    return made | ({} if one.how == "xor" else {"how": one.how}) | ({"places": one.places} if one.places else {})


def encode_plane(plane: np.ndarray) -> bytes:
    """A plane as it travels: little-endian, C order; nothing at all where nothing is on it.

    Raises
    ------
    BadPixels
        Its type is none of `DTYPES`.
    """
    plane = plane.view(np.uint8) if plane.dtype == bool else plane
    if plane.dtype.name not in DTYPES:
        raise BadPixels(f"cannot lay values of type {plane.dtype} over an image: use one of {', '.join(DTYPES)}")
    if plane.dtype.kind == "u" and not plane.any():
        return b""
    return np.ascontiguousarray(plane, dtype=plane.dtype.newbyteorder("<")).tobytes()


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


@dataclass(frozen=True)
class ArrayOverlays:
    """Overlays from arrays in memory, for notebooks and tests.

    Parameters
    ----------
    arrays : mapping of Overlay to array, or to a sequence of arrays
        ``[slice, row, column]`` on the stack's own grid, one for each layer.
    lines : mapping of (SOP Instance UID, slice) to list of contours
        As `OverlaySource.contours` gives them.
    """

    arrays: Mapping[Overlay, np.ndarray | Sequence[np.ndarray]]
    lines: Mapping[tuple[str, int], Sequence[Contour | tuple[int, np.ndarray, bool]]] = field(default_factory=dict)

    def overlays(self) -> tuple[Overlay, ...]:
        """What there is."""
        return tuple(self.arrays)

    def plane(self, sop_instance_uid: str, layer: int, axis: int, index: int) -> np.ndarray:
        """One plane of one layer; see `OverlaySource.plane`."""
        layers = self._layers(sop_instance_uid)
        if not 0 <= layer < len(layers):
            raise NotFound(f"no layer {layer}: there are {len(layers)}")
        if axis not in (0, 1, 2) or not 0 <= index < layers[layer].shape[axis]:
            raise NotFound(f"no plane {index} on axis {axis}")
        return layers[layer].take(index, axis=axis)

    def contours(self, sop_instance_uid: str, index: int) -> list[Contour]:
        """The contours on one plane; see `OverlaySource.contours`."""
        return [Contour(*one) for one in self.lines.get((parted(sop_instance_uid)[0], index), ())]

    def peak(self, sop_instance_uid: str) -> float | None:
        """The largest value of any layer."""
        return float(max(np.nanmax(layer) for layer in self._layers(sop_instance_uid)))

    def _layers(self, sop_instance_uid: str) -> Sequence[np.ndarray]:
        for overlay, arrays in self.arrays.items():
            if sop_instance_uid in (overlay.sop_instance_uid, name(overlay)):
                return [arrays] if isinstance(arrays, np.ndarray) else arrays
        raise NotFound(f"there is no overlay {sop_instance_uid} here")
