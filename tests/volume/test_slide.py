"""The objects of a whole slide that are levels of one stack: their own pixels, at their own places."""

import json
import random
import warnings
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from pydicom import Dataset

from pacs_panel.geometry.passport import words
from pacs_panel.model import Passport
from pacs_panel.settings import Settings
from pacs_panel.testing import ct_phantom
from pacs_panel.testing.multiframe import slide, slide_levels
from pacs_panel.view.words import passport_facts
from pacs_panel.volume.build import MANIFEST
from pacs_panel.volume.frames import ZarrFrames
from pacs_panel.volume.read import open_stack
from pacs_panel.volume.received import received
from tests.volume.kept import Objects, image_of

CT = ct_phantom(rows=16, columns=16, slices=1)
NOISE = np.random.default_rng(4)
RED, GREEN, BLUE = (210, 30, 30), (30, 210, 30), (30, 30, 210)


def painted(colour: tuple[int, int, int], *shape: int) -> np.ndarray:
    """A picture of one colour, with noise that tells every pixel from the next."""
    return (np.full((*shape, 3), colour) + NOISE.integers(0, 30, (*shape, 3))).astype(np.uint8)


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    """Whole ratios, 1 : 4 : 16; the first is 300 x 520."""
    return [painted(RED, 300, 520), painted(GREEN, 75, 130), painted(BLUE, 18, 32)]


def level(target: Path, number: int, stack: int = 0) -> np.ndarray:
    """``(slice, row, column, sample)``"""
    frames = ZarrFrames(target / str(stack))
    return np.stack([frames.volume(number, (n,)) for n in range(3)], -1)


def means(picture: np.ndarray) -> np.ndarray:
    """Means of blocks of 2 x 2 pixels of a picture whose sides are even, halves rounded upwards."""
    rows, columns = picture.shape[-3] // 2, picture.shape[-2] // 2
    total = picture.reshape(*picture.shape[:-3], rows, 2, columns, 2, 3).astype(int).sum(axis=(-4, -2))
    return (total + 2) // 4


def test_each_object_is_a_level_and_what_is_missing_is_a_mean(tmp_path: Path, pictures: list[np.ndarray]) -> None:
    objects = Objects(slide_levels(pictures, CT, sparse=[1]).datasets)
    (stack,) = objects.build(tmp_path / "r").stacks
    frames = ZarrFrames(tmp_path / "r" / "0")
    assert [one.shape[1:] for one in frames.levels] == [(300, 520), (150, 260), (75, 130), (38, 65), (18, 32)]
    assert [one.factors[1] for one in frames.levels] == [1, 2, 4, 8, pytest.approx(300 / 18)]
    np.testing.assert_array_equal(level(tmp_path / "r", 0)[0], pictures[0])
    np.testing.assert_array_equal(level(tmp_path / "r", 1)[0], means(pictures[0]))
    np.testing.assert_array_equal(level(tmp_path / "r", 2)[0], pictures[1])
    np.testing.assert_array_equal(level(tmp_path / "r", 3)[0, :37], means(pictures[1][:74]))
    np.testing.assert_array_equal(level(tmp_path / "r", 4)[0], pictures[2])
    uids = [one.sop_instance_uid for one in objects.kept]
    assert set(stack.members) == {uids[0]}
    assert [one.sop_instance_uid for one in stack.passport.levels] == uids[1:]
    assert [one.source for one in frames.levels] == ["", "", uids[1], "", uids[2]]


def test_the_passport_names_each_object(tmp_path: Path, pictures: list[np.ndarray]) -> None:
    objects = Objects(slide_levels(pictures, CT).datasets)
    (stack,) = objects.build(tmp_path / "r").stacks
    fine, coarse, coarsest = (one.sop_instance_uid for one in objects.kept)
    assert "Its levels 1/4 and 1/16.67 are objects of their own." in stack.passport.reason
    told = [f"Level 1/4 is object {coarse}.", f"Level 1/16.67 is object {coarsest}."]
    assert [line for line in words(stack.passport) if "Level" in line] == told
    assert ("Level 1/4", f"object {coarse}") in passport_facts(stack.passport)
    assert Passport.from_dict(json.loads(json.dumps(stack.passport.to_dict()))) == stack.passport
    told = json.loads((tmp_path / "r" / MANIFEST).read_bytes())
    assert set(told["objects"]) == {fine, coarse, coarsest}


