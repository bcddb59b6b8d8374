"""What is known of a phantom beyond doubt: where every voxel lies, and what value it has.

Values come from one function of patient space (LPS, mm), evaluated at voxel centres, so that a reader's answer can be
compared in value and in place, whatever the orientation, spacing or order of the slices.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import pi
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from pacs_panel.model import Vector, Verdict

Floats = NDArray[np.float64]
Field = Callable[[Floats, float], Floats]


@dataclass(frozen=True, slots=True)
class Sphere:
    """A ball of one value: a voxel has the value where its centre lies in the ball or on its surface.

    Attributes
    ----------
    centre_lps_mm : tuple of 3 floats
    radius_mm : float
    value : float
        In the series' physical units (HU for CT, Bq/ml for PET).
    """

    centre_lps_mm: Vector
    radius_mm: float
    value: float

    @property
    def volume_ml(self) -> float:
        """Volume of the ball itself, not of its voxels."""
        return 4 / 3 * pi * self.radius_mm**3 / 1000

    def contains(self, lps: Floats) -> NDArray[np.bool_]:
        """Which of the points ``(..., 3)`` lie in the ball; within a nanometre counts, so no rounding decides."""
        x, y, z = (lps[..., i] - self.centre_lps_mm[i] for i in range(3))
        inside: NDArray[np.bool_] = x * x + y * y + z * z <= (self.radius_mm + 1e-6) ** 2
        return inside


@dataclass(frozen=True, eq=False)
class Grid:
    """Voxel centres: a shape ``(slices, rows, columns)`` and an affine from ``(column, row, slice, 1)`` to LPS mm."""

    shape: tuple[int, int, int]
    affine: Floats

    @property
    def spacing(self) -> Vector:
        """Distance in mm between voxel centres along ``(slice, row, column)`` index."""
        column, row, slice_ = (float(np.linalg.norm(self.affine[:3, i])) for i in range(3))
        return (slice_, row, column)

    @property
    def centre(self) -> Floats:
        """LPS mm of the middle of the grid."""
        slices, rows, columns = self.shape
        return self.at((slices - 1) / 2, (rows - 1) / 2, (columns - 1) / 2)

    @property
    def verdict(self) -> Verdict:
        """``sheared`` where the step from slice to slice leans away from their normal, ``regular`` otherwise."""
        across, down, step = self.affine[:3, :3].T
        normal = np.cross(across, down)
        lean = np.linalg.norm(np.cross(normal, step)) / np.linalg.norm(normal) / np.linalg.norm(step)
        return "sheared" if lean > 1e-6 else "regular"

    def at(self, slice_: float, row: float, column: float) -> Floats:
        """LPS mm of one index, which may lie between voxels."""
        point: Floats = self.affine[:3] @ (column, row, slice_, 1.0)
        return point

    def plane(self, slice_: float) -> Floats:
        """LPS mm of the voxel centres of one slice, shape ``(rows, columns, 3)``."""
        _, rows, columns = self.shape
        across = self.affine[:3, 0, None, None] * np.arange(columns)
        down = self.affine[:3, 1, None, None] * np.arange(rows)[:, None]
        points: Floats = self.at(slice_, 0, 0)[:, None, None] + down + across
        return np.moveaxis(points, 0, -1)  # each coordinate stays contiguous: faster to compute on


@dataclass(frozen=True, eq=False)
class Truth:
    """What a phantom series must turn out to be.

    Attributes
    ----------
    affine : (4, 4) array, optional
        ``(column, row, slice, 1)`` to LPS mm; ``None`` where the images have no place in the patient. Where slices are
        missing, ``slice`` counts the slices of the whole grid, and `slices` tells which are there.
    spacing : tuple of 3 floats
        mm along ``(slice, row, column)`` index.
    spheres : tuple of Sphere
    verdict : str
        The passport's verdict.
    stored : array
        Stored values, ``[..., slice, row, column]`` in the order of `affine` (``[frame, row, column, 3]`` for colour;
        0 and 1 per ``[segment, slice, row, column]`` for a segmentation).
    slopes, intercepts : tuple of float
        Rescale, one per slice, or one for all.
    slices : tuple of int
        Slice index in the affine's count of each slice along `stored`; empty without an affine.
    times : tuple of float
        The field's time, in seconds, of each position along the first axis of 4D `stored`.
    field : callable, optional
        ``field(lps, seconds)`` is the value at points ``(..., 3)`` before it is rounded to a stored value, and without
        the noise of a series that was asked for with noise.
    """

    affine: Floats | None
    spacing: Vector
    spheres: tuple[Sphere, ...]
    verdict: Verdict
    stored: NDArray[Any]
    slopes: tuple[float, ...] = (1.0,)
    intercepts: tuple[float, ...] = (0.0,)
    slices: tuple[int, ...] = ()
    times: tuple[float, ...] = (0.0,)
    field: Field | None = None

    def physical(self) -> Floats:
        """The exact values, float64, in the layout of `stored`: what a reader must return after rescaling."""
        slope, intercept = (np.asarray(v)[:, None, None] for v in (self.slopes, self.intercepts))
        values: Floats = self.stored * slope + intercept
        return values

    def points(self) -> Floats:
        """LPS mm of every voxel centre, ``(slices, rows, columns, 3)``."""
        if self.affine is None:
            raise ValueError("these images have no place in the patient")
        grid = Grid(self.stored.shape[-3:], self.affine)
        return np.stack([grid.plane(k) for k in self.slices])

    def lps(self, slice_: float, row: float, column: float) -> Floats:
        """LPS mm of one index ``(slice, row, column)``, which may lie between voxels."""
        if self.affine is None:
            raise ValueError("these images have no place in the patient")
        point: Floats = self.affine[:3] @ (column, row, slice_, 1.0)
        return point


@dataclass(frozen=True, eq=False)
class PhantomSeries:
    """The objects of one series, in the truth's order, and the truth about them."""

    datasets: tuple[Dataset, ...]
    truth: Truth | None = None

    @cached_property
    def series_uid(self) -> str:
        """Series Instance UID."""
        return str(self.datasets[0].SeriesInstanceUID)

    @cached_property
    def study_uid(self) -> str:
        """Study Instance UID."""
        return str(self.datasets[0].StudyInstanceUID)

    @property
    def modality(self) -> str:
        """Modality."""
        return str(self.datasets[0].Modality)
