"""Objects become durable bytes: through memory that is used again, and only if they stay as they are meanwhile."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from pacs_panel.dicom import digest
from pacs_panel.keep.originals import read_original
from pacs_panel.keep.quarantine import quarantined
from pacs_panel.pipeline import read
from pacs_panel.pipeline.read import Batch, Refused, Taken, read_batch
from pacs_panel.receive.sources import Candidate
from pacs_panel.settings import Settings
from pacs_panel.storage.folder import make
from pacs_panel.testing import ct_phantom, write


@pytest.fixture
def batch(tmp_path: Path) -> Batch:
    """Six slices of which no two are of the same length, for an archive that is empty."""
    paths = write(ct_phantom(rows=16, columns=16, slices=6), tmp_path / "in")
    for number, path in enumerate(paths):
        path.write_bytes(path.read_bytes() + b"\xfc\xff\xfc\xff\x4f\x42\0\0" + (2 * number).to_bytes(4, "little"))
        path.write_bytes(path.read_bytes() + b"\1" * 2 * number)  # Data Set Trailing Padding, PS3.10 section 7.2
    candidates = tuple(Candidate(str(path), path.stat().st_size, path) for path in paths)
    return Batch(make(tmp_path / "archive"), "1", candidates, 1, "", False, Settings(workers=0))


def assert_as_received(batch: Batch) -> None:
    for candidate, taken in zip(batch.candidates, read_batch(batch), strict=True):
        assert isinstance(taken, Taken)
        kept, path = taken.arrival.kept, candidate.path
        assert path is not None
        data = path.read_bytes()
        assert read_original(batch.root, kept.location) == data
        assert kept.digests == digest.file_and_dataset(io.BytesIO(data), len(data), kept.dataset_offset)


@pytest.mark.parametrize("portion", [1, 1500, 1 << 24])
def test_memory_that_is_used_again_mixes_nothing_up(
    batch: Batch, monkeypatch: pytest.MonkeyPatch, portion: int
) -> None:
    monkeypatch.setattr(read, "PORTION_BYTES", portion)
    assert_as_received(batch)


@pytest.mark.parametrize("held", [0, 3])
def test_larger_objects_pass_by(batch: Batch, monkeypatch: pytest.MonkeyPatch, held: int) -> None:
    sizes = [0, *sorted(candidate.size or 0 for candidate in batch.candidates)]
    assert len(set(sizes)) == 7
    monkeypatch.setattr(read, "SMALL", sizes[held])
    monkeypatch.setattr(read, "PORTION_BYTES", 2 * sizes[-1])
    assert_as_received(batch)


class _Moving(io.BytesIO):
    """A file that is ``by`` bytes longer than it was when it was measured."""

    def __init__(self, data: bytes, by: int) -> None:
        super().__init__(data)
        self.by = by

    def seek(self, position: int, whence: int = os.SEEK_SET, /) -> int:
        found = super().seek(position, whence)
        return found - self.by if whence == os.SEEK_END else found


@pytest.mark.parametrize("by", [-1, 1])
def test_what_changes_while_it_is_read_is_refused(batch: Batch, monkeypatch: pytest.MonkeyPatch, by: int) -> None:
    def opened(candidate: Candidate, _settings: Settings) -> io.BytesIO:
        assert candidate.path is not None
        return _Moving(candidate.path.read_bytes(), by if candidate is batch.candidates[2] else 0)

    monkeypatch.setattr(read, "open_candidate", opened)
    results = read_batch(batch)
    [refused] = [one for one in results if isinstance(one, Refused)]
    assert (refused.origin, refused.error.reason) == (batch.candidates[2].origin, "changed while it was read")
    assert [entry.reason for entry in quarantined(batch.root)] == ["changed while it was read"]
    assert len(results) == 6
