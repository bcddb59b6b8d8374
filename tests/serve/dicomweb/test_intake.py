"""Objects of all requests go in together, and what waits in memory is bounded."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

import pytest

from pacs_panel.errors import ArchiveError, Unreadable
from pacs_panel.model import Stored
from pacs_panel.serve.dicomweb.intake import TOGETHER, Intake


class Book:
    """A door that writes down what is asked of it; ``open`` lets objects in, ``full`` is its disk."""

    def __init__(self) -> None:
        self.open, self.full, self.closed = threading.Event(), False, 0
        self.kept: list[list[str]] = []
        self.told: list[list[str]] = []
        self._waiting: list[str] = []
        self.open.set()

    @contextmanager
    def __call__(self) -> Iterator[Book]:
        yield self
        self.closed += 1

    def keep(self, files: Mapping[str, Path | bytes]) -> None:
        assert self.open.wait(60)
        if self.full:
            raise OSError("no room")
        self.kept.append(list(files))
        self._waiting += files

    def tell(self) -> Mapping[str, Stored | Unreadable]:
        told, self._waiting = self._waiting, []
        self.told.append(told)
        return {origin: Unreadable("no object") if "bad" in origin else stored(origin) for origin in told}


def stored(uid: str) -> Stored:
    return Stored("1", "2", "3", uid, new_version=False)


def test_the_index_learns_of_a_request_at_once() -> None:
    door = Book()
    intake = Intake(door)
    futures = [intake.submit(str(number), b"x") for number in range(TOGETHER - 1)]
    intake.hurry()
    assert [future.result(60) for future in futures] == [stored(str(number)) for number in range(TOGETHER - 1)]
    intake.close()
    assert door.told == [[str(number) for number in range(TOGETHER - 1)]]
    assert door.closed == 1


def test_what_nobody_waits_for_is_told_all_the_same() -> None:
    intake = Intake(Book())
    assert intake.submit("1", b"x").result(60) == stored("1")
    intake.close()


def test_a_refused_object_and_a_full_disk_fail_alone(tmp_path: Path) -> None:
    door = Book()
    intake = Intake(door)
    bad, good = intake.submit("bad", b"x"), intake.submit("good", b"x")
    with pytest.raises(Unreadable):
        bad.result(60)
    assert good.result(60) == stored("good")
    door.full, file = True, tmp_path / "object"
    file.write_bytes(b"x")
    with pytest.raises(OSError, match="no room"):
        intake.submit("lost", file).result(60)
    assert not file.exists()
    door.full = False
    assert intake.submit("later", b"x").result(60) == stored("later")
    intake.close()
    with pytest.raises(ArchiveError):
        intake.submit("after", b"x")


def test_a_door_that_does_not_open_refuses_all() -> None:
    @contextmanager
    def shut() -> Iterator[Book]:
        raise ArchiveError("no")
        yield Book()

    intake = Intake(shut)
    for number in range(3):
        with pytest.raises(ArchiveError, match="no"):
            intake.submit(str(number), b"x").result(60)
    intake.close()


def test_memory_is_bounded_over_all_requests() -> None:
    door = Book()
    door.open.clear()
    intake = Intake(door, most_bytes=100)
    first = intake.submit("first", b"x" * 60)
    second: list[Future[Stored]] = []
    thread = threading.Thread(target=lambda: second.append(intake.submit("second", b"x" * 60)))
    thread.start()
    thread.join(0.2)
    assert thread.is_alive()  # it waits for room
    third = intake.submit("third", b"x" * 40)  # for which there is room
    door.open.set()
    thread.join(60)
    assert [future.result(60).sop_instance_uid for future in (first, *second, third)] == ["first", "second", "third"]
    assert intake.submit("large", b"x" * 1000).result(60) == stored("large")
    intake.close()
