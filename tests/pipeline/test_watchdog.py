"""A decoder that hangs is ended, and its series says so; nothing else is disturbed."""

from __future__ import annotations

import faulthandler
import io
from pathlib import Path
from typing import Any

import pytest

from pacs_panel.archive import open_archive
from pacs_panel.model import Location
from pacs_panel.pipeline import jobs, settle
from pacs_panel.pipeline.watchdog import LONGEST, Watch, hung, limited
from pacs_panel.settings import Settings
from pacs_panel.storage import layout
from tests.benchmarks.series import write_ct
from tests.pipeline.hanging import answer, build_or_hang
from tests.pixels.encoding import ENCODERS, JPEG_LS

HERE = Location("a", 0, 4)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("workers", [1, 2])
def test_only_the_series_whose_decoder_hangs_fails(
    tmp_path: Path, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_ct(tmp_path / "in", 3, 3, 32, (JPEG_LS, ENCODERS[JPEG_LS]))
    for folder in ("series00", "series02"):
        (tmp_path / "in" / folder / "IM0001.dcm").unlink()
    reason = "could not be built: the decoder got nowhere for 0.05 seconds, and was ended"
    monkeypatch.setattr(settle, "build_series", build_or_hang)
    with open_archive(tmp_path / "archive", settings=Settings(workers=workers)) as opened:
        opened.ingest(tmp_path / "in", build=False)
        found = settle.settle(opened.root, opened._index, opened.settings, patience=0.05)
        told = {one.series_key: one.note for one in found}
        assert sorted(told.values()) == ["", "", reason]
        hanging = next(key for key, note in told.items() if note)
        notes = {key: hung(opened.root / layout.build_lock(key)) for key in told}
        assert notes == {key: key == hanging for key in told}
        assert not opened._index.unsettled()
        again = settle.settle(opened.root, opened._index, opened.settings, series=[hanging], patience=0.05)
        assert again[0].note == reason
        monkeypatch.undo()
        (mended,) = settle.settle(opened.root, opened._index, opened.settings, series=[hanging])
        assert (mended.note, len(mended.stacks[0].members)) == ("", 3)
        assert not hung(opened.root / layout.build_lock(hanging))


def test_a_call_that_takes_too_long_ends_its_process() -> None:
    assert jobs.alone(answer, (True, 1e6)) == 42
    with pytest.raises(jobs.Crashed):
        jobs.alone(answer, (False, 0.05))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the watch asks of the clock that ends the process: seconds, or ``None`` for no more."""
    asked: list[Any] = []
    monkeypatch.setattr(faulthandler, "dump_traceback_later", lambda seconds, **_: asked.append(seconds))
    monkeypatch.setattr(faulthandler, "cancel_dump_traceback_later", lambda: asked.append(None))
    monkeypatch.setattr("pacs_panel.pipeline.watchdog.AGAIN", 0)
    return asked


def test_only_open_files_are_watched(tmp_path: Path, clock: list[Any]) -> None:
    with Watch(lambda _: io.BytesIO(b"1234"), 7, tmp_path / "note") as opener:
        assert clock == []
        first, second = opener(HERE), opener(HERE)
        assert clock == [7, 7]
        assert (second.seek(1), second.read(2), second.tell(), first.read()) == (1, b"23", 3, b"1234")
        assert set(clock[2:]) == {7}
        clock.clear()
        first.close()
        assert clock == [7]
        second.close()
        second.close()
        assert clock == [7, None]
    assert clock == [7, None, None]
    assert not hung(tmp_path / "note")


def test_a_file_that_cannot_be_opened_is_not_watched(tmp_path: Path, clock: list[Any]) -> None:
    def missing(_: Location) -> io.BytesIO:
        raise FileNotFoundError

    with Watch(missing, 7, tmp_path / "note") as opener:
        with pytest.raises(FileNotFoundError):
            opener(HERE)
        assert clock == [7, None]


def test_signs_of_life_in_quick_succession_are_one(
    tmp_path: Path, clock: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pacs_panel.pipeline.watchdog.AGAIN", 0.01)
    with Watch(lambda _: io.BytesIO(bytes(100)), LONGEST, tmp_path / "note") as opener, opener(HERE) as file:
        for _ in range(10):
            file.seek(0)
            file.read()
        assert clock == [LONGEST]


def test_a_file_that_is_closed_late_starts_no_clock(tmp_path: Path, clock: list[Any]) -> None:
    with Watch(lambda _: io.BytesIO(b"1234"), 7, tmp_path / "note") as opener:
        one, other = opener(HERE), opener(HERE)
    del clock[:]
    assert one.read(2) == b"12"
    one.close()
    other.close()
    assert clock == []


def test_a_file_that_cannot_be_closed_is_watched_no_more(tmp_path: Path, clock: list[Any]) -> None:
    class Broken(io.BytesIO):
        def close(self) -> None:
            super().close()
            raise OSError("gone")

    with Watch(lambda _: Broken(b"1234"), 7, tmp_path / "note") as opener:
        file = opener(HERE)
        with pytest.raises(OSError, match="gone"):
            file.close()
        assert clock[-1] is None


def test_a_file_that_is_closed_in_the_midst_of_a_sign_of_life_leaves_no_clock(
    tmp_path: Path, clock: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the garbage collector does with files that an error left open, whenever it likes."""
    left: list[Any] = []

    def starts(seconds: float, **_: object) -> None:
        clock.append(seconds)
        if left:
            left.pop().close()

    monkeypatch.setattr(faulthandler, "dump_traceback_later", starts)
    with Watch(lambda _: io.BytesIO(b"1234"), 7, tmp_path / "note") as opener:
        file = opener(HERE)
        left.append(file)
        opener.sign()
        assert (clock, file.closed) == ([7, 7, None], True)
        monkeypatch.setattr("pacs_panel.pipeline.watchdog.AGAIN", 0.01)
        again = opener(HERE)
        assert (clock[-1], again.closed) == (7, False)


def test_no_limit_is_beyond_what_the_clock_knows(tmp_path: Path, clock: list[Any]) -> None:
    with limited(1e15):
        assert clock == [LONGEST]
    with Watch(lambda _: io.BytesIO(b"1234"), 1e15, tmp_path / "note") as opener, opener(HERE):
        assert clock[-1] == LONGEST
