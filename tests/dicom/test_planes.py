"""From objects to planes: functional groups, mosaics, whole slides, tables, on phantoms whose truth is known."""

from __future__ import annotations

import random
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from pacs_panel.dicom import header
from pacs_panel.dicom.mosaic import csa_header
from pacs_panel.dicom.planes import needs_more, planes
from pacs_panel.errors import Unreadable
from pacs_panel.model import ImageHeader
from pacs_panel.settings import Settings
from pacs_panel.testing import (
    PhantomSeries,
    ct_phantom,
    ct_tilted,
    encode,
    mr_4d,
    mr_oblique,
    pet_varying_slopes,
    us_cine,
)
from pacs_panel.testing.multiframe import csa, enhanced, mosaic, slide
from tests.volume.kept import Objects
from tests.volume.test_build import stored

SMALL = {"rows": 20, "columns": 18, "slices": 5}
SETTINGS = Settings()


def planes_of(data: bytes) -> tuple[ImageHeader, ...]:
    image = header.image(BytesIO(data), len(data), SETTINGS)
    assert image is not None
    return planes(image, BytesIO(data), SETTINGS)


def slide_of_noise() -> PhantomSeries:
    return slide(np.random.default_rng(3).integers(0, 256, (32, 32, 3), np.uint8), ct_phantom(**SMALL))


# -- functional groups -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [ct_phantom, ct_tilted, mr_oblique, mr_4d, pet_varying_slopes])
def test_frames_in_any_order_give_the_same_volume(tmp_path: Path, make) -> None:
    series = make(**SMALL)
    order = list(range(len(series.datasets)))
    random.Random(7).shuffle(order)
    (stack,) = Objects(enhanced(series, order).datasets).build(tmp_path / "r").stacks
    assert stack.passport.verdict == series.truth.verdict
    np.testing.assert_allclose(np.asarray(stack.passport.affine), series.truth.affine, atol=1e-6)
    varying = len(set(series.truth.slopes)) > 1
    np.testing.assert_array_equal(
        stored(tmp_path / "r", f"0/scale0/{'stored' if varying else 'image'}"), series.truth.stored
    )
    assert [order[frame] for frame in stack.frames or range(len(order))] == list(range(len(order)))
    if varying:
        np.testing.assert_allclose(stored(tmp_path / "r"), series.truth.physical(), rtol=1e-6)


def test_time_is_a_dimension_of_frames(tmp_path: Path) -> None:
    (stack,) = Objects(enhanced(mr_4d(**SMALL)).datasets).build(tmp_path / "r").stacks
    assert [(d.name, d.keyword, len(d.values)) for d in stack.passport.dimensions] == [
        ("time", "TemporalPositionIndex", 4)
    ]


