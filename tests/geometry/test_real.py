"""Verdicts on real series; headers are read by pydicom, so that nothing but geometry is on trial.

Where a private header tells the planes, they are ours.
"""

from __future__ import annotations

import itertools
import subprocess
from collections import defaultdict
from io import BytesIO
from pathlib import Path
from typing import Any

import dcm2niix
import nibabel
import numpy as np
import pydicom
import pytest

from pacs_panel.dicom import header as headers
from pacs_panel.dicom.planes import planes
from pacs_panel.geometry import affine as affines
from pacs_panel.geometry import plane
from pacs_panel.geometry.passport import words
from pacs_panel.geometry.stack import stacks
from pacs_panel.model import ImageHeader, Stack
from pacs_panel.settings import Settings

ORDER = ("AcquisitionNumber", "TemporalPositionIdentifier", "TriggerTime", "InstanceNumber", "SliceThickness")
TEXTS = ("AcquisitionTime", "ContentTime")


def header(ds: pydicom.Dataset) -> ImageHeader:
    def numbers(keyword: str) -> Any:
        return tuple(float(v) for v in ds[keyword].value) if ds.get(keyword) else None

    order: dict[str, float | str] = {k: float(ds[k].value) for k in ORDER if ds.get(k) is not None}
    order |= {k: str(ds[k].value) for k in TEXTS if ds.get(k)}
    order["ImageType"] = "\\".join(ds.get("ImageType") or [])
    return ImageHeader(
        ds.SOPInstanceUID,
        ds.Rows,
        ds.Columns,
        frames=int(ds.get("NumberOfFrames") or 1),
        samples=ds.SamplesPerPixel,
        bits_allocated=ds.BitsAllocated,
        bits_stored=ds.BitsStored,
        signed=ds.PixelRepresentation == 1,
        position=numbers("ImagePositionPatient"),
        orientation=numbers("ImageOrientationPatient"),
        spacing=numbers("PixelSpacing"),
        imager_spacing=numbers("ImagerPixelSpacing"),
        frame_of_reference=ds.get("FrameOfReferenceUID", ""),
        order=order,
    )


def read(folder: Path) -> dict[str, list[ImageHeader]]:
    """Images of a folder, by series."""
    series = defaultdict(list)
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        ds = pydicom.dcmread(path, stop_before_pixels=True)
        if "Rows" in ds:
            series[ds.SeriesInstanceUID].append(header(ds))
    return dict(series)


def only(folder: Path) -> Stack:
    (images,) = read(folder).values()
    (stack,) = stacks(images)
    return stack


def test_a_tilted_gantry_is_sheared(data: Path) -> None:
    stack = only(data / "ct_phantom_tilt_philips")
    passport = stack.passport
    assert (passport.verdict, passport.shape) == ("sheared", (58, 512, 512))
    assert passport.tilt == pytest.approx(16.5, abs=0.01)
    assert passport.spacing[0] == pytest.approx(2.5)
    assert passport.step_normal == pytest.approx(2.5 * np.cos(np.radians(16.5)), abs=1e-4)
    assert words(passport)[0] == "58 slices of 512 × 512, 2.50 mm apart (2.40 mm along the normal)."
    expected = affines.apply(passport.affine, [(0, 0, k) for k in range(58)])
    np.testing.assert_allclose(expected, passport.positions, atol=1e-3)
    assert plane.orientation(passport.affine) == "axial"


def test_variable_spacing_is_never_regular(data: Path) -> None:
    passport = only(data / "ct_gantry_tilt_ge").passport
    assert (passport.verdict, passport.gaps) == ("irregular", ())
    assert "from 1.08 mm to 7.00 mm" in passport.reason
    assert passport.tilt == pytest.approx(18.5, abs=0.1)
    assert len(passport.positions) == 28


def test_time_that_only_instance_numbers_tell(data: Path) -> None:
    (images,) = read(data / "mr_fmri_4d_ge").values()
    (stack,) = stacks(images)
    number = {image.sop_instance_uid: image.order["InstanceNumber"] for image in images}
    height = {image.sop_instance_uid: image.position for image in images}
    assert stack.passport.verdict == "regular"
    assert [(d.keyword, len(d.values)) for d in stack.passport.dimensions] == [("InstanceNumber", 10)]
    assert stack.passport.shape == (15, 64, 64)
    grid = np.array(stack.members).reshape(10, 15)
    assert all(number[a] < number[b] for place in grid.T for a, b in itertools.pairwise(place))
    assert all(height[uid] == stack.passport.positions[k] for time in grid for k, uid in enumerate(time))


