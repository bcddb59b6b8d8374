"""What goes beside a NIfTI file: facts, slice times, and diffusion directions, also as dcm2niix turns them."""

import json
import subprocess
from pathlib import Path

import dcm2niix
import nibabel
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset

from pacs_panel.model import Dimension, ImageHeader, Passport
from pacs_panel.testing import PhantomSeries, ct_phantom, encode, mr_4d, turned
from pacs_panel.volume import bids
from pacs_panel.volume.export import to_nifti
from tests.volume.kept import Objects, image_of

PASSPORT = Passport("regular", "A test.", (3, 4, 5), dimensions=(Dimension("time", "AcquisitionTime", (0.0, 2.0)),))
DIRECTIONS = ((0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.6, 0.8), (-0.48, 0.64, 0.6))


def plane(frame: int = 0, **order: float | str) -> ImageHeader:
    return ImageHeader("1.2.3", 4, 5, frame=frame, order=order)


def test_facts_of_a_phantom_and_no_person():
    series = mr_4d(rows=16, columns=16, slices=3)
    dataset = series.datasets[0]
    made = bids.sidecar(dataset, PASSPORT)
    assert made["RepetitionTime"] == 0.65
    assert made["EchoTime"] == 0.0046
    assert made["FlipAngle"] == 70
    assert made["MagneticFieldStrength"] == 3
    assert made["ManufacturersModelName"] == "Tesla 3"
    assert made["ImageType"] == ["ORIGINAL", "PRIMARY", "OTHER"]
    assert made["Dimensions"] == [{"Name": "time", "Keyword": "AcquisitionTime", "Values": [0.0, 2.0]}]
    assert made["ConversionSoftware"] == "pacs_panel"
    text = json.dumps(made)
    for keyword in (
        "PatientName", "PatientID", "PatientBirthDate", "StudyDate", "AccessionNumber", "ReferringPhysicianName",
        "InstitutionName", "StationName", "StudyDescription", "SeriesDescription", "StudyInstanceUID",
    ):  # fmt: skip
        assert str(dataset.get(keyword)) not in text, keyword


def test_facts_that_all_frames_share():
    dataset, group, timing, echo = Dataset(), Dataset(), Dataset(), Dataset()
    timing.RepetitionTime, timing.FlipAngle, echo.EffectiveEchoTime = 2000.0, 90.0, 30.0
    group.MRTimingAndRelatedParametersSequence, group.MREchoSequence = [timing], [echo]
    dataset.SharedFunctionalGroupsSequence = [group]
    made = bids.sidecar(dataset, PASSPORT)
    assert (made["RepetitionTime"], made["FlipAngle"], made["EchoTime"]) == (2.0, 90.0, 0.03)


def test_echoes_are_listed():
    echoes = Passport("regular", "", (3, 4, 5), dimensions=(Dimension("echo", "EchoTime", (4.6, 7.1)),))
    dataset = Dataset()
    dataset.EchoTime = "4.6"
    assert bids.sidecar(dataset, echoes)["EchoTime"] == [0.0046, 0.0071]
    assert "RepetitionTime" not in bids.sidecar(dataset, echoes)


def test_slice_times_of_a_mosaic_follow_its_tiles():
    dataset = Dataset()
    block = dataset.private_block(0x0019, "SIEMENS MR HEADER", create=True)
    block.add_new(0x29, "FD", [1450.0, 0.0, 482.5])
    planes = [plane(frame) for frame in (2, 1, 0)] * 2
    assert bids.slice_timing(dataset, PASSPORT, planes) == [0.4825, 0.0, 1.45]
    block.add_new(0x29, "UN", np.array([1450.0, 0.0, 482.5]).astype("<f8").tobytes())
    assert bids.slice_timing(dataset, PASSPORT, planes) == [0.4825, 0.0, 1.45]
    assert bids.slice_timing(dataset, PASSPORT, [plane()] * 6) is None, "these are no tiles"
    other = Dataset()
    other.private_block(0x0019, "SOMEBODY ELSE", create=True).add_new(0x29, "FD", [1450.0, 0.0, 482.5])
    assert bids.slice_timing(other, PASSPORT, planes) is None


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (("093000.5", "093001.75", "093000.0"), [0.5, 1.75, 0.0]),
        (("235959.5", "000000.5", "000001"), [0.0, 1.0, 1.5]),
        (("093000", "093000", "093000"), None),
        (("093000", "", "093001"), None),
    ],
)
def test_slice_times_from_acquisition_times(times, expected):
    planes = [plane(AcquisitionTime=time) for time in times]
    assert bids.slice_timing(Dataset(), PASSPORT, planes) == expected
    still = Passport("regular", "", (3, 4, 5))
    assert bids.slice_timing(Dataset(), still, planes) is None, "no time series"


# -- diffusion ---------------------------------------------------------------------------------------------------------