def test_diffusion_of_frames() -> None:
    series = mr_4d(**SMALL, times=3)
    weights = [(0.0, None), (1000.0, [0.0, 0.6, 0.8]), (1000.0, [1.0, 0.0, 0.0])]
    for number, dataset in enumerate(series.datasets):
        b, vector = weights[number // 5]
        del dataset.TemporalPositionIdentifier
        dataset.DiffusionBValue = b
        if vector:
            dataset.DiffusionGradientOrientation = vector
    found = planes_of(encode(enhanced(series).datasets[0]))
    assert [image.order["DiffusionBValue"] for image in found[::5]] == [0.0, 1000.0, 1000.0]
    assert [image.order.get("DiffusionGradientOrientation") for image in found[::5]] == [None, "0\\0.6\\0.8", "1\\0\\0"]
    classic = [planes_of(encode(dataset))[0] for dataset in series.datasets]
    assert [image.order.get("DiffusionGradientOrientation") for image in classic] == [
        image.order.get("DiffusionGradientOrientation") for image in found
    ]


def test_what_groups_get_wrong_leaves_frames_without_a_place() -> None:
    dataset = enhanced(ct_phantom(**SMALL)).datasets[0]
    items = dataset.PerFrameFunctionalGroupsSequence
    items[1].PlanePositionSequence = []
    items[2].PlanePositionSequence[0].ImagePositionPatient = ["1", "2"]
    found = planes_of(encode(dataset))
    assert [image.position is None for image in found] == [False, True, True, False, False]
    assert [image.frame for image in found] == [0, 1, 2, 3, 4]
    assert all(image.orientation and image.spacing for image in found)


def test_groups_that_are_not_one_a_frame_place_nothing() -> None:
    dataset = enhanced(ct_phantom(**SMALL)).datasets[0]
    del dataset.PerFrameFunctionalGroupsSequence[1]
    found = planes_of(encode(dataset))
    assert [image.position for image in found] == [None] * 5


def test_one_place_is_not_that_of_all_frames() -> None:
    dataset = enhanced(ct_phantom(**SMALL)).datasets[0]
    del dataset.PerFrameFunctionalGroupsSequence
    dataset.ImagePositionPatient = ["1", "2", "3"]
    assert [image.position for image in planes_of(encode(dataset))] == [None] * 5


def test_an_element_that_is_not_what_its_tag_says_is_named() -> None:
    dataset = enhanced(ct_phantom(**SMALL)).datasets[0]
    del dataset.SharedFunctionalGroupsSequence
    dataset.add_new(0x52009229, "LT", "no sequence")
    with pytest.raises(Unreadable, match="cannot be understood"):
        planes_of(encode(dataset))


# -- mosaics -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [mr_oblique, mr_4d])
def test_a_mosaic_is_the_volume_that_it_was_made_from(tmp_path: Path, make) -> None:
    series = make(**SMALL)
    (stack,) = Objects(mosaic(series).datasets).build(tmp_path / "r").stacks
    np.testing.assert_array_equal(stored(tmp_path / "r"), series.truth.stored)
    assert stack.passport.verdict == "regular"
    np.testing.assert_allclose(np.asarray(stack.passport.affine), series.truth.affine, atol=1e-4)


def test_mosaics_of_a_functional_run_are_a_time_series(tmp_path: Path) -> None:
    series = mosaic(mr_4d(**SMALL, times=3))
    for dataset, time in zip(series.datasets, ("235957.5", "000000", "000002.5"), strict=True):
        dataset.AcquisitionTime = time
        dataset.AcquisitionDate = "20250228"
    (stack,) = Objects(series.datasets).build(tmp_path / "r").stacks
    (dimension,) = stack.passport.dimensions
    assert (dimension.name, dimension.keyword, dimension.values) == ("time", "AcquisitionTime", (0.0, 2.5, 5.0))
    np.testing.assert_array_equal(stored(tmp_path / "r"), series.truth.stored)


def test_a_mosaic_whose_slices_run_against_the_normal(tmp_path: Path) -> None:
    series = mr_oblique(**SMALL)
    backwards = type(series)(series.datasets[::-1], series.truth)
    (stack,) = Objects(mosaic(backwards).datasets).build(tmp_path / "r").stacks
    np.testing.assert_allclose(np.asarray(stack.passport.affine), series.truth.affine, atol=1e-4)
    np.testing.assert_array_equal(stored(tmp_path / "r"), series.truth.stored)


@pytest.mark.parametrize(
    "header", [b"", b"SV10", csa({"SliceNormalVector": ["0", "0", "1"]}), csa({})[:14] + b"\xff" * 4]
)
def test_a_mosaic_without_its_number_is_one_image(header: bytes) -> None:
    dataset = mosaic(mr_oblique(**SMALL)).datasets[0]
    dataset[0x0029, 0x1010].value = header
    (image,) = planes_of(encode(dataset))
    assert (image.rows, image.tiles) == (60, 0)


def test_a_mosaic_without_its_normal_has_no_place() -> None:
    dataset = mosaic(mr_oblique(**SMALL)).datasets[0]
    dataset[0x0029, 0x1010].value = csa({"NumberOfImagesInMosaic": ["5"]})
    found = planes_of(encode(dataset))
    assert [image.position for image in found] == [None] * 5


def test_a_mosaic_that_states_no_distance_has_no_place() -> None:
    dataset = mosaic(mr_oblique(**SMALL)).datasets[0]
    del dataset.SpacingBetweenSlices
    assert [image.position for image in planes_of(encode(dataset))] == [None] * 5


def test_a_mosaic_whose_counts_disagree_is_one_image() -> None:
    dataset = mosaic(mr_oblique(**SMALL)).datasets[0]
    dataset.private_block(0x0019, "SIEMENS MR HEADER", create=True).add_new(0x0A, "US", 9)
    (image,) = planes_of(encode(dataset))
    assert (image.rows, image.tiles) == (60, 0)


def test_a_csa_header_is_read_as_it_was_written() -> None:
    values = {"A": ["1", "2.5"], "Empty": [], "Name": ["some text"]}
    assert csa_header(csa(values)) == values


# -- whole slides ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sparse", [False, True])
def test_tiles_are_one_image(tmp_path: Path, sparse: bool) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (40, 55, 3), np.uint8)
    (stack,) = Objects(slide(picture, ct_phantom(**SMALL), sparse=sparse).datasets).build(tmp_path / "r").stacks
    assert (stack.passport.shape, stack.passport.spacing[1:]) == ((1, 40, 55), (0.01, 0.01))
    np.testing.assert_array_equal(stored(tmp_path / "r"), np.moveaxis(picture, -1, 0)[:, None])


