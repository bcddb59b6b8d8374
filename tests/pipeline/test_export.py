"""Series to files in other programs' formats, with what belongs beside them; also beside dcm2niix."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import dcm2niix
import nibabel
import nrrd
import numpy as np
import pytest

from pacs_panel import Archive, open_archive
from pacs_panel.errors import PacsPanelError
from pacs_panel.pipeline.export import FORMATS, SUFFIXES, export_volumes
from pacs_panel.testing import ct_missing_slice, ct_phantom, encode, mr_4d


@pytest.fixture
def archive() -> Iterator[Archive]:
    with open_archive("memory://") as made:
        yield made


def kept(archive: Archive, folder: Path, series: object) -> str:
    folder.mkdir()
    for number, dataset in enumerate(series.datasets):  # type: ignore[attr-defined]
        (folder / f"{number}.dcm").write_bytes(encode(dataset))
    archive.ingest(folder)
    return str(archive.find(series.series_uid)["key"])  # type: ignore[attr-defined]


def exported(archive: Archive, key: str, target: Path, form: str) -> list[Path]:
    return list(export_volumes(archive.root, archive.revision(key), target, form, archive.objects(key)))


def test_nifti_with_its_facts(archive: Archive, tmp_path: Path) -> None:
    series = mr_4d(rows=24, columns=20, slices=5)
    key = kept(archive, tmp_path / "in", series)
    image, facts = exported(archive, key, tmp_path / "out", "nifti")
    assert (image.name, facts.name) == (f"{key}.nii.gz", f"{key}.json")
    loaded = nibabel.load(image)
    np.testing.assert_array_equal(np.asarray(loaded.dataobj).T, series.truth.physical())
    assert loaded.header.get_zooms()[3] == pytest.approx(0.65)
    assert loaded.header.get_xyzt_units() == ("mm", "sec")
    assert json.loads(facts.read_text())["Dimensions"][0]["Name"] == "time"
    with pytest.raises(PacsPanelError, match="already"):
        exported(archive, key, tmp_path / "out", "nifti")


def test_without_the_objects_there_is_the_image_only(archive: Archive, tmp_path: Path) -> None:
    key = kept(archive, tmp_path / "in", ct_phantom(rows=24, columns=20, slices=5))
    (image,) = export_volumes(archive.root, archive.revision(key), tmp_path, "nifti")
    assert image.name == f"{key}.nii.gz"


def test_diffusion(archive: Archive, tmp_path: Path) -> None:
    series = mr_4d(rows=24, columns=20, slices=3, times=3)
    weights = ((0.0, None), (1000.0, (1.0, 0.0, 0.0)), (1000.0, (0.0, 0.0, 1.0)))
    for number, dataset in enumerate(series.datasets):
        dataset.DiffusionBValue, direction = weights[number // 3]
        if direction:
            dataset.DiffusionGradientOrientation = list(direction)
    key = kept(archive, tmp_path / "in", series)
    names = [path.name.removeprefix(key) for path in exported(archive, key, tmp_path / "out", "nifti")]
    assert names == [".nii.gz", ".json", ".bval", ".bvec"]
    assert (tmp_path / "out" / f"{key}.bval").read_text() == "0 1000 1000\n"
    vectors = np.loadtxt(tmp_path / "out" / f"{key}.bvec")
    image = nibabel.load(tmp_path / "out" / f"{key}.nii.gz")
    vectors[0] *= -1 if np.linalg.det(image.affine) > 0 else 1
    world = np.diag([-1, -1, 1]) @ (image.affine[:3, :3] / np.linalg.norm(image.affine[:3, :3], axis=0)) @ vectors
    np.testing.assert_allclose(world.T, [[0, 0, 0], [1, 0, 0], [0, 0, 1]], atol=1e-6)


def test_nrrd(archive: Archive, tmp_path: Path) -> None:
    series = ct_phantom(rows=24, columns=20, slices=5)
    key = kept(archive, tmp_path / "in", series)
    (path,) = exported(archive, key, tmp_path / "out", "nrrd")
    data, header = nrrd.read(str(path))
    np.testing.assert_array_equal(data.T, series.truth.physical())
    assert "nrrd" in FORMATS
    assert path.name == key + SUFFIXES["nrrd"]
    assert not any(str(series.datasets[0].PatientName) in str(value) for value in header.values())


@pytest.mark.parametrize("form", ["nifti", "nrrd"])
def test_a_stack_that_a_form_cannot_hold(archive: Archive, tmp_path: Path, form: str) -> None:
    key = kept(archive, tmp_path / "in", ct_missing_slice(rows=24, columns=20, slices=7))
    with pytest.raises(PacsPanelError, match="cannot hold"):
        exported(archive, key, tmp_path / "out", form)
    assert not list((tmp_path / "out").glob("*.n*")), "nothing half written is left"


SAME = ("RepetitionTime", "EchoTime", "FlipAngle", "MagneticFieldStrength", "SliceThickness", "SliceTiming")


@pytest.mark.parametrize(
    ("folder", "facts"),
    [
        ("mr_fmri_mosaic_siemens", {"RepetitionTime", "EchoTime", "FlipAngle", "MagneticFieldStrength", "SliceTiming"}),
        ("mr_fmri_4d_ge", {"RepetitionTime", "EchoTime", "FlipAngle"}),
        ("mr_enhanced_multiframe", {"RepetitionTime", "FlipAngle"}),
        ("mr_t1_multislice_siemens", {"RepetitionTime", "EchoTime", "FlipAngle", "MagneticFieldStrength"}),
    ],
)
def test_facts_as_dcm2niix_has_them(archive: Archive, data: Path, tmp_path: Path, folder: str, facts: set[str]) -> None:
    (tmp_path / "peer").mkdir()
    command = [dcm2niix.bin, "-b", "o", "-f", "%s_%d", "-o", str(tmp_path / "peer"), str(data / folder)]
    subprocess.run(command, check=True, capture_output=True, timeout=100)
    theirs = [json.loads(path.read_text()) for path in (tmp_path / "peer").glob("*.json")]
    archive.ingest(data / folder)
    for row in archive.search().rows():
        beside = [path for path in exported(archive, row["key"], tmp_path / "out", "nifti") if path.suffix == ".json"]
        for ours in (json.loads(path.read_text()) for path in beside):
            fitting = [peer for peer in theirs if same(peer, ours)]
            assert fitting, f"none of dcm2niix's has the facts {[ours.get(name) for name in SAME]}"
            assert facts <= set(ours)


def same(peer: dict, ours: dict) -> bool:
    """Whether all facts that both state are the same."""
    both = [name for name in SAME if name in peer and name in ours]
    return len(both) >= 3 and all(np.allclose(peer[name], ours[name], rtol=1e-4) for name in both)
