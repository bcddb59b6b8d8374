"""Structure sets on phantoms with known contours."""

from __future__ import annotations

import numpy as np
import pytest

from pacs_panel.errors import NotYetShown
from pacs_panel.testing import Grid, cr, ct_missing_slice, ct_phantom, ct_tilted, mr_oblique, rtstruct_on
from pacs_panel.testing.overlays import Region, regions_on
from tests.overlay.laid import lay, phantom_stack

CT = ct_phantom(rows=24, columns=32, slices=10, spacing=(4.0, 3.0, 3.0))
STACK = phantom_stack(CT)
GRID = Grid((10, 24, 32), CT.truth.affine)


def ring(slice_: float, *corners: tuple[float, float]) -> np.ndarray:
    """Corners ``(column, row)`` of a slice, in LPS."""
    return np.array([GRID.at(slice_, row, column) for column, row in corners])


def square(slice_: float, low: float, high: float) -> np.ndarray:
    return ring(slice_, (low, low), (high, low), (high, high), (low, high))


def region(name: str, *contours: np.ndarray, kind: str = "CLOSED_PLANAR", number: int = 0) -> Region:
    return Region(name, tuple((kind, contour) for contour in contours), number)


def block(slices: range, low: int, high: int) -> np.ndarray:
    expected = np.zeros(GRID.shape, bool)
    expected[slices.start : slices.stop, low:high, low:high] = True
    return expected


@pytest.mark.slow
@pytest.mark.parametrize("make", [ct_phantom, ct_tilted, ct_missing_slice, mr_oblique])
def test_spheres_voxel_for_voxel(make):
    images = make(rows=40, columns=36, slices=12, spacing=(4.0, 4.0, 4.0))
    structures = rtstruct_on(images, corners=720)
    laid = lay(structures.datasets[0], phantom_stack(images))
    assert (laid.overlay.kind, laid.overlay.layers) == ("structures", 1)
    assert laid.overlay.matched == f"refers to {len(images.datasets)} of the {len(images.datasets)} images"
    volume, points = laid.volume(0), images.truth.points()
    for number, sphere in enumerate(images.truth.spheres, 1):
        away = np.linalg.norm(points - np.asarray(sphere.centre_lps_mm), axis=-1) - sphere.radius_mm
        clear = np.abs(away) > 0.01  # a polygon of 720 corners lies that close to its circle
        assert np.array_equal((volume == number)[clear], (away < 0)[clear])
        assert (volume == number).sum() > 10


@pytest.mark.slow
def test_volume_of_a_sphere():
    images = ct_phantom(rows=96, columns=96, slices=60, spacing=(1.0, 1.0, 1.0))
    sphere = images.truth.spheres[0]
    laid = lay(rtstruct_on(images, corners=180).datasets[0], phantom_stack(images))
    assert (laid.volume(0) == 1).sum() / 1000 == pytest.approx(sphere.volume_ml, rel=0.01)


def test_names_colours_and_types():
    segment = lay(regions_on(CT, [region("Heart", square(2, 3, 9))]).datasets[0], STACK).overlay.segments[0]
    assert (segment.number, segment.label, segment.colour) == (1, "Heart", (10, 20, 1))
    assert (segment.meaning, segment.method) == ("ORGAN", "manual")


def test_holes_keyholes_and_exclusive_or():
    outer, inner = square(3, 2, 12), square(3, 5, 8)
    keyhole = np.concatenate([outer, outer[:1], inner, inner[:1]])
    expected = block(range(3, 4), 2, 12) & ~block(range(3, 4), 5, 8)
    for contours, kind in (
        ((outer, inner), "CLOSED_PLANAR"),
        ((keyhole,), "CLOSED_PLANAR"),
        ((outer, inner), "CLOSEDPLANAR_XOR"),
    ):
        laid = lay(regions_on(CT, [region("Hole", *contours, kind=kind)]).datasets[0], STACK)
        assert np.array_equal(laid.volume(0) == 1, expected)


def test_overlapping_regions_are_in_layers():
    regions = [region(name, square(4, low, low + 8)) for name, low in (("A", 2), ("B", 6), ("C", 12))]
    laid = lay(regions_on(CT, regions).datasets[0], STACK)
    assert [[one.label for one in laid.segments(layer)] for layer in (0, 1)] == [["A", "C"], ["B"]]
    for number, layer, low in ((1, 0, 2), (2, 1, 6), (3, 0, 12)):
        assert np.array_equal(laid.plane(layer, 0, 4) == number, block(range(4, 5), low, low + 8)[4])
    assert "Regions overlap; they are in 2 layers." in laid.overlay.notes


