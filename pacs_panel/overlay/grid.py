"""The grid of a stack's images, as objects that speak of them need it: which slice, and where in it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pacs_panel.errors import NotYetShown
from pacs_panel.geometry import affine as affines
from pacs_panel.model import Dimension, Place, Stack, Tolerance

Array = NDArray[np.float64]
SPACING = 1e-3  # relative: half a pixel over 512
MOST = 6  # places that are named one by one


class Elsewhere(NotYetShown):
    """The object has no place on these images; it may have one on others."""


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
    places : mapping of str to dict
        SOP Instance UID to frame to the place along the extra dimensions.
    dimensions : tuple of Dimension
        The extra ones, but for the samples of a colour.
    frame_of_reference : str
    tolerance : Tolerance
    """

    shape: tuple[int, int, int]
    planes: Planes | None
    slices: Mapping[str, Mapping[int, int]]
    places: Mapping[str, Mapping[int, Place]]
    dimensions: tuple[Dimension, ...]
    frame_of_reference: str
    tolerance: Tolerance

    def slice_of(self, uid: str, frames: tuple[int, ...] = ()) -> set[int]:
        """Slices that an image is, or some of its frames (from 0)."""
        known = self.slices.get(uid, {})
        return {known[frame] for frame in frames if frame in known} if frames else set(known.values())

    def places_of(self, images: Iterable[tuple[str, tuple[int, ...]]]) -> frozenset[Place]:
        """Where along the extra dimensions images (or some of their frames) are; empty where everywhere, or unknown."""
        found: set[Place] = set()
        for uid, frames in images:
            known = self.places.get(uid, {})
            found.update(known[frame] for frame in frames or known if frame in known)
        whole = math.prod(len(dimension.values) for dimension in self.dimensions)
        return frozenset(found) if len(found) < whole else frozenset()

    def words(self, places: Iterable[Place]) -> str:
        """Places in words, such as ``time 2 of 5``."""
        told = [
            " ".join(f"{d.name} {n + 1} of {len(d.values)}" for n, d in zip(place, self.dimensions, strict=True))
            for place in sorted(places)
        ]
        return ", ".join(told[:MOST]) + (f" and {len(told) - MOST} more" if len(told) > MOST else "")


def grid_of(stack: Stack) -> Grid:
    """The grid of a stack."""
    passport = stack.passport
    slices, rows, columns = passport.shape
    members, frames = stack.members, stack.frames
    if len(members) == 1 and slices > 1:
        members, frames = members * slices, tuple(range(slices))
    found: dict[str, dict[int, int]] = {}
    places: dict[str, dict[int, Place]] = {}
    dimensions, sizes = passport.dimensions, tuple(len(dimension.values) for dimension in passport.dimensions)
    while sizes and slices * math.prod(sizes) > len(members):  # the samples of a colour, innermost, are of one image
        dimensions, sizes = dimensions[:-1], sizes[:-1]
    for number, uid in enumerate(members):
        frame = frames[number] if frames else 0
        found.setdefault(uid, {})[frame] = number % max(1, slices)
        places.setdefault(uid, {})[frame] = _place(number // max(1, slices), sizes)
    planes = None
    if passport.affine is not None:
        affine = np.asarray(passport.affine, float)
        positions = np.asarray(passport.positions, float)
        if len(positions) != slices:
            positions = affine[:3, 3] + np.arange(slices)[:, None] * affine[:3, 2]
        step = abs(passport.step_normal or passport.spacing[0])
        planes = Planes(positions, affine[:3, 0], affine[:3, 1], (rows, columns), step)
    here = passport.frame_of_reference
    return Grid(passport.shape, planes, found, places, dimensions, here, passport.tolerance)


def _place(number: int, sizes: tuple[int, ...]) -> Place:
    """The ``number``-th place in C order."""
    place: list[int] = []
    for size in reversed(sizes):
        number, at = divmod(number, max(1, size))
        place.insert(0, at)
    return tuple(place)
