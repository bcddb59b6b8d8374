"""Which part of a large image is in no tile, however its tiles lie."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs_panel.testing import ct_phantom
from pacs_panel.volume.planes import _absent
from tests.volume.kept import Objects, image_of

IMAGE = image_of(Objects(ct_phantom(rows=8, columns=8, slices=1).datasets).kept[0])


def absent(rows: int, columns: int, size: tuple[int, int], places: list[tuple[int, int]]) -> float:
    tiling = tuple((number, *place, *size) for number, place in enumerate(places))
    return _absent(replace(IMAGE, rows=rows, columns=columns, tiling=tiling))


@pytest.mark.parametrize(
    ("places", "part"),
    [
        ([(0, 0), (0, 4), (4, 0), (4, 4)], 0.0),
        ([(0, 0), (0, 4), (4, 0)], 0.25),
        ([(0, 0), (0, 0), (0, 0), (0, 0)], 0.75),  # the same place again covers no more
        ([(0, 0), (0, 1), (0, 2), (1, 3), (0, 4)], 0.4375),  # overlapping tiles do not make up for a gap
    ],
)
def test_gaps_are_seen(places: list[tuple[int, int]], part: float) -> None:
    assert absent(8, 8, (4, 4), places) == pytest.approx(part)


@given(
    st.tuples(st.integers(1, 20), st.integers(1, 20)),
    st.tuples(st.integers(1, 7), st.integers(1, 7)),
    st.lists(st.tuples(st.integers(0, 24), st.integers(0, 24)), min_size=1, max_size=12),
)
def test_any_tiles(shape: tuple[int, int], size: tuple[int, int], places: list[tuple[int, int]]) -> None:
    seen: np.ndarray[Any, Any] = np.zeros(shape, bool)
    for row, column in places:
        seen[row : row + size[0], column : column + size[1]] = True
    assert absent(*shape, size, places) == pytest.approx(1 - seen.mean())
