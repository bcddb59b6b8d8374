"""The passport tells the truth about a grid, and says in words what is wrong with it."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pacs_panel.geometry import affine as affines
from pacs_panel.geometry.passport import allowed, flaw, measure, without_place, words
from pacs_panel.model import Dimension, Gap, Passport, Tolerance
from tests.geometry.grids import AXIAL, Grid, axial, grids


def measured(grid: Grid, without: tuple[int, ...] = ()) -> Passport:
    positions = [p for k, p in enumerate(grid.positions) if k not in without]
    return measure(positions, grid.orientation, grid.spacing, (len(positions), *grid.shape[1:]))


def at(*heights: float) -> Passport:
    return measure([(0.0, 0.0, float(z)) for z in heights], AXIAL, (0.5, 0.8), (len(heights), 4, 5))


@given(grids())
def test_an_even_grid_is_told_exactly(grid: Grid) -> None:
    passport = measured(grid)
    assert passport.verdict == ("sheared" if grid.tilt else "regular")
    assert passport.tilt == pytest.approx(grid.tilt, abs=1e-4)
    assert passport.spacing == pytest.approx((np.linalg.norm(grid.step), *grid.spacing))
    assert passport.step_normal == pytest.approx(np.linalg.norm(grid.step) * math.cos(math.radians(grid.tilt)))
    assert passport.residual < 1e-6
    ends = affines.apply(passport.affine, [(0, 0, k) for k in range(grid.shape[0])])
    np.testing.assert_allclose(ends, grid.positions, atol=1e-6)


@given(grids(st.integers(5, 12)), st.data())
def test_a_missing_slice_leaves_a_gap_at_its_place(grid: Grid, data: st.DataObject) -> None:
    lost = data.draw(st.integers(1, grid.shape[0] - 2))
    passport = measured(grid, without=(lost,))
    assert passport.verdict == "irregular"
    assert passport.gaps == (Gap(lost - 1, 1),)
    assert f"1 slice missing after slice {lost} of {grid.shape[0] - 1}" in passport.reason
    assert passport.affine[2] == pytest.approx(affines.make(
        grid.positions[0], grid.orientation, grid.spacing, grid.step)[2], abs=1e-6)  # fmt: skip


@given(grids(st.integers(8, 12)), st.sets(st.integers(1, 6), min_size=2, max_size=4))
def test_several_missing_slices(grid: Grid, lost: set[int]) -> None:
    assume(grid.shape[0] - 1 not in lost)
    kept = [k for k in range(grid.shape[0]) if k not in lost]
    steps = np.diff(kept)
    assume(steps.min() == 1)
    passport = measured(grid, without=tuple(lost))
    assert passport.gaps == tuple(Gap(i, int(n) - 1) for i, n in enumerate(steps) if n > 1)


def test_three_slices_missing_in_words() -> None:
    passport = measured(axial(20), without=(12, 13, 14))
    assert passport.reason == "3 slices missing after slice 12 of 17."
    assert passport.gaps == (Gap(11, 3),)
    assert words(passport)[0] == "17 slices of 4 × 5, 2.00 mm apart where none is missing."


def test_gaps_when_most_slices_are_missing() -> None:
    passport = at(0, 2, 6, 10, 16)
    assert passport.gaps == (Gap(1, 1), Gap(2, 1), Gap(3, 2))
    assert passport.reason == "4 slices missing: 1 after slice 2, 1 after slice 3, 2 after slice 4 (of 5)."


def test_uneven_slices_are_never_regular() -> None:
    passport = at(0, 4, 8, 15, 16.08)
    assert (passport.verdict, passport.gaps) == ("irregular", ())
    assert "varies from 1.08 mm to 7.00 mm" in passport.reason
    assert passport.spacing[0] == 4
    assert passport.positions[3] == (0, 0, 15)
    np.testing.assert_allclose(affines.apply(passport.affine, (0, 0, 0)), passport.positions[0])
    assert passport.residual == pytest.approx(3)  # slice 3 stands at 15, the affine would say 12


def test_a_slice_off_within_the_tolerance_is_stated() -> None:
    passport = at(0, 2.015, 4, 6)
    assert passport.verdict == "regular"
    assert passport.residual == pytest.approx(0.015)
    assert at(0, 2.03, 4, 6).verdict == "irregular"


def test_the_tolerance_never_hides_a_missing_slice_of_a_fine_grid() -> None:
    assert at(*(0.005 * k for k in range(20) if k != 7)).gaps == (Gap(6, 1),)
    assert allowed(0.005, Tolerance()) == pytest.approx(0.0005)
    assert allowed(2, Tolerance()) == pytest.approx(0.02)


def test_slices_beside_the_line_are_irregular() -> None:
    positions = [(0.0, 0.0, 0.0), (1.0, 0.0, 2.0), (0.0, 0.0, 4.0)]
    passport = measure(positions, AXIAL, (1, 1), (3, 4, 5))
    assert passport.verdict == "irregular"
    assert passport.reason == "Slices lie up to 1.00 mm beside the line from the first to the last."


def test_two_images_in_one_plane_are_no_volume() -> None:
    passport = measure([(0.0, 0.0, 0.0), (50.0, 0.0, 0.0)], AXIAL, (1, 1), (2, 4, 5))
    assert (passport.verdict, passport.affine) == ("stack", None)
    assert passport.positions == ((0.0, 0.0, 0.0), (50.0, 0.0, 0.0))
    assert "in one plane" in passport.reason


def test_one_slice_takes_its_step_from_an_attribute_and_says_so() -> None:
    passport = measure([(0.0, 0.0, 7.0)], AXIAL, (0.5, 0.8), (1, 4, 5), assumed_step=("SliceThickness", 3.0))
    assert (passport.verdict, passport.spacing) == ("regular", (3.0, 0.5, 0.8))
    assert passport.reason == "One slice; a step of 3.00 mm is assumed, from SliceThickness."
    np.testing.assert_allclose(affines.apply(passport.affine, (0, 0, 1)), (0, 0, 10))
    assert "no thickness is stated" in at(7).reason


@pytest.mark.parametrize(
    ("position", "orientation", "spacing", "said"),
    [
        (None, None, (1, 1), "No Image Position (Patient) or Image Orientation (Patient)."),
        ((0, 0, 0), AXIAL, None, "No Pixel Spacing."),
        ((0, 0), AXIAL, (1, 1), "No Image Position (Patient)."),
        ((0, 0, math.nan), AXIAL, (1, 1), "Image Position (Patient) is not finite."),
        ((0, 0, 0), (math.inf, 0, 0, 0, 1, 0), (1, 1), "Image Orientation (Patient) is not finite."),
        ((0, 0, 0), AXIAL, (0, 1), "Pixel Spacing is not positive."),
        ((0, 0, 0), AXIAL, (1, math.nan), "Pixel Spacing is not finite."),
        ((0, 0, 0), (0,) * 6, (1, 1), "cosines of length 0.000 and 0.000 instead of 1"),
        ((0, 0, 0), (1.1, 0, 0, 0, 1, 0), (1, 1), "cosines of length 1.100 and 1.000"),
        ((0, 0, 0), (1, 0, 0, 0.6, 0.8, 0), (1, 1), "Rows and columns meet at 53.1° instead of 90°."),
        ((0, 0, 0), (1, 0, 0, 1, 0, 0), (1, 1), "Rows and columns meet at 0.0°"),
    ],
)
def test_numbers_that_place_nothing_are_named(position, orientation, spacing, said) -> None:
    assert said in flaw(position, orientation, spacing)
    if position is not None and orientation is not None and spacing is not None:
        passport = measure([position, position], orientation, spacing, (2, 4, 5))
        assert (passport.verdict, passport.affine) == ("stack", None)
        assert said in passport.reason


def test_cosines_rounded_by_a_scanner_are_brought_to_length_one() -> None:
    rounded = (0.707, 0.707, 0, -0.707, 0.707, 0)
    assert flaw((0, 0, 0), rounded, (1, 1)) == ""
    passport = measure([(0.0, 0.0, 0.0), (0.0, 0.0, 1.0)], rounded, (1, 1), (2, 4, 5))
    assert passport.spacing == pytest.approx((1, 1, 1))
    assert affines.spacing(passport.affine) == pytest.approx((1, 1, 1))


def test_calibration_tells_patient_from_detector() -> None:
    shape = (1, 10, 10)
    assert without_place("x", shape, (0.1, 0.2), (0.3, 0.4)).calibration == "patient"
    detector = without_place("x", shape, None, (0.3, 0.4))
    assert (detector.calibration, detector.spacing) == ("detector", (1.0, 0.3, 0.4))
    assert without_place("x", shape, (0, 1), (0.3, 0.4)).calibration == "detector"
    assert without_place("x", shape, (math.nan, 1)).calibration == "none"
    assert any("lengths are magnified" in line for line in words(detector))


def test_words_of_a_sheared_volume() -> None:
    tilted = Grid(AXIAL, (0.4, 0.4), (58, 512, 512), np.array([0, 0.71, 2.397]), 16.5, np.zeros(3))
    lines = words(measured(tilted))
    assert lines[0] == "58 slices of 512 × 512, 2.50 mm apart (2.40 mm along the normal)."
    assert lines[1].startswith("Sheared by 16.5°: each slice is shifted by 0.71 mm within its plane")
    assert lines[2] == "Pixels of 0.40 × 0.40 mm."


def test_words_of_dimensions_duplicates_and_candidates() -> None:
    time = Dimension("b_value", "DiffusionBValue", (0.0, 1000.0))
    passport = Passport("stack", "Why.", (2, 4, 5), dimensions=(time,), duplicates=("1.2",), candidates=("EchoTime",))
    assert words(passport) == [
        "2 images of 4 × 5.",
        "Why.",
        "2 × b value, ordered by DiffusionBValue.",
        "Might be ordered by EchoTime.",
        "Pixels of 1.00 × 1.00 mm.",
        "Left out: 1 object at a place that is already taken.",
    ]


@given(grids())
def test_a_passport_survives_json(grid: Grid) -> None:
    passport = measured(grid)
    assert Passport.from_dict(json.loads(json.dumps(passport.to_dict()))) == passport
