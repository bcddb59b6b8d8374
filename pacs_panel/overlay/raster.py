"""Polygons to pixels: a pixel is inside where its centre is, by the even-odd rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
DECIMALS = 6  # of a pixel: below that, coordinates are noise that must not decide what is inside


@dataclass(frozen=True, eq=False)
class Patch:
    """The pixels of a mask that may be set: ``mask`` lies at ``(row, column)`` of the plane."""

    row: int
    column: int
    mask: NDArray[np.bool_]

    def paint(self, out: np.ndarray, value: int) -> None:
        """Set a plane to ``value`` where the mask is."""
        rows, columns = self.mask.shape
        out[self.row : self.row + rows, self.column : self.column + columns][self.mask] = value

    def overlaps(self, other: Patch) -> bool:
        """Whether both have a pixel in common."""
        top, left = max(self.row, other.row), max(self.column, other.column)
        bottom = min(self.row + self.mask.shape[0], other.row + other.mask.shape[0])
        right = min(self.column + self.mask.shape[1], other.column + other.mask.shape[1])
        if top >= bottom or left >= right:
            return False
        mine, theirs = (
            patch.mask[top - patch.row : bottom - patch.row, left - patch.column : right - patch.column]
            for patch in (self, other)
        )
        return bool((mine & theirs).any())


def fill(polygons: Sequence[Points], shape: tuple[int, int]) -> Patch:
    """The pixels of a plane inside an odd number of polygons.

    So a contour within another is a hole, and so is one that a keyhole (an edge that is run both ways) joins to the
    outer contour. A centre on a left or an upper edge is inside, one on a right or a lower edge is not: shapes that
    share an edge neither overlap nor leave a gap.

    Parameters
    ----------
    polygons : sequence of arrays of shape (n, 2)
        ``(column, row)`` of corners, pixel centres at whole numbers; the last corner is joined to the first.
    shape : tuple of 2 ints
        Rows and columns of the plane; what lies beyond is cut off.

    Returns
    -------
    Patch
    """
    starts = [np.round(np.asarray(polygon, float), DECIMALS) for polygon in polygons if len(polygon) > 2]
    if not starts:
        return Patch(0, 0, np.zeros((0, 0), bool))
    ends = np.concatenate([np.roll(polygon, -1, axis=0) for polygon in starts])
    edges = np.concatenate(starts)
    low, high = edges.min(axis=0), edges.max(axis=0)
    top, left = max(0, _ceil(low[1])), max(0, _ceil(low[0]))
    bottom, right = min(shape[0], _ceil(high[1])), min(shape[1], _ceil(high[0]))
    if top >= bottom or left >= right:
        return Patch(0, 0, np.zeros((0, 0), bool))
    rows, columns = _crossings(edges, ends, top, bottom)
    size = bottom - top, right - left
    columns = np.clip(columns - left, 0, size[1])
    flips = np.bincount((rows - top) * (size[1] + 1) + columns, minlength=size[0] * (size[1] + 1))
    parity = np.cumsum(flips.reshape(size[0], -1)[:, :-1], axis=1) & 1
    return Patch(top, left, parity.astype(bool))


def _ceil(value: float) -> int:
    return int(np.ceil(value))


def _crossings(starts: Points, ends: Points, top: int, bottom: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Row, and first column not left of it, of each place where an edge crosses the middle of a row of pixels."""
    down = np.where(
        (starts[:, 1] <= ends[:, 1])[:, None, None], np.stack([starts, ends], 1), np.stack([ends, starts], 1)
    )
    upper, lower = down[:, 0], down[:, 1]
    first = np.clip(np.ceil(upper[:, 1]), top, bottom).astype(np.intp)
    count = np.clip(np.ceil(lower[:, 1]), top, bottom).astype(np.intp) - first
    edge = np.repeat(np.arange(len(count)), count)
    rows = np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count) + first[edge]
    start, run = upper[edge], (lower - upper)[edge]
    columns = start[:, 0] + (rows - start[:, 1]) * run[:, 0] / run[:, 1]
    return rows, np.ceil(np.round(columns, DECIMALS)).astype(np.intp)
