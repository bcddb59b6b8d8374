"""What people gave a name to is listed by it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pacs_panel.cli import main
from tests.archive.made import changed, ct, opened, put


def test_collections_and_saved_searches(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = (ct(2, seed=seed) for seed in (1, 2))
    with opened(tmp_path / "archive") as archive:
        archive.ingest(put(tmp_path / "1", *(changed(each, PatientID="P1") for each in one.datasets)), build=False)
        archive.ingest(put(tmp_path / "2", *(changed(each, PatientID="P2") for each in other.datasets)), build=False)
        archive.organise.collect_by("rule", Modality="CT")
        archive.organise.collect("list", [other.series_uid])
        archive.organise.save_search("search", archive.search("patient", PatientID="P2"))
    here = ["--archive", str(tmp_path / "archive")]
    for name, last in (("rule", "2 of 2 series rows"), ("list", "1 of 1 series"), ("search", "1 of 1 patient")):
        assert main(["search", "--named", name, *here]) == 0
        assert last in capsys.readouterr().out
    assert main(["search", "--named", "nothing", *here]) == 2
    assert main(["search", "--named", "rule", "Modality=CT", *here]) == 2
    assert "stands alone" in capsys.readouterr().err
