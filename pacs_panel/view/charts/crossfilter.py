"""Charts of the same rows that narrow each other: what is brushed in one is counted in all others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pacs_panel.view.charts.bins import Bins, Counts, Mask


class CrossFilter:
    """Which bars of which charts are chosen, and what that leaves.

    A chart's own brush never narrows itself, so that the other bars remain in sight.

    Parameters
    ----------
    charts : mapping of str to Bins
        By keyword, all of the same rows.
    rows : int
        How many there are.
    """

    def __init__(self, charts: Mapping[str, Bins], rows: int) -> None:
        self.charts, self.rows = dict(charts), rows
        self.chosen: dict[str, frozenset[int]] = {}
        self._left_out: dict[str, Mask] = {}
        self._times = np.zeros(self.rows, np.uint8)  # how many brushes leave a row out
        self._whole = {keyword: bins.counts() for keyword, bins in self.charts.items()}

    def brush(self, keyword: str, chosen: Iterable[int] = ()) -> None:
        """Choose some bars of a chart, or, with none, all again."""
        bins = self.charts[keyword]
        kept = frozenset(bar for bar in chosen if 0 <= bar < len(bins.labels))
        if (old := self._left_out.pop(keyword, None)) is not None:
            self._times -= old
        self.chosen.pop(keyword, None)
        if kept:
            self.chosen[keyword] = kept
            self._left_out[keyword] = ~bins.rows(kept)
            self._times += self._left_out[keyword]

    def toggle(self, keyword: str, bar: int) -> None:
        """Choose one more bar, or that one no longer."""
        self.brush(keyword, self.chosen.get(keyword, frozenset()) ^ {bar})

    def selected(self) -> Mask:
        """The rows that all brushes leave."""
        return self._times == 0

    def count(self) -> int:
        """How many rows all brushes leave."""
        return self.rows - int(np.count_nonzero(self._times))

    def counts(self, keyword: str) -> Counts:
        """How many rows each bar of a chart has, as narrowed by the other charts."""
        if not self.chosen.keys() - {keyword}:
            return self._whole[keyword]
        return self.charts[keyword].counts(self._others(keyword))

    def whole(self, keyword: str) -> Counts:
        """How many rows each bar of a chart has without any brush."""
        return self._whole[keyword]

    def joint(self, across: str, up: str) -> NDArray[np.int64]:
        """Rows by two charts at once, ``(bars of up, bars of across)``, as narrowed by all others; those with both."""
        one, other = self.charts[across], self.charts[up]
        mask = self._others(across, up)
        x, y = one.place[mask].astype(np.int64), other.place[mask].astype(np.int64)
        there = (x < one.ranges) & (y < other.ranges)
        size = one.ranges * other.ranges
        return np.bincount(y[there] * one.ranges + x[there], minlength=size).reshape(other.ranges, one.ranges)

    def criteria(self) -> dict[str, list[Any]]:
        """What to search by, beside what was asked already, to find what all brushes leave."""
        return {keyword: self.charts[keyword].criterion(chosen) for keyword, chosen in self.chosen.items()}

    def _others(self, *but: str) -> Mask:
        own = [self._left_out[keyword] for keyword in but if keyword in self._left_out]
        return np.asarray(self._times == sum(own, np.zeros(1, np.uint8)))
