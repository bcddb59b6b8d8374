"""Series to files from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from pacs_panel.cli import main
from pacs_panel.testing import ct_missing_slice
from pacs_panel.testing.subjects import Study
from tests.archive.made import ct, opened, put

pytestmark = pytest.mark.slow


def test_a_series_that_a_form_cannot_hold_is_told_and_keeps_no_other_from_being_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PACS_PANEL_ARCHIVE", str(tmp_path / "archive"))
    others = [ct(3, seed=seed, study=Study(date=f"2024030{seed}")).datasets for seed in (1, 2)]
    gap = ct_missing_slice(rows=24, columns=20, slices=7).datasets
    with opened(tmp_path / "archive") as archive:
        archive.ingest(put(tmp_path / "in", *others[0], *gap, *others[1]))
        keys = {row["SeriesInstanceUID"]: row["key"] for row in archive.search().rows()}
    assert main(["export", "Modality=CT", "--to", str(tmp_path / "out"), "--format", "nifti"]) == 2
    told = capsys.readouterr()
    written = {path.name for path in (tmp_path / "out").glob("*.nii.gz")}
    assert written == {f"{keys[str(one[0].SeriesInstanceUID)]}.nii.gz" for one in others}
    assert told.err.startswith(f"pacs-panel: {keys[str(gap[0].SeriesInstanceUID)]}: NIfTI cannot hold")
    assert written <= {Path(line).name for line in told.out.splitlines()}
