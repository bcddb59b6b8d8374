"""Whenever an import dies, nothing is lost and nothing is there twice."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import pacs_panel
from pacs_panel.storage.faults import POINTS
from tests.archive.importing import BROKEN, ended, remove, start, take_in
from tests.archive.made import assert_whole, opened, studies

pytestmark = pytest.mark.slow

PACKAGE = Path(pacs_panel.__file__).parent
IMPORT_POINTS = [point for point in POINTS if not point.startswith(("trash.", "purge."))]


def test_every_point_is_reached_somewhere() -> None:
    sources = "".join(path.read_text("utf-8") for path in PACKAGE.rglob("*.py"))
    assert set(re.findall(r'reach\([\w.]+, "([\w.]+)"\)', sources)) == set(POINTS)


@pytest.mark.parametrize("point", [*IMPORT_POINTS, "keep.append.body:4", "admit.committed:2"])
def test_a_kill_loses_nothing(tmp_path: Path, point: str) -> None:
    truth = studies(tmp_path / "in")
    assert ended(start(take_in, tmp_path / "archive", tmp_path / "in", 0, point)) == -signal.SIGKILL
    with opened(tmp_path / "archive") as archive:
        archive.recover()
        known = archive.status()["instances"]
        report = archive.ingest(tmp_path / "in")
        assert (report.accepted, report.duplicates) == (len(truth) - known, known)
        assert_whole(archive, truth)
        assert archive.status()["unbuilt"] == 0
        for key in archive.search("series").to_frame()["key"]:
            assert archive.volume(key)["image"].shape == (4, 16, 16)


def test_a_kill_after_the_sync_loses_nothing_that_was_durable(tmp_path: Path) -> None:
    truth = studies(tmp_path / "in")
    assert ended(start(take_in, tmp_path / "archive", tmp_path / "in", 0, "keep.synced:2")) == -signal.SIGKILL
    with opened(tmp_path / "archive") as archive:
        assert archive.status()["instances"] == 3  # one batch was committed
        assert archive.recover().accepted == 3  # and the other was durable
        for uid in archive.search("instance").to_frame()["SOPInstanceUID"]:
            assert archive.read(uid) == truth[uid]


@pytest.mark.parametrize("point", ["keep.synced", "keep.append.body:2"])
def test_a_killed_worker_ends_the_import_and_loses_nothing(tmp_path: Path, point: str) -> None:
    truth = studies(tmp_path / "in", series=3)
    assert ended(start(take_in, tmp_path / "archive", tmp_path / "in", 2, point)) == BROKEN
    with opened(tmp_path / "archive") as archive:
        archive.ingest(tmp_path / "in", build=False)
        assert_whole(archive, truth)


@pytest.mark.parametrize("point", ["admit.decided", "admit.committed:2"])
def test_workers_that_outlive_a_killed_import_do_no_harm(tmp_path: Path, point: str) -> None:
    truth = studies(tmp_path / "in", series=4)
    assert ended(start(take_in, tmp_path / "archive", tmp_path / "in", 2, point)) == -signal.SIGKILL
    with opened(tmp_path / "archive") as archive:
        archive.ingest(tmp_path / "in", build=False)
        assert sorted(archive.search("instance").to_frame()["SOPInstanceUID"]) == sorted(truth)
        assert archive.verify().clean
        assert all(archive.read(uid) == content for uid, content in truth.items())


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C works also where the tests were started in the background, whose processes are born deaf to it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("workers", [0, 2])
def test_ctrl_c_loses_nothing(tmp_path: Path, workers: int) -> None:
    truth = studies(tmp_path / "in", series=4)

    def stop(_progress: object) -> None:
        signal.raise_signal(signal.SIGINT)

    with opened(tmp_path / "archive", batch=3, workers=workers) as archive:
        with pytest.raises(KeyboardInterrupt):
            archive.ingest(tmp_path / "in", progress=stop)
        assert archive.status()["instances"] == 3
        assert [session.finished for session in archive.imports()] == [None]
        for uid in archive.search("instance").to_frame()["SOPInstanceUID"]:
            assert archive.read(uid) == truth[uid]  # at once, out of the log
        archive.ingest(tmp_path / "in", build=False)
        archive.recover()  # a worker may have begun a batch after the first recovery
        assert_whole(archive, truth)


def test_threads_do_not_write_into_one_log(tmp_path: Path) -> None:
    truth = studies(tmp_path / "in", series=1, slices=40)
    with opened(tmp_path / "archive", batch=3) as archive, ThreadPoolExecutor(4) as pool:
        archive.ingest(tmp_path / "in", executor=pool, build=False)
        assert_whole(archive, truth)


def test_a_kill_while_removing_can_be_finished_or_undone(tmp_path: Path) -> None:
    truth = studies(tmp_path / "in", series=1)
    with opened(tmp_path / "archive") as archive:
        archive.ingest(tmp_path / "in", build=False)
        (key,) = archive.search("series").to_frame()["key"]
        assert ended(start(remove, tmp_path / "archive", key, "trash.recorded")) == -signal.SIGKILL
        assert [each.key for each in archive.trash()] == [key]
        assert archive.restore(key) == 0
        assert archive.trash() == []
        assert_whole(archive, truth)
        assert archive.remove(key) == len(truth)
        assert archive.restore(key) == len(truth)
        assert_whole(archive, truth)
