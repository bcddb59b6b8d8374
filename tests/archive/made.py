"""Small objects, and archives to take them in."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from pydicom import Dataset

from pacs_panel.archive import Archive, open_archive
from pacs_panel.settings import Settings
from pacs_panel.testing import PhantomSeries, ct_phantom, encode, write

QUICK = Settings(workers=0)


def ct(slices: int = 4, **options: Any) -> PhantomSeries:
    """A CT of a few slices of 16x16."""
    return ct_phantom(rows=16, columns=16, slices=slices, **options)


def opened(folder: Path, **settings: Any) -> Archive:
    """The archive in a folder, working in this process."""
    return open_archive(folder, settings=Settings(**{"workers": 0, **settings}))


def changed(dataset: Dataset, **values: Any) -> Dataset:
    """A copy of a data set with other values; ``None`` takes an attribute away."""
    copy = deepcopy(dataset)
    for keyword, value in values.items():
        if value is None:
            delattr(copy, keyword)
        else:
            setattr(copy, keyword, value)
    return copy


def put(folder: Path, *datasets: Dataset) -> Path:
    """Write data sets into a new folder."""
    folder.mkdir(parents=True)
    for number, dataset in enumerate(datasets):
        (folder / f"{number:03d}.dcm").write_bytes(encode(dataset))
    return folder


def studies(folder: Path, series: int = 2, slices: int = 4) -> dict[str, bytes]:
    """Write some series into a folder; gives the bytes of each SOP Instance UID."""
    truth = {}
    for seed in range(series):
        one = ct(slices, seed=seed)
        for path, dataset in zip(write(one, folder / f"s{seed}"), one.datasets, strict=True):
            truth[str(dataset.SOPInstanceUID)] = path.read_bytes()
    return truth


def assert_whole(archive: Archive, truth: dict[str, bytes]) -> None:
    """Nothing is lost, nothing is there twice, and all of it is as it was received."""
    rows = archive.search("instance").to_frame()
    assert sorted(rows["SOPInstanceUID"]) == sorted(truth)
    for uid, content in truth.items():
        assert archive.read(uid) == content
    found = archive.verify()
    assert found.clean, str(found)
    assert found.objects == len(truth)
    assert sorted(p.name for p in (archive.root / "incoming").iterdir()) == []
    status = archive.status()
    assert (status["unsealed"], status["superseded"], status["instances"]) == (0, 0, len(truth))


def frames(archive: Archive, without: Sequence[str] = ()) -> dict[str, list[dict[str, Any]]]:
    """What a search of each level gives, as plain rows in a fixed order."""
    found = {}
    for level in ("patient", "study", "series", "instance"):
        rows = archive.search(level).to_frame().to_dict("records")  # type: ignore[arg-type]
        plain = [{k: repr(v) for k, v in row.items() if k not in ("change", "content", *without)} for row in rows]
        found[level] = sorted(plain, key=repr)
    return found
