"""Samples of waveforms as they travel to a plot: all of a span, or the lowest and highest of each of its parts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MOST_PARTS = 4096


def span(values: NDArray[np.floating], first: int, last: int, parts: int) -> NDArray[np.float32]:
    """What a plot of so many columns of pixels needs.

    Parameters
    ----------
    values : array of shape (channels, samples)
    first, last : int
        Samples ``first`` to ``last - 1``; what is outside is left out.
    parts : int
        Columns of pixels, at most `MOST_PARTS`.

    Returns
    -------
    array of shape (channels, points)
        Each sample where there are at most two a part, else lowest and highest of each part in turn, so no peak is
        lost. NaN only where a whole part has no value.
    """
    first, last = max(0, first), min(values.shape[1], last)
    parts = min(max(1, parts), MOST_PARTS)
    inside = values[:, first:last] if last > first else values[:, :0]
    if inside.shape[1] <= 2 * parts:
        return inside.astype("<f4")
    edges = np.arange(parts) * inside.shape[1] // parts
    low, high = (each.reduceat(inside, edges, axis=1) for each in (np.fmin, np.fmax))
    return np.stack([low, high], axis=2).reshape(len(values), -1).astype("<f4")
