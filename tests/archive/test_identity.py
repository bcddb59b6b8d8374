"""What a received object is to those that are kept."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import ImplicitVRLittleEndian, JPEGLSLossless, RLELossless

from pacs_panel.archive import Archive
from pacs_panel.errors import Ambiguous
from pacs_panel.receive.report import Report
from pacs_panel.testing import encode, write
from tests.archive.made import changed, ct, put

ONE = ct(1).datasets[0]
UID = str(ONE.SOPInstanceUID)
META = {"SOPClassUID": 2, "SOPInstanceUID": 3}  # elements of group 2 that repeat them


def counts(report: Report) -> tuple[int, ...]:
    return (
        report.accepted,
        report.duplicates,
        report.alternative_encodings,
        report.new_versions,
        report.refused,
    )


def test_the_same_file_again_is_a_duplicate(archive: Archive, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    write(ct(), folder)
    assert counts(archive.ingest(folder)) == (4, 0, 0, 0, 0)
    before = archive.status()
    assert counts(archive.ingest(folder)) == (0, 4, 0, 0, 0)
    after = archive.status()
    assert {k: after[k] for k in ("instances", "bytes", "superseded")} == {
        k: before[k] for k in ("instances", "bytes", "superseded")
    }


def test_another_preamble_is_a_duplicate(archive: Archive, tmp_path: Path) -> None:
    first, second = tmp_path / "1.dcm", tmp_path / "2.dcm"
    content = encode(ONE)
    first.write_bytes(content)
    second.write_bytes(b"TIFF".ljust(128, b"\0") + content[128:])
    assert counts(archive.ingest([first, second], build=False)) == (1, 1, 0, 0, 0)
    assert archive.read(UID) == content


@pytest.mark.parametrize("syntax", [RLELossless, ImplicitVRLittleEndian])
def test_another_encoding_is_not_kept_twice(archive: Archive, tmp_path: Path, syntax: str) -> None:
    folder = put(tmp_path / "in", ONE)
    again = tmp_path / "again.dcm"
    again.write_bytes(encode(ONE, syntax))
    assert again.read_bytes() != encode(ONE)
    assert counts(archive.ingest(folder, build=False)) == (1, 0, 0, 0, 0)
    assert counts(archive.ingest(again, build=False)) == (0, 0, 1, 0, 0)
    assert archive.read(UID) == encode(ONE)
    assert len(archive.objects(ONE.SeriesInstanceUID, versions=True)) == 1


def test_other_content_is_a_new_version_told_by_keywords(archive: Archive, tmp_path: Path) -> None:
    newer = changed(ONE, PatientName="Secret^Person", SeriesDescription="hidden words")
    archive.ingest(put(tmp_path / "1", ONE), build=False)
    report = archive.ingest(put(tmp_path / "2", newer), build=False)
    assert counts(report) == (0, 0, 0, 1, 0)
    ((_, detail),) = report.outcomes["new version"].examples
    assert set(detail.split(", ")) == {"PatientName", "SeriesDescription"}
    assert "Secret" not in str(report.to_dict())
    assert "hidden words" not in str(report.to_dict())
    assert archive.read(UID) == encode(newer)
    (current,) = archive.objects(ONE.SeriesInstanceUID)
    versions = archive.objects(ONE.SeriesInstanceUID, versions=True)
    assert sorted(kept.current for kept in versions) == [False, True]
    older = next(kept for kept in versions if not kept.current)
    assert current.received > older.received
    with (archive.root / f"originals/{older.location.path[:2]}/{older.location.path}.tar").open("rb") as pack:
        pack.seek(older.location.offset)
        assert pack.read(older.location.length) == encode(ONE)
    assert archive.status()["superseded"] == 1


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_newest_received_is_current_in_either_order(archive: Archive, tmp_path: Path, order: tuple[int]) -> None:
    versions = [ONE, changed(ONE, SeriesDescription="other")]
    for number in order:
        archive.ingest(put(tmp_path / str(number), versions[number]), build=False)
    assert archive.read(UID) == encode(versions[order[-1]])


def test_a_folder_with_two_versions_can_be_imported_again(archive: Archive, tmp_path: Path) -> None:
    other = changed(ONE, SeriesDescription="other")
    folder = put(tmp_path / "in", ONE, other)
    assert counts(archive.ingest(folder, build=False)) == (1, 0, 0, 1, 0)
    assert archive.read(UID) == encode(other)
    for _ in range(2):
        assert counts(archive.ingest(folder, build=False)) == (0, 2, 0, 0, 0)
        assert archive.read(UID) == encode(other)
        assert len(archive.objects(ONE.SeriesInstanceUID, versions=True)) == 2


def test_an_object_without_study_and_series_uid_is_kept_under_a_derived_key(archive: Archive, tmp_path: Path) -> None:
    bare = changed(ONE, StudyInstanceUID=None, SeriesInstanceUID=None)
    assert counts(archive.ingest(put(tmp_path / "in", bare), build=False)) == (1, 0, 0, 0, 0)
    assert archive.read(UID) == encode(bare)
    (row,) = archive.search("series").to_frame().to_dict("records")
    (kept,) = archive.objects(row["key"])
    assert kept.sop_instance_uid == UID
    assert counts(archive.ingest(tmp_path / "in", build=False)) == (0, 1, 0, 0, 0)


@pytest.mark.parametrize("missing", ["SOPInstanceUID", "SOPClassUID"])
def test_an_object_without_identity_goes_to_quarantine(archive: Archive, tmp_path: Path, missing: str) -> None:
    content = encode(ONE)
    for group, element in ((8, {"SOPClassUID": 0x16, "SOPInstanceUID": 0x18}[missing]), (2, META[missing])):
        content = content.replace(bytes([group, 0, element, 0]) + b"UI", bytes([group, 0, 0x17, 0]) + b"UI")
    path = tmp_path / "in.dcm"
    path.write_bytes(content)
    report = archive.ingest(path, build=False)
    assert counts(report) == (0, 0, 0, 0, 1)
    assert list(report.rejected) == ["no identity"]
    (refused,) = archive.quarantine()
    assert (refused.reason, refused.size) == ("no identity", len(content))
    assert (archive.root / "quarantine" / refused.digest[:2] / refused.digest).read_bytes() == content


def test_a_series_uid_in_two_studies_is_ambiguous(archive: Archive, tmp_path: Path) -> None:
    other = changed(ONE, StudyInstanceUID="1.2.3.4", SOPInstanceUID="1.2.3.4.5")
    archive.ingest(put(tmp_path / "in", ONE, other), build=False)
    with pytest.raises(Ambiguous) as caught:
        archive.objects(ONE.SeriesInstanceUID)
    assert len(caught.value.choices) == 2
    found = {archive.objects(key)[0].sop_instance_uid for key in caught.value.choices}
    assert found == {UID, "1.2.3.4.5"}


def test_blank_patient_ids_never_merge(archive: Archive, tmp_path: Path) -> None:
    blank = changed(ONE, PatientID="")
    other = changed(blank, StudyInstanceUID="1.2.3.4", SeriesInstanceUID="1.2.3.5", SOPInstanceUID="1.2.3.6")
    archive.ingest(put(tmp_path / "in", blank, other), build=False)
    assert archive.status()["patients"] == 2


def test_one_patient_id_in_two_collections_is_two_patients(archive: Archive, tmp_path: Path) -> None:
    other = changed(ONE, StudyInstanceUID="1.2.3.4", SeriesInstanceUID="1.2.3.5", SOPInstanceUID="1.2.3.6")
    archive.ingest(put(tmp_path / "1", ONE), collection="one", build=False)
    archive.ingest(put(tmp_path / "2", other), collection="two", build=False)
    assert archive.status()["patients"] == 2


def test_sizes_beyond_every_clock_stop_no_import(archive: Archive, tmp_path: Path) -> None:
    """How long decoding may take follows from what is claimed; the clock that limits it knows no such time."""
    for number in (1, 2):
        claims = dcmread(BytesIO(encode(ONE, JPEGLSLossless)))
        claims.Rows = claims.Columns = 65535
        claims.NumberOfFrames = 2**31 - 1
        claims.SeriesDescription = f"version {number}"
        claims.save_as(tmp_path / f"{number}.dcm")
    assert counts(archive.ingest(tmp_path / "1.dcm")) == (1, 0, 0, 0, 0)
    assert counts(archive.ingest(tmp_path / "2.dcm")) == (0, 0, 0, 1, 0)
