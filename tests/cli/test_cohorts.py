"""Cohorts from the command line."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pacs_panel.cli import main
from pacs_panel.testing.subjects import Study
from tests.archive.made import ct, opened, put

pytestmark = pytest.mark.slow
ONE, TWO = ct(3, seed=1), ct(2, seed=2, study=Study(date="20240301"))

Say = Callable[..., Any]


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PACS_PANEL_ARCHIVE", str(tmp_path / "archive"))
    monkeypatch.setenv("PACS_PANEL_WORKERS", "0")
    with opened(tmp_path / "archive") as made:
        made.ingest(put(tmp_path / "one", *ONE.datasets))
    return tmp_path / "archive"


@pytest.fixture
def say(archive: Path, capsys: pytest.CaptureFixture[str]) -> Say:
    """Run ``pacs-panel cohort …``; gives what it prints, of JSON the value."""

    def run(*words: str, status: int = 0) -> Any:
        assert main(["cohort", *words]) == status
        out = capsys.readouterr().out
        return json.loads(out) if "--json" in words else out

    return run


def test_a_cohort_is_frozen_listed_and_shown(say: Say) -> None:
    made = say("freeze", "lungs", "Modality=CT", "--json")
    assert (made["series"], made["objects"], made["level"]) == (1, 3, "series")
    (listed,) = say("list", "--json")
    assert listed == made
    assert made["hash"][:12] in say("list")
    shown = say("show", "lungs", "--json")
    assert shown["hash"] == made["hash"]
    assert [row["SeriesInstanceUID"] for row in shown["rows"]] == [ONE.series_uid]
    assert ONE.series_uid in say("show", "lungs")


def test_options_may_stand_before_an_action(say: Say, archive: Path) -> None:
    assert say("--json", "list") == []
    assert say("--archive", str(archive), "list", "--json") == []
    assert say("--archive", str(archive.parent / "nowhere"), "list", status=2) == ""


def test_what_changed_since_is_told_by_words_and_status(say: Say, archive: Path, tmp_path: Path) -> None:
    say("freeze", "lungs", "Modality=CT")
    assert say("diff", "lungs").strip() == "no difference"
    with opened(archive) as more:
        more.ingest(put(tmp_path / "two", *TWO.datasets))
    found = say("diff", "lungs", "--json", status=1)
    assert [row["SeriesInstanceUID"] for row in found["added"]] == [TWO.series_uid]
    assert (found["removed"], found["changed"]) == ([], [])
    say("freeze", "more", "Modality=CT")
    assert "1 removed" in say("diff", "more", "lungs", status=1)


def test_what_is_gone_is_found_by_verify(say: Say, archive: Path) -> None:
    say("freeze", "lungs")
    assert say("verify", "lungs", "--json")["objects"] == 3
    with opened(archive) as other:
        other.remove(ONE.series_uid)
    assert "trash" in say("verify", "lungs", status=1)
    assert say("show", "lungs", "--json")["rows"][0]["gone"]


def test_export_writes_lists_and_volumes(say: Say, tmp_path: Path) -> None:
    say("freeze", "lungs")
    say("export", "lungs", "csv", str(tmp_path / "list"))
    with (tmp_path / "list" / "cohort.csv").open() as file:
        named = {row["SOPInstanceUID"] for row in csv.DictReader(file)}
    assert named == {str(dataset.SOPInstanceUID) for dataset in ONE.datasets}
    written = say("export", "lungs", "nifti", str(tmp_path / "volumes")).split()
    assert any(path.endswith(".nii.gz") for path in written)
    assert say("export", "lungs", "nifti", str(tmp_path / "volumes"), status=2) == ""


def test_what_cannot_be_is_refused(say: Say) -> None:
    assert say("freeze", "none", "Modality=XX", status=2) == ""
    assert say("show", "none", status=2) == ""
    say("freeze", "lungs")
    assert say("freeze", "lungs", status=2) == ""
