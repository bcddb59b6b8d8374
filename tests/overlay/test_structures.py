"""Structure sets on phantoms with known contours."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pydicom import Dataset

from pacs_panel.errors import NotYetShown
from pacs_panel.testing import (
    Grid,
    PhantomSeries,
    cr,
    ct_missing_slice,
    ct_phantom,
    ct_tilted,
    mr_4d,
    mr_oblique,
    rtstruct_on,
)
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


def test_contours_that_overlap_in_part_are_joined_and_it_is_said():
    left, right = square(3, 2, 12), square(3, 8, 18)
    laid = lay(regions_on(CT, [region("Both", left, right)]).datasets[0], STACK)
    assert np.array_equal(laid.volume(0) == 1, block(range(3, 4), 2, 12) | block(range(3, 4), 8, 18))
    assert [one.how for one in laid.contours(3)] == ["add", "add"]
    assert "Contours that overlap in part are joined: Both." in laid.overlay.notes
    made = regions_on(CT, [region("Either", left, right, kind="CLOSEDPLANAR_XOR")])
    laid = lay(made.datasets[0], STACK)
    assert np.array_equal(laid.volume(0) == 1, block(range(3, 4), 2, 12) ^ block(range(3, 4), 8, 18))
    assert [one.how for one in laid.contours(3)] == ["xor", "xor"]


def test_repeated_contours_count_once():
    outer, inner = square(3, 2, 12), square(3, 5, 8)
    laid = lay(regions_on(CT, [region("Twice", outer, inner, outer[::-1], np.roll(inner, 1, 0))]).datasets[0], STACK)
    assert np.array_equal(laid.volume(0) == 1, block(range(3, 4), 2, 12) & ~block(range(3, 4), 5, 8))
    assert len(laid.contours(3)) == 2


def test_a_region_in_another_frame_of_reference_is_named_and_not_shown():
    made = regions_on(CT, [region("Here", square(4, 2, 9)), region("Elsewhere", square(4, 3, 8))]).datasets[0]
    made.StructureSetROISequence[1].ReferencedFrameOfReferenceUID = "1.2.3"
    laid = lay(made, STACK)
    assert np.array_equal(laid.volume(0), block(range(4, 5), 2, 9).astype(np.uint8))
    assert [one.number for one in laid.contours(4)] == [1]
    assert [one.roi for one in laid.content.unplaced] == [2]
    assert "In another frame of reference than the images, and not shown: Elsewhere." in laid.overlay.notes


def test_overlapping_regions_are_in_layers():
    regions = [region(name, square(4, low, low + 8)) for name, low in (("A", 2), ("B", 6), ("C", 12))]
    laid = lay(regions_on(CT, regions).datasets[0], STACK)
    assert [[one.label for one in laid.segments(layer)] for layer in (0, 1)] == [["A", "C"], ["B"]]
    for number, layer, low in ((1, 0, 2), (2, 1, 6), (3, 0, 12)):
        assert np.array_equal(laid.plane(layer, 0, 4) == number, block(range(4, 5), low, low + 8)[4])
    assert "Regions overlap; they are in 2 layers." in laid.overlay.notes


def test_contours_are_given_in_pixels():
    laid = lay(regions_on(CT, [region("A", square(4, 2.5, 9.25))]).datasets[0], STACK)
    [(number, points, closed, how, places)] = laid.contours(4)
    assert (number, closed, how, places) == (1, True, "xor", ())
    assert np.allclose(points, [(2.5, 2.5), (9.25, 2.5), (9.25, 9.25), (2.5, 9.25)], atol=1e-5)
    assert laid.contours(5) == []


def test_points_and_open_lines_are_contours_without_area():
    regions = [
        region("Isocentre", ring(5, (7, 8)), kind="POINT"),
        region("Wire", ring(5, (1, 1), (9, 1), (9, 9)), kind="OPEN_PLANAR"),
    ]
    laid = lay(regions_on(CT, regions).datasets[0], STACK)
    assert not laid.volume(0).any()
    assert [(one.number, len(one.points), one.closed) for one in laid.contours(5)] == [
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


TIMES = mr_4d(rows=24, columns=32, slices=10, times=3, spacing=(4.0, 3.0, 3.0))


def naming(*times: tuple[int, ...], dangling: bool = True) -> Dataset:
    """Regions 1, 2, … in slice 4, overlapping, whose contours name the images of that slice at some times."""
    first = PhantomSeries(TIMES.datasets[:10], replace(TIMES.truth, stored=TIMES.truth.stored[0]))
    regions = [region(f"R{n}", square(4, 2 + n, 9 + n)) for n in range(1, len(times) + 1)]
    made = regions_on(first, regions, dangling=dangling).datasets[0]
    for named, roi in zip(times, made.ROIContourSequence, strict=True):
        images = [TIMES.datasets[10 * time + 4] for time in named]
        for contour in roi.ContourSequence if images else ():
            contour.ContourImageSequence = [reference(image) for image in images]
    return made


def reference(image: Dataset) -> Dataset:
    made = Dataset()
    made.ReferencedSOPClassUID, made.ReferencedSOPInstanceUID = image.SOPClassUID, image.SOPInstanceUID
    return made


def test_contours_that_name_the_image_of_one_time_belong_to_it():
    laid = lay(naming((0,), (2,)), phantom_stack(TIMES))
    assert laid.overlay.places == (((0,),), ((2,),))
    assert [(one.number, one.places) for one in laid.contours(4)] == [(1, ((0,),)), (2, ((2,),))]
    for layer, number in ((0, 1), (1, 2)):
        low = 2 + number
        assert np.array_equal(laid.volume(layer) == number, block(range(4, 5), low, low + 7))
        assert [one.number for one in laid.segments(layer)] == [number]
    assert any("belongs to: time 1 of 3, time 3 of 3." in note for note in laid.overlay.notes)
    assert not any("Regions overlap" in note for note in laid.overlay.notes)


def test_contours_that_name_no_image_hold_where_the_object_says_or_everywhere():
    laid = lay(naming((), ()), phantom_stack(TIMES))
    assert (laid.overlay.layers, laid.overlay.places) == (2, ())
    laid = lay(naming((), (), dangling=False), phantom_stack(TIMES))
    assert laid.overlay.places == (((0,),),) * 2


def test_contours_of_some_times_beside_those_of_all():
    laid = lay(naming((0, 1, 2), (0, 2)), phantom_stack(TIMES))
    assert laid.overlay.places == ((), ((0,), (2,)))
    assert [one.places for one in laid.contours(4)] == [(), ((0,), (2,))]
    assert any("time 1 of 3, time 3 of 3; the rest is drawn everywhere." in note for note in laid.overlay.notes)
