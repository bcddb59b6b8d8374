"""Real series, ours beside dcm2niix on the same files: every voxel at the same place, with the same value.

Where the two differ, the test says which is right and why, and holds ours against the DICOM headers themselves.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import dcm2niix
import nibabel
import numpy as np
import pydicom
import pytest

from pacs_panel import open_archive
from pacs_panel.model import Passport
from pacs_panel.volume.export import to_nifti

PLACE = 2e-3  # mm: dcm2niix computes in float32, and takes the step between slices from two of them
VALUE = 1e-3  # relative


@dataclass(frozen=True)
class Image:
    """Values ``[column, row, slice]`` and the affine to RAS mm, as NIfTI has them."""

    values: np.ndarray
    affine: np.ndarray


def load(path: Path) -> Image:
    image = nibabel.load(path)
    return Image(np.asarray(image.dataobj, dtype=np.float64), image.affine)


def peers(folder: Path, target: Path) -> list[Image]:
    """What dcm2niix makes of a folder."""
    target.mkdir()
    command = [dcm2niix.bin, "-b", "n", "-z", "n", "-f", "%s", "-o", str(target), str(folder)]
    subprocess.run(command, check=True, capture_output=True, timeout=100)
    return [load(path) for path in sorted(target.glob("*.nii"))]


def ours(folder: Path, target: Path) -> list[tuple[Image, Passport]]:
    """What we make of a folder."""
    target.mkdir()
    made = []
    with open_archive("memory://") as archive:
        archive.ingest(folder)
        for row in archive.search().rows():
            for number, stack in enumerate(archive.revision(row["key"]).stacks):
                path = to_nifti(archive.stack_path(row["key"], number), target / f"{row['key']}-{number}.nii")
                made.append((load(path), stack.passport))
    return made


def onto(ours: Image, peer: Image) -> tuple[np.ndarray, float]:
    """Our values in the peer's order of voxels, and how far, in mm, corresponding voxels are apart at most.

    The way from our index to the peer's must be a permutation of axes with flips, or it is no comparison.
    """
    way = np.linalg.inv(peer.affine) @ ours.affine
    turn = np.rint(way[:3, :3])
    assert np.array_equal(np.abs(turn).sum(0), [1, 1, 1]), f"the grids are not parallel: {way}"
    axes = [int(np.flatnonzero(row)[0]) for row in turn]
    values = ours.values.transpose(axes)
    flips = tuple(slice(None, None, int(turn[row, axis])) for row, axis in enumerate(axes))
    corners = np.array([[c, r, s, 1] for c in (0, 1) for r in (0, 1) for s in (0, 1)], float)
    corners[:, :3] *= np.array(ours.values.shape) - 1
    index = corners @ way.T
    start = np.where(turn.sum(1) < 0, np.array(values.shape) - 1, 0)
    exact = corners[:, :3] @ turn.T + start
    there = np.column_stack([exact, np.ones(len(exact))]) @ peer.affine.T
    here = corners @ ours.affine.T
    assert np.abs(index[:, :3] - exact).max() < 0.1
    return values[flips], float(np.linalg.norm((there - here)[:, :3], axis=1).max())


def pair(made: list[tuple[Image, Passport]], found: list[Image]) -> list[tuple[Image, Passport, Image]]:
    """Ours with the peer's of the same size."""
    pairs = []
    for image, passport in made:
        fitting = [peer for peer in found if sorted(peer.values.shape) == sorted(image.values.shape)]
        assert len(fitting) == 1, f"dcm2niix made {len(fitting)} images of shape {image.values.shape}"
        pairs.append((image, passport, fitting[0]))
    return pairs


@pytest.mark.parametrize(
    ("folder", "count"),
    [
        ("mr_t1_multislice_siemens", 1),
        ("ct_mr_pet_rtstruct_sts/STS_001/CT", 1),
        ("ct_mr_pet_rtstruct_sts/STS_001/MR_T1", 1),
        ("ct_mr_pet_rtstruct_sts/STS_002/CT", 1),
        ("ct_mr_pet_rtstruct_sts/STS_002/MR_T1", 1),
    ],
)
def test_places_and_values_agree(data, tmp_path, folder, count):
    assert (data / folder).is_dir()
    pairs = pair(ours(data / folder, tmp_path / "ours"), peers(data / folder, tmp_path / "peer"))
    assert len(pairs) == count
    for image, passport, peer in pairs:
        assert passport.verdict == "regular"
        values, distance = onto(image, peer)
        assert distance < PLACE
        assert passport.residual < 1e-3
        assert np.allclose(places(data / folder), passport.positions, atol=1e-4)
        assert np.allclose(values, peer.values, rtol=VALUE, atol=0)
        assert values.std() > 0


def test_a_fragmented_jpeg_series(data, tmp_path):
    """Values agree. dcm2niix places the volume 0.01 mm away from Image Position (Patient); ours is where that says."""
    folder = data / "mr_t1_jpeg_fragmented"
    ((image, passport, peer),) = pair(ours(folder, tmp_path / "ours"), peers(folder, tmp_path / "peer"))
    values, distance = onto(image, peer)
    assert np.array_equal(values, peer.values)
    assert 0.005 < distance < 0.015
    assert passport.verdict == "regular"
    assert np.allclose(places(folder), passport.positions, atol=1e-4)


def test_a_tilted_gantry(data, tmp_path):
    """The uncorrected image of dcm2niix has the same voxels, but stacks them upright; ours keeps the measured shear.

    dcm2niix writes two images: one whose slice step it sets along the normal (so that rows drift from their true place
    by the tilt), and one that it resamples to undo the shear. The first must have our values and our spacing along the
    normal; our affine must be where the headers say. The second is not compared: its rows are padded and its origin
    moved, so that its affine no longer fits the first's.
    """
    folder = data / "ct_phantom_tilt_philips"
    ((image, passport),) = ours(folder, tmp_path / "ours")
    raw, corrected = sorted(peers(folder, tmp_path / "peer"), key=lambda peer: peer.values.size)
    assert corrected.values.shape[1] > raw.values.shape[1] == image.values.shape[1]

    assert np.array_equal(image.values[:, ::-1], raw.values)
    assert np.allclose(raw.affine[:3, 0], image.affine[:3, 0], atol=PLACE)
    assert np.allclose(raw.affine[:3, 1], -image.affine[:3, 1], atol=PLACE)
    assert np.isclose(np.linalg.norm(raw.affine[:3, 2]), passport.step_normal, atol=PLACE)

    assert passport.verdict == "sheared"
    assert np.isclose(passport.tilt, 16.5, atol=0.1)
    slices = len(passport.positions)
    first = np.array(passport.affine) @ np.array(
        [np.zeros(slices), np.zeros(slices), np.arange(slices), np.ones(slices)]
    )
    assert np.allclose(first[:3].T, places(folder), atol=0.01)


def places(folder: Path) -> np.ndarray:
    """Image Position (Patient) of a folder's slices, by pydicom, in the order along their normal."""
    found = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        header = pydicom.dcmread(path, stop_before_pixels=True)
        if "ImagePositionPatient" in header:
            row, column = np.reshape(np.array(header.ImageOrientationPatient, float), (2, 3))
            place = np.array(header.ImagePositionPatient, float)
            found.append((float(place @ np.cross(row, column)), place))
    return np.array([place for _, place in sorted(found, key=lambda one: one[0])])
