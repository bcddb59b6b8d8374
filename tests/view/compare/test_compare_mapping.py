"""One place in two stacks, against grids whose truth is known."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from pacs_panel.geometry import affine as affines
from pacs_panel.view.compare.mapping import Framed, corresponding, nearest, place, share

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)


@dataclass(frozen=True)
class Grid:
    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    affine: tuple[tuple[float, ...], ...] | None
    positions: tuple[tuple[float, float, float], ...] = ()


def grid(shape, spacing, orientation=AXIAL, origin=(0.0, 0.0, 0.0), shear=(0.0, 0.0, 0.0)):
    """Slices ``spacing[0]`` mm apart along the normal, each shifted by ``shear``."""
    normal = affines.directions(orientation)[2]
    step = normal * spacing[0] + np.asarray(shear)
    return Grid(shape, spacing, affines.as_tuple(affines.make(origin, orientation, spacing[1:], step)))


def turned(degrees):
    """An oblique orientation: axial, turned about x."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return (1.0, 0.0, 0.0, 0.0, c, s)


FINE = grid((40, 100, 120), (1.0, 0.5, 0.5), origin=(-30.0, -25.0, 0.0))
COARSE = grid((10, 25, 30), (4.0, 2.0, 2.0), origin=(-30.0, -25.0, 0.0))


def test_the_place_of_a_voxel():
    assert_allclose(place(FINE, (3, 10, 20)), (-30 + 10, -25 + 5, 3))
    assert_allclose(place(grid((5, 5, 5), (2.0, 1.0, 1.0), SAGITTAL), (1, 2, 3)), (-2, 3, -2))


def test_one_place_at_two_spacings():
    assert nearest(COARSE, place(FINE, (8, 40, 80))).index == (2, 10, 20)
    assert nearest(COARSE, place(FINE, (9, 41, 81))).index == (2, 10, 20)
    assert nearest(COARSE, place(FINE, (11, 43, 83))).index == (3, 11, 21)
    assert nearest(FINE, place(COARSE, (2, 10, 20))).index == (8, 40, 80)


@pytest.mark.parametrize(("orientation", "index"), [(CORONAL, (20, 10, 30)), (SAGITTAL, (30, 10, 20))])
def test_one_place_in_another_plane(orientation, index):
    axial = grid((40, 60, 60), (1.0, 1.0, 1.0), origin=(0.0, 0.0, -40.0))
    origin = (59.0 if orientation == SAGITTAL else 0.0, 0.0, 0.0)  # so that both cover 0 to 59 mm
    other = grid((60, 60, 60), (1.0, 1.0, 1.0), orientation, origin)
    at = place(other, index)
    assert_allclose(at[2], -10)
    found = nearest(axial, at)
    assert found.index[0] == 30
    assert_allclose(place(axial, found.index), at)


@given(
    st.tuples(st.integers(0, 19), st.integers(0, 29), st.integers(0, 39)),
    st.floats(-80, 80),
    st.tuples(*[st.floats(0.3, 5)] * 3),
)
def test_a_voxel_is_nearest_to_its_own_place_however_oblique(index, degrees, spacing):
    one = grid((20, 30, 40), spacing, turned(degrees), (12.5, -80.0, 33.0), shear=(0.1, 0.2, 0.0))
    found = nearest(one, place(one, index))
    assert (found.index, found.inside) == (index, True)


@given(st.tuples(st.floats(-40, 40), st.floats(-40, 40), st.floats(-40, 40)), st.floats(-60, 60))
def test_nothing_in_an_oblique_stack_is_nearer_than_half_a_voxel(at, degrees):
    one = grid((30, 30, 30), (3.0, 3.0, 3.0), turned(degrees), (-45.0, -45.0, -45.0))
    found = nearest(one, at)
    if found.inside:
        assert np.linalg.norm(place(one, found.index) - np.asarray(at)) <= 1.5 * np.sqrt(3) + 1e-6


def test_what_lies_outside_is_brought_to_the_rim_and_told():
    assert nearest(COARSE, (0.0, 0.0, 500.0)).index[0] == 9
    assert not nearest(COARSE, (0.0, 0.0, 500.0)).inside
    assert nearest(COARSE, (0.0, 0.0, -2.0)).inside  # half a slice below the lowest centre
    assert not nearest(COARSE, (0.0, 0.0, -2.1)).inside


def test_uneven_slices_are_told_apart_by_their_own_positions():
    places = tuple((0.0, 0.0, z) for z in (0.0, 2.0, 4.0, 10.0, 12.0))
    one = replace(grid((5, 10, 10), (2.0, 1.0, 1.0)), positions=places)
    assert_allclose(place(one, (3, 4, 5)), (5, 4, 10))
    assert nearest(one, (5, 4, 9.5)).index == (3, 4, 5)
    assert nearest(one, (5, 4, 9.5)).inside
    gap = nearest(one, (5, 4, 6.9))
    assert (gap.index[0], gap.inside) == (2, False)


def test_a_single_slice_is_reached_from_near_it_only():
    one = grid((1, 10, 10), (4.0, 1.0, 1.0), origin=(0.0, 0.0, 50.0))
    assert nearest(one, (3.0, 2.0, 51.5)).index == (0, 2, 3)
    assert nearest(one, (3.0, 2.0, 51.5)).inside
    assert not nearest(one, (3.0, 2.0, 53.0)).inside


def test_shares_follow_the_patients_axes():
    up = grid((10, 20, 30), (1.0, 1.0, 1.0))
    down = Grid(up.shape, up.spacing, affines.as_tuple(np.asarray(up.affine) @ np.diag([1, 1, -1, 1])))
    assert share(up, (2, 5, 7), down) == (7, 5, 7)
    coronal = grid((20, 10, 30), (1.0, 1.0, 1.0), CORONAL)  # from the front: slices to posterior, rows to inferior
    assert share(up, (2, 5, 7), coronal) == (5, 7, 7)
    bare = Grid((100, 40, 60), (1.0, 1.0, 1.0), None)
    assert share(up, (2, 5, 7), bare) == (25, 11, 15)
    assert share(bare, (99, 39, 59), up) == (9, 19, 29)


def test_places_are_compared_within_one_frame_of_reference_only():
    one, same = Framed(FINE, "1.2"), Framed(COARSE, "1.2")
    other, bare = Framed(COARSE, "1.3"), Framed(replace(COARSE, affine=None), "1.2")
    found = corresponding(one, (8, 40, 80), same, relative=False)
    assert found is not None
    assert (found.index, found.how) == ((2, 10, 20), "place")
    for far in (other, bare, Framed(COARSE, "")):
        assert corresponding(one, (8, 40, 80), far, relative=False) is None
        found = corresponding(one, (8, 40, 80), far, relative=True)
        assert found is not None
        assert (found.index, found.how) == ((2, 10, 20), "relative")