def test_contours_are_given_in_pixels():
    laid = lay(regions_on(CT, [region("A", square(4, 2.5, 9.25))]).datasets[0], STACK)
    [(number, points, closed)] = laid.contours(4)
    assert (number, closed) == (1, True)
    assert np.allclose(points, [(2.5, 2.5), (9.25, 2.5), (9.25, 9.25), (2.5, 9.25)], atol=1e-5)
    assert laid.contours(5) == []


def test_points_and_open_lines_are_contours_without_area():
    regions = [
        region("Isocentre", ring(5, (7, 8)), kind="POINT"),
        region("Wire", ring(5, (1, 1), (9, 1), (9, 9)), kind="OPEN_PLANAR"),
    ]
    laid = lay(regions_on(CT, regions).datasets[0], STACK)
    assert not laid.volume(0).any()
    assert [(number, len(points), closed) for number, points, closed in laid.contours(5)] == [
        (1, 1, False),
        (2, 3, False),
    ]
    assert any("points" in note and "Isocentre" in note for note in laid.overlay.notes)
    assert any("open lines" in note and "Wire" in note for note in laid.overlay.notes)


def test_contours_off_the_slices_are_kept_but_not_rasterised():
    tilted = square(3, 2, 12) + np.array([0, 0, 1.0]) * np.array([-1, 1, 1, -1])[:, None]
    regions = [region("Between", square(3.5, 2, 12)), region("Tilted", tilted), region("On", square(6.05, 2, 12))]
    laid = lay(regions_on(CT, regions).datasets[0], STACK)
    assert np.array_equal(laid.volume(0) == 3, block(range(6, 7), 2, 12))
    assert set(np.unique(laid.volume(0))) == {0, 3}
    assert [one.roi for one in laid.content.unplaced] == [1, 2]
    assert np.allclose(laid.content.unplaced[1].points, tilted, atol=1e-5)
    note = next(note for note in laid.overlay.notes if "none of the slices" in note)
    assert note.startswith("2 of 3 contours")
    assert "Between, Tilted" in note


def test_nothing_is_interpolated_between_contours():
    laid = lay(regions_on(CT, [region("Sparse", square(2, 2, 8), square(4, 2, 8))]).datasets[0], STACK)
    assert np.array_equal(laid.volume(0) == 1, block(range(2, 3), 2, 8) | block(range(4, 5), 2, 8))
    assert any("nothing is filled in: Sparse" in note for note in laid.overlay.notes)


def test_dangling_references_in_the_same_frame_of_reference():
    made = regions_on(CT, [region("A", square(4, 2, 9))], dangling=True)
    laid = lay(made.datasets[0], STACK)
    assert laid.overlay.matched == "shares the frame of reference, although to images that are not here"
    assert len(laid.overlay.missing) == 10
    assert np.array_equal(laid.volume(0) == 1, block(range(4, 5), 2, 9))


def test_numbers_that_cannot_be_labels():
    regions = [region("A", square(1, 2, 5), number=70000), region("B", square(2, 2, 5), number=300)]
    laid = lay(regions_on(CT, regions).datasets[0], STACK)
    assert [(one.number, one.label) for one in laid.overlay.segments] == [(1, "A"), (2, "B")]
    assert any("numbered from 1" in note for note in laid.overlay.notes)
    alone = lay(regions_on(CT, regions[1:]).datasets[0], STACK)
    assert (alone.dtype, alone.volume(0).max()) == (np.uint16, 300)


def test_another_frame_of_reference_is_refused():
    made = regions_on(CT, [region("A", square(4, 2, 9))], dangling=True).datasets[0]
    made.FrameOfReferenceUID = "1.2.3"
    made.ReferencedFrameOfReferenceSequence[0].FrameOfReferenceUID = "1.2.3"
    made.StructureSetROISequence[0].ReferencedFrameOfReferenceUID = "1.2.3"
    with pytest.raises(NotYetShown, match="frame of reference"):
        lay(made, STACK)


def test_images_without_a_place_are_refused():
    with pytest.raises(NotYetShown, match="no place"):
        lay(rtstruct_on(CT).datasets[0], phantom_stack(cr()))


def test_damaged_contours_are_said():
    made = regions_on(CT, [region("A", square(4, 2, 9), square(5, 2, 9))]).datasets[0]
    contour = made.ROIContourSequence[0].ContourSequence[1]
    contour.ContourData = contour.ContourData[:-1]
    laid = lay(made, STACK)
    assert np.array_equal(laid.volume(0) == 1, block(range(4, 5), 2, 9))
    assert any("no triple of numbers" in note for note in laid.overlay.notes)
