"""A published archive in the dashboard: seen as its source is, and not changed."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from pacs_panel.archive import open_archive
from pacs_panel.serve.app import make_app
from pacs_panel.settings import Settings


@pytest.fixture
def client(folder, serve, tmp_path):
    settings = Settings(workers=0, cache=str(tmp_path))
    with (
        open_archive(serve(folder).url, settings=settings) as archive,
        TestClient(make_app(archive), base_url="http://127.0.0.1:5006") as opened,
    ):
        yield opened


def test_pictures_and_frames_come_from_where_it_is_published(client, source):
    row = next(source.search(Modality="CT").rows())
    picture = client.get(f"/thumbnails/{row['key']}/{row['revision']}.png")
    assert picture.status_code == 200, picture.text
    assert picture.content == source.thumbnail(str(row["key"]))
    for page in ("browse", "view", "charts", "patient", "cohorts"):
        assert client.get(f"/{page}").status_code == 200


def test_nothing_can_be_sent_there(client):
    assert client.post("/upload", json={"files": 1, "bytes": 1}).status_code in (404, 405)
