"""Who is let in: pages for this machine, services for the token."""

from __future__ import annotations

import logging

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from pacs_panel.archive import open_archive
from pacs_panel.errors import ArchiveError, PacsPanelError
from pacs_panel.serve.app import make_app, serve
from pacs_panel.serve.loopback import check_host
from pacs_panel.settings import Settings

TOKEN = "correct-horse-battery"
HAS = {"Authorization": f"Bearer {TOKEN}"}
FAR = "http://pacs.example:5006"
SERVICE = "/volumes/nothing"


@pytest.fixture(scope="module")
def guarded(folder):
    with open_archive(folder, create=False, settings=Settings(workers=0, token=TOKEN)) as archive:
        yield make_app(archive, settle=False)


def get(app, path, base="http://127.0.0.1:5006", client="127.0.0.1", **headers):
    return TestClient(app, base_url=base, client=(client, 50000)).get(path, headers=headers)


@pytest.mark.parametrize("base", ["http://127.0.0.1:5006", FAR])
@pytest.mark.parametrize("client", ["127.0.0.1", "192.0.2.7", "2001:db8::7"])
def test_services_ask_everyone_for_the_token(guarded, base, client):
    for wrong in ({}, {"Authorization": f"Bearer {TOKEN}x"}, {"Authorization": f"Basic {TOKEN}"}):
        answer = get(guarded, SERVICE, base, client, **wrong)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert TOKEN not in answer.text
    assert get(guarded, SERVICE, base, client, **HAS).status_code == 404
    answer = TestClient(guarded, base_url=base, client=(client, 1)).post("/dicomweb/studies", headers=HAS)
    assert answer.status_code == 415


@pytest.mark.parametrize("path", ["/", "/browse", "/frames/a/b/0/meta.json", "/volumesx"])
def test_nothing_else_is_seen_from_elsewhere(guarded, path):
    assert get(guarded, path, FAR, **HAS).status_code == 421
    assert get(guarded, path, FAR, "192.0.2.7", **HAS).status_code == 421


@pytest.mark.parametrize("client", ["192.0.2.7", "2001:db8::7", "::ffff:192.0.2.7"])
@pytest.mark.parametrize("path", ["/", "/browse", "/frames/a/b/0/meta.json", "/static/js/bokeh.min.js"])
def test_a_loopback_name_does_not_help_who_is_elsewhere(guarded, client, path):
    assert get(guarded, path, client=client, **HAS).status_code == 421


def test_this_machine_sees_the_pages(guarded):
    assert get(guarded, "/liveness").status_code == 200
    assert get(guarded, "/liveness", client="::ffff:127.0.0.1").status_code == 200


def test_without_a_token_services_are_for_this_machine(app):
    assert get(app, SERVICE).status_code == 404
    assert get(app, SERVICE, FAR).status_code == 421
    assert get(app, SERVICE, client="192.0.2.7").status_code == 421
    assert get(app, SERVICE, Origin="http://evil.example").status_code == 421


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Host": "127.0.0.1", "Origin": "http://evil.example"}])
@pytest.mark.parametrize("path", ["/browse/ws", "/dicomweb/ws", "/volumes/ws"])
def test_no_websocket_for_foreign_pages_with_a_token_either(guarded, headers, path):
    client = TestClient(guarded, base_url="http://127.0.0.1:5006", client=("127.0.0.1", 1))
    with pytest.raises(WebSocketDisconnect), client.websocket_connect(path, headers=headers | HAS):
        pass


def test_other_addresses_are_bound_with_a_token_only(archive):
    assert check_host("0.0.0.0", TOKEN) == "0.0.0.0"
    for host, token in (("0.0.0.0", ""), ("", TOKEN)):
        with pytest.raises(ArchiveError, match="without sign-in"):
            check_host(host, token)
    with pytest.raises(ArchiveError, match="PACS_PANEL_TOKEN"):
        serve(archive, host="0.0.0.0")


def test_a_token_comes_from_the_environment_and_is_told_to_nobody(caplog):
    settings = Settings.load(environ={"PACS_PANEL_TOKEN": TOKEN})
    assert settings.token == TOKEN
    assert TOKEN not in repr(settings)
    for bad in ("short", "with a space in between", "ümläute-sind-zu-viel"):
        with pytest.raises(PacsPanelError, match="'token'") as raised:
            Settings.load(environ={"PACS_PANEL_TOKEN": bad})
        assert bad not in str(raised.value)
    with caplog.at_level(logging.DEBUG):
        logging.getLogger().info("%s", settings)
    assert TOKEN not in caplog.text