def test_scale_and_translation_of_each_level_are_exact(tmp_path: Path, pictures: list[np.ndarray]) -> None:
    Objects(slide_levels(pictures, CT).datasets).build(tmp_path / "r")
    (image,) = json.loads((tmp_path / "r" / "0" / "zarr.json").read_bytes())["attributes"]["ome"]["multiscales"]
    assert "type" not in image  # not all levels are means
    for found, (row, column) in zip(
        image["datasets"], [(1, 1), (2, 2), (4, 4), (8, 8), (300 / 18, 520 / 32)], strict=True
    ):
        scale, translation = found["coordinateTransformations"]
        np.testing.assert_allclose(scale["scale"][-2:], [0.01 * row, 0.01 * column], rtol=1e-10)
        np.testing.assert_allclose(
            translation["translation"][-2:], [0.005 * (row - 1), 0.005 * (column - 1)], rtol=1e-10
        )


def test_a_level_opens_with_its_places_and_its_object(tmp_path: Path, pictures: list[np.ndarray]) -> None:
    objects = Objects(slide_levels(pictures, CT).datasets)
    objects.build(tmp_path / "r")
    uids = [one.sop_instance_uid for one in objects.kept]
    expected = [uids[0], uids[0], uids[1], uids[1], uids[2]]
    assert [str(open_stack(tmp_path / "r" / "0", n).sop_instance_uid.item()) for n in range(5)] == expected
    ds = open_stack(tmp_path / "r" / "0", level=4)
    np.testing.assert_allclose(ds.row, (np.arange(18) * (300 / 18) + (300 / 18 - 1) / 2) * 0.01)
    assert ds.row[0] - 0.005 * 300 / 18 == pytest.approx(-0.005), "corner on corner"
    assert ds.row[-1] + 0.005 * 300 / 18 == pytest.approx(2.995), "the same area"
    with xr.open_zarr(tmp_path / "r" / "0", group="scale2") as plain:
        np.testing.assert_array_equal(np.moveaxis(plain.image.values[:, 0], 0, -1), pictures[1])


@pytest.mark.slow
def test_other_readers_open_it(tmp_path: Path, pictures: list[np.ndarray]) -> None:
    from ome_zarr.io import parse_url
    from ome_zarr.reader import Reader
    from ome_zarr_models.v05 import Image

    Objects(slide_levels(pictures, CT).datasets).build(tmp_path / "r")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        (multiscale,) = Image.from_zarr(zarr.open_group(tmp_path / "r" / "0", mode="r")).ome_attributes.multiscales
        assert [dataset.path for dataset in multiscale.datasets] == [f"scale{n}/image" for n in range(5)]
        location = parse_url(tmp_path / "r" / "0", mode="r")
        assert location is not None
        (node,) = list(Reader(location)())
        assert [data.shape[-2:] for data in node.data] == [(300, 520), (150, 260), (75, 130), (38, 65), (18, 32)]
        np.testing.assert_array_equal(np.moveaxis(np.asarray(node.data[4])[:, 0], 0, -1), pictures[2])


def test_ratios_need_not_be_whole(tmp_path: Path) -> None:
    """33 rows halved three times, each time without the last odd one, as scanners do."""
    shapes = [(331, 203), (165, 101), (82, 50)]
    pictures = [painted((60 * k, 80, 90), *shape) for k, shape in enumerate(shapes)]
    objects = Objects(slide_levels(pictures, CT).datasets)
    (stack,) = objects.build(tmp_path / "r").stacks
    assert [one.factors for one in stack.passport.levels] == [
        pytest.approx((1, 331 / 165, 203 / 101)),
        pytest.approx((1, 331 / 82, 203 / 50)),
    ]
    for number, picture in enumerate(pictures):
        np.testing.assert_array_equal(level(tmp_path / "r", number)[0], picture)


def test_a_spacing_says_the_ratio_where_sizes_are_cut(tmp_path: Path) -> None:
    datasets = slide_levels([painted(RED, 331, 203), painted(GREEN, 165, 101)], CT).datasets
    spacing(datasets[1], "0.02", "0.02")
    (stack,) = Objects(datasets).build(tmp_path / "r").stacks
    assert [one.factors for one in stack.passport.levels] == [(1, 2, 2)]


def test_any_order_of_objects_gives_the_same_stack(tmp_path: Path, pictures: list[np.ndarray]) -> None:
    others = [slide(painted(RED, 40, 40), CT, flavour=flavour).datasets[0] for flavour in ("LABEL", "OVERVIEW")]
    objects = Objects([*slide_levels(pictures, CT).datasets, *others])
    first = objects.build(tmp_path / "0")
    assert len(first.stacks) == 3
    orders = random.Random(2).sample(list(permutations(range(5))), 3)
    for number, order in enumerate(orders, 1):
        again = objects.build(tmp_path / str(number), lambda kept, order=order: [kept[k] for k in order])
        assert again == first
        for path in (tmp_path / "0").rglob("*"):
            if path.is_file():
                same = tmp_path / str(number) / path.relative_to(tmp_path / "0")
                assert path.read_bytes() == same.read_bytes()


