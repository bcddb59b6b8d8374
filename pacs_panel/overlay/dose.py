"""RT dose: on its own grid, and sampled on the images' (PS3.3 §C.8.8.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from pacs_panel.errors import BadPixels, NotYetShown, TooLarge
from pacs_panel.geometry import affine as affines
from pacs_panel.geometry.passport import flaw
from pacs_panel.model import Contour, ImageHeader, Kept, Overlay, Segment, Stack
from pacs_panel.overlay import references, tree
from pacs_panel.overlay.grid import Elsewhere, Planes, grid_of
from pacs_panel.overlay.labels import Opener
from pacs_panel.overlay.tree import Tree
from pacs_panel.pixels import decode
from pacs_panel.settings import Settings

if TYPE_CHECKING:
    import xarray as xr

Array = np.ndarray
UNITS = {"GY": "Gy", "RELATIVE": "relative"}
EDGE = 1e-4  # of a voxel: how far beyond the outermost centres a point still counts as on them
RESAMPLED = "Resampled to the images by trilinear interpolation; outside the dose grid there is none (NaN)."


@dataclass(frozen=True, eq=False)
class Dose:
    """A dose grid.

    Attributes
    ----------
    values : array of shape (planes, rows, columns)
        float32, in ``unit``, planes in order of height along the normal.
    planes : Planes
    unit : str
        ``Gy`` or ``relative``.
    type, summation : str
        Dose Type (physical, effective, error), Dose Summation Type (plan, beam, …), in lower case.
    scaling : float
        Dose Grid Scaling, which ``values`` hold already.
    """

    values: NDArray[np.float32]
    planes: Planes
    unit: str
    type: str
    summation: str
    scaling: float

    @property
    def even(self) -> bool:
        """Whether one affine holds for all planes."""
        course = np.diff(self.planes.positions, axis=0)
        return len(course) < 2 or bool(np.ptp(course, axis=0).max() < 0.01)

    def affine(self) -> NDArray[np.float64]:
        """``(column, row, plane, 1)`` to LPS mm; for uneven planes exact in the first and last only."""
        positions, made = self.planes.positions, np.eye(4)
        steps = max(1, len(positions) - 1)
        step = (positions[-1] - positions[0]) / steps if len(positions) > 1 else self.planes.normal * self.planes.step
        made[:3] = np.stack([self.planes.across, self.planes.down, step, positions[0]], axis=1)
        return made

    def sample(self, points: NDArray[np.float64]) -> NDArray[np.float32]:
        """The dose at points (..., 3), LPS mm: trilinear between voxel centres, NaN beyond them."""
        heights = self.planes.heights
        height = points @ self.planes.normal
        plane = np.interp(height, heights, np.arange(len(heights)), np.nan, np.nan)
        slack = EDGE * self.planes.step
        plane = np.where(np.isclose(height, heights[0], rtol=0, atol=slack), 0.0, plane)
        plane = np.where(np.isclose(height, heights[-1], rtol=0, atol=slack), len(heights) - 1.0, plane)
        pixel = self.planes.pixels(points, np.zeros(points.shape[:-1], np.intp))
        return _trilinear(self.values, plane, pixel[..., 1], pixel[..., 0])


def read(source: BinaryIO, image: ImageHeader, settings: Settings) -> tuple[Dose, Tree]:
    """Read a dose grid and its header.

    Raises
    ------
    NotYetShown
        It has no place in the patient.
    NotDicom, Unreadable, TooLarge, BadPixels
    """
    found = tree.read(source, settings, expected=image.pixel_offset)
    reason = flaw(image.position, image.orientation, image.spacing)
    if reason or image.position is None or image.orientation is None or image.spacing is None:
        raise NotYetShown(f"the dose has no place in the patient. {reason}")
    size = 4 * image.frames * image.rows * image.columns
    if size > settings.max_volume_bytes:
        raise TooLarge(f"the dose needs {size} bytes, the limit is {settings.max_volume_bytes}")
    across, down, normal = affines.directions(image.orientation)
    offsets = [float(number) for number in found.numbers(found.root, "GridFrameOffsetVector")]
    positions = _positions(np.asarray(image.position), normal, offsets, image.frames)
    scaling = float(found.number(found.root, "DoseGridScaling", 0))
    if scaling <= 0:
        raise NotYetShown("the dose does not say by what its values are to be multiplied (Dose Grid Scaling)")
    values = np.empty((image.frames, image.rows, image.columns), np.float32)
    pixels = decode.Frames(image, source, settings)
    for frame in range(image.frames):
        values[frame] = pixels.read(frame) * scaling
    order = np.argsort(positions @ normal, kind="stable")
    heights = (positions @ normal)[order]
    if len(heights) > 1 and np.diff(heights).min() <= 0:
        raise NotYetShown("two planes of the dose lie at the same place")
    step = (
        float(np.median(np.diff(heights))) if len(heights) > 1 else float(found.number(found.root, "SliceThickness", 1))
    )
    shape = (image.rows, image.columns)
    planes = Planes(positions[order], across * image.spacing[1], down * image.spacing[0], shape, step or 1.0)
    unit = found.text(found.root, "DoseUnits")
    kind, summation = (found.text(found.root, name).lower() for name in ("DoseType", "DoseSummationType"))
    return Dose(values[order], planes, UNITS.get(unit, unit.lower()), kind, summation, scaling), found


def _positions(
    first: NDArray[np.float64], normal: NDArray[np.float64], offsets: Sequence[float], frames: int
) -> NDArray[np.float64]:
    """Image Position (Patient) of each plane out of the Grid Frame Offset Vector (PS3.3 §C.8.8.3.2).

    Offsets that begin with 0 run along the normal from the first plane; those that begin with the first plane's z are
    z coordinates, which the standard allows for transverse planes only.
    """
    if frames == 1:
        return first[None]
    if len(offsets) != frames:
        raise BadPixels(f"the dose has {frames} planes and {len(offsets)} offsets of planes")
    shift = np.asarray(offsets, float)
    if shift[0] == 0:
        return np.asarray(first + shift[:, None] * normal)
    if not np.isclose(shift[0], first[2], rtol=0, atol=1e-3) or abs(normal[2]) < 1 - 1e-6:
        raise BadPixels("the offsets of the dose's planes begin neither with 0 nor with the first plane's z")
    return np.asarray(first + (shift - shift[0])[:, None] * (0.0, 0.0, 1.0))


def _trilinear(
    values: NDArray[np.float32], plane: NDArray[np.float64], row: NDArray[np.float64], column: NDArray[np.float64]
) -> NDArray[np.float32]:
    at = (plane, row, column)
    inside = np.logical_and.reduce(
        [(where >= -EDGE) & (where <= size - 1 + EDGE) for where, size in zip(at, values.shape, strict=True)]
    )
    out = np.full(plane.shape, np.nan, np.float32)
    if not inside.any():
        return out
    lower, upper, share = [], [], []
    for where, size in zip(at, values.shape, strict=True):
        kept = np.clip(where[inside], 0, size - 1)
        floor = np.minimum(kept.astype(np.intp), max(0, size - 2))
        lower.append(floor)
        upper.append(np.minimum(floor + 1, size - 1))
        share.append(kept - floor)
    total = np.zeros(lower[0].shape)
    for corner in np.ndindex(2, 2, 2):
        weight = np.prod([part if high else 1 - part for part, high in zip(share, corner, strict=True)], axis=0)
        index = tuple(high_at if high else low_at for low_at, high_at, high in zip(lower, upper, corner, strict=True))
        total += weight * values[index]
    out[inside] = total
    return out


class DoseOnImages:
    """A dose as it lies on the images.

    Parameters
    ----------
    opener, kept, stack, settings
        As for `pacs_panel.overlay.labels.Labels`.

    Attributes
    ----------
    dose : Dose
        On its own grid.

    Raises
    ------
    NotYetShown
        It is of another frame of reference, or one of the two has no place in the patient.
    NotDicom, Unreadable, TooLarge, BadPixels
    """

    dtype = np.dtype(np.float32)

    def __init__(self, opener: Opener, kept: Kept, stack: Stack, settings: Settings) -> None:
        if kept.image is None:
            raise NotYetShown("the dose holds no grid")
        self.grid = grid_of(stack)
        if self.grid.planes is None:
            raise Elsewhere("the images have no place in the patient, so a dose cannot be shown on them")
        with opener() as source:
            self.dose, found = read(source, kept.image, settings)
        referred, members = references.of_tree(found), stack.objects()
        matched = references.match(referred, members, self.grid.frame_of_reference)
        own, here = found.text(found.root, "FrameOfReferenceUID"), self.grid.frame_of_reference
        if not matched or (own and here and own != here):
            raise Elsewhere("the dose is in another frame of reference")
        self.overlay = Overlay(
            sop_instance_uid=kept.sop_instance_uid,
            series_key=kept.series_key,
            version=kept.digests.dataset,
            kind="dose",
            title=_title(found, self.dose),
            matched=matched,
            missing=tuple(references.missing(referred, members)),
            unit=self.dose.unit,
            notes=tuple(self._notes(len(found.numbers(found.root, "GridFrameOffsetVector")))),
        )

    def _notes(self, offsets: int) -> list[str]:
        notes, planes = [RESAMPLED], len(self.dose.values)
        if offsets > planes:
            notes.append(
                f"Grid Frame Offset Vector tells of {offsets} planes, Number of Frames of {planes}: no more is shown."
            )
        if not self.dose.even:
            notes.append("The planes of the dose are not evenly spaced.")
        if self.dose.type and self.dose.type != "physical":
            notes.append(f"Dose type: {self.dose.type}.")
        return notes

    def section(self, layer: int, index: int) -> Array:
        """The dose, resampled to one slice: ``(rows, columns)`` float32, NaN outside its grid."""
        assert self.grid.planes is not None
        return self.dose.sample(self.grid.planes.points(index))

    def volume(self, layer: int) -> Array:
        """The dose, resampled to all slices: ``(slices, rows, columns)`` float32."""
        out = np.empty(self.grid.shape, np.float32)
        for index in range(len(out)):
            out[index] = self.section(layer, index)
        return out

    def close(self) -> None:
        """Nothing is open."""

    def contours(self, index: int) -> list[Contour]:
        """None."""
        return []

    def segments(self, layer: int) -> tuple[Segment, ...]:
        """None."""
        return ()

    def native(self) -> xr.DataArray:
        """The dose on its own grid: dims ``slice, row, column``; the affine to LPS mm is an attribute."""
        import xarray as xr

        dose = self.dose
        row, column = (np.linalg.norm(step) for step in (dose.planes.down, dose.planes.across))
        coordinates = {
            "slice": dose.planes.heights - dose.planes.heights[0],
            "row": np.arange(dose.values.shape[1]) * row,
            "column": np.arange(dose.values.shape[2]) * column,
        }
        attributes = {
            "units": dose.unit,
            "dose_type": dose.type,
            "dose_summation_type": dose.summation,
            "dose_grid_scaling": dose.scaling,
            "affine": dose.affine().tolist(),
            "evenly_spaced": dose.even,
            "sop_instance_uid": self.overlay.sop_instance_uid,
        }
        return xr.DataArray(dose.values, coordinates, ("slice", "row", "column"), "dose", attributes)


def _title(found: Tree, dose: Dose) -> str:
    names = ("DoseComment", "SeriesDescription")
    named = next(filter(None, (found.text(found.root, name) for name in names)), "Dose")
    return f"{named} ({dose.summation})" if dose.summation else named
