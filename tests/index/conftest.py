from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pacs_panel.index.store import Index


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    with Index(tmp_path / "index.sqlite") as made:
        yield made
