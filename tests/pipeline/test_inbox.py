"""Watched folders: only what is still is taken in, once, in batches, and refused files not again."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from pacs_panel.archive import open_archive
from pacs_panel.cli import main
from pacs_panel.errors import NotFound
from pacs_panel.pipeline.inbox import Inbox, follow
from pacs_panel.receive.report import Report
from pacs_panel.testing import files, images


class Taking:
    """Remembers what it was handed, and holds the time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.batches: list[list[str]] = []

    def clock(self) -> float:
        return self.now

    def take(self, paths: Sequence[Path]) -> Report:
        self.batches.append([path.name for path in paths])
        return Report()

    def at(self, now: float, inbox: Inbox) -> list[list[str]]:
        """The batches of a look at a time."""
        self.now, self.batches = now, []
        list(inbox.step())
        return self.batches


@pytest.fixture
def taking() -> Taking:
    return Taking()


def test_a_file_is_taken_when_it_has_been_still_and_only_once(tmp_path: Path, taking: Taking) -> None:
    (tmp_path / "a").write_bytes(b"1")
    inbox = Inbox([tmp_path], taking.take, still=5, clock=taking.clock)
    assert taking.at(0, inbox) == []
    assert taking.at(4.9, inbox) == []
    assert inbox.waiting == 1
    assert taking.at(5, inbox) == [["a"]]
    assert inbox.waiting == 0
    assert taking.at(50, inbox) == []


def test_a_file_that_grows_waits(tmp_path: Path, taking: Taking) -> None:
    inbox = Inbox([tmp_path], taking.take, still=5, clock=taking.clock)
    for now in (0, 4, 8):
        with (tmp_path / "a").open("ab") as file:
            file.write(b"1")
        assert taking.at(now, inbox) == []
    assert taking.at(12, inbox) == []
    assert taking.at(13, inbox) == [["a"]]


def test_a_file_that_changes_is_taken_again(tmp_path: Path, taking: Taking) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"1")
    inbox = Inbox([tmp_path], taking.take, still=0, clock=taking.clock)
    assert taking.at(0, inbox) == [["a"]]
    os.utime(path, ns=(1, 1))  # same bytes, another time
    assert taking.at(1, inbox) == [["a"]]
    path.unlink()
    assert taking.at(2, inbox) == []


def test_batches_are_bounded_and_one_that_fails_comes_again(tmp_path: Path, taking: Taking) -> None:
    for number in range(5):
        (tmp_path / str(number)).touch()
    inbox = Inbox([tmp_path], taking.take, still=0, batch=2, clock=taking.clock)
    steps = inbox.step()
    next(steps)
    inbox._take = lambda _: (_ for _ in ()).throw(OSError("full"))
    with pytest.raises(OSError, match="full"):
        next(steps)
    inbox._take = taking.take
    assert taking.at(1, inbox) == [["2", "3"], ["4"]]


def test_the_archive_in_a_watched_folder_is_left_out(tmp_path: Path, taking: Taking) -> None:
    (tmp_path / "archive" / "originals").mkdir(parents=True)
    (tmp_path / "archive" / "originals" / "pack.tar").touch()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "new").touch()
    inbox = Inbox([tmp_path], taking.take, still=0, leave_out=tmp_path / "archive", clock=taking.clock)
    assert taking.at(0, inbox) == [["new"]]


def test_what_is_no_folder_is_said(tmp_path: Path, taking: Taking) -> None:
    with pytest.raises(NotFound, match="is no folder"):
        Inbox([tmp_path / "absent"], taking.take)


def test_an_interrupt_between_two_looks_is_the_end(tmp_path: Path, taking: Taking) -> None:
    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    assert list(follow(Inbox([tmp_path], taking.take, clock=taking.clock), sleep=interrupted)) == []


def test_once_ends_when_all_is_taken(tmp_path: Path, taking: Taking) -> None:
    (tmp_path / "a").touch()

    def sleep(seconds: float) -> None:
        taking.now += seconds

    inbox = Inbox([tmp_path], taking.take, still=3, clock=taking.clock)
    assert len(list(follow(inbox, once=True, sleep=sleep))) == 1
    assert taking.now == 3


def test_the_command_takes_in_and_a_restart_finds_duplicates(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    incoming, archive = tmp_path / "incoming", tmp_path / "archive"
    paths = files.write(images.ct_phantom(), incoming)
    (incoming / "notes.txt").write_text("no DICOM")
    command = ["watch", str(incoming), "--once", "--still", "0", "--collection", "arrived", "--archive", str(archive)]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert f"{len(paths)} accepted" in said
    assert "1 rejected" in said
    assert main(command) == 0
    assert f"0 accepted, {len(paths)} duplicate" in capsys.readouterr().out
    with open_archive(archive) as opened:
        assert opened.search("series", Collection="arrived").count() == 1
        assert opened.status()["instances"] == len(paths)
