from __future__ import annotations

import socket
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from pacs_panel.archive import open_archive
from pacs_panel.errors import (
    ArchiveError,
    Busy,
    Damaged,
    Denied,
    NotFound,
    NotYetShown,
    PacsPanelError,
    SeveralStacks,
    TooLarge,
)
from pacs_panel.serve.app import serve
from pacs_panel.serve.errors import answer
from pacs_panel.serve.live import Live
from pacs_panel.serve.loopback import check_host, is_loopback
from pacs_panel.serve.settling import Settling


def test_the_root_leads_to_browse(client):
    answer = client.get("/", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (307, "/browse")


def test_it_is_alive(client):
    assert client.get("/liveness").status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:5006", "192.168.1.4", "127.0.0.1.evil.example", ""])
@pytest.mark.parametrize("path", ["/browse", "/", "/frames/a/b/0/meta.json", "/static/js/bokeh.min.js"])
def test_foreign_names_are_refused(client, host, path):
    answer = client.get(path, headers={"Host": host})
    assert answer.status_code == 421
    assert set(answer.json()) == {"what", "hint"}


@pytest.mark.parametrize("host", ["127.0.0.1:1", "localhost", "LOCALHOST:5006", "[::1]:5006", "pacs.localhost"])
def test_loopback_names_are_answered(client, host):
    assert client.get("/liveness", headers={"Host": host}).status_code == 200


def test_no_other_site_reads_or_connects(client):
    answer = client.get("/liveness", headers={"Origin": "http://evil.example"})
    assert answer.status_code == 421
    assert "access-control-allow-origin" not in client.get("/liveness").headers
    with (
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect("/browse/ws", headers={"Host": "127.0.0.1:5006", "Origin": "http://evil.example"}),
    ):
        pass


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.7", "example.org", ""])
def test_it_binds_to_loopback_only(archive, host):
    with pytest.raises(ArchiveError, match="without sign-in"):
        serve(archive, host=host)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.3.2.1", "::1", "localhost"])
def test_loopback_may_be_bound(host):
    assert is_loopback(check_host(host))


def test_a_port_that_is_taken_is_told(archive):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(ArchiveError, match="give another one"):
            serve(archive, port=other.getsockname()[1])


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotFound("x"), 404),
        (NotYetShown("x"), 404),
        (SeveralStacks("x"), 409),
        (Denied("x"), 403),
        (Busy("x"), 503),
        (Damaged("x"), 500),
        (TooLarge("x"), 422),
        (PacsPanelError("x"), 500),
    ],
)
def test_errors_have_statuses(error, status):
    assert answer(error).status_code == status


# -- live --------------------------------------------------------------------------------------------------------------


def test_live_tells_everyone_once_a_change():
    numbers, heard = iter([1, 1, 2, 2, 5]), []
    live = Live(lambda: next(numbers), 1.0)
    leave = live.subscribe(lambda: heard.append("a"))
    live.subscribe(lambda: heard.append("b"))
    assert [live.look(), live.look()] == [False, True]
    leave()
    assert [live.look(), live.look()] == [False, True]
    assert heard == ["a", "b", "b"]
    assert live.listeners == 1


def test_one_listener_that_fails_does_not_keep_the_others_from_hearing():
    numbers, heard = iter([1, 2]), []
    live = Live(lambda: next(numbers), 1.0)
    live.subscribe(lambda: 1 / 0)
    live.subscribe(lambda: heard.append("b"))
    assert live.look()
    assert heard == ["b"]


def test_settling_works_once_the_archive_is_quiet_and_again_after_a_change():
    import threading

    done = [threading.Event(), threading.Event()]
    calls = iter(done)
    settling = Settling(lambda: next(calls).set(), quiet=0.0)
    settling.start()
    assert done[0].wait(20)
    settling.wake()
    assert done[1].wait(20)
    settling.close()


def test_serving_builds_what_others_left_unbuilt(tmp_path: Path, folder: Path):
    import threading

    from pacs_panel.serve.app import make_app
    from pacs_panel.settings import Settings
    from pacs_panel.testing import ct_phantom, write

    write(ct_phantom(slices=4, rows=16, columns=16), tmp_path / "in")
    with open_archive(tmp_path / "archive", settings=Settings(workers=0, poll_seconds=0.01)) as archive:
        archive.ingest(tmp_path / "in", build=False)
        key = str(archive.search().page().rows[0]["key"])
        app, built = make_app(archive), threading.Event()
        app.state.live.subscribe(lambda: built.set() if archive.status()["unbuilt"] == 0 else None)
        with TestClient(app, base_url="http://127.0.0.1"):
            assert built.wait(30)
        assert len(archive.revision(key).stacks) == 1
