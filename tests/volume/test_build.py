"""From kept objects to stacks on disk: values, order, idempotence, damage."""

import hashlib
import json
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zarr
from PIL import Image
from pydicom.pixels import convert_color_space

from pacs_panel.model import Kept
from pacs_panel.settings import Settings
from pacs_panel.testing import ct_missing_slice, ct_phantom, ct_tilted, mr_4d, mr_oblique, pet_varying_slopes, us_cine
from pacs_panel.volume import build as building
from pacs_panel.volume.build import MANIFEST, THUMBNAIL, build, published, revision_id
from tests.volume.kept import Objects, built, image_of

SMALL = {"rows": 40, "columns": 36, "slices": 9}


def stored(target: Path, name: str = "0/scale0/image") -> np.ndarray:
    return np.asarray(zarr.open_array(target / name, mode="r")[...])


@pytest.mark.parametrize("make", [ct_phantom, ct_tilted, ct_missing_slice, mr_oblique, mr_4d])
def test_stored_values_are_exact(tmp_path: Path, make: object) -> None:
    series = make(**SMALL)  # type: ignore[operator]
    revision = built(series, tmp_path / "r")
    assert revision.verdict == series.truth.verdict
    assert revision.note == ""
    array = stored(tmp_path / "r")
    assert array.dtype == series.truth.stored.dtype
    np.testing.assert_array_equal(array, series.truth.stored)


def test_any_order_of_objects_gives_the_same_files(tmp_path: Path) -> None:
    objects = Objects(ct_phantom(**SMALL).datasets)
    first = objects.build(tmp_path / "a")
    second = objects.build(tmp_path / "b", lambda kept: random.Random(5).sample(kept, len(kept)))
    assert first == second
    files = [path for path in (tmp_path / "a").rglob("*") if path.is_file()]
    assert len(files) > 10
    for path in files:
        assert path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes()


def test_the_revision_is_named_by_its_objects() -> None:
    kept = Objects(ct_phantom(**SMALL).datasets).kept
    assert revision_id(kept) == revision_id(kept[::-1])
    assert revision_id(kept) != revision_id(kept[1:])
    other = replace(kept[0], digests=replace(kept[0].digests, dataset="0"))
    assert revision_id(kept) != revision_id([other, *kept[1:]])
    moved = replace(kept[0], location=replace(kept[0].location, path="elsewhere"), received=9)
    assert revision_id(kept) == revision_id([moved, *kept[1:]])


def test_a_finished_revision_is_not_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    objects = Objects(ct_phantom(**SMALL).datasets)
    revision = objects.build(tmp_path / "r")
    monkeypatch.setattr(building, "_build_stacks", None)
    assert objects.build(tmp_path / "r") == revision == published(tmp_path / "r")


def test_what_an_interrupted_build_left_is_removed(tmp_path: Path) -> None:
    target = tmp_path / "r"
    objects = Objects(ct_phantom(**SMALL).datasets)

    class Killed(BaseException):
        pass

    def opener(location: object) -> object:
        if location == objects.kept[-1].location:
            raise Killed
        return objects(location)  # type: ignore[arg-type]

    with pytest.raises(Killed):
        build("k", objects.kept, opener, target, Settings())  # type: ignore[arg-type]
    (target / "0" / "scale7").mkdir(parents=True)
    (target / "5").mkdir()
    assert published(target) is None
    revision = objects.build(target)
    assert sorted(path.name for path in target.iterdir()) == ["0", MANIFEST, THUMBNAIL]
    assert not (target / "0" / "scale7").exists()
    assert published(target) == revision


def test_a_manifest_cut_short_does_not_count(tmp_path: Path) -> None:
    objects = Objects(ct_phantom(**SMALL).datasets)
    revision = objects.build(tmp_path / "r")
    manifest = tmp_path / "r" / MANIFEST
    manifest.write_bytes(manifest.read_bytes()[:-9])
    assert published(tmp_path / "r") is None
    assert objects.build(tmp_path / "r") == revision


