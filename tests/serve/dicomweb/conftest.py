"""The phantoms' archive, really served, and clients of others' making."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from dicomweb_client.api import DICOMwebClient

from tests.browser_fixtures import run


@pytest.fixture(scope="module")
def served(app: Any) -> Iterator[str]:
    address, stop = run(app)
    yield f"{address}/dicomweb"
    stop()


@pytest.fixture(scope="module")
def web(served: str) -> DICOMwebClient:
    return DICOMwebClient(served)
