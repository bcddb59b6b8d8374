"""What arrives is seen while it does: rows that grow, a first picture before the volume, then the volume."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from pacs_panel.archive import Archive, open_archive
from pacs_panel.serve.app import make_app
from pacs_panel.settings import Settings
from pacs_panel.testing import Study, Subject, ct_phantom, seg_on, us_cine, write
from tests.browser_fixtures import run
from tests.serve.dimse.sending import objects
from tests.view.reading import painted

STUDY = Study(Subject("Coming^In", "PP-0077"), "20260101", "080000", "Arrives")


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with open_archive(tmp_path / "archive", settings=Settings(workers=0, poll_seconds=0.1)) as opened:
        yield opened


@pytest.fixture
def client(archive: Archive) -> TestClient:
    return TestClient(make_app(archive, settle=False), base_url="http://127.0.0.1:5006")


@pytest.fixture
def address(archive: Archive) -> Iterator[str]:
    at, stop = run(make_app(archive))
    yield at
    stop()


def keep(door: Any, files: dict[str, bytes], folder: Path) -> None:
    for uid, content in files.items():
        (folder / uid).write_bytes(content)
        door.store(folder / uid, uid)
    door.commit()


def first_key(archive: Archive) -> str:
    return str(archive.search().page().rows[0]["key"])


def test_the_first_picture_is_of_the_image_that_came_first(archive, client, tmp_path):
    files = list(objects(ct_phantom(study=STUDY, slices=8, rows=40, columns=60, spacing=(3.0, 1.0, 1.0))).items())
    with archive.receiving() as door:
        keep(door, dict(files[4:6]), tmp_path)
        at = f"/thumbnails/{first_key(archive)}/received.png"
        first = client.get(at)
        keep(door, dict(files[:2]), tmp_path)
        assert client.get(at, headers={"If-None-Match": first.headers["etag"]}).status_code == 304
        assert client.get(at).content == first.content
    picture = np.asarray(Image.open(io.BytesIO(first.content)))
    assert picture.shape == (85, 128)
    assert np.ptp(picture) > 100


def test_colour_is_shown_in_colour(archive, client, tmp_path):
    write(us_cine(frames=3), tmp_path / "in")
    archive.ingest(tmp_path / "in", build=False)
    answer = client.get(f"/thumbnails/{first_key(archive)}/received.png")
    assert Image.open(io.BytesIO(answer.content)).mode == "RGB"


def test_what_is_no_image_has_no_picture_and_nothing_fails(archive, client, tmp_path):
    write(seg_on(ct_phantom(slices=4, rows=16, columns=16), spheres=1), tmp_path / "in")
    archive.ingest(tmp_path / "in", build=False)
    for each in archive.search().page().rows:
        assert client.get(f"/thumbnails/{each['key']}/received.png").status_code in (200, 204)
    assert client.get("/thumbnails/nothing/received.png").status_code == 404


@pytest.mark.browser
def test_rows_grow_show_a_picture_and_lead_to_a_view_that_follows(address, page, archive, tmp_path):
    files = list(objects(ct_phantom(study=STUDY, slices=9, rows=40, columns=60)).items())
    page.goto(f"{address}/browse")
    page.wait_for_selector(".empty")
    with archive.receiving() as door:
        keep(door, dict(files[:3]), tmp_path)
        row = page.locator("tr[data-key]", has_text="PP-0077")
        row.locator("td.images", has_text="3").wait_for()
        row.locator("img").wait_for()
        keep(door, dict(files[3:]), tmp_path)
        row.locator("td.images", has_text="9").wait_for()
    row.locator('.badge[data-state="regular"]').wait_for()  # built here, beside serving
    row.locator("a.opens").click()
    painted(page, "axial", 4)
