"""What is chosen in a chart, and what it counts, in words and as a table."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from pacs_panel.view.charts.bins import Bins, Counts

TOLD = 3  # values that are named
MOST = 2000  # rows of a table
BETWEEN = " – "


def said(bins: Bins, chosen: Collection[int]) -> str:
    """What is chosen: values by name, and bars beside each other as one range."""
    parts: list[str] = []
    for first, last in _runs(sorted(chosen), bins.ranges):
        parts.append(bins.labels[first] if first == last else _range(bins.labels[first], bins.labels[last]))
    more = len(parts) - TOLD
    return ", ".join(parts[:TOLD]) + (f" and {more} more" if more > 0 else "")


def _runs(bars: list[int], ranges: int) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    for bar in bars:
        if runs and bar < ranges and bar == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], bar)
        else:
            runs.append((bar, bar))
    return runs


def _range(first: str, last: str) -> str:
    low, high = first.split(BETWEEN)[0], last.split(BETWEEN)[-1]
    below, above = first.startswith("up to "), last.endswith(" and more")
    if below and above:
        return "any"
    if below:
        return f"up to {high}"
    return f"{low} and more" if above else f"{low}{BETWEEN}{high}"


def rows_of(bins: Bins, counts: Counts, whole: Counts, chosen: Collection[int]) -> dict[str, Any]:
    """The rows of a chart's table: in order of a histogram's axis, else the most frequent first."""
    order = range(len(counts)) if bins.ranges else np.lexsort((-whole, -counts)).tolist()
    there = [bar for bar in order if whole[bar] or bar in chosen]
    rows = [
        {
            "bar": bar,
            "label": bins.labels[bar],
            "count": int(counts[bar]),
            "whole": int(whole[bar]),
            "chosen": bar in chosen,
        }
        for bar in there[:MOST]
    ]
    return {"rows": rows, "more": max(len(there) - MOST, 0)}
