"""Polygons to pixels, against a point-in-polygon test of another making."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs_panel.overlay.raster import fill

SHAPE = (20, 24)


def filled(*polygons) -> np.ndarray:
    out = np.zeros(SHAPE, np.uint8)
    fill([np.asarray(polygon, float) for polygon in polygons], SHAPE).paint(out, 1)
    return out


def crossings(polygons, x: float, y: float) -> int:
    """Edges to the left of a point, one by one (W. R. Franklin's test)."""
    count = 0
    for polygon in polygons:
        for (x0, y0), (x1, y1) in zip(polygon, [*polygon[1:], polygon[0]], strict=True):
            if (y0 > y) != (y1 > y):
                count += round(x0 + (y - y0) * (x1 - x0) / (y1 - y0), 6) <= x
    return count


corner = st.tuples(st.floats(-3, 26, allow_nan=False), st.floats(-3, 22, allow_nan=False))
polygon = st.lists(corner.map(lambda p: (round(p[0], 3), round(p[1], 3))), min_size=3, max_size=9)


@given(st.lists(polygon, min_size=1, max_size=3))
def test_every_pixel_by_even_odd(polygons):
    found = filled(*polygons)
    for row in range(SHAPE[0]):
        for column in range(0, SHAPE[1], 5):
            assert found[row, column] == crossings(polygons, column, row) % 2


def test_a_square_on_pixel_centres_holds_half_of_its_edges():
    square = [(2, 3), (7, 3), (7, 9), (2, 9)]
    found = filled(square)
    assert found.sum() == 5 * 6
    assert found[3, 2]
    assert not found[9, 7]


@pytest.mark.parametrize("turned", [False, True])
def test_neighbours_neither_overlap_nor_leave_a_gap(turned):
    left = [(2.25, 2), (9, 2), (11, 12), (2.25, 12)]
    right = [(9, 2), (20, 2), (20, 12), (11, 12)]
    one, other = (filled(part[::-1] if turned else part) for part in (left, right))
    whole = filled([(2.25, 2), (20, 2), (20, 12), (2.25, 12)])
    assert np.array_equal(one + other, whole)


def test_a_contour_within_another_is_a_hole():
    outer, inner = [(1, 1), (15, 1), (15, 15), (1, 15)], [(4, 4), (9, 4), (9, 9), (4, 9)]
    assert filled(outer, inner).sum() == 14 * 14 - 5 * 5


def test_a_keyhole_is_the_same_hole():
    outer, inner = [(1, 1), (15, 1), (15, 15), (1, 15)], [(4, 4), (9, 4), (9, 9), (4, 9)]
    keyhole = [*outer, outer[0], *inner, inner[0]]
    assert np.array_equal(filled(keyhole), filled(outer, inner))


def test_what_lies_beyond_the_plane_is_cut_off():
    assert filled([(-50, -50), (500, -50), (500, 500), (-50, 500)]).all()
    assert not filled([(100, 100), (120, 100), (110, 120)]).any()
    assert not filled([(1, 1), (5, 5)]).any()


def test_noise_in_the_coordinates_decides_nothing():
    square = np.array([(2, 3), (7, 3), (7, 9), (2, 9)], float)
    noise = np.random.default_rng(1).normal(0, 1e-9, (20, 4, 2))
    for shift in noise:
        assert np.array_equal(filled(square + shift), filled(square))