def test_a_sagittal_series(data: Path) -> None:
    passport = only(data / "mr_t1_multislice_siemens").passport
    assert (passport.verdict, passport.shape) == ("regular", (35, 256, 256))
    assert passport.spacing[0] == pytest.approx(4.8, abs=0.01)
    assert plane.orientation(passport.affine) == "sagittal"


def test_ct_mr_and_pet_of_two_patients_are_regular(data: Path) -> None:
    made = [stacks(images) for images in read(data / "ct_mr_pet_rtstruct_sts").values()]
    assert sorted(len(found[0].members) for found in made) == [35, 48, 48, 59, 59, 59]
    for (stack,) in made:
        assert stack.passport.verdict == "regular"
        assert stack.passport.spacing[0] == pytest.approx(3.27, abs=0.001)


def test_an_oblique_grid_with_pixels_that_are_not_square(data: Path) -> None:
    found = [stacks(images) for images in read(data / "rt_utils").values()]
    (oblique,) = next(made for made in found if made[0].passport.shape == (3, 50, 100))
    assert oblique.passport.verdict == "regular"
    assert oblique.passport.spacing == pytest.approx((4.5, 3.5, 2.5), abs=1e-3)


def test_localizers_fall_into_stacks_by_orientation(data: Path) -> None:
    by_size = sorted(([len(s.members) for s in stacks(v)] for v in read(data / "dicomdir_tree").values()), key=len)
    assert by_size[-1] == [1] * 7
    assert by_size[-2] == by_size[-3] == [1] * 3


def test_a_series_with_a_far_slice_has_a_gap(data: Path) -> None:
    found = [stack for images in read(data / "dicomdir_tree").values() for stack in stacks(images)]
    assert {stack.passport.verdict for stack in found if stack.passport.gaps} == {"irregular"}
    assert [stack.passport.shape[0] for stack in found if stack.passport.gaps] == [4]


def test_a_mammogram_is_measured_at_the_detector(data: Path) -> None:
    passport = only(data / "mg_mammogram_ge").passport
    assert (passport.verdict, passport.affine, passport.calibration) == ("stack", None, "detector")
    assert passport.spacing[1] == pytest.approx(0.0941, abs=1e-3)


@pytest.mark.parametrize(("folder", "count"), [("mr_fmri_mosaic_siemens", 2), ("transfer_syntaxes_mr", 9)])
def test_mosaics_are_not_placed(data: Path, folder: str, count: int) -> None:
    stack = only(data / folder)
    assert len(stack.members) == count
    assert stack.passport.verdict == "stack"
    assert "mosaic" in stack.passport.reason


def test_mosaics_of_a_functional_run_are_a_time_series(data: Path) -> None:
    """Times between volumes are those of the objects, and their Repetition Time."""
    paths = sorted((data / "mr_fmri_mosaic_siemens").rglob("*.dcm"))
    datasets = [pydicom.dcmread(path, stop_before_pixels=True) for path in paths]
    images = [image for path in paths for image in _planes(path)]
    (stack,) = stacks(images)
    (dimension,) = stack.passport.dimensions
    assert (dimension.name, dimension.keyword) == ("time", "AcquisitionTime")
    repetition = float(datasets[0].RepetitionTime) / 1000
    assert np.diff(dimension.values) == pytest.approx([repetition], abs=1e-3)


def _planes(path: Path) -> tuple[ImageHeader, ...]:
    data = path.read_bytes()
    image = headers.image(BytesIO(data), len(data), Settings())
    assert image is not None
    return planes(image, BytesIO(data), Settings())


@pytest.mark.parametrize("folder", ["mr_t1_multislice_siemens", "mr_fmri_4d_ge"])
def test_corners_are_where_dcm2niix_puts_them(data: Path, folder: str, tmp_path: Path) -> None:
    subprocess.run([dcm2niix.bin, "-b", "n", "-z", "n", "-o", tmp_path, data / folder], check=True)
    (made,) = tmp_path.glob("*.nii")
    theirs = nibabel.load(made)
    passport = only(data / folder).passport
    found = corners(affines.to_ras(passport.affine), passport.shape[::-1])
    expected = corners(theirs.affine, theirs.shape[:3])
    # It turns axes round as it likes, so each corner is compared with the nearest of theirs.
    distances = np.linalg.norm(found[:, None] - expected[None], axis=-1).min(axis=1)
    assert distances.max() < 0.01


def corners(matrix: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    ends = itertools.product(*((0, size - 1) for size in shape))
    return affines.apply(matrix, list(ends))
