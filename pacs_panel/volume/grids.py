"""Where the voxels of a dataset are, as a value: a shape with an affine, or with a place for each slice."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from pacs_panel.errors import PacsPanelError
from pacs_panel.geometry import affine as affines
from pacs_panel.model import Passport, Verdict

Array = np.ndarray
SPACE = ("slice", "row", "column")
LETTERS = ("LR", "PA", "SI")  # along growing and falling x, y, z of LPS
UPRIGHT = 0.1  # degrees
ROUNDING = 1e-6  # mm, or voxels


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Voxel centres.

    Attributes
    ----------
    shape : tuple of 3 ints
        ``(slices, rows, columns)``.
    affine : array of shape (4, 4)
        ``(column, row, slice, 1)`` to LPS mm; where there are ``positions``, its step holds for none in particular.
    positions : array of shape (slices, 3), optional
        LPS mm of voxel (0, 0) of each slice, along the normal in one direction, where slices are not evenly spaced.
    """

    shape: tuple[int, int, int]
    affine: Array
    positions: Array | None = None

    @property
    def normal(self) -> Array:
        """Unit normal of rows and columns, on the side on which slices grow."""
        normal = affines.unit(np.cross(self.affine[:3, 0], self.affine[:3, 1]))
        return normal if normal @ self.affine[:3, 2] > 0 else -normal

    @property
    def square(self) -> bool:
        """Whether rows and columns are at right angles."""
        across, down = self.affine[:3, 0], self.affine[:3, 1]
        cosine = across @ down / np.linalg.norm(across) / np.linalg.norm(down)
        return bool(abs(cosine) < math.sin(math.radians(UPRIGHT)))

    @property
    def tilt(self) -> float:
        """Degrees between the step and the normal."""
        step = self.affine[:3, 2]
        along = float(step @ self.normal)
        return math.degrees(math.atan2(float(np.linalg.norm(step - along * self.normal)), along))

    @property
    def upright(self) -> bool:
        """Whether all three axes are at right angles."""
        return self.square and self.tilt <= UPRIGHT

    def origins(self) -> Array:
        """LPS mm of voxel (0, 0) of each slice, ``(slices, 3)``."""
        if self.positions is not None:
            return self.positions
        return self.affine[:3, 3] + np.arange(self.shape[0])[:, None] * self.affine[:3, 2]

    def points(self, part: slice = slice(None)) -> Array:
        """LPS mm of the voxel centres of some slices, ``(slices, rows, columns, 3)``."""
        _, rows, columns = self.shape
        across = np.arange(columns)[:, None] * self.affine[:3, 0]
        down = np.arange(rows)[:, None, None] * self.affine[:3, 1]
        return np.asarray(self.origins()[part][:, None, None] + down + across)

    def index(self, points: Array) -> tuple[Array, Array, Array]:
        """``(slice, row, column)`` as floats of points ``(..., 3)``; NaN beyond the ends of unevenly spaced slices."""
        if self.positions is None:
            found = affines.apply(affines.invert(self.affine), points)
            return found[..., 2], found[..., 1], found[..., 0]
        slices = between(points @ self.normal, self.positions @ self.normal, np.arange(self.shape[0], dtype=float))
        lines = (between(slices, np.arange(self.shape[0], dtype=float), line) for line in self.positions.T)
        in_plane = (points - np.stack(list(lines), axis=-1)) @ np.linalg.pinv(self.affine[:3, [1, 0]]).T
        return slices, in_plane[..., 0], in_plane[..., 1]

    def lines(self) -> tuple[Array, Array, Array]:
        """mm along the grid's own axes ``(slice, row, column)``, from its first voxel on."""
        slices, rows, columns = (
            np.arange(n) * step for n, step in zip(self.shape, affines.spacing(self.affine), strict=True)
        )
        if self.positions is not None:
            slices = (self.positions - self.positions[0]) @ affines.unit(self.affine[:3, 2])
        return (slices, rows, columns)

    def passport(self, reason: str) -> Passport:
        """A passport that says no more than where the voxels are, and ``reason``."""
        verdict: Verdict = "irregular" if self.positions is not None else "regular" if self.upright else "sheared"
        return Passport(
            verdict=verdict,
            reason=reason,
            shape=self.shape,
            affine=affines.as_tuple(self.affine),
            positions=tuple((float(x), float(y), float(z)) for x, y, z in self.origins()),
            spacing=affines.spacing(self.affine),
            step_normal=float(self.affine[:3, 2] @ self.normal),
            tilt=self.tilt,
        )


