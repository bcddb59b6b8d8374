"""GE's diffusion directions against dcm2niix, and where there is none."""

from __future__ import annotations

import subprocess
from io import BytesIO
from pathlib import Path

import dcm2niix
import nibabel
import numpy as np
import pytest

from pacs_panel.dicom import header
from pacs_panel.dicom.gems import b_value, gradient
from pacs_panel.geometry.stack import stacks
from pacs_panel.model import ImageHeader
from pacs_panel.settings import Settings
from pacs_panel.testing import encode, mr_4d, turned
from pacs_panel.testing.headers import decimals, instance
from pacs_panel.volume.bids import gradients, to_voxel_axes

SETTINGS = Settings()
VECTORS = ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (0.6, 0.48, 0.64), (0.36, -0.288, 0.384))
AXIAL = ((1, 0, 0), (0, 1, 0))
CORONAL = ((1, 0, 0), (0, 0, -1))
STILL, OBLIQUE = (0.0, 0.0, 0.0), (0.2, -0.15, 0.3)


def scan(plane=AXIAL, angles=STILL, *, phase: str = "COL", position: str = "HFS", step: float = 5.0) -> list[bytes]:
    """Six volumes of four slices, as GE writes a diffusion series."""
    series = mr_4d(times=len(VECTORS), rows=16, columns=20, slices=4)
    across, down = (turned(*angles) @ np.asarray(line, float) for line in plane)
    normal = np.cross(across, down)
    made = []
    for number, dataset in enumerate(series.datasets):
        volume, slice_ = divmod(number, 4)
        place = np.array([-20.0, -10.0, 5.0]) + normal * slice_ * step
        values = {
            "Manufacturer": "GE MEDICAL SYSTEMS", "ScanningSequence": ["EP", "RM"], "PatientPosition": position,
            "InPlanePhaseEncodingDirection": phase, "InstanceNumber": str(number + 1),
            "ImagePositionPatient": decimals(place), "ImageOrientationPatient": decimals([*across, *down]),
            "PixelSpacing": ["2", "2"], "SliceThickness": "5", "SpacingBetweenSlices": "5",
        }  # fmt: skip
        one = instance(dataset, values)
        block = one.private_block(0x0019, "GEMS_ACQU_01", create=True)
        for element, component in zip((0xBB, 0xBC, 0xBD), VECTORS[volume], strict=True):
            block.add_new(element, "DS", f"{component:.6f}")
        block.add_new(0xE0, "DS", str(len(VECTORS) - 1))
        flags = ["1000001000" if volume else "0", "8", "0", "0"]
        one.private_block(0x0043, "GEMS_PARM_01", create=True).add_new(0x39, "IS", flags)
        made.append(encode(one))
    return made


def volumes(files: list[bytes]) -> list[tuple[float, tuple[float, float, float] | None]]:
    images: dict[str, ImageHeader] = {}
    for data in files:
        image = header.image(BytesIO(data), len(data), SETTINGS)
        assert image is not None
        images[image.sop_instance_uid] = image
    (stack,) = stacks(images.values())
    return gradients([images[uid] for uid in stack.members], stack.passport.shape[0])


@pytest.mark.parametrize("angles", [STILL, OBLIQUE])
@pytest.mark.parametrize("step", [5.0, -5.0])
def test_directions_and_b_values_are_those_of_dcm2niix(tmp_path: Path, angles, step) -> None:
    files = scan(angles=angles, step=step)
    folder = tmp_path / "in"
    folder.mkdir()
    for number, data in enumerate(files):
        (folder / f"{number}.dcm").write_bytes(data)
    command = [dcm2niix.bin, "-b", "n", "-f", "o", "-o", tmp_path, folder]
    subprocess.run(command, check=True, capture_output=True)
    affine = np.diag([-1, -1, 1, 1]) @ nibabel.load(tmp_path / "o.nii").affine
    found = volumes(files)
    theirs = np.loadtxt(tmp_path / "o.bvec")
    ours = to_voxel_axes([direction for _, direction in found], affine)
    for vector, number in zip(ours.T, range(len(found)), strict=True):
        assert np.abs(theirs - vector[:, None]).max(axis=0).min() < 1e-4, number
    # Both in one order: by b-value or as acquired, the vectors are all different.
    order = [int(np.abs(theirs - vector[:, None]).max(axis=0).argmin()) for vector in ours.T]
    assert sorted(order) == list(range(len(VECTORS)))
    np.testing.assert_allclose([b for b, _ in found], np.loadtxt(tmp_path / "o.bval")[order])


@pytest.mark.parametrize(
    "how",
    [{"phase": "ROW"}, {"position": "FFS"}, {"plane": CORONAL}, {"plane": ((-1, 0, 0), (0, 1, 0))}, {"phase": ""}],
)
def test_what_is_not_known_for_sure_has_no_direction(how) -> None:
    found = volumes(scan(**how))
    assert sorted(b for b, _ in found)[-4:] == [1000.0] * 4
    assert {direction for _, direction in found} == {None}


def test_a_vector_of_any_length_gives_a_direction_of_length_one() -> None:
    made = gradient((0.3, 0.0, 0.4), (1, 0, 0, 0, 1, 0), "COL", "HFS")
    assert made == pytest.approx((-0.6, 0.0, 0.8))
    assert gradient((0.0, 0.0, 0.0), (1, 0, 0, 0, 1, 0), "COL", "HFS") is None
    assert gradient((1.0, 0.0, 0.0), None, "COL", "HFS") is None


@pytest.mark.parametrize(("length", "b"), [(1.0, 1000), (0.98, 1000), (0.5, 250), (0.33, 110), (0.02, 1000)])
def test_shorter_vectors_tell_of_smaller_b_values(length: float, b: float) -> None:
    assert b_value(1000.0, (0.6 * length, 0.0, 0.8 * length)) == b


def test_vectors_without_diffusion_are_no_directions() -> None:
    data = scan()[-1]
    bare = instance(mr_4d(times=1, rows=16, columns=20, slices=1).datasets[0], {"PatientPosition": "HFS"})
    bare.InPlanePhaseEncodingDirection = "COL"
    block = bare.private_block(0x0019, "GEMS_ACQU_01", create=True)
    for element in (0xBB, 0xBC, 0xBD):
        block.add_new(element, "DS", "0.5")
    image = header.image(BytesIO(encode(bare)), len(encode(bare)), SETTINGS)
    assert "DiffusionGradientOrientation" not in image.order
    with_b = header.image(BytesIO(data), len(data), SETTINGS)
    assert "DiffusionGradientOrientation" in with_b.order
