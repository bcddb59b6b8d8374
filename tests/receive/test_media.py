"""DICOMDIRs: what they list is found, inside their folder only, and what is missing is said."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pacs_panel.dicom.dicomdir import referenced_files
from pacs_panel.receive.media import find
from tests.receive.makers import dicom, received, written


@pytest.fixture
def medium(tmp_path: Path, data: Path) -> Path:
    return Path(shutil.copytree(data / "dicomdir_tree", tmp_path / "medium"))


def test_a_dicomdir_stands_for_its_files(medium: Path) -> None:
    taken, refused = received([medium / "DICOMDIR"])
    assert len(taken) == 31
    assert refused == {}
    listed = referenced_files((medium / "DICOMDIR").read_bytes())
    assert list(taken) == [str(medium.joinpath(*parts)) for parts in listed]


def test_in_a_folder_it_is_a_container(medium: Path) -> None:
    taken, refused = received([medium])
    assert len(taken) == 31
    assert refused == {f"{medium}/DICOMDIR": "DICOMDIR"}


def test_missing_files_are_reported_either_way(medium: Path) -> None:
    (medium / "77654033" / "CR1" / "6154").unlink()
    missing = {f"{medium}/DICOMDIR!77654033/CR1/6154": "listed in DICOMDIR, but missing"}
    taken, refused = received([medium / "DICOMDIR"])
    assert (len(taken), refused) == (30, missing)
    taken, refused = received([medium])
    assert (len(taken), refused) == (30, missing | {f"{medium}/DICOMDIR": "DICOMDIR"})


def test_a_dicomdir_is_told_by_its_content(medium: Path) -> None:
    (medium / "DICOMDIR").rename(medium / "index")
    assert len(received([medium / "index"])[0]) == 31


def test_a_file_that_is_only_called_so_is_a_file(tmp_path: Path) -> None:
    path = written(tmp_path, {"DICOMDIR": dicom(b"ct")}) / "DICOMDIR"
    assert received([path]) == ({str(path): dicom(b"ct")}, {})
    written(tmp_path, {"DICOMDIR": b"no DICOM at all"})
    taken, refused = received([path])
    assert taken == {}
    assert list(refused) == [str(path)]


def test_damaged_dicomdirs_are_refused(medium: Path) -> None:
    whole = (medium / "DICOMDIR").read_bytes()
    for size in (140, 400, 1500, len(whole) - 7):
        (medium / "DICOMDIR").write_bytes(whole[:size])
        taken, refused = received([medium])
        assert len([origin for origin in taken if not origin.endswith("DICOMDIR")]) == 31
        # Too short to be told from an object, it is left to whoever reads objects.
        assert f"{medium}/DICOMDIR" in taken or set(refused.values()) == {"unreadable"}


def test_names_differ_in_case_and_version(tmp_path: Path) -> None:
    written(tmp_path, {"Series1/im1.dcm;1": b"a", "series2/IM2.": b"b"})
    found = dict(find(tmp_path, [("SERIES1", "IM1.DCM"), ("SERIES2", "IM2"), ("SERIES1", "IM3")]))
    assert found == {
        ("SERIES1", "IM1.DCM"): tmp_path / "Series1" / "im1.dcm;1",
        ("SERIES2", "IM2"): tmp_path / "series2" / "IM2.",
        ("SERIES1", "IM3"): None,
    }


def test_names_never_lead_out_of_the_folder(tmp_path: Path) -> None:
    folder = written(tmp_path, {"medium/IM1": b"a", "secret": b"s"}) / "medium"
    outside = [("..", "secret"), ("", "secret"), (str(tmp_path / "secret"),), (".",), ("IM1", ".."), ("a\\..\\b",), ()]
    assert [path for _, path in find(folder, outside)] == [None] * len(outside)


def test_a_dicomdir_that_lies_deeper_than_its_names_assume(tmp_path: Path) -> None:
    folder = written(tmp_path, {"S3010/I10": b"a", "S3010/I20": b"b"}) / "S3010"
    listed = [("S1", "S3010", "I10"), ("S1", "OTHER", "I20"), ("S1", "S3010", "I30")]
    assert [path for _, path in find(folder, listed)] == [folder / "I10", None, None]


def test_files_listed_twice_come_once(tmp_path: Path) -> None:
    written(tmp_path, {"A": b"a"})
    assert list(find(tmp_path, [("A",), ("A",)])) == [(("A",), tmp_path / "A")]