def test_label_overview_and_thumbnail_stay_alone(tmp_path: Path, pictures: list[np.ndarray]) -> None:
    flavours = ("LABEL", "OVERVIEW", "THUMBNAIL")
    thumbnail = [slide(pictures[1], CT, flavour=flavour, spacing=(0.04, 0.04)).datasets[0] for flavour in flavours]
    stacks = Objects([*slide_levels(pictures[:1], CT).datasets, *thumbnail]).build(tmp_path / "r").stacks
    assert len(stacks) == 4
    assert not any(stack.passport.levels for stack in stacks)
    assert {stack.passport.reason.rpartition("slide's ")[2] for stack in stacks[1:]} == {
        "label.",
        "overview.",
        "thumbnail.",
    }


def spacing(dataset: Dataset, *mm: str) -> None:
    dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing = list(mm)


def moved(dataset: Dataset) -> None:
    dataset.TotalPixelMatrixOriginSequence[0].XOffsetInSlideCoordinateSystem = "20.1"


def unplaced(dataset: Dataset) -> None:
    del dataset.TotalPixelMatrixOriginSequence


OTHERS = {
    "another frame of reference": lambda ds: setattr(ds, "FrameOfReferenceUID", "1.2.3"),
    "another container": lambda ds: setattr(ds, "ContainerIdentifier", "PHANTOM-2"),
    "another direction": lambda ds: setattr(ds, "ImageOrientationSlide", ["1", "0", "0", "0", "1", "0"]),
    "begins at another place": moved,
    "not told where": unplaced,
    "another optical path": lambda ds: setattr(ds.OpticalPathSequence[0], "OpticalPathIdentifier", "2"),
    "another area's": lambda ds: spacing(ds, "0.05", "0.05"),
    "has that resolution": lambda ds: None,
}


@pytest.mark.parametrize("what", OTHERS)
def test_what_does_not_fit_stays_alone_and_says_why(tmp_path: Path, pictures: list[np.ndarray], what: str) -> None:
    datasets = list(slide_levels(pictures, CT).datasets)
    (odd,) = slide(painted(BLUE, 75, 130), CT, spacing=(0.04, 0.04)).datasets
    odd.SOPInstanceUID = odd.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    odd.InstanceNumber = "9"
    OTHERS[what](odd)
    joined, alone = Objects([*datasets, odd]).build(tmp_path / "r").stacks
    assert len(joined.passport.levels) == 2
    assert alone.members == ("1.2.3.4",)
    assert f"It is no level of object {joined.members[0]}" in alone.passport.reason
    assert what in alone.passport.reason
    assert level(tmp_path / "r", 0, 1)[..., 2].min() >= BLUE[2]


