"""Emptying the trash from the command line."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from pacs_panel.cli import main
from tests.archive.made import ct, opened, put

pytestmark = pytest.mark.slow

SERIES = ct(2)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An archive of a series that is in the trash."""
    monkeypatch.setenv("PACS_PANEL_ARCHIVE", str(tmp_path / "archive"))
    monkeypatch.setenv("PACS_PANEL_WORKERS", "0")
    with opened(tmp_path / "archive") as archive:
        archive.ingest(put(tmp_path / "in", *SERIES.datasets), build=False)
        archive.remove(SERIES.series_uid)
    return tmp_path / "archive"


def waiting(folder: Path) -> int:
    with opened(folder) as archive:
        return archive.status()["trashed"]


def test_the_trash_is_emptied(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trash", "--empty", "--older-than", "1", "--yes", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"objects": 0, "bytes": 0, "left": []}
    assert waiting(folder) == 2
    assert main(["trash", "--empty", "--yes"]) == 0
    assert capsys.readouterr().out.startswith("2 objects removed for good")
    assert waiting(folder) == 0


@pytest.mark.parametrize(("answer", "left"), [("", 2), ("no", 2), ("y", 0), ("YES", 0)])
def test_it_asks_before(folder: Path, monkeypatch: pytest.MonkeyPatch, answer: str, left: int) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: answer)
    assert main(["trash", "--empty"]) == 0
    assert waiting(folder) == left


def test_where_nobody_can_answer_it_refuses(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    assert main(["trash", "--empty"]) == 2
    assert "--yes" in capsys.readouterr().err
    assert waiting(folder) == 2
