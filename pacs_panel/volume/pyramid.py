"""Coarser levels by block means, in the array's own type, and without its padding."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

Array = np.ndarray
Range = tuple[int, int]


def halve(array: Array, steps: Sequence[int], padding: Range | None = None, mask: Array | None = None) -> Array:
    """Means of blocks of ``steps`` voxels.

    A block at an end that holds fewer voxels is the mean of those. Integers are rounded, halves upwards. Padding takes
    no part in a mean; a block of nothing but padding stays padding.

    Parameters
    ----------
    array : ndarray
        ``(..., slice, row, column)``.
    steps : sequence of 3 ints
        1 or 2 along slice, row and column.
    padding : tuple of 2 ints, optional
        Lowest and highest stored value that is padding.
    mask : ndarray of bool, optional
        Padding, where values don't tell it.
    """
    *extra, slices, rows, columns = array.shape
    shape = [-(-n // step) for n, step in zip((slices, rows, columns), steps, strict=True)]
    out = np.empty((math.prod(extra), *shape), array.dtype)
    source = array.reshape(-1, slices, rows, columns)
    masks = None if mask is None else mask.reshape(source.shape)
    for volume, reduced in enumerate(out):
        for k in range(shape[0]):
            part = slice(k * steps[0], (k + 1) * steps[0])
            slab = source[volume, part]
            padded = _padded(slab, padding) if masks is None else masks[volume, part]
            _mean(slab, steps[1:], padded, reduced[k])
    return out.reshape(*extra, *shape)


def halve_mask(mask: Array, steps: Sequence[int]) -> Array:
    """The mask of `halve`'s result: blocks of nothing but padding."""
    for axis, step in enumerate(steps, mask.ndim - 3):
        mask = np.logical_and.reduceat(mask, np.arange(0, mask.shape[axis], step), axis=axis)
    return mask


def _padded(slab: Array, padding: Range | None) -> Array | None:
    if padding is None:
        return None
    low, high = padding
    return slab == low if low == high else (slab >= low) & (slab <= high)


def _mean(slab: Array, steps: Sequence[int], mask: Array | None, out: Array) -> None:
    """Block means of a slab of one or two slices, into ``out``."""
    size = len(slab) * steps[0] * steps[1]
    total = _sums(slab, steps)
    if slab.dtype.kind == "f":
        out[...] = total / size
    else:
        total += size // 2
        total >>= size.bit_length() - 1  # size is a power of 2; the shift rounds down for negative numbers too
        out[...] = total
    if mask is not None and mask.any():
        count = _sums(mask.view(np.uint8), steps)
        rows, columns = np.nonzero((count > 0) & (count < size))
        out[rows, columns] = _means_of_valid(slab, mask, steps, rows, columns)
        _keep_padding(slab, count == size, steps, out)


def _sums(slab: Array, steps: Sequence[int]) -> Array:
    """Sums over slices and over blocks of rows and columns; the last of an odd number counts twice."""
    kind, width = slab.dtype.kind, slab.dtype.itemsize
    wide = slab.dtype if kind == "f" else np.dtype(np.int32 if width <= 2 else np.int64)
    total = slab[0].astype(wide) if len(slab) == 1 else np.add(slab[0], slab[1], dtype=wide)
    for axis, step in enumerate(steps):
        if step == 2:
            if total.shape[axis] % 2:
                total = np.concatenate([total, total.take([-1], axis)], axis)
            total = total[0::2] + total[1::2] if axis == 0 else total[:, 0::2] + total[:, 1::2]
    return total


def _means_of_valid(slab: Array, mask: Array, steps: Sequence[int], rows: Array, columns: Array) -> Array:
    """Means of the blocks at ``rows, columns`` over their valid voxels; each has one at least."""
    down, across = (np.arange(step) for step in steps)
    # An index beyond the end is that of the last voxel, which so counts twice, as in `_sums`.
    at_row = np.minimum(rows[:, None, None] * steps[0] + down[:, None], slab.shape[1] - 1)
    at_column = np.minimum(columns[:, None, None] * steps[1] + across, slab.shape[2] - 1)
    valid = ~mask[:, at_row, at_column]
    wide = np.float64 if slab.dtype.kind == "f" else np.int64
    total = np.where(valid, slab[:, at_row, at_column], 0).sum(axis=(0, 2, 3), dtype=wide)
    count = valid.sum(axis=(0, 2, 3))
    return total / count if slab.dtype.kind == "f" else (2 * total + count) // (2 * count)


def _keep_padding(slab: Array, only: Array, steps: Sequence[int], out: Array) -> None:
    """Where there is padding only, its first value: a mean of several might mean something else in floating point."""
    if slab.dtype.kind == "f":
        out[only] = slab[0, :: steps[0], :: steps[1]][only]
