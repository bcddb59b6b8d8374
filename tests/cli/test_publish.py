"""`pacs-panel publish`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pacs_panel.archive import open_archive
from pacs_panel.cli import main
from pacs_panel.settings import Settings
from pacs_panel.testing import ct_phantom, mr_oblique, write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(ct_phantom(slices=2, rows=8, columns=8), tmp_path / "in" / "ct")
    write(mr_oblique(slices=2, rows=8, columns=8), tmp_path / "in" / "mr")
    with open_archive(tmp_path / "archive", settings=Settings(workers=0)) as archive:
        archive.ingest(tmp_path / "in")
    return tmp_path / "archive"


def test_it_writes_what_matches(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = str(tmp_path / "site")
    assert main(["publish", site, "Modality=CT", "--archive", str(folder)]) == 0
    assert capsys.readouterr().out.startswith("1 series, 2 objects; index of 0.0 MB; ")
    assert main(["publish", site, "--originals", "--json", "--archive", str(folder)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["series"], told["objects"], told["removed"]) == (2, 4, 0)
    assert len(list((tmp_path / "site").rglob("*.tar"))) == 2
    assert main(["publish", site, "Modality=MR", "--prune", "--json", "--archive", str(folder)]) == 0
    assert json.loads(capsys.readouterr().out)["removed"] > 2
    assert not list((tmp_path / "site").rglob("*.tar"))


def test_what_cannot_be_published_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["publish", str(folder / "inside"), "--archive", str(folder)]) == 2
    assert "outside the archive" in capsys.readouterr().err
    assert main(["publish", str(folder / "inside"), "CT", "--archive", str(folder)]) == 2
    assert "KEYWORD=VALUE" in capsys.readouterr().err