def test_each_optical_path_has_its_own_levels(tmp_path: Path) -> None:
    made = []
    for path in ("1", "2"):
        for factor in (1, 2):
            picture = painted(RED if path == "1" else BLUE, 200 // factor, 300 // factor)
            made += slide(picture, CT, path=path, spacing=(0.01 * factor, 0.01 * factor)).datasets
            made[-1].InstanceNumber = str(len(made))
    one, other = Objects(made).build(tmp_path / "r").stacks
    assert (one.members, other.members) == ((made[0].SOPInstanceUID,), (made[2].SOPInstanceUID,))
    assert [stack.passport.levels[0].sop_instance_uid for stack in (one, other)] == [
        made[1].SOPInstanceUID,
        made[3].SOPInstanceUID,
    ]
    assert "another optical path" in other.passport.reason


@pytest.mark.parametrize("sparse", [(), (0,), (1,)])
def test_focal_planes_meet_their_own(tmp_path: Path, sparse: tuple[int, ...]) -> None:
    """Planes follow one another as the frames of the finest do, whose order a sparse one reverses here."""
    pictures = [painted(RED, 3, 160, 200), painted(GREEN, 3, 40, 50)]
    (stack,) = Objects(slide_levels(pictures, CT, sparse=sparse).datasets).build(tmp_path / "r").stacks
    assert stack.passport.shape == (3, 160, 200)
    order = slice(None, None, -1 if 0 in sparse else 1)
    np.testing.assert_array_equal(level(tmp_path / "r", 0), pictures[0][order])
    np.testing.assert_array_equal(level(tmp_path / "r", 2), pictures[1][order])


def test_other_focal_planes_are_no_level(tmp_path: Path) -> None:
    pictures = [painted(RED, 2, 160, 200), painted(GREEN, 40, 50)]
    _, alone = Objects(slide_levels(pictures, CT).datasets).build(tmp_path / "r").stacks
    assert "another focal plane" in alone.passport.reason


def test_a_level_that_comes_later_makes_a_new_revision(tmp_path: Path, pictures: list[np.ndarray]) -> None:
    objects = Objects(slide_levels(pictures, CT).datasets)
    late = objects.build(tmp_path / "2")
    early = objects.build(tmp_path / "1", lambda kept: [kept[0], kept[2]])
    coarse = objects.build(tmp_path / "0", lambda kept: kept[1:])
    assert len({late.revision, early.revision, coarse.revision}) == 3
    assert [len(revision.stacks) for revision in (late, early, coarse)] == [1, 1, 1]
    np.testing.assert_array_equal(level(tmp_path / "0", 0)[0], pictures[1])
    np.testing.assert_array_equal(level(tmp_path / "1", 0)[0], pictures[0])
    np.testing.assert_array_equal(level(tmp_path / "1", 1)[0], means(pictures[0]))
    np.testing.assert_array_equal(level(tmp_path / "1", 4)[0], pictures[2])
    np.testing.assert_array_equal(level(tmp_path / "2", 2)[0], pictures[1])
    assert objects.build(tmp_path / "2") == late


def cut(dataset: Dataset, share: float) -> None:
    dataset.PixelData = dataset.PixelData[: int(len(dataset.PixelData) * share)]


def test_a_level_that_cannot_be_decoded_is_a_mean_instead(tmp_path: Path, pictures: list[np.ndarray]) -> None:
    datasets = slide_levels(pictures, CT).datasets
    cut(datasets[1], 0.001)
    revision = Objects(datasets).build(tmp_path / "r")
    (stack,) = revision.stacks
    assert [one.sop_instance_uid for one in stack.passport.levels] == [datasets[2].SOPInstanceUID]
    np.testing.assert_array_equal(level(tmp_path / "r", 2)[0], means(means(pictures[0])))
    assert "a level of a slide could not be built" in revision.note
    assert datasets[1].SOPInstanceUID in revision.note


def test_tiles_of_a_level_that_cannot_be_decoded_are_told(tmp_path: Path, pictures: list[np.ndarray]) -> None:
    datasets = slide_levels(pictures, CT).datasets
    cut(datasets[1], 0.5)
    (stack,) = Objects(datasets).build(tmp_path / "r").stacks
    assert f"Of its levels some cannot be decoded as a whole: object {datasets[1].SOPInstanceUID}" in (
        stack.passport.reason
    )
    assert stack.passport.blank == ()
    found = level(tmp_path / "r", 2)[0]
    np.testing.assert_array_equal(found[:32], pictures[1][:32])
    assert not found[-11:].any()


def test_where_the_finest_cannot_be_built_the_next_is(tmp_path: Path, pictures: list[np.ndarray]) -> None:
    objects = Objects(slide_levels(pictures, CT).datasets)
    revision = objects.build(tmp_path / "r", settings=Settings(max_volume_bytes=pictures[0].nbytes - 1))
    (stack,) = revision.stacks
    assert "could not be built" in revision.note
    assert stack.passport.shape == (1, 75, 130)
    np.testing.assert_array_equal(level(tmp_path / "r", 0)[0], pictures[1])
    assert len(stack.passport.levels) == 1


def test_levels_are_shown_before_they_are_built(tmp_path: Path, pictures: list[np.ndarray]) -> None:
    objects = Objects(slide_levels(pictures, CT).datasets)
    (frames,) = received(objects.kept, objects, Settings()).stacks
    told = frames.describe()["levels"]
    assert [one["shape"][1:] for one in told] == [(300, 520), (75, 130), (18, 32)]
    for number, picture in enumerate(pictures):
        for sample in range(3):
            np.testing.assert_array_equal(frames.plane(number, 0, 0, (sample,)), picture[..., sample])


def test_headers_alone_do_not_make_levels() -> None:
    """What tells a slide is read with the planes: it is never kept, so nothing kept may claim it."""
    objects = Objects(slide_levels([painted(RED, 40, 40)], CT).datasets)
    assert image_of(objects.kept[0]).slide is None
