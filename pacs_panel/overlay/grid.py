"""The grid of a stack's images, as objects that speak of them need it: which slice, and where in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pacs_panel.geometry import affine as affines
from pacs_panel.model import Stack, Tolerance

Array = NDArray[np.float64]
SPACING = 1e-3  # relative: half a pixel over 512


@dataclass(frozen=True, eq=False)
class Planes:
    """Parallel planes of pixels in the patient.

    Attributes
    ----------
    positions : array of shape (planes, 3)
        Centre of pixel (0, 0) of each, LPS mm.
    across, down : arrays of shape (3,)
        The step, mm, of one more column, and of one more row.
    shape : tuple of 2 ints
        Rows, columns.
    step : float
        mm between planes along the normal, where none is missing.
    """

    positions: Array
    across: Array
    down: Array
    shape: tuple[int, int]
    step: float

    @cached_property
    def normal(self) -> Array:
        """``across × down``, of length 1."""
        return affines.unit(np.cross(self.across, self.down))

    @cached_property
    def heights(self) -> Array:
        """mm of each plane along the normal."""
        return np.asarray(self.positions @ self.normal)

    @cached_property
    def _order(self) -> NDArray[np.intp]:
        return np.argsort(self.heights, kind="stable")

    @cached_property
    def _middles(self) -> Array:
        heights = self.heights[self._order]
        return np.asarray((heights[1:] + heights[:-1]) / 2)

    def nearest(self, points: ArrayLike) -> tuple[NDArray[np.intp], Array]:
        """Which plane each point (..., 3) is nearest to, and how far, mm, it lies above it along the normal."""
        heights = np.asarray(points, float) @ self.normal
        plane = self._order[np.searchsorted(self._middles, heights)]
        return plane, np.asarray(heights - self.heights[plane])

    def pixels(self, points: ArrayLike, plane: NDArray[np.intp]) -> Array:
        """Points (..., 3) in their planes: ``(column, row)`` of shape (..., 2), pixel centres at whole numbers."""
        delta = np.asarray(points, float) - self.positions[plane]
        # Rows and columns may meet at an angle that is only nearly right, hence the dual basis.
        basis = np.linalg.inv(np.stack([self.across, self.down, self.normal], axis=1))
        return np.asarray(delta @ basis[:2].T)

    def points(self, plane: int) -> Array:
        """Pixel centres of a plane, LPS mm, of shape (rows, columns, 3)."""
        rows = np.arange(self.shape[0])[:, None, None] * self.down
        columns = np.arange(self.shape[1])[None, :, None] * self.across
        return np.asarray(self.positions[plane] + rows + columns)

    def parallel(self, other: Planes, degrees: float) -> bool:
        """Whether rows and columns of both run in the same directions, with equal spacing."""
        chord = 2 * np.sin(np.radians(degrees) / 2)
        for mine, theirs in ((self.across, other.across), (self.down, other.down)):
            lengths = np.linalg.norm(mine), np.linalg.norm(theirs)
            if not np.isclose(*lengths, rtol=SPACING, atol=0):
                return False
            if np.linalg.norm(mine / lengths[0] - theirs / lengths[1]) > chord:
                return False
        return True


@dataclass(frozen=True, eq=False)
class Grid:
    """The images of a stack.

    Attributes
    ----------
    shape : tuple of 3 ints
        ``(slices, rows, columns)``.
    planes : Planes, optional
        ``None`` where the images have no place in the patient.
    slices : mapping of str to dict
        SOP Instance UID to frame (from 0) to slice; extra dimensions fall together.
    frame_of_reference : str
    tolerance : Tolerance
    """

    shape: tuple[int, int, int]
    planes: Planes | None
    slices: Mapping[str, Mapping[int, int]]
    frame_of_reference: str
    tolerance: Tolerance

    def slice_of(self, uid: str, frames: tuple[int, ...] = ()) -> set[int]:
        """Slices that an image is, or some of its frames (from 0)."""
        known = self.slices.get(uid, {})
        return {known[frame] for frame in frames if frame in known} if frames else set(known.values())


def grid_of(stack: Stack) -> Grid:
    """The grid of a stack."""
    passport = stack.passport
    slices, rows, columns = passport.shape
    members, frames = stack.members, stack.frames
    if len(members) == 1 and slices > 1:
        members, frames = members * slices, tuple(range(slices))
    found: dict[str, dict[int, int]] = {}
    for number, uid in enumerate(members):
        found.setdefault(uid, {})[frames[number] if frames else 0] = number % max(1, slices)
    planes = None
    if passport.affine is not None:
        affine = np.asarray(passport.affine, float)
        positions = np.asarray(passport.positions, float)
        if len(positions) != slices:
            positions = affine[:3, 3] + np.arange(slices)[:, None] * affine[:3, 2]
        step = abs(passport.step_normal or passport.spacing[0])
        planes = Planes(positions, affine[:3, 0], affine[:3, 1], (rows, columns), step)
    return Grid(passport.shape, planes, found, passport.frame_of_reference, passport.tolerance)
