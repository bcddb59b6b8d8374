"""Objects that stay where they are: recorded by a path without links, so that it holds when a link leads elsewhere."""

from __future__ import annotations

from pathlib import Path

from pacs_panel.pipeline.read import Batch, Taken, read_batch
from pacs_panel.receive.sources import Candidate
from pacs_panel.settings import Settings
from pacs_panel.storage.folder import make
from pacs_panel.testing import ct_phantom, write


def places(root: Path, session: str, *paths: Path) -> list[str]:
    candidates = tuple(Candidate(str(path), path.stat().st_size, path) for path in paths)
    taken = read_batch(Batch(root, session, candidates, 1, "", True, Settings(workers=0)))
    assert all(isinstance(one, Taken) and one.arrival.kept.location.in_place for one in taken)
    return [one.arrival.kept.location.path for one in taken if isinstance(one, Taken)]


def test_links_are_followed_once_an_import(tmp_path: Path) -> None:
    root = make(tmp_path / "archive")
    first, second = (tmp_path.resolve() / name for name in ("first", "second"))
    files = [write(ct_phantom(rows=16, columns=16, slices=2), folder)[0] for folder in (first, second)]
    linked = tmp_path / "linked"
    linked.symlink_to(first)
    alone = tmp_path / "alone.dcm"
    alone.symlink_to(Path("second") / files[1].name)
    inside = linked / files[0].name
    assert places(root, "one", inside, alone, files[1]) == [str(files[0]), str(files[1]), str(files[1])]
    linked.unlink()
    linked.symlink_to(second)
    assert places(root, "two", inside) == [str(files[1])]
