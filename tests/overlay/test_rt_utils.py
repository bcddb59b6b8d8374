"""Regions of real structure sets beside those that rt-utils draws: they differ at their borders only."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from scipy.ndimage import binary_dilation

from tests.conftest import absent
from tests.overlay.laid import lay
from tests.overlay.test_real import images_of

pytestmark = pytest.mark.slow
PYTHON = Path(sys.prefix, "peers", "bin", "python")
BESIDE = np.ones((1, 3, 3), bool)  # in the plane
SETS = [(f"{patient}/{what}", modality) for patient in ("STS_001", "STS_002") for what, modality in (
    ("CT", "CT"), ("MR_T1", "MR"), ("PET", "PT"),
)]  # fmt: skip


@pytest.fixture(scope="module")
def rt_utils(request: pytest.FixtureRequest) -> Path:
    if not PYTHON.exists() or subprocess.run([PYTHON, "-c", "import rt_utils"], capture_output=True).returncode:
        absent(request.config, "--require-peers", "rt-utils is missing: `make test` installs it where it can")
    return PYTHON


@pytest.mark.parametrize(("name", "modality"), SETS)
def test_regions_differ_at_their_borders_only(
    data: Path, rt_utils: Path, tmp_path: Path, name: str, modality: str
) -> None:
    folder = data / "ct_mr_pet_rtstruct_sts" / name
    stack, images = images_of(folder, modality)
    structures = folder / "mask" / "RS.dcm"
    (tmp_path / "images").mkdir()
    for number, image in enumerate(images):
        shutil.copy(image, tmp_path / "images" / f"{number}.dcm")
    with_references(structures, images).save_as(tmp_path / "structures.dcm")
    script = Path(__file__).with_name("rt_masks.py")
    target = tmp_path / "masks.npz"
    subprocess.run(
        [rt_utils, script, tmp_path / "images", tmp_path / "structures.dcm", target], check=True, capture_output=True
    )
    laid = lay(structures, stack)  # as it is: what it refers to is not here
    square = (slice(None), slice(min(laid.shape[1:])), slice(min(laid.shape[1:])))  # it confuses rows with columns
    with np.load(target) as masks:
        theirs = {name: masks[name].transpose(2, 0, 1)[square] for name in masks}
    assert {segment.label for segment in laid.overlay.segments} == set(theirs)
    for segment in laid.overlay.segments:
        ours = laid.volume(0) == segment.number
        assert ours.sum() == ours[square].sum() > 100
        more = theirs[segment.label] & ~ours[square]  # it draws the contour itself, too, in whole pixels
        assert not (ours[square] & ~theirs[segment.label]).any()
        assert not (more & ~binary_dilation(ours[square], BESIDE)).any()


def with_references(structures: Path, images: Sequence[Path]) -> Dataset:
    """A structure set that names the images on which its contours lie, without which rt-utils reads none."""
    dataset = dcmread(structures)
    heads = [dcmread(image, stop_before_pixels=True) for image in images]
    places = np.array([float(head.ImagePositionPatient[2]) for head in heads])
    references = [reference(head) for head in heads]
    for region in dataset.ROIContourSequence:
        for contour in region.ContourSequence:
            contour.ContourImageSequence = [references[abs(places - float(contour.ContourData[2])).argmin()]]
    for frame in dataset.ReferencedFrameOfReferenceSequence:
        for study in frame.RTReferencedStudySequence:
            for series in study.RTReferencedSeriesSequence:
                series.ContourImageSequence = references
    return dataset


def reference(head: Dataset) -> Dataset:
    made = Dataset()
    made.ReferencedSOPClassUID, made.ReferencedSOPInstanceUID = head.SOPClassUID, head.SOPInstanceUID
    return made
