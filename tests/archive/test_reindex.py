"""An index that is made anew says what the old one said; and the trash."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from pacs_panel.archive import Archive
from pacs_panel.errors import ArchiveError
from pacs_panel.storage import layout
from pacs_panel.testing import encode
from tests.archive.importing import ended, start, take_in
from tests.archive.made import assert_whole, changed, ct, frames, opened, put, studies

pytestmark = pytest.mark.slow

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
        exposed = [changed(each, KVP=kv) for each, kv in zip(ct(3, seed=7).datasets, "231", strict=True)]
        archive.ingest(put(tmp_path / "1", *exposed), collection="lung", build=False)
        archive.ingest(put(tmp_path / "2", *ct(2, seed=8).datasets), collection="brain", build=False)
        archive.ingest(tmp_path / "placed", in_place=True, collection="placed", build=False)
        archive.ingest(put(tmp_path / "3", changed(ct(3, seed=7).datasets[0], StudyDescription="new")), build=False)
        archive.remove(ct(2, seed=8).series_uid)
        archive.settle()
        assert archive.search(KVP=2).count() == 1
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


def test_an_index_of_another_version_is_made_anew(tmp_path: Path) -> None:
    with opened(tmp_path / "archive") as archive:
        archive.ingest(put(tmp_path / "in", *SERIES.datasets), collection="lung")
        before = frames(archive), versions(archive)
    with closing(sqlite3.connect(tmp_path / "archive" / layout.INDEX)) as index:
        index.execute("PRAGMA user_version = 12")
    with opened(tmp_path / "archive") as archive:
        for use in (archive.status, lambda: archive.ingest(tmp_path / "in"), lambda: archive.search().count()):
            with pytest.raises(ArchiveError, match=r"another version.*pacs-panel reindex"):
                use()
        assert archive.reindex().accepted == 3
        assert (frames(archive), versions(archive)) == before
        assert archive.ingest(tmp_path / "in").duplicates == 3


def test_nothing_is_imported_while_the_index_is_missing(tmp_path: Path) -> None:
    """Otherwise everything would be kept a second time."""
    folder = put(tmp_path / "in", *SERIES.datasets)
    with opened(tmp_path / "archive") as archive:
        archive.ingest(folder)
        size = sum(path.stat().st_size for path in archive.root.glob("originals/**/*.tar"))
    for file in (tmp_path / "archive").glob("index.sqlite*"):
        file.unlink()
    with opened(tmp_path / "archive") as archive:
        for use in (lambda: archive.ingest(folder), archive.recover):
            with pytest.raises(ArchiveError, match=r"index is missing.*pacs-panel reindex"):
                use()
        assert list((archive.root / "incoming").iterdir()) == []
        assert archive.reindex().accepted == 3
        assert archive.ingest(folder).duplicates == 3
        assert sum(path.stat().st_size for path in archive.root.glob("originals/**/*.tar")) == size


def test_what_an_interrupted_import_left_does_not_hide_that_the_index_is_missing(tmp_path: Path) -> None:
    truth = studies(tmp_path / "in", series=1)
    (tmp_path / "one").mkdir()
    first = sorted((tmp_path / "in").rglob("*.dcm"))[0]
    first.rename(tmp_path / "one" / "0.dcm")
    with opened(tmp_path / "archive") as archive:
        archive.ingest(tmp_path / "one", build=False)
    assert ended(start(take_in, tmp_path / "archive", tmp_path / "in", 0, "admit.committed")) == -signal.SIGKILL
    for file in (tmp_path / "archive").glob("index.sqlite*"):
        file.unlink()
    with opened(tmp_path / "archive") as archive:
        with pytest.raises(ArchiveError, match="reindex"):
            archive.ingest(tmp_path / "one")
        archive.reindex()
        assert_whole(archive, truth)


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
