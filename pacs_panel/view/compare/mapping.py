"""From a voxel of one stack to the voxel of another that shows the same place, or the corresponding one.

Indices are ``(slice, row, column)``; places are LPS mm, of voxel centres.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Literal, Protocol

import numpy as np

from pacs_panel.geometry import affine as affines
from pacs_panel.geometry.affine import Array
from pacs_panel.model import Vector

Index = tuple[int, int, int]
How = Literal["place", "relative", "none"]
EDGE = 1e-6  # of a voxel: what lies on the rim of an image is in it


class Grid(Protocol):
    """What is known of where voxels are; `pacs_panel.view.source.StackMeta` is one."""

    @property
    def shape(self) -> Index:
        """``(slices, rows, columns)``."""
        ...

    @property
    def spacing(self) -> Vector:
        """mm along ``(slice, row, column)``."""
        ...

    @property
    def affine(self) -> tuple[tuple[float, ...], ...] | None:
        """``(column, row, slice, 1)`` to LPS mm."""
        ...

    @property
    def positions(self) -> tuple[Vector, ...]:
        """LPS mm of voxel (0, 0) of each slice, where the affine does not hold for all."""
        ...


@dataclass(frozen=True, slots=True)
class Framed:
    """A grid, and the Frame of Reference UID in which it lies; empty where there is none (PS3.3 §C.7.4.1)."""

    grid: Grid
    frame: str = ""

    def shares(self, other: Framed) -> bool:
        """Whether one place in mm means the same in both."""
        placed = self.grid.affine is not None and other.grid.affine is not None
        return placed and bool(self.frame) and self.frame == other.frame


@dataclass(frozen=True, slots=True)
class Found:
    """The voxel nearest to a place, whether the place is ``inside`` the stack, and ``how`` it was found."""

    index: Index
    inside: bool
    how: How = "place"


def corresponding(one: Framed, index: Index, other: Framed, *, relative: bool) -> Found | None:
    """Where another stack shows what this one shows at ``index``.

    The same place where both lie in one frame of reference; else, if ``relative``, the same share of the way through
    each; else ``None``.
    """
    if one.shares(other):
        return nearest(other.grid, place(one.grid, index))
    return Found(share(one.grid, index, other.grid), True, "relative") if relative else None


def place(grid: Grid, index: Index) -> Array:
    """LPS mm of the centre of a voxel; the stack must have an affine."""
    slice_, row, column = index
    if slice_ < len(grid.positions):
        along, down = _steps(grid)
        return np.asarray(grid.positions[slice_], float) + column * along + row * down
    return affines.apply(_affine(grid), (column, row, slice_))


def nearest(grid: Grid, at: Sequence[float] | Array) -> Found:
    """The voxel of a stack nearest to a place.

    A place is inside where it lies in a voxel. Of slices that are unevenly spaced, or of a single one, the nearest
    plane is taken; between planes that are further apart than the stack's step, there is nothing.
    """
    at = np.asarray(at, float)
    last = np.asarray(grid.shape) - 1
    if grid.positions or grid.shape[0] == 1:
        exact, away = _on_planes(grid, at)
        reached = away <= grid.spacing[0] / 2 + EDGE
    else:
        exact, reached = affines.apply(affines.invert(_affine(grid)), at)[::-1], True
    inside = reached and bool(np.all((exact >= -0.5 - EDGE) & (exact <= last + 0.5 + EDGE)))
    slice_, row, column = (int(i) for i in np.clip(np.floor(exact + 0.5), 0, last))
    return Found((slice_, row, column), inside)


def share(one: Grid, index: Index, other: Grid) -> Index:
    """The voxel of another stack that is as far along each of the patient's axes as ``index`` is in this one.

    Which array axis runs along which of the patient's axes, and which way, the affines tell; stacks without one are
    taken axis by axis.
    """
    both = one.affine is not None and other.affine is not None
    mine, theirs = (_axes(grid) if both else ((0, 1), (1, 1), (2, 1)) for grid in (one, other))
    found = [0, 0, 0]
    for (axis, sign), (to, to_sign) in zip(mine, theirs, strict=True):
        part = (index[axis] + 0.5) / one.shape[axis]
        part = part if sign == to_sign else 1 - part
        found[to] = int(np.clip(np.floor(part * other.shape[to]), 0, other.shape[to] - 1))
    return (found[0], found[1], found[2])


def _affine(grid: Grid) -> Array:
    if grid.affine is None:
        raise ValueError("the stack has no place in the patient")
    return np.asarray(grid.affine, float)


def _steps(grid: Grid) -> tuple[Array, Array]:
    """mm LPS from one column to the next, and from one row to the next."""
    affine = _affine(grid)
    return affine[:3, 0], affine[:3, 1]


def _on_planes(grid: Grid, at: Array) -> tuple[Array, float]:
    """Slice of the nearest plane, row and column on it, not rounded; and how far away it is, mm."""
    along, down = _steps(grid)
    normal = affines.unit(np.cross(along, down))
    origins = np.asarray(grid.positions or (_affine(grid)[:3, 3],), float)
    away = (at - origins) @ normal
    which = int(np.argmin(np.abs(away)))
    within = at - origins[which] - away[which] * normal
    (column, row), *_ = np.linalg.lstsq(np.stack([along, down], axis=1), within, rcond=None)
    return np.array([which, row, column]), float(abs(away[which]))


def _axes(grid: Grid) -> tuple[tuple[int, int], ...]:
    """For x, y and z of the patient, the array axis that runs along it best, and 1 or -1 for which way."""
    affine = _affine(grid)
    along = np.stack([affine[:3, 2], affine[:3, 1], affine[:3, 0]])  # array axis, patient axis
    lengths = np.linalg.norm(along, axis=1, keepdims=True)
    cosines = along / np.where(lengths > 0, lengths, 1)
    best = max(permutations(range(3)), key=lambda order: sum(abs(cosines[a, k]) for k, a in enumerate(order)))
    return tuple((axis, -1 if cosines[axis, k] < 0 else 1) for k, axis in enumerate(best))
