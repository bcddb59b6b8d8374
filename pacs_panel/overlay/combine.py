"""Contours of one region on one slice to one area (PS3.3 §C.8.8.6.3).

The standard combines ``CLOSEDPLANAR_XOR`` by exclusive or, and says nothing of several ``CLOSED_PLANAR``. By common
practice one within another is a hole, and one within a hole an island; those that overlap in part are joined.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pacs_panel.overlay.raster import Patch, Points, fill

How = Literal["xor", "add", "cut"]
FINE = 64  # cells across, by which two contours are compared
WITHIN = 0.98  # of its cells: a hole drawn by hand may poke out of what it is a hole of
SLIVER = 1e-6
DECIMALS = 3  # of a pixel: corners that are nearer are the same


class Part(NamedTuple):
    """A contour, and how it is put together with those before it: ``xor``, ``add`` or ``cut``."""

    contour: int
    how: How


def combine(polygons: Sequence[Points], exclusive: bool = False) -> tuple[Part, ...]:
    """In which order, and how, contours make an area; those that are there twice once.

    Parameters
    ----------
    polygons : sequence of arrays of shape (n, 2)
        Corners, ``(column, row)``.
    exclusive : bool
        They are ``CLOSEDPLANAR_XOR``.

    Returns
    -------
    tuple of Part
        All ``xor`` where no two overlap in part: then that is all there is to it.
    """
    if exclusive or len(polygons) == 1:
        return tuple(Part(index, "xor") for index in range(len(polygons)))
    shapes = [_Shape(index, polygons[index]) for index in _distinct(polygons)]
    shapes.sort(key=lambda shape: -shape.area)
    lows, highs = np.array([shape.low for shape in shapes]), np.array([shape.high for shape in shapes])
    depths: dict[int, int] = {}
    clean = True
    for at, shape in enumerate(shapes):
        depth = 0
        apart = np.minimum(highs[:at], shape.high) - np.maximum(lows[:at], shape.low) <= 10.0**-DECIMALS
        for near in np.flatnonzero(~apart.any(axis=1)):  # the smallest that holds it, which is the last, decides
            larger = shapes[near]
            share = larger.share(shape)
            clean = clean and share in (0.0, 1.0)
            if share >= WITHIN:
                depth = depths[larger.index] + 1
        depths[shape.index] = depth
    if clean:
        return tuple(Part(shape.index, "xor") for shape in sorted(shapes, key=lambda shape: shape.index))
    return tuple(Part(index, "cut" if depths[index] % 2 else "add") for index in sorted(depths, key=depths.__getitem__))


def paint(polygons: Sequence[Points], parts: Sequence[Part], shape: tuple[int, int]) -> Patch:
    """The pixels of the area that `combine` describes."""
    if all(part.how == "xor" for part in parts):
        return fill([polygons[part.contour] for part in parts], shape)
    out = np.zeros(shape, bool)
    for part in parts:
        fill([polygons[part.contour]], shape).paint(out, part.how == "add")
    rows, columns = np.flatnonzero(out.any(axis=1)), np.flatnonzero(out.any(axis=0))
    if not rows.size:
        return Patch(0, 0, np.zeros((0, 0), bool))
    return Patch(int(rows[0]), int(columns[0]), out[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])


def _distinct(polygons: Sequence[Points]) -> list[int]:
    """The first of those that have the same corners, wherever they begin and whichever way they run."""
    known: dict[frozenset[tuple[float, ...]], int] = {}
    for index, polygon in enumerate(polygons):
        corners = frozenset(map(tuple, np.round(polygon, DECIMALS).tolist()))
        known.setdefault(corners, index)
    return list(known.values())


class _Shape:
    """A polygon with its box and its size."""

    def __init__(self, index: int, points: Points) -> None:
        self.index, self.points = index, points
        self.low, self.high = points.min(axis=0), points.max(axis=0)
        x, y = points.T
        self.area = abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2

    def share(self, other: _Shape) -> float:
        """How much of another lies within this one: 0 only where they have nothing in common, 1 where all does."""
        low, high = np.maximum(self.low, other.low), np.minimum(self.high, other.high)
        if np.any(high - low <= 10.0**-DECIMALS):
            return 0.0
        theirs = other.own
        both = np.count_nonzero(self.cells(other.low, other.high) & theirs)
        if both:
            return both / np.count_nonzero(theirs)
        # Where their boxes meet is looked at closely, so that no sliver that they share goes unseen.
        return SLIVER if (self.cells(low, high) & other.cells(low, high)).any() else 0.0

    @cached_property
    def own(self) -> NDArray[np.bool_]:
        """Which cells of its own box are inside."""
        return self.cells(self.low, self.high)

    def cells(self, low: Points, high: Points) -> NDArray[np.bool_]:
        """Which of `FINE` × `FINE` cells of a box are inside."""
        out = np.zeros((FINE, FINE), bool)
        scaled = (self.points - low) / np.maximum(high - low, 1e-9) * FINE - 0.5
        fill([scaled], (FINE, FINE)).paint(out, True)
        return out
