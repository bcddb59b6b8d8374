"""An index that is made anew says what the old one said; and the trash."""

from __future__ import annotations

import os
import resource
from pathlib import Path

from pacs_panel.archive import Archive
from pacs_panel.testing import encode
from tests.archive.made import changed, ct, frames, opened, put, studies

SERIES = ct(3)
ONE = SERIES.datasets[0]
UID = str(ONE.SOPInstanceUID)


def versions(archive: Archive) -> list[tuple[str, bool, str]]:
    keys = archive.search("series").to_frame()["key"]
    return sorted(
        (kept.sop_instance_uid, kept.current, kept.digests.file)
        for key in keys
        for kept in archive.objects(key, versions=True)
    )


def test_a_new_index_agrees_with_the_old(tmp_path: Path) -> None:
    studies(tmp_path / "placed", series=1, slices=3)
    with opened(tmp_path / "archive", batch=2) as archive:
        archive.ingest(put(tmp_path / "1", *ct(3, seed=7).datasets), collection="lung", build=False)
        archive.ingest(put(tmp_path / "2", *ct(2, seed=8).datasets), collection="brain", build=False)
        archive.ingest(tmp_path / "placed", in_place=True, collection="placed", build=False)
        archive.ingest(put(tmp_path / "3", changed(ct(3, seed=7).datasets[0], StudyDescription="new")), build=False)
        archive.remove(ct(2, seed=8).series_uid)
        archive.settle()
        before = frames(archive), versions(archive), archive.trash()
        report = archive.reindex()
        assert (report.accepted, report.new_versions, report.refused) == (8, 1, 0)
        assert (frames(archive), versions(archive), archive.trash()) == before
        assert archive.verify().clean
        assert archive.restore(ct(2, seed=8).series_uid) == 2
    for file in (tmp_path / "archive").glob("index.sqlite*"):
        file.unlink()
    with opened(tmp_path / "archive") as archive:
        archive.reindex()
        assert archive.status()["instances"] == 8


def test_what_came_again_after_its_removal_stays_visible(archive: Archive, tmp_path: Path) -> None:
    folder = put(tmp_path / "in", *SERIES.datasets)
    archive.ingest(folder, build=False)
    archive.remove(SERIES.series_uid)
    assert archive.status()["instances"] == 0
    assert archive.ingest(folder, build=False).accepted == 3
    archive.reindex()
    assert archive.status()["instances"] == 3


def test_many_packs_need_few_open_files(archive: Archive, tmp_path: Path) -> None:
    many = [changed(ONE, SeriesInstanceUID=f"1.2.{n}", SOPInstanceUID=f"1.2.{n}.1") for n in range(1, 61)]
    archive.ingest(put(tmp_path / "in", *many), build=False)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/dev/fd")) + 30, hard))
    try:
        assert archive.reindex().accepted == 60
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_files_in_place_that_changed_or_went_are_told(archive: Archive, tmp_path: Path) -> None:
    studies(tmp_path / "in", series=1, slices=3)
    archive.ingest(tmp_path / "in", in_place=True, build=False)
    first, second, _ = sorted((tmp_path / "in").rglob("*.dcm"))
    content = bytearray(first.read_bytes())
    content[-1] ^= 1
    first.write_bytes(content)
    second.unlink()
    report = archive.reindex()
    assert (report.accepted, list(report.rejected)) == (2, ["recorded in place, but missing"])
    assert len(archive.verify().damaged) == 1


def test_removing_hides_and_restoring_shows(archive: Archive, tmp_path: Path) -> None:
    archive.ingest(put(tmp_path / "in", *SERIES.datasets), build=False)
    for level, uid, count in (("instance", UID, 1), ("series", SERIES.series_uid, 3), ("study", SERIES.study_uid, 3)):
        before = frames(archive)
        assert archive.remove(uid, level) == count  # type: ignore[arg-type]
        assert archive.status()["instances"] == 3 - count
        assert len(archive.trash()) == 1
        assert archive.restore(uid, level) == count  # type: ignore[arg-type]
        assert frames(archive) == before
        assert archive.trash() == []
    assert archive.read(UID) == encode(ONE)