def test_every_voxel_traces_to_an_object(tmp_path: Path) -> None:
    objects = Objects(mr_4d(**SMALL).datasets)
    objects.build(tmp_path / "r")
    data = json.loads((tmp_path / "r" / MANIFEST).read_bytes())
    assert data["format"] == 1
    members, frames = (data["stacks"][0][name] for name in ("members", "frames"))
    assert frames == []  # of single-frame objects
    files = {one.sop_instance_uid: objects(one.location).read() for one in objects.kept}
    planes = stored(tmp_path / "r").reshape(-1, 40, 36)
    assert len(members) == len(planes) == 4 * 9
    for member, plane in zip(members, planes, strict=True):
        data_set = files[member]
        assert data["objects"][member]["file"] == hashlib.sha256(data_set).hexdigest()
        assert data_set.endswith(plane.astype("<u2").tobytes())


def test_a_second_object_at_a_place_is_named_and_left_out(tmp_path: Path) -> None:
    series = ct_phantom(**SMALL)
    objects = Objects(series.datasets)
    twin = replace(
        objects.kept[4], sop_instance_uid="1.2.3", image=replace(image_of(objects.kept[4]), sop_instance_uid="1.2.3")
    )
    objects.kept.append(twin)
    revision = objects.build(tmp_path / "r")
    np.testing.assert_array_equal(stored(tmp_path / "r"), series.truth.stored)
    assert len(revision.stacks[0].passport.duplicates) == 1


def test_varying_slopes(tmp_path: Path) -> None:
    series = pet_varying_slopes(**SMALL)
    objects = Objects(series.datasets)
    objects.kept = [replace(one, sop_class_uid="1.2.840.10008.5.1.4.1.1.4") for one in objects.kept]
    objects.build(tmp_path / "r")
    np.testing.assert_array_equal(stored(tmp_path / "r", "0/scale0/stored"), series.truth.stored)
    np.testing.assert_allclose(stored(tmp_path / "r"), series.truth.physical(), rtol=1e-6)
    assert stored(tmp_path / "r").dtype == np.float32
    np.testing.assert_array_equal(stored(tmp_path / "r", "0/scale0/slope"), series.truth.slopes)


def test_several_stacks_the_largest_first(tmp_path: Path) -> None:
    small, large = ct_phantom(rows=40, columns=36, slices=3), mr_oblique(**SMALL)
    objects = Objects([*small.datasets, *large.datasets])
    revision = objects.build(tmp_path / "r")
    assert [stack.passport.shape for stack in revision.stacks] == [(9, 40, 36), (3, 40, 36)]
    np.testing.assert_array_equal(stored(tmp_path / "r", "0/scale0/image"), large.truth.stored)
    np.testing.assert_array_equal(stored(tmp_path / "r", "1/scale0/image"), small.truth.stored)


def test_a_damaged_object_is_a_blank_slice_that_is_told(tmp_path: Path) -> None:
    series = mr_oblique(**SMALL)
    objects = Objects(series.datasets)
    objects.files[2] = objects.files[2][:-100]
    uid = objects.kept[2].sop_instance_uid
    (stack,) = objects.build(tmp_path / "r").stacks
    slice_ = stack.members.index(uid)
    assert stack.passport.blank == (slice_,)
    assert f"1 of 9 images cannot be decoded as a whole: object {uid}" in stack.passport.reason
    expected = series.truth.stored.copy()
    expected[slice_] = 0
    np.testing.assert_array_equal(stored(tmp_path / "r"), expected)
    np.testing.assert_array_equal(stored(tmp_path / "r", "0/scale0/mask").any(axis=(1, 2)), np.arange(9) == slice_)


def test_what_cannot_be_decoded_at_all_does_not_lose_the_rest(tmp_path: Path) -> None:
    small, large = ct_phantom(rows=40, columns=36, slices=3), mr_oblique(**SMALL)
    objects = Objects([*large.datasets, *small.datasets])
    objects.files[:9] = [file[:-100] for file in objects.files[:9]]
    revision = objects.build(tmp_path / "r")
    assert [stack.passport.shape for stack in revision.stacks] == [(3, 40, 36)]
    np.testing.assert_array_equal(stored(tmp_path / "r"), small.truth.stored)
    assert "9 images" in revision.note
    assert (tmp_path / "r" / THUMBNAIL).exists()


