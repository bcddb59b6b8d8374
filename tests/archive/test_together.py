"""Several imports at once, and reading beside them."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from pacs_panel.errors import ArchiveError, Busy
from pacs_panel.storage import layout
from pacs_panel.storage.files import lock
from tests.archive.importing import ended, start, take_in_together
from tests.archive.made import assert_whole, opened, studies

pytestmark = pytest.mark.slow


def test_two_imports_at_once_take_in_the_union_once(tmp_path: Path) -> None:
    truth = studies(tmp_path / "one", series=4)
    (tmp_path / "two").mkdir()
    (tmp_path / "one" / "s3").rename(tmp_path / "two" / "s3")
    for shared in ("s1", "s2"):
        (tmp_path / "two" / shared).symlink_to(tmp_path / "one" / shared)
    context = multiprocessing.get_context("forkserver")
    barrier, counts = context.Barrier(3), context.Queue()
    both = [
        start(take_in_together, tmp_path / "archive", tmp_path / name, workers, barrier, counts)
        for name, workers in (("one", 0), ("two", 2))
    ]
    barrier.wait(100)
    with opened(tmp_path / "archive") as archive:
        seen = 0
        while any(process.is_alive() for process in both):  # a reader sees whole objects only, and never fewer
            found = list(archive.search("instance").to_frame().get("SOPInstanceUID", ()))
            assert len(found) == len(set(found)) >= seen
            seen = len(found)
            assert all(archive.read(uid) == truth[uid] for uid in found[-2:])
        assert [ended(process) for process in both] == [0, 0]
        accepted, duplicates = (sum(pair) for pair in zip(counts.get(timeout=10), counts.get(timeout=10), strict=True))
        assert (accepted, duplicates) == (len(truth), 8)
        archive.recover()
        assert_whole(archive, truth)


def test_an_import_and_a_reindex_exclude_each_other(tmp_path: Path) -> None:
    studies(tmp_path / "in", series=1)
    with opened(tmp_path / "archive") as archive:
        with lock(archive.root / layout.reindex_lock()), pytest.raises(Busy):
            archive.ingest(tmp_path / "in")
        with lock(archive.root / layout.reindex_lock(), shared=True), pytest.raises(Busy):
            archive.reindex()


def test_nothing_is_imported_after_a_reindex_that_was_cut_short(tmp_path: Path) -> None:
    truth = studies(tmp_path / "in", series=2)
    with opened(tmp_path / "archive", batch=3) as archive:
        archive.ingest(tmp_path / "in", build=False)

        def stop(_done: int) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            archive.reindex(stop)
        with pytest.raises(ArchiveError, match="reindex"):
            archive.ingest(tmp_path / "in")
        archive.reindex()
        assert archive.ingest(tmp_path / "in").duplicates == len(truth)
        assert_whole(archive, truth)
