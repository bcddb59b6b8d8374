"""An archive of two small series, and the application over it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from pacs_panel.archive import Archive, open_archive
from pacs_panel.serve.app import make_app
from pacs_panel.settings import Settings
from pacs_panel.testing import Study, Subject, ct_phantom, mr_4d, seg_on, write

HOSTILE = Subject("<script>alert(1)</script>^<b>Bold</b>", "<img src=x onerror=alert(2)>")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("serve")
    ct = ct_phantom(slices=12, rows=40, columns=300, spacing=(3.0, 4.0, 1.0))
    write(ct, base / "in" / "ct")
    write(seg_on(ct, spheres=1), base / "in" / "seg")
    write(mr_4d(times=3, slices=4, rows=24, columns=20), base / "in" / "mr")
    hostile = Study(HOSTILE, "20240303", "101010", "<u>Study</u>")
    write(ct_phantom(study=hostile, slices=4, rows=16, columns=16, description="<i>Tag</i>"), base / "in" / "hostile")
    with open_archive(base / "archive", settings=Settings(workers=0)) as archive:
        archive.ingest(base / "in", collection="phantoms")
    return base / "archive"


@pytest.fixture(scope="module")
def archive(folder: Path) -> Iterator[Archive]:
    with open_archive(folder, create=False, settings=Settings(workers=0, poll_seconds=0.1)) as opened:
        yield opened


@pytest.fixture(scope="module")
def app(archive: Archive) -> Any:
    return make_app(archive)


@pytest.fixture(scope="module")
def client(app: Any) -> TestClient:
    return TestClient(app, base_url="http://127.0.0.1:5006")
