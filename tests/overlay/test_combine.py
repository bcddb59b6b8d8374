"""Contours of one region on one slice to one area."""

from __future__ import annotations

import numpy as np
import pytest

from pacs_panel.overlay import combine as combining
from pacs_panel.overlay.combine import combine, paint

SHAPE = (40, 44)
Corners = list[tuple[float, float]]


def square(left: float, top: float, size: float) -> Corners:
    return [(left, top), (left + size, top), (left + size, top + size), (left, top + size)]


def painted(*polygons: Corners, exclusive: bool = False) -> np.ndarray:
    arrays = [np.array(polygon, float) for polygon in polygons]
    out = np.zeros(SHAPE, np.uint8)
    paint(arrays, combine(arrays, exclusive), SHAPE).paint(out, 1)
    return out.astype(bool)


def how(*polygons: Corners, exclusive: bool = False) -> list[tuple[int, str]]:
    return [tuple(part) for part in combine([np.array(polygon, float) for polygon in polygons], exclusive)]


def box(left: int, top: int, size: int) -> np.ndarray:
    out = np.zeros(SHAPE, bool)
    out[top : top + size, left : left + size] = True
    return out


OUTER, OTHER = square(2, 2, 20), square(14, 8, 20)


def test_what_overlaps_in_part_is_joined():
    assert np.array_equal(painted(OUTER, OTHER), box(2, 2, 20) | box(14, 8, 20))
    assert how(OUTER, OTHER) == [(0, "add"), (1, "add")]


def test_exclusive_or_is_exclusive_or():
    assert np.array_equal(painted(OUTER, OTHER, exclusive=True), box(2, 2, 20) ^ box(14, 8, 20))
    assert not painted(OUTER, OUTER, exclusive=True).any()


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_holes_and_islands_in_whatever_order(order):
    nest = [square(2, 2, 20), square(5, 5, 12), square(8, 8, 4)]
    assert np.array_equal(painted(*(nest[n] for n in order)), box(2, 2, 20) & ~box(5, 5, 12) | box(8, 8, 4))
    assert [part for _, part in how(*nest)] == ["xor"] * 3


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_a_hole_where_two_overlap_is_a_hole(order):
    three = [OUTER, OTHER, square(16, 11, 4)]
    assert np.array_equal(painted(*(three[n] for n in order)), (box(2, 2, 20) | box(14, 8, 20)) & ~box(16, 11, 4))


def test_a_hole_that_pokes_out_a_little_is_one():
    hole = [(1.95, 5.0), (12.0, 5.0), (12.0, 12.0), (1.95, 12.0)]
    expected = box(2, 2, 20)
    expected[5:12, 2:12] = False
    assert np.array_equal(painted(OUTER, hole), expected)


def test_neighbours_and_slivers():
    beside = square(22, 2, 20)
    assert np.array_equal(painted(OUTER, beside), box(2, 2, 20) | box(22, 2, 20))
    assert [part for _, part in how(OUTER, beside)] == ["xor", "xor"]
    sliver = square(21, 2, 20)  # one column in common
    assert np.array_equal(painted(OUTER, sliver), box(2, 2, 20) | box(21, 2, 20))


@pytest.mark.parametrize("again", [OUTER, OUTER[::-1], [*OUTER[2:], *OUTER[:2]], [(x + 1e-5, y) for x, y in OUTER]])
def test_what_is_there_twice_counts_once(again):
    assert np.array_equal(painted(OUTER, again), box(2, 2, 20))
    assert how(OUTER, again) == [(0, "xor")]


def test_a_thin_wall_is_no_repetition():
    inner = [(2.2, 2.2), (21.8, 2.2), (21.8, 21.8), (2.2, 21.8)]
    assert [part for _, part in how(OUTER, inner)] == ["xor", "xor"]


def test_the_island_of_a_keyhole():
    keyhole = [*OUTER, OUTER[0], *square(6, 6, 10), (6, 6)]
    assert np.array_equal(painted(keyhole, square(9, 9, 3)), box(2, 2, 20) & ~box(6, 6, 10) | box(9, 9, 3))


def test_contours_beyond_the_plane():
    assert not painted(square(100, 100, 5), square(102, 102, 5)).any()


def test_only_contours_whose_boxes_meet_are_compared(monkeypatch: pytest.MonkeyPatch):
    compared = []
    share = combining._Shape.share
    monkeypatch.setattr(combining._Shape, "share", lambda one, other: compared.append(1) or share(one, other))
    apart = [square(4 * (n % 20), 4 * (n // 20), 2) for n in range(200)]
    assert how(*apart) == [(n, "xor") for n in range(200)]
    assert not compared
    within = [*apart, square(-2, -2, 100), square(3, 3, 2)]  # one holds them all, and another pokes into one of them
    assert dict(how(*within)) == {**dict.fromkeys(range(200), "cut"), 200: "add", 201: "cut"}
    assert len(compared) < 3 * len(within)