def between(values: Array, known: Array, results: Array) -> Array:
    """Linear interpolation; NaN beyond the ends by more than rounding."""
    low, high = known[0], known[-1]
    near = np.where((values < low) & (values > low - ROUNDING), low, values)
    near = np.where((near > high) & (near < high + ROUNDING), high, near)
    return np.interp(near, known, results, left=np.nan, right=np.nan)


def made(affine: ArrayLike, shape: Sequence[int], positions: ArrayLike | None = None) -> Grid:
    """A grid, checked.

    Raises
    ------
    PacsPanelError
        The affine is not 4 x 4 or spans no volume; the shape is not 3 positive whole numbers.
    """
    matrix = np.asarray(affine, float)
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all() or np.linalg.matrix_rank(matrix[:3, :3]) < 3:
        raise PacsPanelError("an affine is 4 x 4, (column, row, slice, 1) to LPS mm, and its axes span a volume")
    if len(shape) != 3 or any(int(n) != n or n < 1 for n in shape):
        raise PacsPanelError("a shape is 3 whole numbers above 0: slices, rows, columns")
    slices, rows, columns = map(int, shape)
    return Grid((slices, rows, columns), matrix, None if positions is None else np.asarray(positions, float))


def of(dataset: xr.Dataset) -> Grid:
    """Where the voxels of a dataset are: of a level, or of what was selected.

    Raises
    ------
    PacsPanelError
        They have no place, or an axis was dropped.
    """
    if gone := [name for name in SPACE if name not in dataset.dims]:
        raise PacsPanelError(f"a volume has slice, row and column, and {' and '.join(gone)} was dropped: isel with [n]")
    places = dataset.pacs
    if places.passport.affine is None or places.passport.verdict == "stack":
        raise PacsPanelError(f"these images have no place in the patient: {places.passport.reason}")
    shape = tuple(dataset.sizes[name] for name in SPACE)
    if places.passport.verdict != "irregular":
        return made(places.affine, shape)
    positions = places.lps(np.arange(shape[0]), 0, 0)
    affine = np.asarray(places.passport.affine, float)
    for axis, index in ((0, (0, 0, 1)), (1, (0, 1, 0))):
        affine[:3, axis] = places.lps(*index) - positions[0]
    affine[:3, 3] = positions[0]
    if len(positions) == 1:
        return made(affine, shape)
    affine[:3, 2] *= np.sign((positions[-1] - positions[0]) @ affine[:3, 2])
    return made(affine, shape, positions)


def wanted(to: Any, source: Grid) -> Grid:
    """The grid that is asked for; see `pacs_panel.volume.resample.resample`."""
    if isinstance(to, xr.Dataset):
        return of(to)
    if isinstance(to, Passport):
        if to.affine is None or to.verdict == "stack":
            raise PacsPanelError(f"that grid has no place in the patient: {to.reason}")
        return made(to.affine, to.shape, to.positions if to.verdict == "irregular" else None)
    if isinstance(to, int | float | np.number):
        return spaced(source, (float(to),) * 3)
    if isinstance(to, tuple) and len(to) == 2 and np.shape(to[0]) == (4, 4):
        return made(*to)
    if isinstance(to, Sequence | np.ndarray) and len(to) == 3 and all(np.ndim(mm) == 0 for mm in to):
        return spaced(source, [float(mm) for mm in to])
    raise PacsPanelError("a grid is a spacing in mm (one, or three), a dataset, a passport, or (affine, shape)")


