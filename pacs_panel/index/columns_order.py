"""The first rows in an order, or those that follow one of them, without sorting all."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from pacs_panel.index.columns import Keys
from pacs_panel.index.columns_count import Codes, Numbers

Sorter = Callable[[Codes], Numbers]  # rows to numbers that sort them


def first(rows: Codes, sorters: Sequence[Sorter], keys: Keys, down: bool, limit: int) -> list[int]:
    """The first ``limit`` of ``rows``; what the sorters leave equal goes by key, ``down`` or up."""
    sure: list[Codes] = []
    left, tied = limit, rows
    for sorter in (*sorters, _beginning(keys, down)):
        if len(tied) <= left:
            break
        numbers = sorter(tied)
        last = np.partition(numbers, left - 1)[left - 1]
        sure.append(tied[numbers < last])
        left, tied = left - len(sure[-1]), tied[numbers == last]
    chosen = np.concatenate([*sure, tied])
    places = np.unique(keys[chosen], return_inverse=True)[1]
    ordered = np.lexsort([-places if down else places, *(sorter(chosen) for sorter in reversed(sorters))])
    return [int(row) for row in chosen[ordered][:limit]]


def behind(rows: Codes, mark: int, sorters: Sequence[Sorter], keys: Keys, down: bool) -> Codes:
    """Those of ``rows`` that come after the row ``mark``."""
    found: list[Codes] = []
    at = np.array([mark], np.int32)
    for sorter in (*sorters, _beginning(keys, down)):
        numbers, place = sorter(rows), sorter(at)[0]
        found.append(rows[numbers > place])
        rows = rows[numbers == place]
    there: NDArray[np.bool_] = keys[rows] < keys[mark] if down else keys[rows] > keys[mark]
    return np.concatenate([*found, rows[there]])


def _beginning(keys: Keys, down: bool) -> Sorter:
    """Sorts by the first eight characters of the key, as one number."""

    def sorter(rows: Codes) -> Numbers:
        beginnings = keys[rows].astype("S8").view(">u8").astype(np.int64)  # ASCII: the sign is free
        return -beginnings if down else beginnings

    return sorter