def test_too_large_is_a_reason_not_a_crash(tmp_path: Path) -> None:
    objects = Objects(ct_phantom(**SMALL).datasets)
    revision = objects.build(tmp_path / "r", settings=Settings(max_volume_bytes=1000))
    assert revision.stacks == ()
    assert revision.verdict == ""
    assert "limit is 1000" in revision.note
    assert published(tmp_path / "r") == revision


def test_a_cine_in_colour(tmp_path: Path) -> None:
    series = us_cine(frames=5)
    (stack,) = Objects(series.datasets).build(tmp_path / "r").stacks
    dataset = series.datasets[0]
    assert (stack.passport.verdict, stack.passport.shape) == ("stack", (5, dataset.Rows, dataset.Columns))
    assert stack.planes() == tuple((dataset.SOPInstanceUID, n) for n in range(5))
    found = stored(tmp_path / "r")
    assert (found.dtype, found.shape[0]) == (np.uint8, 3)
    pixels = dataset.pixel_array
    if dataset.PhotometricInterpretation != "RGB":
        pixels = convert_color_space(pixels, dataset.PhotometricInterpretation, "RGB", per_frame=True)
    np.testing.assert_array_equal(np.moveaxis(found, 0, -1), pixels)


def test_types_are_the_smallest_that_hold_the_values(tmp_path: Path) -> None:
    def narrow(kept: list[Kept]) -> list[Kept]:
        return [replace(one, image=replace(image_of(one), bits_stored=8, high_bit=7)) for one in kept]

    series = mr_oblique(**SMALL)
    Objects(series.datasets).build(tmp_path / "r", narrow)
    assert stored(tmp_path / "r").dtype == np.uint8
    np.testing.assert_array_equal(stored(tmp_path / "r"), series.truth.stored & 255)


def test_padding_stays_out_of_coarse_levels(tmp_path: Path) -> None:
    series = ct_phantom(rows=140, columns=132, slices=4, spacing=(9.0, 1.0, 1.0))
    for dataset in series.datasets:
        pixels = np.frombuffer(dataset.PixelData, "<u2").reshape(140, 132).copy()
        pixels[:, :5] = 4000
        pixels[:, 5:] = 1000
        dataset.PixelData = pixels.tobytes()
    objects = Objects(series.datasets)
    for number in range(4):
        objects.change(number, padding=(4000, 4000))
    objects.build(tmp_path / "r")
    coarse = stored(tmp_path / "r", "0/scale1/image")
    assert coarse.shape == (4, 70, 66)
    assert (coarse[..., :2] == 4000).all()
    assert (coarse[..., 2:] == 1000).all()
    assert "_FillValue" not in zarr.open_array(tmp_path / "r" / "0/scale0/image", mode="r").attrs


def test_the_thumbnail_shows_the_middle_slice(tmp_path: Path) -> None:
    built(ct_phantom(rows=160, columns=80, slices=5), tmp_path / "r")
    picture = np.asarray(Image.open(tmp_path / "r" / THUMBNAIL))
    assert picture.shape == (128, 64)
    assert picture.std() > 10


def test_a_unit_that_does_not_hold_for_all_images_is_not_claimed(tmp_path: Path) -> None:
    def mixed(kept: list[Kept]) -> list[Kept]:
        units = ("Hz", "normalized")
        return [replace(one, image=replace(image_of(one), rescale_type=units[n % 2])) for n, one in enumerate(kept)]

    objects = Objects(mr_oblique(**SMALL).datasets)
    objects.kept = mixed(objects.kept)
    objects.build(tmp_path / "r")
    attributes = json.loads((tmp_path / "r" / "0" / "scale0" / "image" / "zarr.json").read_text())["attributes"]
    assert "units" not in attributes
