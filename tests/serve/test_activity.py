"""What goes on: the page, the metrics, and whether the server is ready."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from pacs_panel.archive import Archive, open_archive
from pacs_panel.cli import main
from pacs_panel.errors import Rejected
from pacs_panel.keep.quarantine import refuse as put_aside
from pacs_panel.pipeline import activity as module
from pacs_panel.serve.app import make_app
from pacs_panel.settings import Settings
from pacs_panel.storage import layout
from pacs_panel.testing import ct_phantom, write
from pacs_panel.view.activity.page import told
from tests.archive.importing import ended, start, take_in
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


def test_activity_reads_no_more_of_the_quarantine_than_it_tells(archive, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(module, "NEWEST", 2)
    for number in range(5):
        put_aside(archive.root, f"file {number}", Rejected("", reason="not DICOM" if number < 4 else "too large"), None)
    entries = sorted(archive.quarantine(), key=lambda each: each.origin)
    for number, entry in enumerate(entries):
        path = archive.root / f"{layout.quarantine(entry.digest)}.json"
        if number < 3:
            path.write_text("cannot be read")
        os.utime(path, (number, number))
    now = archive.activity()
    assert (now.quarantined, now.refused) == (5, (("not DICOM", 1), ("too large", 1)))
    assert archive.status()["quarantined"] == 5
    assert main(["status", "--archive", str(archive.root)]) == 0
    assert "refused  3 more, before these" in capsys.readouterr().out


def test_a_session_that_was_abandoned_is_told_to_be_interrupted(archive, tmp_path, monkeypatch, capsys):
    write(ct_phantom(slices=6, rows=16, columns=16), tmp_path / "in")
    assert ended(start(take_in, archive.root, tmp_path / "in", 0, "keep.synced:2")) == -signal.SIGKILL

    def states() -> list[str]:
        return [state for _, state in archive.activity().sessions]

    assert states() == ["running"]  # it was heard of a moment ago
    monkeypatch.setattr(module, "MOMENT", 0)
    assert states() == ["interrupted"]  # what it left is not recovered yet
    archive.recover()
    assert states() == ["interrupted"]
    assert main(["status", "--archive", str(archive.root)]) == 0
    assert "interrupted: 3 accepted" in capsys.readouterr().out
    (session,) = told(archive.activity().to_dict())["sessions"]
    assert (session["state"], session["door"]) == ("interrupted", "import")
    with archive.receiving(peer="SILENT"):
        assert states() == ["running", "interrupted"]
    assert states() == ["finished", "interrupted"]


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
