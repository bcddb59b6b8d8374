"""The demo is various, modest, the same each time, and tells nobody's name in a path."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread

from pacs_panel.testing import (
    ct_phantom,
    demo_studies,
    encode,
    rtstruct_on,
    seg_on,
    sr_on,
    write,
    write_demo,
    write_small_files,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_demo(tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="module")
def headers(demo: list[Path]) -> list[Dataset]:
    return [dcmread(path, stop_before_pixels=True) for path in demo]


def different(headers: list[Dataset], keyword: str) -> set[str]:
    return {str(h.get(keyword)) for h in headers}


def test_demo_is_various(headers: list[Dataset]) -> None:
    assert len(different(headers, "StudyInstanceUID")) >= 12
    assert different(headers, "Modality") == {"CT", "MR", "PT", "US", "CR", "SEG", "RTSTRUCT", "SR"}
    assert len(different(headers, "PatientID")) >= 6
    assert len(different(headers, "StudyDate")) >= 10
    assert len(different(headers, "Manufacturer")) >= 5
    assert len(different(headers, "BodyPartExamined")) >= 7
    assert len(different(headers, "SOPInstanceUID")) == len(headers)


def test_demo_is_made_as_it_is_asked_for_and_the_same_each_time(demo: list[Path], tmp_path: Path) -> None:
    first = next(demo_studies())
    assert [s.modality for s in first.series] == ["CT", "SEG", "RTSTRUCT", "SR"]
    assert first.study.uid == first.series[0].study_uid
    again = [p for s in first.series for p in write(s, tmp_path / s.modality)]
    assert [p.read_bytes() for p in again] == [p.read_bytes() for p in demo[: len(again)]]


def test_names_beyond_ascii_can_be_read(headers: list[Dataset]) -> None:
    names = different(headers, "PatientName")
    assert {"Grün^Jürgen^^Dr.", "Tanaka^Yuki=田中^雪=たなか^ゆき", "Φωτεινού^Ελένη", "Phantom^Alma"} <= names
    sets = different(headers, "SpecificCharacterSet")
    assert {"ISO_IR 100", "ISO_IR 126", "ISO_IR 192", "None"} == sets


def test_demo_is_modest_and_its_paths_tell_nothing(demo: list[Path], headers: list[Dataset]) -> None:
    assert sum(path.stat().st_size for path in demo) < 60e6
    said = " ".join(str(path.relative_to(path.parents[2])) for path in demo)
    for header in headers:
        for word in (header.PatientID, *str(header.PatientName).replace("=", "^").split("^")):
            assert not word or word not in said
    assert len(set(demo)) == len(demo)


DIGEST = """
import hashlib
from pacs_panel.testing import *
ct = ct_phantom(rows=16, columns=16, slices=4, noise=5.0)
found = [d for s in (ct, seg_on(ct), rtstruct_on(ct), sr_on(ct)) for d in s.datasets]
print(hashlib.sha256(b"".join(map(encode, found))).hexdigest())
"""


def test_bytes_are_the_same_in_another_process() -> None:
    ct = ct_phantom(rows=16, columns=16, slices=4, noise=5.0)
    datasets = [d for s in (ct, seg_on(ct), rtstruct_on(ct), sr_on(ct)) for d in s.datasets]
    here = hashlib.sha256(b"".join(map(encode, datasets))).hexdigest()
    there = subprocess.run([sys.executable, "-c", DIGEST], capture_output=True, text=True, check=True)
    assert there.stdout.strip() == here


def test_small_files_are_valid_different_and_in_order(tmp_path: Path) -> None:
    written = write_small_files(tmp_path, files=11, series=3)
    paths = sorted(tmp_path.rglob("*.dcm"))
    assert len(paths) == 11
    assert written == sum(p.stat().st_size for p in paths)
    assert all(9_000 < p.stat().st_size < 11_000 for p in paths)
    files = [dcmread(p) for p in paths]
    assert len({f.SOPInstanceUID for f in files}) == 11
    assert len({f.SeriesInstanceUID for f in files}) == len({f.StudyInstanceUID for f in files}) == 3
    assert {f.Modality for f in files} == {"CT", "MR"}
    assert len({f.pixel_array.tobytes() for f in files}) > 3
    for file in files:
        assert file.file_meta.MediaStorageSOPInstanceUID == file.SOPInstanceUID
        assert float(file.ImagePositionPatient[2]) == 3.0 * (file.InstanceNumber - 1) == float(file.SliceLocation)
    assert [int(f.InstanceNumber) for f in files] == [1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3]


def test_importing_testing_needs_no_dev_dependency() -> None:
    loaded = "[m for m in ('highdicom', 'panel', 'zarr', 'pytest') if m in sys.modules]"
    code = f"import sys, pacs_panel.testing; print({loaded})"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
