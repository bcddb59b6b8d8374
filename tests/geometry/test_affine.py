"""Affines: exact at every voxel, there and back, and at every pyramid level."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pacs_panel.geometry import affine as affines
from tests.geometry.grids import Grid, grids


@given(grids())
def test_every_voxel_lies_where_the_standard_says(grid: Grid) -> None:
    matrix = affines.make(grid.positions[0], grid.orientation, grid.spacing, grid.step)
    slices, rows, columns = grid.shape
    k, j, i = np.indices((slices, rows, columns)).reshape(3, -1)
    # PS3.3 equation C.7.6.2.1-1, slice by slice from that slice's own position
    row, column = np.array(grid.orientation[:3]), np.array(grid.orientation[3:])
    truth = np.array(grid.positions)[k] + np.outer(i * grid.spacing[1], row) + np.outer(j * grid.spacing[0], column)
    voxels = np.stack([i, j, k], axis=-1)
    assert np.abs(affines.apply(matrix, voxels) - truth).max() < 1e-6
    assert np.abs(affines.apply(affines.invert(matrix), truth) - voxels).max() < 1e-6


@given(grids())
def test_axes_are_right_handed_and_spacing_is_in_array_order(grid: Grid) -> None:
    matrix = affines.make(grid.positions[0], grid.orientation, grid.spacing, grid.step)
    assert np.linalg.det(matrix[:3, :3]) > 0
    np.testing.assert_allclose(affines.spacing(matrix), (np.linalg.norm(grid.step), *grid.spacing), rtol=1e-9)


def test_non_square_pixels_keep_rows_and_columns_apart() -> None:
    matrix = affines.make((1, 2, 3), (1, 0, 0, 0, 1, 0), (0.5, 2.0), (0, 0, 4))
    np.testing.assert_array_equal(affines.apply(matrix, (1, 0, 0)), (3, 2, 3))  # one column on: 2 mm to the left
    np.testing.assert_array_equal(affines.apply(matrix, (0, 1, 0)), (1, 2.5, 3))  # one row on: 0.5 mm to the back
    np.testing.assert_array_equal(affines.apply(matrix, (0, 0, 1)), (1, 2, 7))


def test_ras_turns_left_and_posterior_round() -> None:
    matrix = affines.make((10, 20, 30), (1, 0, 0, 0, 1, 0), (1, 1), (0, 0, 1))
    np.testing.assert_array_equal(affines.apply(affines.to_ras(matrix), (0, 0, 0)), (-10, -20, 30))
    np.testing.assert_array_equal(affines.to_ras(affines.to_ras(matrix)), matrix)


@given(grids(), st.tuples(*[st.sampled_from([1, 2, 4, 8])] * 3))
def test_a_level_places_blocks_at_the_mean_of_their_voxels(grid: Grid, factors: tuple[int, int, int]) -> None:
    matrix = affines.make(grid.positions[0], grid.orientation, grid.spacing, grid.step)
    level = affines.at_level(matrix, factors)
    k, j, i = np.indices(factors).reshape(3, -1)
    for block in ((0, 0, 0), (2, 1, 3)):  # column, row, slice
        first = np.array(block) * np.array(factors[::-1])
        centres = affines.apply(matrix, np.stack([i, j, k], axis=-1) + first)
        np.testing.assert_allclose(affines.apply(level, block), centres.mean(axis=0), atol=1e-6)


@given(grids())
def test_halving_twice_is_quartering(grid: Grid) -> None:
    matrix = affines.make(grid.positions[0], grid.orientation, grid.spacing, grid.step)
    twice = affines.at_level(affines.at_level(matrix, (2, 2, 2)), (2, 2, 2))
    np.testing.assert_allclose(twice, affines.at_level(matrix, (4, 4, 4)), atol=1e-9)


def test_a_tuple_is_plain_floats() -> None:
    made = affines.as_tuple(np.eye(4, dtype=np.float32))
    assert made[0] == (1.0, 0.0, 0.0, 0.0)
    assert all(type(value) is float for line in made for value in line)
