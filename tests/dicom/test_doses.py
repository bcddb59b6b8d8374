"""RT doses on their own grid: places and values beside pydicom's, and beside a dose that is known everywhere."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from pydicom import Dataset, dcmread

from pacs_panel import open_archive
from pacs_panel.testing import ct_phantom, encode
from pacs_panel.testing.images import turned
from pacs_panel.testing.overlays import dose_at, dose_on
from pacs_panel.volume.read import open_stack
from tests.volume.kept import Objects

CT = ct_phantom(rows=24, columns=32, slices=10, spacing=(4.0, 3.0, 3.0))
SHAPE = (4, 6, 7)
FILES = ("rtdose.dcm", "rtdose_expb.dcm", "rtdose_rle.dcm", "rtdose_1frame.dcm", "rtdose_expb_1frame.dcm")


def dose(offsets: list[float] | None = None, axes: np.ndarray | None = None, **changes: Any) -> Dataset:
    """A dose of 4 planes, of `dose_at` wherever its offsets along the normal put them.

    ``axes`` holds the directions of row, column and normal in its columns.
    """
    dataset = dose_on(CT, shape=SHAPE).datasets[0]
    axes = np.eye(3) if axes is None else axes
    along = [0.0, 5.0, 10.0, 15.0] if offsets is None else offsets
    first = np.array(dataset.ImagePositionPatient, float)
    row, column = np.meshgrid(np.arange(SHAPE[1]) * 4.0, np.arange(SHAPE[2]) * 4.0, indexing="ij")
    plane = first + column[..., None] * axes[:, 0] + row[..., None] * axes[:, 1]
    points = plane + np.array(along)[:, None, None, None] * axes[:, 2]
    dataset.PixelData = np.rint(dose_at(points) / 1e-6).astype("<u4").tobytes()
    dataset.ImageOrientationPatient = [f"{number:.12f}" for number in axes[:, :2].T.ravel()]
    dataset.GridFrameOffsetVector = along
    for keyword, value in changes.items():
        setattr(dataset, keyword, value)
    return dataset


def opened(target: Path, *datasets: Dataset | bytes) -> tuple[Any, Any]:
    """The only stack of a build, and its passport."""
    (stack,) = Objects(list(datasets)).build(target).stacks
    return open_stack(target / "0"), stack.passport


def assert_dose(volume: Any) -> None:
    """Each voxel holds the dose that there is at its place."""
    points = volume.pacs.lps(*np.indices(volume["image"].shape))
    np.testing.assert_allclose(volume["image"].values, dose_at(points), atol=1e-4)


OBLIQUE = turned(20.0, -35.0, 50.0)
SAGITTAL = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
PRONE = np.diag([-1.0, -1.0, 1.0])


@pytest.mark.parametrize(
    "axes", [np.eye(3), PRONE, SAGITTAL, OBLIQUE], ids=["transverse", "prone", "sagittal", "oblique"]
)
@pytest.mark.parametrize("offsets", [[0.0, 5.0, 10.0, 15.0], [0.0, -5.0, -10.0, -15.0]])
def test_offsets_run_from_the_first_plane_along_the_normal(tmp_path: Path, axes: np.ndarray, offsets: list[float]):
    volume, passport = opened(tmp_path / "r", dose(offsets, axes))
    assert (passport.verdict, passport.shape) == ("regular", SHAPE)
    assert passport.spacing == pytest.approx((5.0, 4.0, 4.0))
    assert volume["image"].attrs["units"] == "Gy"
    assert_dose(volume)


@pytest.mark.parametrize("axes", [np.eye(3), PRONE])
@pytest.mark.parametrize("step", [5.0, -5.0])
def test_offsets_that_are_heights(tmp_path: Path, axes: np.ndarray, step: float):
    along = [step * n for n in range(4)]
    z = float(dose().ImagePositionPatient[2])
    assert z != 0
    volume, passport = opened(tmp_path / "r", dose(along, axes, GridFrameOffsetVector=[z + number for number in along]))
    assert passport.verdict == "regular"
    assert_dose(volume)


def test_planes_that_are_not_evenly_spaced(tmp_path: Path):
    volume, passport = opened(tmp_path / "r", dose([0.0, 5.0, 12.0, 15.0]))
    assert passport.verdict == "irregular"
    assert "from 3.00 mm to 7.00 mm" in passport.reason
    assert_dose(volume)
    volume, passport = opened(tmp_path / "gap", dose([0.0, 5.0, 15.0, 20.0]))
    assert (passport.verdict, [(gap.after, gap.missing) for gap in passport.gaps]) == ("irregular", [(1, 1)])
    assert_dose(volume)


def test_a_plane_that_lies_where_another_does(tmp_path: Path):
    _, passport = opened(tmp_path / "r", dose([0.0, 5.0, 5.0, 10.0]))
    assert passport.shape[0] == 3
    assert "already taken" in passport.reason


@pytest.mark.parametrize(
    "changes",
    [
        {"GridFrameOffsetVector": [0.0, 5.0, 10.0]},
        {"GridFrameOffsetVector": [7.0, 12.0, 17.0, 22.0]},
        {"GridFrameOffsetVector": None},
        {"ImagePositionPatient": None},
        {"ImageOrientationPatient": None},
    ],
)
def test_offsets_that_tell_no_place(tmp_path: Path, changes: dict[str, Any]):
    volume, passport = opened(tmp_path / "r", dose(**changes))
    assert (passport.verdict, passport.shape) == ("stack", SHAPE)
    assert "no place in the patient" in passport.reason
    stored = np.frombuffer(dose().PixelData, "<u4").reshape(SHAPE)
    np.testing.assert_allclose(volume["image"], stored * 1e-6, rtol=1e-6)


def test_heights_are_of_transverse_planes_only(tmp_path: Path):
    tilted = dose(axes=OBLIQUE)
    z = float(tilted.ImagePositionPatient[2])
    tilted.GridFrameOffsetVector = [z, z + 5, z + 10, z + 15]
    assert opened(tmp_path / "r", tilted)[1].verdict == "stack"


def test_an_object_for_each_plane(tmp_path: Path):
    whole = dose()
    pixels = np.frombuffer(whole.PixelData, "<u4").reshape(SHAPE)
    made = []
    for number in (2, 0, 3, 1):
        one = copied(whole)
        for keyword in ("NumberOfFrames", "GridFrameOffsetVector", "FrameIncrementPointer"):
            delattr(one, keyword)
        one.SOPInstanceUID = f"1.2.3.{number}"
        one.file_meta.MediaStorageSOPInstanceUID = one.SOPInstanceUID
        x, y, z = map(float, whole.ImagePositionPatient)
        one.ImagePositionPatient = [x, y, z + 5 * number]
        scaling = 1e-6 * (1 + number)
        one.DoseGridScaling = f"{scaling:.8g}"
        one.PixelData = np.rint(pixels[number] / (1 + number)).astype("<u4").tobytes()
        made.append(one)
    volume, passport = opened(tmp_path / "r", *made)
    assert (passport.verdict, passport.shape) == ("regular", SHAPE)
    assert volume["image"].attrs["units"] == "Gy"
    assert_dose(volume)


def copied(dataset: Dataset) -> Dataset:
    """A copy that shares nothing."""
    return dcmread(BytesIO(encode(dataset)))


@pytest.mark.parametrize("scaling", [None, "0", "-1"])
def test_without_its_scaling_a_dose_has_no_values(tmp_path: Path, scaling: str | None):
    archive = open_archive("memory://")
    dataset = dose(DoseGridScaling=scaling)
    (tmp_path / "dose.dcm").write_bytes(encode(dataset))
    archive.ingest(tmp_path)
    revision = archive.revision(dataset.SeriesInstanceUID)
    assert revision.stacks == ()
    assert "Dose Grid Scaling" in revision.note
    archive.close()


@pytest.mark.parametrize("name", FILES)
def test_real_doses_are_as_pydicom_reads_them(data: Path, tmp_path: Path, name: str):
    path = data / "pydicom_test_files" / name
    dataset = dcmread(path)
    volume, passport = opened(tmp_path / "r", path.read_bytes())
    frames = dataset.pixel_array.reshape(-1, dataset.Rows, dataset.Columns) * float(dataset.DoseGridScaling)
    assert (passport.verdict, passport.shape) == ("regular", frames.shape)
    assert volume["image"].attrs["units"] == "relative"
    x, y, z = map(float, dataset.ImagePositionPatient)
    rows, columns = map(float, dataset.PixelSpacing)
    for number, frame in enumerate(frames):
        np.testing.assert_allclose(volume["image"][number], frame, rtol=1e-6)
        corners = volume.pacs.lps(number, [0, dataset.Rows - 1], [0, dataset.Columns - 1])
        height = z + float(dataset.GridFrameOffsetVector[number])
        far = (x + columns * (dataset.Columns - 1), y + rows * (dataset.Rows - 1), height)
        np.testing.assert_allclose(corners, [(x, y, height), far], atol=1e-6)


def test_a_dose_in_an_archive(tmp_path: Path):
    """It is a volume as any other, and still lies on its CT."""
    made = dose_on(CT)
    for number, dataset in enumerate([*CT.datasets, *made.datasets]):
        (tmp_path / f"{number}.dcm").write_bytes(encode(dataset))
    archive = open_archive("memory://")
    archive.ingest(tmp_path)
    uid = made.datasets[0].SeriesInstanceUID
    volume = archive.volume(uid)
    np.testing.assert_allclose(volume["image"], made.truth.physical(), atol=1e-5)
    np.testing.assert_allclose(volume.pacs.affine, made.truth.affine, atol=1e-6)
    assert_dose(volume)
    images = archive.volume(CT.series_uid)
    on_images = volume.pacs.resample(images)["image"].values
    inside = np.isfinite(on_images)
    assert inside.any()
    np.testing.assert_allclose(on_images[inside], dose_at(CT.truth.points()[inside]), atol=1e-4)
    frames = archive.open_frames(uid)
    facts = frames.describe()
    assert (facts["dtype"], facts["slope"], facts["unit"]) == ("uint32", 1e-6, "Gy")
    np.testing.assert_array_equal(frames.plane(0, 0, 3), made.truth.stored[3])
    image = nibabel.load(archive.export(uid, tmp_path / "out", "nifti")[0])
    np.testing.assert_allclose(np.moveaxis(image.get_fdata(), (0, 1, 2), (2, 1, 0)), made.truth.physical(), rtol=1e-6)
    np.testing.assert_allclose(image.affine, np.diag([-1.0, -1.0, 1.0, 1.0]) @ made.truth.affine, atol=1e-5)
    (lying,) = archive.overlays(CT.series_uid)
    assert (lying.kind, lying.unit, lying.sop_instance_uid) == ("dose", "Gy", made.datasets[0].SOPInstanceUID)
    theirs = archive.overlay(CT.series_uid, lying.sop_instance_uid).volume(0)
    np.testing.assert_allclose(theirs[inside], on_images[inside], atol=1e-4)
    archive.close()
