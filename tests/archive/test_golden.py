"""Archives that were made by earlier versions stay readable and writable."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
import pytest

from pacs_panel.testing import encode, write
from tests.archive.made import opened
from tests.golden.make import TRASHED, series

pytestmark = pytest.mark.slow

GOLDEN = sorted((Path(__file__).parents[1] / "golden").glob("archive-v*.tar.gz"))


@pytest.mark.parametrize("file", GOLDEN, ids=lambda path: path.name)
def test_a_golden_archive_can_be_used(tmp_path: Path, file: Path) -> None:
    with tarfile.open(file) as tar:
        tar.extractall(tmp_path, filter="data")
    for index in (tmp_path / "archive").glob("index.sqlite*"):
        index.unlink()  # derived: a later version may have another
    one = series()
    with opened(tmp_path / "archive") as archive:
        archive.reindex()
        found = archive.search(Modality="CT", Collection="golden").to_frame()
        assert list(found["SeriesInstanceUID"]) == [one.series_uid]
        assert [archive.read(str(d.SOPInstanceUID)) for d in one.datasets] == [encode(d) for d in one.datasets]
        values = archive.volume(one.series_uid)["image"].values
        assert one.truth is not None
        truth = one.truth.physical()
        assert np.array_equal(values, truth) or np.array_equal(values[::-1], truth)
        assert archive.verify().clean
        write(one, tmp_path / "again")
        assert archive.ingest(tmp_path / "again").duplicates == 4
        assert archive.restore(series(TRASHED).series_uid) == 4
        assert archive.status()["instances"] == 8


def test_there_is_a_golden_archive() -> None:
    assert [path.name for path in GOLDEN] == ["archive-v1.tar.gz"]
