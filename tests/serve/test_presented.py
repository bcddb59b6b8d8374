"""Presentation states over HTTP and in a page; and a series that cannot be drawn before it is built."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom.uid import RLELossless
from starlette.testclient import TestClient

from pacs_panel.archive import Archive, open_archive
from pacs_panel.serve.app import make_app
from pacs_panel.settings import Settings
from pacs_panel.testing import ct_phantom, mr_oblique, write
from pacs_panel.testing.documents import presentation_on
from tests.browser_fixtures import run
from tests.view.reading import painted

PICKER = "select[aria-label='Presentation state']"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    base = tmp_path_factory.mktemp("presented")
    ct = ct_phantom(slices=6, rows=40, columns=60)
    write(ct, base / "in" / "ct")
    write(presentation_on(ct, rotation=90), base / "in" / "pr")
    with open_archive(base / "archive", settings=Settings(workers=0, poll_seconds=0.1)) as opened:
        opened.ingest(base / "in")
        yield opened


@pytest.fixture(scope="module")
def app(archive: Archive) -> Any:
    return make_app(archive, settle=False)


@pytest.fixture(scope="module")
def address(app: Any) -> Iterator[str]:
    at, stop = run(app)
    yield at
    stop()


def key_of(archive: Archive, modality: str) -> str:
    (row,) = archive.search(Modality=modality).rows()
    return str(row["key"])


def test_the_states_of_a_stack(archive: Archive, app: Any) -> None:
    key = key_of(archive, "CT")
    client = TestClient(app, base_url="http://127.0.0.1:5006")
    answer = client.get(f"/frames/{key}/{archive.revision(key).revision}/0/presentations.json")
    assert answer.headers["content-type"] == "application/json"
    (state,) = answer.json()
    assert (state["label"], state["planes"], state["left"]) == ("LUNG", [0, 1, 2, 3, 4, 5], [])
    assert state["view"]["transpose"]
    again = client.get(str(answer.url), headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304
    gone = client.get(f"/frames/{key}/{'a' * 26}/0/presentations.json")
    assert gone.status_code == 404


@pytest.mark.browser
def test_a_state_is_applied_in_the_page(page: Any, archive: Archive, address: str) -> None:
    page.goto(f"{address}/view?series={key_of(archive, 'CT')}&stack=0")
    painted(page, "axial", 3)
    page.wait_for_selector('.viewer[data-presentations="ready"]')
    page.locator(PICKER).select_option(label="As in presentation state: LUNG")
    page.wait_for_selector(".presentation >> text=Shown as in presentation state LUNG")
    assert page.locator('.pane[data-plane="axial"] .window').text_content().startswith("C −600  W 1500")
    # A quarter turn clockwise brings what was on the left to the top.
    edges = {edge: page.locator(f'.pane[data-plane="axial"] .edge.{edge}').text_content() for edge in ("top", "right")}
    assert edges == {"top": "R", "right": "A"}


@pytest.mark.browser
def test_a_compressed_series_is_said_to_be_built_and_then_shown(
    page: Any, archive: Archive, address: str, tmp_path: Path
) -> None:
    write(mr_oblique(slices=5, rows=24, columns=20), tmp_path / "in", RLELossless)
    archive.ingest(tmp_path / "in", build=False)
    page.goto(f"{address}/view?series={key_of(archive, 'MR')}&stack=0")
    page.wait_for_selector("text=Being built")
    page.wait_for_selector("text=shown here as soon as it is ready")
    assert page.locator("canvas").count() == 0
    list(archive.settle())
    page.wait_for_selector('canvas[data-level="0"][data-painted]', state="attached")
    assert page.locator("text=Being built").count() == 0
