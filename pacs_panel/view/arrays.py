"""Frames of an array in memory, for notebooks and tests: coarser levels are made as they are asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np

from pacs_panel.view.source import Level, StackMeta, Triple, check_extra, check_level, check_plane


@dataclass
class ArrayFrames:
    """Frames of an array in memory, with coarser levels made as they are asked for.

    Parameters
    ----------
    array : ndarray
        Stored values, ``[*extra, slice, row, column]``, samples last where ``described.samples`` is 3.
    described : StackMeta
        Its levels are replaced by the array's own.
    """

    array: np.ndarray
    described: StackMeta
    _coarse: dict[tuple[int, tuple[int, ...]], np.ndarray] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        space = self.array.ndim - len(self.described.dimensions) - (self.described.samples > 1)
        if space != 3:
            raise ValueError(f"expected 3 space dimensions, not {space}, in an array of shape {self.array.shape}")
        first = len(self.described.dimensions)
        slices, rows, columns = self.array.shape[first : first + 3]
        even = self.described.verdict in ("regular", "sheared")
        levels = pyramid((slices, rows, columns), across=even)
        self.described = replace(self.described, levels=levels, dtype=self.array.dtype.name)

    def meta(self) -> StackMeta:
        """What the frames are of."""
        return self.described

    def plane(self, level: int, axis: int, index: int, extra: tuple[int, ...] = ()) -> np.ndarray:
        """Stored values of one plane; see `FrameSource.plane`."""
        check_plane(self.described, level, axis, index)
        return self.volume(level, extra).take(index, axis=axis)

    def volume(self, level: int, extra: tuple[int, ...] = ()) -> np.ndarray:
        """Stored values of a whole level; see `FrameSource.volume`."""
        check_level(self.described, level)
        check_extra(self.described, extra)
        if level == 0:
            return self.array[extra] if extra else self.array
        if (level, extra) not in self._coarse:
            self._coarse[level, extra] = self._coarser(self.volume(level - 1, extra), level)
        return self._coarse[level, extra]

    def _coarser(self, finer: np.ndarray, level: int) -> np.ndarray:
        last, this = (self.described.levels[n].factors for n in (level - 1, level))
        if self.described.samples > 1:
            samples = [halve(finer[..., n], across=this[0] > last[0]) for n in range(self.described.samples)]
            return np.stack(samples, axis=-1)
        return halve(finer, self.described.padding, this[0] > last[0])


def pyramid(shape: Triple, smallest: int = 64, across: bool = True) -> tuple[Level, ...]:
    """Levels by halving every axis that has more than one voxel, until the longest in a plane is ``smallest`` or less.

    Without ``across`` slices are not halved: a mean of unrelated images is an image of nothing.
    """
    levels = [Level(shape)]
    while max(levels[-1].shape[0 if across else 1 :]) > smallest:
        last = levels[-1]
        halved = [n > 1 and (across or axis > 0) for axis, n in enumerate(last.shape)]
        slices, rows, columns = (math.ceil(n / 2) if half else n for n, half in zip(last.shape, halved, strict=True))
        by = [f * (2 if half else 1) for f, half in zip(last.factors, halved, strict=True)]
        levels.append(Level((slices, rows, columns), (by[0], by[1], by[2])))
    return tuple(levels)


def halve(array: np.ndarray, padding: tuple[float, float] | None = None, across: bool = True) -> np.ndarray:
    """Means of blocks of 2 along each axis, in the array's own type; padding takes no part in them.

    Without ``across`` the first axis is not halved.

    The last block of an odd axis is a smaller one. A block of padding only stays padding.
    """
    step = 2 if across else 1
    pairs = [_halve(array[first : first + step], padding) for first in range(0, len(array), step)]
    return np.concatenate(pairs)


def _halve(array: np.ndarray, padding: tuple[float, float] | None) -> np.ndarray:
    valid = np.ones(array.shape, bool) if padding is None else ~((array >= padding[0]) & (array <= padding[1]))
    blocks, counts = np.where(valid, array, 0).astype(np.float64), valid.astype(np.float64)
    for axis in range(array.ndim):
        starts = np.arange(0, array.shape[axis], 2)
        blocks, counts = (np.add.reduceat(a, starts, axis=axis) for a in (blocks, counts))
    means = blocks / np.maximum(counts, 1)
    if padding is not None:
        means[counts == 0] = padding[0]
    return (means if array.dtype.kind == "f" else np.rint(means)).astype(array.dtype)
