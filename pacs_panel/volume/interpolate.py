"""From the voxels of one grid to those of another: the arithmetic of `pacs_panel.volume.resample`.

Where planes of the two grids are parallel and rows run along rows, as when only spacings differ or slices are shifted,
a plane is interpolated axis by axis, which takes a fraction of the time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pacs_panel.volume.grids import Grid

Array = np.ndarray
SLAB = 1 << 20  # points computed at once
NOTHING = 1e-6  # share of a voxel, or distance in voxels, that is rounding


def volumes(image: Array, mask: Array | None = None, *, source: Grid, target: Grid, order: int) -> Array:
    """Volumes ``(..., slice, row, column)`` on another grid, one by one.

    Parameters
    ----------
    image, mask : ndarray
        Values, and true where they are padding.
    order : int
        0 the nearest voxel, 1 linear.

    Returns
    -------
    ndarray
        Floating point; NaN where there is no value, or where padding has a share.
    """
    out = np.empty((*image.shape[:-3], *target.shape), floating(image.dtype))
    lines = _lines(source, target)
    for at in np.ndindex(*image.shape[:-3]):
        volume = image[at].astype(out.dtype)
        bad = ~np.isfinite(volume) if mask is None else ~np.isfinite(volume) | mask[at]
        bad = bad if bad.any() else None
        volume = volume if bad is None else np.where(bad, 0, volume)
        if lines is None:
            _by_points(volume, bad, source, target, order, out[at])
        else:
            _by_lines(volume, bad, lines, order, out[at])
    return out


def floating(dtype: np.dtype) -> np.dtype:
    """Floating point that holds all values of a type, and NaN."""
    return np.result_type(dtype, np.float32)


def _settled(index: Array) -> Array:
    """Indices that are whole but for rounding made whole, so that a voxel that is hit exactly gives its own value."""
    whole = np.rint(index)
    return np.where(np.abs(index - whole) < NOTHING, whole, index)


# -- axis by axis ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Along:
    """Where to read along one axis: of two voxels, ``low`` and the next, the second counts ``share``."""

    low: Array
    high: Array
    share: Array
    inside: Array


def _along(index: Array, size: int, order: int) -> _Along:
    reach = (0.5 if size == 1 or order == 0 else 0.0) + NOTHING
    with np.errstate(invalid="ignore"):
        inside = (index >= -reach) & (index <= size - 1 + reach)
    at = np.clip(_settled(np.nan_to_num(index)), 0, size - 1)
    low = np.floor(at + 0.5 if order == 0 else at).astype(np.intp).clip(0, size - 1)
    share = np.zeros(len(at)) if order == 0 else at - low
    return _Along(low, np.minimum(low + 1, size - 1), share, inside)


def _lines(source: Grid, target: Grid) -> tuple[Array, Array, Array] | None:
    """Index in the source of each slice of the target, and of its rows and columns, ``(slices, n)``.

    ``None`` where rows and columns do not run along those of the source, so that points must be taken one by one.
    """
    _, rows, columns = target.shape
    far = (rows - 1, columns - 1)
    corners = target.origins()[:, None] + np.stack(
        [np.zeros(3), far[0] * target.affine[:3, 1], far[1] * target.affine[:3, 0]]
    )
    k, i, j = source.index(corners)  # each (slices, 3): at the first voxel, at the last row, at the last column
    lost = np.isnan(k).all(axis=1)
    apart = [k[:, 1] - k[:, 0], k[:, 2] - k[:, 0], i[:, 2] - i[:, 0], j[:, 1] - j[:, 0]]
    if np.isnan(k).any(axis=1).sum() > lost.sum() or np.nanmax(np.abs(apart), initial=0) > NOTHING:
        return None
    return (
        k[:, 0],
        i[:, :1] + (i[:, 1:2] - i[:, :1]) * np.linspace(0, 1, rows),
        j[:, :1] + (j[:, 2:] - j[:, :1]) * np.linspace(0, 1, columns),
    )


def _by_lines(volume: Array, bad: Array | None, lines: tuple[Array, Array, Array], order: int, out: Array) -> None:
    slices, rows, columns = volume.shape
    across = _along(lines[0], slices, order)
    for n, plane in enumerate(out):
        if not across.inside[n]:
            plane[...] = np.nan
            continue
        down, along = _along(lines[1][n], rows, order), _along(lines[2][n], columns, order)
        at = (across.low[n], across.high[n], across.share[n])
        plane[...] = _plane(volume, at, down, along)
        plane[~down.inside] = np.nan
        plane[:, ~along.inside] = np.nan
        if bad is not None:
            near = bad[across.low[n] : across.high[n] + 1].astype(np.float32)
            plane[_plane(near, (0, len(near) - 1, across.share[n]), down, along) > NOTHING] = np.nan


def _plane(volume: Array, at: tuple[int, int, float], down: _Along, along: _Along) -> Array:
    low, high, share = at
    plane = _between(volume[low], volume[high], np.asarray(share)) if share else volume[low]
    plane = _between(plane[down.low], plane[down.high], down.share[:, None])
    return _between(plane[:, along.low], plane[:, along.high], along.share)


def _between(one: Array, other: Array, share: Array) -> Array:
    """Weighted mean; exactly ``one`` where the other has no share."""
    if not share.any():
        return one
    return np.asarray(one + (other - one) * share.astype(one.dtype))


# -- point by point ----------------------------------------------------------------------------------------------------


def _by_points(volume: Array, bad: Array | None, source: Grid, target: Grid, order: int, out: Array) -> None:
    from scipy.ndimage import map_coordinates  # takes longer to import than most volumes take to open

    sizes = np.reshape(volume.shape, (3, 1, 1, 1))
    reach = np.where((sizes == 1) | (order == 0), 0.5, 0.0) + NOTHING
    share = None if bad is None else bad.astype(np.float32)
    many = max(1, SLAB // math.prod(out.shape[1:]))
    for start in range(0, len(out), many):
        part = slice(start, min(start + many, len(out)))
        at = np.stack(source.index(target.points(part)))
        with np.errstate(invalid="ignore"):
            inside = ((at >= -reach) & (at <= sizes - 1 + reach)).all(axis=0)
        at = _settled(np.nan_to_num(at))
        out[part] = map_coordinates(volume, at, order=order, mode="nearest", prefilter=False)
        if share is not None:
            inside &= map_coordinates(share, at, order=order, mode="nearest", prefilter=False) < NOTHING
        out[part][~inside] = np.nan
