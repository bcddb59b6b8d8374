"""What is removed for good is gone, whatever happens, and nothing else is."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest

from pacs_panel.archive import Archive
from pacs_panel.errors import ArchiveError, Busy, Denied, NotFound
from pacs_panel.keep.pack import members
from pacs_panel.model import Principal
from pacs_panel.policy import Rule
from pacs_panel.records.values import Trashed
from pacs_panel.storage import layout
from pacs_panel.storage.faults import POINTS
from pacs_panel.storage.files import lock
from tests.archive.importing import empty_trash, ended, start
from tests.archive.made import QUICK, assert_whole, changed, ct, frames, opened, put, studies

pytestmark = pytest.mark.slow

PURGE_POINTS = [point for point in POINTS if point.startswith("purge.")]
SERIES, OTHER = ct(4, seed=0), ct(4, seed=1)
ONE = SERIES.datasets[1]
UID = str(ONE.SOPInstanceUID)


def contents(root: Path) -> list[bytes]:
    """Everything in the packs, member by member."""
    found = []
    for path in sorted(root.rglob("*.tar")):
        data = path.read_bytes()
        found += [data[one.offset : one.offset + one.length] for one in members(path)]
    return found


def packs(archive: Archive) -> list[str]:
    return sorted(path.stem for path in archive.root.glob("originals/*/*/*.tar"))


def anew(archive: Archive) -> Archive:
    """The archive without its index, opened and reindexed."""
    root = archive.root
    archive.close()
    for file in root.glob("index.sqlite*"):
        file.unlink()
    again = opened(root)
    again.reindex()
    return again


def assert_gone(archive: Archive, truth: dict[str, bytes], gone: set[str]) -> None:
    """What was purged is nowhere, and all else is there once, also when the index is made anew."""
    left = {uid: content for uid, content in truth.items() if uid not in gone}
    assert_whole(archive, left)
    assert sorted(contents(archive.root)) == sorted(left.values())
    assert archive.trash() == []
    before = frames(archive)
    archive.reindex()
    assert frames(archive) == before
    assert_whole(archive, left)
    assert archive.status()["trashed"] == 0


@pytest.mark.parametrize("level", ["instance", "series"])
def test_what_is_purged_is_gone_for_good(archive: Archive, tmp_path: Path, level: str) -> None:
    truth = studies(tmp_path / "in")
    archive.ingest(tmp_path / "in")
    uid = {"instance": UID, "series": SERIES.series_uid}[level]
    gone = {UID} if level == "instance" else {str(each.SOPInstanceUID) for each in SERIES.datasets}
    key = str(archive.find(SERIES.series_uid)["key"])
    before, seen = packs(archive), archive.change()
    archive.remove(uid, level)  # type: ignore[arg-type]
    result = archive.empty_trash()
    assert (result.objects, result.bytes) == (len(gone), sum(len(truth[one]) for one in gone))
    assert result.left == []
    assert len(packs(archive)) == (2 if level == "instance" else 1)
    assert len(set(packs(archive)) & set(before)) == 1
    assert_gone(archive, truth, gone)
    assert ("instance", UID, True) in archive._index.changes_since(seen)
    with pytest.raises(NotFound):
        archive.restore(uid, level)  # type: ignore[arg-type]
    if level == "instance":
        (revision,) = (path.name for path in (archive.root / layout.revision(key, "x")).parent.iterdir())
        assert archive.revision(key).revision == revision
    else:
        assert list((archive.root / layout.revision(key, "x")).parent.glob("*")) == []
        assert ("series", key, True) in archive._index.changes_since(seen)


def test_nothing_is_left_of_a_whole_study(archive: Archive, tmp_path: Path) -> None:
    studies(tmp_path / "in")
    archive.ingest(tmp_path / "in")
    archive.remove(SERIES.study_uid, "study")
    assert archive.empty_trash().objects == 8
    assert [path for path in (archive.root / "originals").rglob("*") if path.is_file()] == []
    assert [path for path in (archive.root / "volumes").rglob("*") if path.is_file()] == []
    assert [archive.search(level).count() for level in ("patient", "study", "series", "instance")] == [0] * 4  # type: ignore[arg-type]
    assert archive.ingest(tmp_path / "in").accepted == 8


def test_names_of_the_purged_are_gone_from_the_index(archive: Archive, tmp_path: Path) -> None:
    archive.ingest(put(tmp_path / "in", changed(ONE, PatientName="Vanished^Person", PatientID="VANISH-1")), build=False)
    archive.ingest(put(tmp_path / "2", *OTHER.datasets), build=False)
    archive.remove(str(archive.find(SERIES.series_uid)["key"]))
    archive.empty_trash()
    assert archive.search(text="vanished").count() == 0
    with archive._index.database.read() as connection:
        for table in ("patient", "study", "series", "object", "series_text"):
            rows = connection.exec_driver_sql(f"SELECT * FROM {table}").all()
            assert rows
            assert not any("anish" in str(value).lower() for row in rows for value in row)


@pytest.mark.parametrize("point", [*PURGE_POINTS, "purge.copied:2", "purge.committed:2", "purge.deleted:2"])
def test_a_kill_while_purging_can_be_finished(tmp_path: Path, point: str) -> None:
    truth = studies(tmp_path / "in")
    gone = {UID, *(str(each.SOPInstanceUID) for each in OTHER.datasets[:3])}
    with opened(tmp_path / "archive") as archive:
        archive.ingest(tmp_path / "in")
        for uid in gone:
            archive.remove(uid, "instance")
    assert ended(start(empty_trash, tmp_path / "archive", point)) == -signal.SIGKILL
    left = {uid: content for uid, content in truth.items() if uid not in gone}
    with opened(tmp_path / "archive") as archive:
        found = archive.verify()
        assert found.clean, str(found)
        assert all(archive.read(uid) == content for uid, content in left.items())
        archive.empty_trash()
        assert archive._records.rewrites() == []
        assert archive._records.trashed() == []
        assert_gone(archive, truth, gone)
        assert archive.status()["unbuilt"] == 0


@pytest.mark.parametrize("point", PURGE_POINTS)
def test_a_kill_while_purging_and_then_a_new_index(tmp_path: Path, point: str) -> None:
    truth = studies(tmp_path / "in")
    gone = {UID, *(str(each.SOPInstanceUID) for each in OTHER.datasets)}
    with opened(tmp_path / "archive") as archive:
        archive.ingest(tmp_path / "in")
        archive.remove(UID, "instance")
        archive.remove(OTHER.series_uid)
    assert ended(start(empty_trash, tmp_path / "archive", point)) == -signal.SIGKILL
    archive = anew(opened(tmp_path / "archive"))
    left = {uid: content for uid, content in truth.items() if uid not in gone}
    assert sorted(archive.search("instance").to_frame()["SOPInstanceUID"]) == sorted(left)
    found = archive.verify()
    assert found.clean, str(found)
    archive.empty_trash()
    assert_gone(archive, truth, gone)
    archive.close()


def test_files_in_place_are_not_touched(archive: Archive, tmp_path: Path) -> None:
    studies(tmp_path / "in", series=1)
    before = {path: path.read_bytes() for path in (tmp_path / "in").rglob("*.dcm")}
    archive.ingest(tmp_path / "in", in_place=True)
    archive.remove(UID, "instance")
    assert (archive.empty_trash().objects, archive.empty_trash().objects) == (1, 0)
    assert archive.status()["instances"] == 3
    archive.reindex()
    assert archive.status()["instances"] == 3
    archive.remove(SERIES.series_uid)
    result = archive.empty_trash()
    assert (result.objects, result.bytes) == (3, 0)
    assert archive.reindex().accepted == 0
    assert {path: path.read_bytes() for path in (tmp_path / "in").rglob("*.dcm")} == before
    assert archive.ingest(tmp_path / "in", in_place=True).accepted == 4


def test_a_file_in_place_that_came_again_stays_known(archive: Archive, tmp_path: Path) -> None:
    studies(tmp_path / "in", series=1)
    archive.ingest(tmp_path / "in", in_place=True, build=False)
    archive.remove(SERIES.series_uid)
    assert archive.ingest(tmp_path / "in", in_place=True, build=False).accepted == 4
    assert archive.empty_trash().objects == 4
    archive.reindex()
    assert archive.status()["instances"] == 4


def test_only_what_is_old_enough_goes(archive: Archive, tmp_path: Path) -> None:
    truth = studies(tmp_path / "in")
    archive.ingest(tmp_path / "in", build=False)
    archive.remove(UID, "instance")
    archive.remove(OTHER.series_uid)
    (young,) = (each for each in archive.trash() if each.level == "series")
    (old,) = (each for each in archive.trash() if each.level == "instance")
    week = 7 * 86_400 * 10**9
    archive._records.trash(Trashed(old.level, old.key, old.at - week, old.by))
    with archive._index.database.write() as connection:  # it came before it was removed
        connection.exec_driver_sql(f"UPDATE object SET received = received - {week}")
    assert archive.empty_trash(older_than_days=8).objects == 0
    assert archive.empty_trash(older_than_days=6).objects == 1
    assert archive.trash() == [young]
    assert archive.restore(OTHER.series_uid) == 4
    assert sorted(contents(archive.root)) == sorted(content for uid, content in truth.items() if uid != UID)


def test_versions_that_were_replaced_stay(archive: Archive, tmp_path: Path) -> None:
    archive.ingest(put(tmp_path / "1", ONE, *OTHER.datasets), build=False)
    archive.ingest(put(tmp_path / "2", changed(ONE, StudyDescription="new")), build=False)
    archive.remove(str(OTHER.datasets[0].SOPInstanceUID), "instance")
    archive.empty_trash()
    assert len(archive.objects(SERIES.series_uid, versions=True)) == 2
    archive.remove(UID, "instance")
    assert archive.empty_trash().objects == 2
    assert archive.reindex().accepted == 3


def test_what_came_again_after_its_removal_stays(archive: Archive, tmp_path: Path) -> None:
    truth = studies(tmp_path / "in", series=1)
    archive.ingest(tmp_path / "in", build=False)
    archive.remove(SERIES.series_uid)
    archive.ingest(tmp_path / "in", build=False)
    assert archive.restore(SERIES.series_uid) == 0  # it is here anew
    assert archive.empty_trash().objects == 4
    assert_gone(archive, truth, set())


def test_a_duplicate_that_only_its_pack_knows_goes_too(archive: Archive, tmp_path: Path) -> None:
    """Of two imports at once, one may have appended what the other was quicker with."""
    truth = studies(tmp_path / "in", series=1)
    archive.ingest(tmp_path / "in", build=False)
    (pack,) = archive.root.glob("originals/*/*/*.tar")
    twin = pack.with_name(pack.name.replace("-", "0-"))
    shutil.copy(pack, twin)
    archive.remove(UID, "instance")
    assert archive.empty_trash().objects == 1
    assert truth[UID] not in contents(archive.root)
    archive.reindex()
    assert archive.status()["instances"] == 3


def test_a_pack_that_comes_back_from_a_copy_stays_hidden(archive: Archive, tmp_path: Path) -> None:
    studies(tmp_path / "in", series=1)
    archive.ingest(tmp_path / "in", build=False)
    (pack,) = archive.root.glob("originals/*/*/*.tar")
    content = pack.read_bytes()
    archive.remove(SERIES.series_uid)
    archive.empty_trash()
    assert not pack.exists()
    pack.parent.mkdir(exist_ok=True)
    pack.write_bytes(content)
    archive.reindex()
    assert (archive.status()["instances"], archive.status()["trashed"]) == (0, 4)
    assert archive.empty_trash().objects == 4
    assert not pack.exists()


def test_a_damaged_pack_is_left_as_it_is(archive: Archive, tmp_path: Path) -> None:
    truth = studies(tmp_path / "in")
    archive.ingest(tmp_path / "in", build=False)
    key = str(archive.find(SERIES.series_uid)["key"])
    (pack,) = archive.root.glob(f"originals/*/{key}/*.tar")
    content = bytearray(pack.read_bytes())
    content[[one.offset for one in members(pack)][2] - 500] ^= 1
    pack.write_bytes(content)
    archive.remove(UID, "instance")
    archive.remove(str(OTHER.datasets[0].SOPInstanceUID), "instance")
    result = archive.empty_trash()
    assert (result.objects, len(result.left)) == (1, 1)
    assert "damaged" in result.left[0]
    assert pack.read_bytes() == content
    assert [each.key for each in archive.trash()] == [UID]
    assert archive.read(str(SERIES.datasets[3].SOPInstanceUID)) == truth[str(SERIES.datasets[3].SOPInstanceUID)]


def test_the_trash_waits_for_whoever_reads_or_imports(archive: Archive, tmp_path: Path) -> None:
    archive.ingest(put(tmp_path / "in", ONE), build=False)
    archive.remove(UID, "instance")
    with lock(archive.root / layout.reindex_lock(), shared=True), pytest.raises(Busy, match="import"):
        archive.empty_trash()
    assert archive.empty_trash().objects == 1


def test_removing_for_good_needs_an_administrator(archive: Archive, tmp_path: Path) -> None:
    archive.ingest(put(tmp_path / "in", ONE), build=False)
    rules = (Rule("keeper", frozenset({"read", "write", "remove"})),)
    with Archive(archive.root, QUICK, Principal("k", frozenset({"keeper"})), rules) as keeper:
        keeper.remove(UID, "instance")
        with pytest.raises(Denied):
            keeper.empty_trash()
    assert archive.restore(UID, "instance") == 1


def test_nothing_is_purged_with_an_index_that_does_not_know_all(archive: Archive, tmp_path: Path) -> None:
    archive.ingest(put(tmp_path / "in", ONE), build=False)
    archive.close()
    for file in archive.root.glob("index.sqlite*"):
        file.unlink()
    with opened(archive.root) as again, pytest.raises(ArchiveError, match="reindex"):
        again.empty_trash()


# -- restoring ---------------------------------------------------------------------------------------------------------


def test_restoring_a_series_leaves_what_was_removed_singly(archive: Archive, tmp_path: Path) -> None:
    truth = studies(tmp_path / "in", series=1)
    archive.ingest(tmp_path / "in", build=False)
    archive.remove(UID, "instance")
    archive.remove(SERIES.series_uid)
    assert archive.restore(SERIES.series_uid) == 3
    assert [each.key for each in archive.trash()] == [UID]
    archive.settle()
    before = frames(archive)
    archive.reindex()
    assert frames(archive) == before
    assert archive.restore(UID, "instance") == 1
    assert_whole(archive, truth)


def test_a_series_stays_in_the_trash_while_its_study_is(archive: Archive, tmp_path: Path) -> None:
    truth = studies(tmp_path / "in", series=1)
    archive.ingest(put(tmp_path / "2", changed(ONE, SeriesInstanceUID="1.2.3", SOPInstanceUID="1.2.3.4")), build=False)
    archive.ingest(tmp_path / "in", build=False)
    archive.remove(SERIES.series_uid)
    archive.remove(SERIES.study_uid, "study")
    assert archive.restore(SERIES.series_uid) == 0
    assert archive.restore(SERIES.study_uid, "study") == 5
    assert archive.status()["instances"] == len(truth) + 1
    assert archive.trash() == []
