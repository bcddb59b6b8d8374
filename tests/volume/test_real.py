"""Real series: every voxel as pydicom reads it, where the headers say."""

from collections import defaultdict
from pathlib import Path

import numpy as np
import pydicom
import pytest

from pacs_panel.volume.read import open_stack
from tests.volume.kept import Objects

FOLDERS = [
    "ct_gantry_tilt_ge",
    "ct_phantom_tilt_philips",
    "ct_mr_pet_rtstruct_sts",
    "mr_fmri_4d_ge",
    "mr_t1_multislice_siemens",
]


def series_in(folder: Path) -> list[list[pydicom.Dataset]]:
    """Data sets of the CT, MR and mammography series below a folder."""
    found = defaultdict(list)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        try:
            dataset = pydicom.dcmread(path)
        except pydicom.errors.InvalidDicomError:
            continue
        if "PixelData" in dataset and dataset.Modality in ("CT", "MR", "MG"):
            found[dataset.SeriesInstanceUID].append(dataset)
    return list(found.values())


def check(datasets: list[pydicom.Dataset], folder: Path) -> None:
    by_uid = {str(dataset.SOPInstanceUID): dataset for dataset in datasets}
    files = [Path(dataset.filename).read_bytes() for dataset in by_uid.values()]
    revision = Objects(files).build(folder)
    assert revision.stacks, revision.note
    seen: list[str] = []
    for number, stack in enumerate(revision.stacks):
        ds = open_stack(folder / str(number))
        planes = ds.image.values.reshape(-1, *ds.image.shape[-2:])
        placed = stack.passport.affine is not None and stack.passport.verdict != "stack"
        for at, (uid, plane) in enumerate(zip(ds.pacs.members, planes, strict=True)):
            dataset = by_uid[uid]
            truth = dataset.pixel_array * float(dataset.get("RescaleSlope", 1)) + float(
                dataset.get("RescaleIntercept", 0)
            )
            np.testing.assert_allclose(plane, truth, rtol=1e-6, atol=1e-3)
            if placed:
                place = ds.pacs.lps(at % ds.sizes["slice"], 0, 0)
                np.testing.assert_allclose(place, dataset.ImagePositionPatient, atol=stack.passport.residual + 1e-3)
        seen += [*ds.pacs.members, *stack.passport.duplicates]
    assert sorted(seen) == sorted(by_uid), "every object is in a stack, or named as a duplicate"


@pytest.mark.parametrize("name", FOLDERS)
def test_every_voxel_and_place(data: Path, tmp_path: Path, name: str) -> None:
    found = series_in(data / name)
    assert found
    for number, datasets in enumerate(found):
        check(datasets, tmp_path / str(number))
