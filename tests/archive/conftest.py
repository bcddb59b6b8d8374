from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pacs_panel.archive import Archive
from tests.archive.made import opened


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with opened(tmp_path / "archive") as made:
        yield made
