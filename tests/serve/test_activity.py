"""What goes on: the page, the metrics, and whether the server is ready."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from pacs_panel.archive import Archive, open_archive
from pacs_panel.serve.app import make_app
from pacs_panel.settings import Settings
from pacs_panel.testing import ct_phantom
from tests.browser_fixtures import run
from tests.serve.dimse.sending import objects
from tests.view.accessible import LIGHT_AND_DARK, accessible, in_theme


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with open_archive(tmp_path / "archive", settings=Settings(workers=0, poll_seconds=0.1)) as opened:
        yield opened


@pytest.fixture
def app(archive: Archive) -> Any:
    return make_app(archive, settle=False)


@pytest.fixture
def address(app: Any) -> Iterator[str]:
    at, stop = run(app)
    yield at
    stop()


def bring(archive: Archive, folder: Path, peer: str = "SCANNER") -> None:
    folder.mkdir(exist_ok=True)
    with archive.receiving(peer=peer, collection="lung") as door:
        for uid, content in objects(ct_phantom(slices=3, rows=16, columns=16)).items():
            (folder / uid).write_bytes(content)
            door.store(folder / uid, uid)


def refuse(archive: Archive, folder: Path) -> None:
    folder.mkdir()
    (folder / "broken.dcm").write_bytes(bytes(128) + b"DICM" + b"nothing")
    archive.ingest(folder, kind="upload", build=False)


def test_sessions_tell_their_door_peer_and_counts_and_a_reindex_keeps_them(archive, tmp_path):
    bring(archive, tmp_path / "a")
    bring(archive, tmp_path / "b")
    archive.reindex()
    (second, state), (first, _) = archive.activity().sessions
    assert (first.kind, first.peer, first.collection, first.accepted) == ("association", "SCANNER", "lung", 3)
    assert (second.accepted, second.duplicates, state) == (0, 3, "finished")
    assert archive.activity().minute[0] == 3


def test_metrics_count_and_name_no_uid(archive, app, tmp_path):
    bring(archive, tmp_path / "a")
    refuse(archive, tmp_path / "b")
    row = archive.search().page().rows[0]
    with TestClient(app, base_url="http://127.0.0.1:5006") as client:
        client.get(f"/thumbnails/{row['key']}/received.png")
        text = client.get("/metrics").text
    lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert lines['pacs_panel_objects_total{door="association",outcome="accepted"}'] == "3"
    assert lines['pacs_panel_objects_total{door="upload",outcome="refused"}'] == "1"
    assert lines['pacs_panel_series_unbuilt{outcome="waiting"}'] == "1"
    route = 'method="GET",route="/thumbnails/{series}/received.png",status="200"'
    assert lines[f"pacs_panel_requests_total{{{route}}}"] == "1"
    assert row["key"] not in text
    assert str(row["SeriesInstanceUID"]) not in text


def test_readiness_says_which_check_fails(archive, app):
    with TestClient(app, base_url="http://127.0.0.1:5006") as client:
        assert client.get("/readiness").json() == {"ready": True, "failed": {}}
        app.state.live.close()
        answer = client.get("/readiness")
        assert (answer.status_code, list(answer.json()["failed"])) == (503, ["poller"])


@pytest.mark.browser
@pytest.mark.parametrize("theme", LIGHT_AND_DARK)
def test_the_page_follows_what_comes(address, page, archive, tmp_path, theme):
    in_theme(page, address, theme)
    page.goto(f"{address}/activity")
    page.wait_for_selector("text=Nothing has come yet")
    page.wait_for_selector('nav a[aria-current="page"] >> text=Activity')
    accessible(page)
    bring(archive, tmp_path / "a")
    refuse(archive, tmp_path / "b")
    page.locator("tr[data-session]", has_text="SCANNER").locator(".badge[data-state=finished]").wait_for()
    page.locator("[data-card=Refused] li").wait_for()
    accessible(page)
    for width in (600, 1400):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_function("width => document.documentElement.scrollWidth <= width", arg=width)
        page.screenshot(path=str(tmp_path / f"{theme}-{width}.png"))
    assert "PP-0001" not in page.locator(".activity").inner_text()