def test_gradients_are_stated_or_there_are_none():
    b0, b1 = plane(DiffusionBValue=0.0), plane(DiffusionBValue=1e3, DiffusionGradientOrientation="0.6\\0\\-0.8")
    assert bids.gradients([b0, b0, b1, b1], 2) == [(0.0, None), (1000.0, (0.6, 0.0, -0.8))]
    assert bids.gradients([b0, b0, plane(), plane()], 2) == []
    assert bids.gradients([b0, b0], 1) == [], "no diffusion"
    trace = plane(DiffusionBValue=1e3, DiffusionGradientOrientation="0\\0\\0")
    assert bids.gradients([trace], 1) == [(1000.0, None)]


@given(st.tuples(*[st.floats(-180, 180)] * 3), st.sampled_from([1, -1]))
def test_directions_come_back_as_fsl_reads_them(angles, hand):
    axes = turned(*angles)
    affine = np.eye(4)
    affine[:3, :3] = axes * (2, 3, 4 * hand)
    voxel = bids.to_voxel_axes(DIRECTIONS[1:], affine)
    assert np.allclose(np.linalg.norm(voxel, axis=0), 1)
    ras = np.diag([-1, -1, 1]) @ affine[:3, :3]
    unflipped = voxel * [[-1 if np.linalg.det(ras) > 0 else 1], [1], [1]]
    world = (ras / np.linalg.norm(ras, axis=0)) @ unflipped
    assert np.allclose(np.diag([-1, -1, 1]) @ world, np.transpose(DIRECTIONS[1:]))


def diffusion(orientation: np.ndarray) -> PhantomSeries:
    """A phantom of four volumes, the first without diffusion weighting, as a maker that all tools know writes it."""
    series = mr_4d(times=4, rows=32, columns=32, slices=5, orientation=orientation)
    for number, dataset in enumerate(series.datasets):
        direction = DIRECTIONS[number // 5]
        dataset.Manufacturer, dataset.ScanningSequence = "SIEMENS", "EP"
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "DIFFUSION", "NONE"]
        block = dataset.private_block(0x0019, "SIEMENS MR HEADER", create=True)
        block.add_new(0x0C, "IS", str(1000 * any(direction)))
        block.add_new(0x0E, "FD", list(direction))
        dataset.DiffusionBValue = 1000.0 * any(direction)
        if any(direction):
            dataset.DiffusionGradientOrientation = list(direction)
    return series


@pytest.mark.parametrize("angles", [(0, 0, 0), (20, -15, 10), (85, 5, -10)])
def test_bvecs_agree_with_dcm2niix_in_the_world(tmp_path: Path, angles):
    """The two store rows in opposite order, so vectors differ; taken to the world by each one's affine, they agree."""
    series = diffusion(turned(*angles))
    objects = Objects(series.datasets)
    (stack,) = objects.build(tmp_path / "stack").stacks
    headers = {one.sop_instance_uid: image_of(one) for one in objects.kept}
    path = to_nifti(tmp_path / "stack" / "0", tmp_path / "ours.nii.gz")
    made = bids.write_beside(path, series.datasets[0], stack.passport, [headers[uid] for uid in stack.members])
    assert [one.name for one in made] == ["ours.json", "ours.bval", "ours.bvec"]

    (tmp_path / "files").mkdir()
    for number, dataset in enumerate(series.datasets):
        (tmp_path / "files" / f"{number}.dcm").write_bytes(encode(dataset))
    command = [dcm2niix.bin, "-b", "n", "-z", "n", "-f", "peer", "-o", str(tmp_path), str(tmp_path / "files")]
    subprocess.run(command, check=True, capture_output=True, timeout=100)
    assert (tmp_path / "ours.bval").read_text().split() == (tmp_path / "peer.bval").read_text().split()
    expected = np.diag([-1, -1, 1]) @ np.transpose(DIRECTIONS)
    np.testing.assert_allclose(world(tmp_path / "ours.nii.gz", tmp_path / "ours.bvec"), expected, atol=1e-5)
    np.testing.assert_allclose(world(tmp_path / "peer.nii", tmp_path / "peer.bvec"), expected, atol=1e-4)


def world(nifti: Path, bvec: Path) -> np.ndarray:
    """Directions in RAS, as FSL reads the two files together."""
    affine, vectors = nibabel.load(nifti).affine[:3, :3], np.loadtxt(bvec)
    vectors[0] *= -1 if np.linalg.det(affine) > 0 else 1
    return affine / np.linalg.norm(affine, axis=0) @ vectors


def test_nothing_is_guessed(tmp_path: Path):
    trace = [plane(DiffusionBValue=0.0)] * 3 + [plane(DiffusionBValue=1e3)] * 3
    affine = tuple(map(tuple, np.eye(4).tolist()))
    weighted = Dimension("b_value", "DiffusionBValue", (0, 1e3))
    passport = Passport("regular", "", (3, 4, 5), affine, dimensions=(weighted,))
    made = bids.write_beside(tmp_path / "a.nii", Dataset(), passport, trace)
    assert [path.name for path in made] == ["a.json", "a.bval"]
    assert (tmp_path / "a.bval").read_text() == "0 1000\n"
    plain = bids.write_beside(tmp_path / "b.nii.gz", ct_phantom(rows=8, columns=8, slices=3).datasets[0], passport, [])
    assert [path.name for path in plain] == ["b.json"]
