"""Planes are drawn as radiologists expect them, whatever the array's own axes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs_panel.geometry import affine as affines
from pacs_panel.geometry import plane
from tests.geometry.grids import Grid, grids

LABELS = {
    "axial": {"left": "R", "right": "L", "top": "A", "bottom": "P"},
    "coronal": {"left": "R", "right": "L", "top": "S", "bottom": "I"},
    "sagittal": {"left": "A", "right": "P", "top": "S", "bottom": "I"},
}
AXIAL = affines.make((0, 0, 0), (1, 0, 0, 0, 1, 0), (0.5, 0.8), (0, 0, 3))
SAGITTAL = affines.make((0, 0, 0), (0, 1, 0, 0, 0, -1), (0.5, 0.8), (-3, 0, 0))


def every_right_angle() -> list[np.ndarray]:
    """All 48 ways in which an array's axes may run along the patient's, with distances of 1, 2 and 3 mm."""
    made = []
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1, -1), repeat=3):
            matrix = np.eye(4)
            matrix[:3, :3] = np.eye(3)[:, order] * np.array([1, 2, 3]) * np.array(signs)
            made.append(matrix)
    return made


@pytest.mark.parametrize("matrix", every_right_angle())
def test_the_three_planes_of_any_array_look_the_same(matrix: np.ndarray) -> None:
    shape = (4, 5, 6)
    k, j, i = np.indices(shape)
    place = affines.apply(matrix, np.stack([i, j, k], axis=-1))  # an array whose voxels hold their own place
    found = plane.views(matrix)
    assert list(found) == ["axial", "coronal", "sagittal"]
    assert sorted(view.axis for view in found.values()) == [0, 1, 2]
    for name, view in found.items():
        assert (view.name, view.labels, view.angle) == (name, LABELS[name], 0.0)
        x, y, z = (view.draw(place[..., axis], 2) for axis in range(3))
        across, down = {"axial": (x, y), "coronal": (x, -z), "sagittal": (y, -z)}[name]
        assert np.ptp({"axial": z, "coronal": y, "sagittal": x}[name]) == 0
        np.testing.assert_array_equal(np.diff(across, axis=1), view.spacing[1])
        np.testing.assert_array_equal(np.diff(down, axis=0), view.spacing[0])
        assert plane.orientation(matrix, view.axis) == name
        assert plane.scroll_axis(matrix, name) == view.axis
        assert plane.edge_labels(matrix, view.axis) == LABELS[name]


def test_a_plain_axial_stack_is_drawn_as_it_is() -> None:
    view = plane.view(AXIAL, 0)
    assert (view.name, view.flip_rows, view.flip_columns, view.transpose) == ("axial", False, False, False)
    assert view.spacing == (0.5, 0.8)
    assert plane.views(AXIAL)["coronal"].spacing == (3, 0.8)
    assert plane.views(AXIAL)["coronal"].flip_rows


def test_a_sagittal_stack() -> None:
    assert plane.orientation(SAGITTAL) == "sagittal"
    view = plane.views(SAGITTAL)["sagittal"]
    assert (view.axis, view.flip_rows, view.flip_columns, view.transpose) == (0, False, False, False)
    assert plane.views(SAGITTAL)["axial"].axis == 1


def test_draw_takes_no_copy() -> None:
    array = np.zeros((4, 5, 6))
    assert all(np.shares_memory(view.draw(array, 1), array) for view in plane.views(SAGITTAL).values())


@given(grids())
def test_any_direction_has_three_views_and_opposite_edges(grid: Grid) -> None:
    matrix = affines.make(grid.positions[0], grid.orientation, grid.spacing, grid.step)
    found = plane.views(matrix)
    assert sorted(view.axis for view in found.values()) == [0, 1, 2]
    opposite = str.maketrans("LRAPSI", "RLPAIS")
    for view in found.values():
        assert view.labels["left"] == view.labels["right"].translate(opposite)
        assert view.labels["top"] == view.labels["bottom"].translate(opposite)
        assert min(map(len, view.labels.values())) > 0


def test_letters_leave_out_what_hardly_counts() -> None:
    assert plane.letters((1, 0, 0)) == "L"
    assert plane.letters((-1, 0.1, 0)) == "R"
    assert plane.letters((-1, -0.5, 0)) == "RA"
    assert plane.letters((0, 0.3, -1)) == "IP"


def test_a_tilted_plane_keeps_its_name_until_it_is_oblique() -> None:
    def tilted(degrees: float) -> np.ndarray:
        c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        return affines.make((0, 0, 0), (1, 0, 0, 0, c, s), (1, 1), (0, 0, 2))

    assert plane.orientation(tilted(16.5)) == "axial"
    assert plane.view(tilted(16.5), 0).angle == pytest.approx(16.5)
    assert plane.orientation(tilted(45)) == "oblique"


@given(grids())
def test_a_grid_along_the_array_gives_back_whole_indices(grid: Grid) -> None:
    matrix = affines.make(grid.positions[0], grid.orientation, grid.spacing, grid.step)
    row, column, _ = affines.directions(grid.orientation)
    found = plane.grid(matrix, grid.positions[1], row, column, grid.spacing, grid.shape[1:])
    j, i = np.indices(grid.shape[1:])
    np.testing.assert_allclose(found, np.stack([np.ones_like(i), j, i], axis=-1), atol=1e-6)
    assert plane.inside(found, grid.shape).all()


@given(grids(), st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda u: np.linalg.norm(u) > 0.1))
def test_a_grid_in_any_direction_lies_on_its_plane(grid: Grid, u: tuple[float, float, float]) -> None:
    matrix = affines.make(grid.positions[0], grid.orientation, grid.spacing, grid.step)
    v = np.cross(u, np.roll(u, 1) + np.array([1, 2, 4]))
    if np.linalg.norm(v) < 0.01:
        return
    found = plane.grid(matrix, grid.positions[0], u, v, (2.0, 3.0), (2, 3))
    places = affines.apply(matrix, found[..., ::-1])
    np.testing.assert_allclose(places[0, 0], grid.positions[0], atol=1e-6)
    np.testing.assert_allclose(places[0, 2] - places[0, 0], 6 * affines.unit(u), atol=1e-6)
    np.testing.assert_allclose(places[1, 0] - places[0, 0], 2 * affines.unit(v), atol=1e-6)


def test_inside_reaches_to_the_outer_faces() -> None:
    at = [(-0.5, 0, 0), (-0.6, 0, 0), (1.5, 2, 3), (1.6, 2, 3), (0, 0, 4)]
    assert plane.inside(at, (2, 3, 4)).tolist() == [True, False, True, False, False]