def spaced(source: Grid, spacing: Sequence[float]) -> Grid:
    """An upright grid of that spacing, mm along ``(slice, row, column)``, over all voxel centres of ``source``."""
    if not all(math.isfinite(mm) and mm > 0 for mm in spacing):
        raise PacsPanelError("a spacing is in mm, and above 0")
    if not source.square:
        raise PacsPanelError("rows and columns are not at right angles: deskew before any reorient")
    across, down = affines.unit(source.affine[:3, 0]), affines.unit(source.affine[:3, 1])
    axes = np.stack([source.normal, down, across])
    _, rows, columns = source.shape
    far = source.affine[:3, 0] * (columns - 1) + source.affine[:3, 1] * (rows - 1)
    offsets = (source.origins() - source.origins()[0]) @ axes.T
    low, high = offsets.min(axis=0), offsets.max(axis=0) + axes @ far
    shape = [int((b - a) / mm + ROUNDING) + 1 for a, b, mm in zip(low, high, spacing, strict=True)]
    affine = np.eye(4)
    affine[:3, :3] = (axes * np.reshape(spacing, (3, 1)))[::-1].T
    affine[:3, 3] = source.origins()[0] + low @ axes
    return made(affine, shape)


def upright(source: Grid) -> Grid:
    """The grid of a sheared one's slices, shifted within their planes so that they lie straight above each other."""
    if not source.square:
        raise PacsPanelError("rows and columns are not at right angles: deskew before any reorient")
    slices, rows, columns = source.shape
    affine, step = source.affine.copy(), source.affine[:3, 2]
    affine[:3, 2] = (step @ source.normal) * source.normal
    starts, sizes = [], []
    for axis, size in ((0, columns), (1, rows)):
        pixel = source.affine[:3, axis]
        shift = (slices - 1) * float(step @ pixel) / float(pixel @ pixel)
        first, last = math.floor(min(shift, 0) + ROUNDING), math.ceil(max(shift, 0) - ROUNDING)
        starts.append(first)
        sizes.append(size + last - first)
    affine[:3, 3] += starts[0] * source.affine[:3, 0] + starts[1] * source.affine[:3, 1]
    return made(affine, (slices, sizes[1], sizes[0]))


# -- order and direction of axes ---------------------------------------------------------------------------------------


def turns(source: Grid, code: str) -> tuple[tuple[int, int, int], tuple[bool, bool, bool]]:
    """Which axis becomes slice, row and column, and which of them are reversed, for `code` (column, row, slice)."""
    axes, signs = [], []
    for letter in reversed(code.upper()):
        axes += [axis for axis, pair in enumerate(LETTERS) if letter in pair]
        signs += [pair[0] == letter for pair in LETTERS if letter in pair]
    if len(code) != 3 or sorted(axes) != [0, 1, 2]:
        raise PacsPanelError(f"no orientation {code!r}: three letters, one each of L R, A P and I S, such as 'LPS'")
    steps = source.affine[:3, :3].T[::-1]
    share = steps / np.linalg.norm(steps, axis=1, keepdims=True)
    best = max(itertools.permutations(range(3)), key=lambda way: round(sum(abs(share[way[n], n]) for n in range(3)), 6))
    order = tuple(best[axis] for axis in axes)  # best: patient axis -> array axis
    flips = tuple(bool((share[best[axis], axis] > 0) != sign) for axis, sign in zip(axes, signs, strict=True))
    return (order[0], order[1], order[2]), (flips[0], flips[1], flips[2])


def turned(source: Grid, order: Sequence[int], flips: Sequence[bool]) -> Grid:
    """The grid with axes permuted and reversed: new axis ``n`` is the old ``order[n]``."""
    if source.positions is not None and order[0] != 0:
        raise PacsPanelError("slices are unevenly spaced, and must stay slices: resample(to=spacing in mm) first")
    shape = tuple(source.shape[axis] for axis in order)
    affine = source.affine.copy()
    for new, (old, flip) in enumerate(zip(order, flips, strict=True)):
        step = source.affine[:3, 2 - old]
        affine[:3, 2 - new] = -step if flip else step
        if flip and not (source.positions is not None and old == 0):
            affine[:3, 3] += (source.shape[old] - 1) * step
    if source.positions is None:
        return made(affine, shape)
    moved = source.positions + (affine[:3, 3] - source.affine[:3, 3])
    moved = moved[::-1] if flips[0] else moved
    affine[:3, 3] = moved[0]
    return made(affine, shape, moved)