def test_a_tile_that_cannot_be_decoded_is_told(tmp_path: Path) -> None:
    picture = np.full((32, 32, 3), 200, np.uint8)
    dataset = slide(picture, ct_phantom(**SMALL)).datasets[0]
    dataset.PixelData = dataset.PixelData[:-100]
    (stack,) = Objects([dataset]).build(tmp_path / "r").stacks
    assert "1 of 4 tiles" in stack.passport.reason
    found = stored(tmp_path / "r")
    assert (found[:, :, :16] == 200).all()
    assert (found[:, :, 16:, 16:] == 0).all()


def test_the_second_part_of_a_slide_lies_below_the_first(tmp_path: Path) -> None:
    picture = np.random.default_rng(2).integers(1, 256, (64, 32, 3), np.uint8)
    dataset = slide(picture, ct_phantom(**SMALL)).datasets[0]
    dataset.NumberOfFrames = 4
    dataset.PixelData = dataset.PixelData[len(dataset.PixelData) // 2 :]
    dataset.ConcatenationFrameOffsetNumber = 4
    (stack,) = Objects([dataset]).build(tmp_path / "r").stacks
    found = np.moveaxis(stored(tmp_path / "r")[:, 0], 0, -1)
    np.testing.assert_array_equal(found[32:], picture[32:])
    assert not found[:32].any()
    assert "50% of the image is in no tile" in stack.passport.reason


def test_tiles_that_nobody_placed_are_images_of_their_own(tmp_path: Path) -> None:
    picture = np.random.default_rng(3).integers(0, 256, (32, 32, 3), np.uint8)
    dataset = slide(picture, ct_phantom(**SMALL), sparse=True).datasets[0]
    for item in dataset.PerFrameFunctionalGroupsSequence:
        del item.PlanePositionSlideSequence
    (stack,) = Objects([dataset]).build(tmp_path / "r").stacks
    assert stack.passport.shape == (4, 16, 16)
    assert "no place" in stack.passport.reason
    tiles = [picture[row : row + 16, column : column + 16] for row in (16, 0) for column in (16, 0)]
    np.testing.assert_array_equal(stored(tmp_path / "r"), np.moveaxis(tiles, -1, 0))


@pytest.mark.parametrize("make", [slide_of_noise, us_cine])
def test_a_claim_of_too_many_frames_makes_no_images(tmp_path: Path, make) -> None:
    dataset = make().datasets[0]
    dataset.NumberOfFrames = 2**31 - 1
    revision = Objects([dataset]).build(tmp_path / "r")
    assert revision.stacks == ()
    assert "claims 2147483647 frames, 500000 are allowed" in revision.note


# -- tables ------------------------------------------------------------------------------------------------------------


def test_a_modality_table(tmp_path: Path) -> None:
    series = ct_phantom(**SMALL)
    table = [5 * k % 777 for k in range(2500)]
    for dataset in series.datasets:
        del dataset.RescaleSlope, dataset.RescaleIntercept
        item = Dataset()
        item.add_new("LUTDescriptor", "US", [len(table), 10, 16])
        item.ModalityLUTType = "HU"
        item.add_new("LUTData", "US", table)
        dataset.ModalityLUTSequence = [item]
    Objects(series.datasets).build(tmp_path / "r")
    expected = np.asarray(table, float)[np.clip(series.truth.stored.astype(int) - 10, 0, 2499)]
    np.testing.assert_array_equal(stored(tmp_path / "r"), expected)
    np.testing.assert_array_equal(stored(tmp_path / "r", "0/scale0/stored"), series.truth.stored)


def test_a_plain_image_is_not_read_again() -> None:
    data = encode(ct_phantom(**SMALL).datasets[0])
    image = header.image(BytesIO(data), len(data), SETTINGS)
    assert image is not None
    assert not needs_more(image)
    assert planes(image, BytesIO(b""), SETTINGS) == (image,)


# -- real objects ------------------------------------------------------------------------------------------------------


def test_echo_and_component_of_a_real_field_map(data: Path) -> None:
    path = data / "mr_enhanced_multiframe" / "Philips" / "IM_0027_fMAP.dcm"
    found = planes_of(path.read_bytes())
    theirs = dcmread(path)
    for image, item in zip(found, theirs.PerFrameFunctionalGroupsSequence, strict=True):
        assert image.position == tuple(item.PlanePositionSequence[0].ImagePositionPatient)
        assert image.slope == item.PixelValueTransformationSequence[0].RescaleSlope
        assert image.order["EchoTime"] == item.MREchoSequence[0].EffectiveEchoTime
    assert {image.order["ComplexImageComponent"] for image in found} == {"MAGNITUDE", "REAL"}
