"""The trash is emptied after a delay; what a cohort names is not removed without a word."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import pytest

from pacs_panel.archive import Archive
from pacs_panel.cli import main
from pacs_panel.errors import Denied
from pacs_panel.model import Principal
from pacs_panel.pipeline.purge import DAY
from pacs_panel.policy import Rule
from pacs_panel.records.values import Trashed
from pacs_panel.serve.settling import Settling
from pacs_panel.storage import layout
from pacs_panel.storage.files import lock
from tests.archive.made import changed, ct, opened, put

SERIES, OTHER = ct(3, seed=0), ct(2, seed=1)
UIDS = [str(dataset.SOPInstanceUID) for dataset in SERIES.datasets]


@pytest.fixture
def both(archive: Archive, tmp_path: Path) -> Archive:
    archive.ingest(put(tmp_path / "in", *SERIES.datasets, *OTHER.datasets))
    return archive


def aged(archive: Archive, days: float) -> None:
    """Put what is in the trash so many days earlier, as well as what it was when it came."""
    for each in archive.trash():
        archive._records.trash(Trashed(each.level, each.key, each.at - round(days * DAY), each.by))
    with archive._index.database.write() as connection:
        connection.exec_driver_sql(f"UPDATE object SET received = received - {round(days * DAY)}")


def test_what_a_cohort_names_stays_until_it_is_told_to_go(both: Archive) -> None:
    cohort = both.search(SeriesInstanceUID=SERIES.series_uid).freeze("lungs")
    both.remove(SERIES.series_uid)
    both.remove(OTHER.series_uid)
    done = both.empty_trash()
    assert done.objects == 2
    (left,) = done.left
    assert "3 objects" in left
    assert "'lungs'" in left
    (waiting,) = both.trash()
    assert both.restore(waiting.key) == 3
    assert cohort.verify().clean
    assert cohort.volume(SERIES.series_uid).sizes["slice"] == 3
    both.remove(SERIES.series_uid)
    done = both.empty_trash(even_frozen=True)
    assert (done.objects, done.left, both.trash()) == (3, [], [])
    assert not cohort.verify().clean


def test_a_frozen_revision_outlives_what_came_after_it(both: Archive, tmp_path: Path) -> None:
    cohort = both.search(SeriesInstanceUID=SERIES.series_uid).freeze("lungs")
    frozen = both.revision(SERIES.series_uid).revision
    extra = changed(SERIES.datasets[0], SOPInstanceUID="2.25.77", InstanceNumber=9, ImagePositionPatient=[0, 0, 500])
    both.ingest(put(tmp_path / "more", extra))
    assert both.revision(SERIES.series_uid).revision != frozen
    both.remove("2.25.77", "instance")
    assert both.empty_trash().objects == 1
    assert cohort.verify().clean
    assert cohort.volume(SERIES.series_uid).sizes["slice"] == 3


def test_a_part_of_what_is_due_goes(both: Archive, tmp_path: Path) -> None:
    both.search(SeriesInstanceUID=SERIES.series_uid).freeze("lungs")
    both.ingest(put(tmp_path / "more", changed(SERIES.datasets[0], SOPInstanceUID="2.25.77", InstanceNumber=9)))
    both.remove(SERIES.series_uid)
    done = both.empty_trash()
    assert (done.objects, len(done.left)) == (1, 1)
    assert both.restore(SERIES.series_uid) == 3
    assert [kept.sop_instance_uid for kept in both.objects(SERIES.series_uid)] == UIDS
    assert both.verify().clean


def test_the_command_keeps_what_is_frozen(both: Archive, capsys: pytest.CaptureFixture[str]) -> None:
    both.search(SeriesInstanceUID=SERIES.series_uid).freeze("lungs")
    both.remove(SERIES.series_uid)
    words = ["trash", "--empty", "--yes", "--archive", str(both.root)]
    assert main(words) == 1
    assert "lungs" in capsys.readouterr().out
    assert main([*words, "--even-frozen"]) == 0
    assert both.trash() == []


def test_the_trash_is_emptied_after_the_days_of_the_settings(both: Archive) -> None:
    both.remove(OTHER.series_uid)
    assert both.expire_trash().objects == 0
    aged(both, 29.9)
    assert both.expire_trash().objects == 0
    aged(both, 0.2)
    with lock(both.root / layout.reindex_lock(), shared=True):
        assert both.expire_trash().objects == 0
    with opened(both.root, trash_days=0) as never, opened(both.root, trash_days=40) as later:
        assert never.expire_trash().objects == later.expire_trash().objects == 0
    assert both.expire_trash().objects == 2
    assert both.trash() == []


def test_who_may_not_remove_lets_nothing_expire(both: Archive) -> None:
    rules = (Rule("bob", frozenset({"read", "write"})),)
    bob = both.as_(Principal("bob", frozenset({"bob"})), rules)
    with pytest.raises(Denied):
        bob.expire_trash()


def test_a_quiet_process_looks_from_time_to_time() -> None:
    looked = iter(events := [Event(), Event(), Event()])
    settling = Settling(lambda: next(looked).set(), quiet=0.0, often=0.01)
    settling.start()
    try:
        assert all(event.wait(30) for event in events)
    finally:
        settling.close()
