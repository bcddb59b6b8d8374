"""The demo archive is filled once, and heals its index by itself."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from pacs_panel.archive import Archive
from pacs_panel.settings import Settings
from pacs_panel.storage import layout
from pacs_panel.testing import ct_phantom, demo_archive, write


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """What is said while the demo archive is opened; it is filled with one small series."""

    def fill(archive: Archive) -> None:
        write(ct_phantom(rows=16, columns=16, slices=3), tmp_path / "in")
        archive.ingest(tmp_path / "in", collection=demo_archive.EXAMPLES)

    monkeypatch.setattr(demo_archive, "_fill", fill)
    return []


def instances(folder: Path, told: list[str]) -> int:
    with demo_archive.open_demo(folder, Settings(workers=0), told.append) as archive:
        return int(archive.status()["instances"])


def test_it_is_filled_once(tmp_path: Path, told: list[str]) -> None:
    assert [instances(tmp_path / "demo", told) for _ in range(2)] == [3, 3]
    assert [what.partition(" ")[0] for what in told] == ["building"]


@pytest.mark.parametrize("harm", ["other version", "missing", "cut short"])
def test_its_index_is_made_anew_where_it_must(tmp_path: Path, told: list[str], harm: str) -> None:
    folder = tmp_path / "demo"
    assert instances(folder, told) == 3
    told.clear()
    if harm == "other version":
        with closing(sqlite3.connect(folder / layout.INDEX)) as index:
            index.execute("PRAGMA user_version = 12")
    elif harm == "missing":
        for file in folder.glob(f"{layout.INDEX}*"):
            file.unlink()
    else:
        (folder / layout.reindex_mark()).touch()
    assert [instances(folder, told) for _ in range(2)] == [3, 3]
    assert [what.partition(" ")[0] for what in told] == ["making"]
