"""Segmentations on phantoms with known masks."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest

from pacs_panel.errors import BadPixels, NotFound, NotYetShown
from pacs_panel.overlay.colours import from_cielab, to_cielab
from pacs_panel.overlay.frames import describe
from pacs_panel.settings import Settings
from pacs_panel.testing import (
    Grid,
    PhantomSeries,
    ct_missing_slice,
    ct_phantom,
    ct_tilted,
    encode,
    mr_4d,
    mr_oblique,
    seg_on,
)
from pacs_panel.testing.overlays import masks_on
from tests.overlay.laid import kept_of, lay, phantom_stack

CT = ct_phantom(rows=24, columns=32, slices=10, spacing=(4.0, 6.0, 6.0))
STACK = phantom_stack(CT)
SHAPE = (10, 24, 32)


def boxes(*corners: tuple[int, int, int], size: int = 5) -> np.ndarray:
    masks = np.zeros((len(corners), *SHAPE), np.uint8)
    for mask, (s, r, c) in zip(masks, corners, strict=True):
        mask[s : s + 3, r : r + size, c : c + size] = 1
    return masks


APART = boxes((0, 0, 0), (2, 10, 3), (5, 15, 20))
CROSSING = boxes((2, 4, 4), (3, 6, 6), (8, 4, 4))


@pytest.mark.parametrize(
    "make",
    [ct_phantom, ct_tilted, ct_missing_slice, mr_oblique],
    ids=["axial", "tilted", "missing slice", "oblique"],
)
def test_spheres_voxel_for_voxel(make):
    images = make(rows=40, columns=36, slices=12, spacing=(4.0, 4.0, 4.0))
    seg = seg_on(images)
    laid = lay(seg.datasets[0], phantom_stack(images))
    truth = seg.truth.stored
    volume = laid.volume(0)
    assert (laid.overlay.kind, laid.overlay.layers, laid.overlay.missing) == ("segmentation", 1, ())
    for number, mask in enumerate(truth, 1):
        assert np.array_equal(volume == number, mask == 1)
    for index in range(len(volume)):
        assert np.array_equal(laid.plane(0, 0, index), volume[index])
    assert np.array_equal(laid.plane(0, 2, 9), volume[:, :, 9])


@pytest.mark.parametrize("stated", ["YES", "NO", "UNDEFINED", ""])
def test_overlapping_segments_are_in_layers_whatever_is_stated(stated):
    laid = lay(masks_on(CT, CROSSING, overlapping=stated).datasets[0], STACK)
    assert laid.overlay.layers == 2
    assert [[one.number for one in laid.segments(layer)] for layer in (0, 1)] == [[1, 3], [2]]
    for number, layer in ((1, 0), (2, 1), (3, 0)):
        assert np.array_equal(laid.volume(layer) == number, CROSSING[number - 1] == 1)
    assert any("overlap" in note for note in laid.overlay.notes)


def test_segments_that_touch_no_pixel_of_each_other_share_a_layer():
    laid = lay(masks_on(CT, APART, overlapping="UNDEFINED").datasets[0], STACK)
    assert laid.overlay.layers == 1
    assert laid.overlay.notes == ()
    assert np.array_equal(laid.volume(0), (APART * np.array([1, 2, 3])[:, None, None, None]).sum(axis=0))


def test_fractions():
    fractions = APART * np.linspace(0, 1, SHAPE[2])[None, None, None, :]
    laid = lay(masks_on(CT, fractions, kind="FRACTIONAL").datasets[0], STACK)
    assert (laid.overlay.layers, laid.overlay.unit, laid.dtype) == (3, "probability", np.float32)
    for layer in range(3):
        assert np.abs(laid.volume(layer) - fractions[layer]).max() <= 0.5 / 200 + 1e-6
        assert [segment.number for segment in laid.segments(layer)] == [layer + 1]


def test_label_map():
    labels = (APART * np.array([1, 2, 3])[:, None, None, None]).sum(axis=0).astype(np.uint8)
    laid = lay(masks_on(CT, labels, kind="LABELMAP").datasets[0], STACK)
    assert (laid.overlay.layers, len(laid.overlay.segments)) == (1, 3)
    assert np.array_equal(laid.volume(0), labels)


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"])
def test_encodings(syntax):
    dataset = masks_on(CT, CROSSING).datasets[0]
    if syntax.endswith("1.2.2"):
        dataset["PixelData"].VR = "OB"
    assert lay(encode(dataset, syntax), STACK).overlay.layers == 2


def test_no_reference_at_all_but_the_same_frame_of_reference():
    laid = lay(masks_on(CT, APART, referring=False).datasets[0], STACK)
    assert laid.overlay.matched == "shares the frame of reference"
    assert np.array_equal(laid.volume(0) == 2, APART[1] == 1)


def test_another_frame_of_reference_with_references_goes_by_them():
    laid = lay(masks_on(CT, APART, frame_of_reference="1.2.3").datasets[0], STACK)
    assert np.array_equal(laid.volume(0) == 3, APART[2] == 1)
    assert any("another space" in note for note in laid.overlay.notes)


def test_another_frame_of_reference_without_references_is_refused():
    with pytest.raises(NotYetShown, match="another frame of reference"):
        lay(masks_on(CT, APART, frame_of_reference="1.2.3", referring=False).datasets[0], STACK)


def test_a_segment_without_frames_is_listed():
    masks = APART.copy()
    masks[1] = 0
    laid = lay(masks_on(CT, masks).datasets[0], STACK)
    assert [segment.number for segment in laid.overlay.segments] == [1, 2, 3]
    assert laid.overlay.notes == ("Without any frame: Segment 2.",)


def test_frames_of_a_part_of_the_plane_lie_where_they_belong():
    grid = Grid(SHAPE, CT.truth.affine)
    affine = grid.affine.copy()
    affine[:3, 3] = grid.at(2, 4, 5)
    masks = np.ones((1, 3, 8, 9), np.uint8)
    laid = lay(masks_on(CT, masks, grid=Grid(masks.shape[1:], affine)).datasets[0], STACK)
    expected = np.zeros(SHAPE, np.uint8)
    expected[2:5, 4:12, 5:14] = 1
    assert np.array_equal(laid.volume(0), expected)
    assert any("another part of the plane" in note for note in laid.overlay.notes)


def test_planes_beyond_the_images_are_left_out_and_said():
    grid = Grid(SHAPE, CT.truth.affine)
    affine = grid.affine.copy()
    affine[:3, 3] = grid.at(8, 0, 0)
    masks = np.ones((1, 5, *SHAPE[1:]), np.uint8)
    laid = lay(masks_on(CT, masks, grid=Grid(masks.shape[1:], affine)).datasets[0], STACK)
    assert [bool(plane.any()) for plane in laid.volume(0)] == [False] * 8 + [True] * 2
    assert any(note.startswith("3 of 5 planes lie outside") for note in laid.overlay.notes)


@pytest.mark.parametrize("turn", [0, 90], ids=["finer", "coronal"])
def test_another_grid_is_sampled_by_nearest_neighbour_and_said(turn):
    grid = Grid(SHAPE, CT.truth.affine)
    directions = np.eye(3) if not turn else np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]]).T
    shape = (14, 30, 40) if not turn else (40, 14, 40)
    steps = (4.8, 4.8, 2.9) if not turn else (4.8, 2.9, 3.6)
    affine = np.eye(4)
    affine[:3, :3] = directions * steps
    affine[:3, 3] = grid.centre - affine[:3, :3] @ (np.asarray(shape[::-1]) - 1) / 2 + (0.31, -0.17, 0.23)
    own = Grid(shape, affine)
    points = np.stack([own.plane(k) for k in range(shape[0])])
    mask = (np.linalg.norm(points - grid.centre, axis=-1) < 22).astype(np.uint8)[None]
    laid = lay(masks_on(CT, mask, grid=own).datasets[0], STACK)
    assert any("nearest neighbour" in note for note in laid.overlay.notes)
    asked = np.stack([grid.plane(k) for k in range(SHAPE[0])])
    at = (asked - affine[:3, 3]) @ np.linalg.inv(affine[:3, :3]).T
    index = np.floor(at + 0.5).astype(int)[..., ::-1]
    inside = ((index >= 0) & (index < shape)).all(axis=-1)
    expected = np.zeros(SHAPE, np.uint8)
    expected[inside] = mask[0][tuple(index[inside].T)]
    assert expected.sum() > 50
    assert np.array_equal(laid.volume(0), expected)


def own_grid(shape: tuple[int, int, int], step: float) -> Grid:
    """A grid with pixels of its own in the middle of the images, ``step`` mm between planes."""
    affine = np.diag([2.9, 2.9, step, 1.0])
    affine[:3, 3] = Grid(SHAPE, CT.truth.affine).centre - affine[:3, :3] @ (np.asarray(shape[::-1]) - 1) / 2
    return Grid(shape, affine)


def test_planes_less_than_a_thousandth_of_a_millimetre_apart_are_one():
    grid = own_grid((4, 20, 20), 4.0)
    masks = np.zeros((2, *grid.shape), np.uint8)
    masks[0, :, :10], masks[1, :, 5:15] = 1, 1
    dataset = masks_on(CT, masks, grid=grid).datasets[0]
    for frame in dataset.PerFrameFunctionalGroupsSequence[4:]:  # those of segment 2, by a hand that rounds otherwise
        position = frame.PlanePositionSequence[0].ImagePositionPatient
        frame.PlanePositionSequence[0].ImagePositionPatient = [float(x) + 0.0008 for x in position]
    laid = lay(dataset, STACK)
    [lattice] = laid.content.placement.lattices
    assert [len(frames) for frames in lattice.frames] == [2] * 4
    assert (lattice.planes.step, laid.overlay.layers) == (pytest.approx(4.0, abs=1e-3), 2)
    for frame in dataset.PerFrameFunctionalGroupsSequence[4:]:
        position = frame.PlanePositionSequence[0].ImagePositionPatient
        frame.PlanePositionSequence[0].ImagePositionPatient = [float(x) + 0.01 for x in position]
    assert [len(frames) for frames in lay(dataset, STACK).content.placement.lattices[0].frames] == [1] * 8


@pytest.mark.parametrize(("thickness", "reach"), [(1.0, 1.0), (4.0, 4.0), (9.0, 4.0)])
def test_a_plane_reaches_as_far_as_its_thickness_but_not_into_the_next(thickness, reach):
    dataset = masks_on(CT, np.ones((1, 4, 20, 20), np.uint8), grid=own_grid((4, 20, 20), 4.0)).datasets[0]
    measures = dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    del measures.SpacingBetweenSlices
    measures.SliceThickness = str(thickness)
    laid = lay(dataset, STACK)
    [lattice] = laid.content.placement.lattices
    assert lattice.planes.step == pytest.approx(reach)
    heights = np.asarray([Grid(SHAPE, CT.truth.affine).at(k, 0, 0)[2] for k in range(10)])
    off = np.abs(heights[:, None] - lattice.planes.heights).min(axis=1)
    assert np.array_equal(laid.volume(0).any(axis=(1, 2)), off <= reach / 2 + 1e-5)


def upside_down(dataset):
    """The same segmentation, its rows from the last to the first."""
    frames, rows, columns = int(dataset.NumberOfFrames), dataset.Rows, dataset.Columns
    bits = np.unpackbits(np.frombuffer(dataset.PixelData, np.uint8), bitorder="little")[: frames * rows * columns]
    dataset.PixelData = np.packbits(bits.reshape(frames, rows, columns)[:, ::-1], bitorder="little").tobytes()
    shared = dataset.SharedFunctionalGroupsSequence[0]
    direction = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, float)
    step = float(shared.PixelMeasuresSequence[0].PixelSpacing[0]) * direction[3:]
    shared.PlaneOrientationSequence[0].ImageOrientationPatient = [*direction[:3], *-direction[3:]]
    for frame in dataset.PerFrameFunctionalGroupsSequence:
        position = np.array(frame.PlanePositionSequence[0].ImagePositionPatient, float) + (rows - 1) * step
        frame.PlanePositionSequence[0].ImagePositionPatient = position.round(6).tolist()
    return dataset


def test_rows_that_run_the_other_way_are_never_pasted_as_they_are():
    laid = lay(upside_down(masks_on(CT, APART).datasets[0]), STACK)
    assert np.array_equal(laid.volume(0), (APART * np.array([1, 2, 3])[:, None, None, None]).sum(axis=0))
    elsewhere = upside_down(masks_on(CT, APART, frame_of_reference="1.2.3").datasets[0])
    with pytest.raises(NotYetShown, match="cannot be placed on these images"):
        lay(elsewhere, STACK)


TIMES = mr_4d(rows=24, columns=32, slices=10, times=3, spacing=(4.0, 6.0, 6.0))
TIMES_STACK = phantom_stack(TIMES)


def at_time(time: int) -> PhantomSeries:
    """The images of one time alone."""
    images = TIMES.datasets[10 * time : 10 * time + 10]
    return PhantomSeries(images, replace(TIMES.truth, stored=TIMES.truth.stored[time]))


def naming(dataset, times):
    """The frames of each segment name the images of a time instead."""
    for frame in dataset.PerFrameFunctionalGroupsSequence:
        segment = frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        source = frame.DerivationImageSequence[0].SourceImageSequence[0]
        number = next(n for n, i in enumerate(TIMES.datasets) if i.SOPInstanceUID == source.ReferencedSOPInstanceUID)
        source.ReferencedSOPInstanceUID = TIMES.datasets[10 * times[segment - 1] + number % 10].SOPInstanceUID
    del dataset.ReferencedSeriesSequence
    return dataset


@pytest.mark.parametrize("time", [0, 2])
@pytest.mark.parametrize("kind", ["BINARY", "FRACTIONAL", "LABELMAP"])
def test_what_names_the_images_of_one_time_belongs_to_that_time(kind, time):
    masks = APART.astype(float) if kind == "FRACTIONAL" else APART[0] if kind == "LABELMAP" else APART
    laid = lay(masks_on(at_time(time), masks, kind=kind).datasets[0], TIMES_STACK)
    assert laid.overlay.places == (((time,),),) * laid.overlay.layers
    assert laid.to_xarray(0).attrs["places"] == [[time]]
    assert any(f"belongs to: time {time + 1} of 3." in note for note in laid.overlay.notes)
    assert np.array_equal(laid.volume(0) == 1, APART[0] == 1)


def test_frames_of_several_times_are_in_layers_of_their_own():
    same = np.stack([CROSSING[0], CROSSING[1], CROSSING[0]])
    dataset = naming(masks_on(at_time(0), same).datasets[0], (0, 2, 2))
    laid = lay(dataset, TIMES_STACK)
    assert laid.overlay.places == (((0,),), ((2,),), ((2,),))
    assert [[one.number for one in laid.segments(layer)] for layer in range(3)] == [[1], [2], [3]]
    for layer in range(3):
        assert np.array_equal(laid.volume(layer) == layer + 1, same[layer] == 1)
    fractions = naming(masks_on(at_time(0), same.astype(float), kind="FRACTIONAL").datasets[0], (0, 2, 2))
    laid = lay(fractions, TIMES_STACK)
    assert laid.overlay.places == (((0,),),) * 3 + (((2,),),) * 3  # layer i is segment i % 3
    assert [bool(laid.volume(layer).any()) for layer in range(6)] == [True, False, False, False, True, True]


def test_one_segment_that_moves_in_time_is_not_smeared():
    moving = np.stack([APART[0], APART[1]])
    dataset = naming(masks_on(at_time(0), moving).datasets[0], (0, 1))
    for frame in dataset.PerFrameFunctionalGroupsSequence:
        frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber = 1
    laid = lay(dataset, TIMES_STACK)
    assert laid.overlay.places == (((0,),), ((1,),))
    assert [np.array_equal(laid.volume(time) == 1, moving[time] == 1) for time in (0, 1)] == [True, True]


def test_a_segmentation_without_references_or_of_all_times_holds_everywhere():
    for dataset in (masks_on(at_time(1), APART, referring=False).datasets[0], all_times()):
        laid = lay(dataset, TIMES_STACK)
        assert (laid.overlay.layers, laid.overlay.places, laid.overlay.notes) == (1, (), ())
        assert np.array_equal(laid.volume(0) == 2, APART[1] == 1)


def all_times():
    dataset = masks_on(at_time(0), APART).datasets[0]
    for frame in dataset.PerFrameFunctionalGroupsSequence:
        sources = frame.DerivationImageSequence[0].SourceImageSequence
        number = next(
            n for n, i in enumerate(TIMES.datasets) if i.SOPInstanceUID == sources[0].ReferencedSOPInstanceUID
        )
        for time in (1, 2):
            other = deepcopy(sources[0])
            other.ReferencedSOPInstanceUID = TIMES.datasets[10 * time + number].SOPInstanceUID
            sources.append(other)
    return dataset


def test_the_time_of_frames_that_name_no_image_is_that_of_the_object():
    dataset = masks_on(at_time(1), APART).datasets[0]
    for frame in dataset.PerFrameFunctionalGroupsSequence:
        del frame.DerivationImageSequence
    assert lay(dataset, TIMES_STACK).overlay.places == (((1,),),)


@pytest.mark.slow
def test_a_hundred_segments_read_only_the_slice_that_is_asked_for(monkeypatch):
    masks = np.zeros((100, 6, 24, 32), np.uint8)
    for number in range(100):
        r, c = divmod(number, 10)
        masks[number, :, 2 * r : 2 * r + 2, 3 * c : 3 * c + 3] = 1
    ct = ct_phantom(rows=24, columns=32, slices=6, spacing=(4.0, 6.0, 6.0))
    laid = lay(masks_on(ct, masks).datasets[0], phantom_stack(ct))
    assert (laid.overlay.layers, len(laid.overlay.segments)) == (1, 100)
    assert len({segment.colour for segment in laid.overlay.segments}) >= 48
    decoded = []
    whole = laid.content.pixels.read
    monkeypatch.setattr(laid.content.pixels, "read", lambda frame: decoded.append(frame) or whole(frame))
    plane = laid.plane(0, 0, 3)
    assert len(decoded) == 100
    assert np.array_equal(np.unique(plane), np.arange(101))


def test_a_whole_slide_is_refused_in_words():
    dataset = masks_on(CT, APART).datasets[0]
    dataset.TotalPixelMatrixColumns, dataset.TotalPixelMatrixRows = 1000, 1000
    with pytest.raises(NotYetShown, match="whole slide"):
        lay(dataset, STACK)


def test_what_is_not_there_is_an_error():
    laid = lay(masks_on(CT, APART).datasets[0], STACK)
    for ask in (lambda: laid.plane(0, 0, 10), lambda: laid.plane(1, 0, 0), lambda: laid.volume(3)):
        with pytest.raises(NotFound):
            ask()


def test_closed_is_closed():
    with lay(masks_on(CT, APART).datasets[0], STACK) as laid:
        assert laid.plane(0, 0, 2).any()
    with pytest.raises(BadPixels, match="closed"):
        laid.plane(0, 0, 2)


def test_described_without_being_opened():
    content = encode(masks_on(CT, CROSSING).datasets[0])
    source = BytesIO(content)
    overlay = describe(source, kept_of(content), STACK, Settings())
    assert (overlay.layers, overlay.kind) == (2, "segmentation")
    assert not source.closed


def test_as_xarray():
    array = lay(masks_on(CT, APART).datasets[0], STACK).to_xarray(0)
    assert array.dims == ("slice", "row", "column")
    assert array.attrs["segments"] == {1: "Segment 1", 2: "Segment 2", 3: "Segment 3"}
    assert np.allclose(array.attrs["affine"], CT.truth.affine)
    assert float(array["row"][1]) == 6.0


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (255, 0, 0), (12, 200, 90), (217, 130, 101)])
def test_colours_survive_cielab(colour):
    assert np.abs(np.subtract(from_cielab(to_cielab(colour)), colour)).max() <= 1


def test_cielab_of_known_colours():
    # sRGB red is L* 53.24, a* 80.09, b* 67.20; the other is 3D Slicer's liver as dcmqi writes it.
    encoded = (53.24 * 655.35, (80.09 + 128) * 257, (67.20 + 128) * 257)
    assert from_cielab([41661, 41167, 40792]) == (221, 130, 101)
    assert np.abs(np.subtract(from_cielab(encoded), (255, 0, 0))).max() <= 1
    assert from_cielab([1, 2]) is None
