"""Every folder of real DICOM is imported once, for all tests that ask for it; they share one process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.truth.importing import Imported


@pytest.hookimpl(tryfirst=True)  # before xdist looks at the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One worker has all tests of imported folders, so that none is imported twice."""
    for item in items:
        if "imported" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("truth"))


@pytest.fixture(scope="session")
def imported(data: Path) -> Iterator[Callable[[str], Imported]]:
    """``imported("charsets")``: that folder's archive."""
    opened: dict[str, Imported] = {}

    def folder(name: str) -> Imported:
        if name not in opened:
            opened[name] = Imported(data / name)
        return opened[name]

    yield folder
    for one in opened.values():
        one.archive.close()
