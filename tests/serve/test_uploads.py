"""Uploads over HTTP: what is sent is imported, and what goes wrong is told and leaves nothing behind."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import time
import zipfile
from collections import namedtuple
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from pacs_panel.archive import Archive, open_archive
from pacs_panel.errors import Busy
from pacs_panel.model import Principal
from pacs_panel.serve import errors
from pacs_panel.serve.selections import Selections
from pacs_panel.serve.spool import SPARE, sweep
from pacs_panel.serve.upload_routes import upload_routes
from pacs_panel.serve.uploads import Beginning, Uploads
from pacs_panel.settings import Settings
from pacs_panel.storage import layout
from pacs_panel.testing import cr, ct_phantom, encode

SITE = "http://127.0.0.1:5006"
LIMIT = 1 << 20


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    settings = Settings(workers=0, max_object_bytes=LIMIT)
    with open_archive(tmp_path / "archive", settings=settings) as opened:
        yield opened


@pytest.fixture
def selections() -> Selections:
    return Selections()


@pytest.fixture
def client(archive: Archive, selections: Selections) -> TestClient:
    return TestClient(served(archive, selections), base_url=SITE)


def served(archive: Archive, selections: Selections | None = None, asking: Callable[[], Archive] | None = None) -> Any:
    from fastapi import FastAPI

    app = FastAPI()
    errors.install(app)
    put = selections.put if selections is not None else None
    app.include_router(upload_routes(asking or (lambda: archive), Uploads(archive.root, hand_over=put)))
    return app


@pytest.fixture(scope="module")
def files() -> list[bytes]:
    return [encode(dataset) for dataset in ct_phantom(slices=5, rows=16, columns=16).datasets]


def begin(client: TestClient, **coming: Any) -> str:
    answer = client.post("/upload", json=coming)
    assert answer.status_code == 201
    return str(answer.json()["session"])


def send(client: TestClient, session: str, first: int, *contents: bytes, **how: str) -> Any:
    lengths = ",".join(str(len(content)) for content in contents)
    headers = {"Upload-Lengths": lengths, **{name.replace("_", "-"): value for name, value in how.items()}}
    return client.put(f"/upload/{session}/{first}", content=b"".join(contents), headers=headers)


def finish(client: TestClient, session: str, files: int) -> dict[str, Any]:
    answer = client.post(f"/upload/{session}/finish", json={"files": files})
    assert answer.status_code == 202, answer.text
    return ended(client, session)


def ended(client: TestClient, session: str) -> dict[str, Any]:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        state: dict[str, Any] = client.get(f"/upload/{session}").json()
        if state["state"] in ("done", "failed"):
            return state
    raise AssertionError("the import did not end")


def spools(archive: Archive) -> list[Path]:
    folder = archive.root / layout.spool()
    return list(folder.iterdir()) if folder.exists() else []


def kept(archive: Archive) -> set[str]:
    return {one.digests.file for row in archive.search().rows() for one in archive.objects(row["key"])}


def digests(files: list[bytes]) -> set[str]:
    return {hashlib.sha256(content).hexdigest() for content in files}


# -- what goes well ----------------------------------------------------------------------------------------------------


def test_many_files_in_one_request_arrive_byte_for_byte(client, archive, selections, files):
    session = begin(client, bytes=sum(map(len, files)), collection="From a browser")
    assert send(client, session, 0, *files[:3]).status_code == 200
    assert send(client, session, 3, *files[3:]).json() == {"offset": 0}
    state = finish(client, session, len(files))
    report = state["report"]
    assert (state["state"], report["accepted"], report["series"], report["refused"]) == ("done", 5, 1, 0)
    assert kept(archive) == digests(files)
    [row] = selections.get(report["chosen"]).rows()
    assert row["Collection"] == "From a browser"
    assert spools(archive) == []


def test_what_is_here_already_and_what_is_refused_is_told_by_number(client, files):
    first = begin(client)
    send(client, first, 0, *files)
    finish(client, first, len(files))
    session = begin(client)
    send(client, session, 0, files[0], b"no DICOM at all", b"", files[1])
    report = finish(client, session, 4)["report"]
    assert (report["accepted"], report["duplicates"], report["refused"]) == (0, 2, 2)
    assert "chosen" not in report
    told = {one["file"]: reason["reason"] for reason in report["reasons"] for one in reason["examples"]}
    assert told == {1: "not DICOM", 2: "not DICOM"}


def test_members_of_a_zip_are_told_by_their_own_names(client, archive, files):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as made:
        made.writestr("a/one.dcm", files[0])
        made.writestr("a/readme.txt", "words")
    session = begin(client)
    send(client, session, 0, packed.getvalue())
    report = finish(client, session, 1)["report"]
    assert report["accepted"] == 1
    [reason] = report["reasons"]
    assert [(one["file"], one["member"]) for one in reason["examples"]] == [(0, "a/readme.txt")]
    assert kept(archive) == digests(files[:1])


def test_a_large_file_comes_in_parts_and_goes_on_where_it_broke_off(client, archive, files):
    session = begin(client)
    content, path = files[0], f"/upload/{session}/0"
    length = {"Upload-Lengths": str(len(content))}
    assert client.put(path, content=content[:1000], headers=length).json() == {"offset": 1000}
    assert client.get(path).json() == {"offset": 1000, "whole": False}
    wrong = client.put(path, content=content[2000:], headers=length | {"Upload-Offset": "2000"})
    assert (wrong.status_code, wrong.json()["offset"]) == (409, 1000)
    assert client.put(path, content=content[1000:], headers=length | {"Upload-Offset": "1000"}).status_code == 200
    assert client.get(path).json() == {"offset": len(content), "whole": True}
    assert finish(client, session, 1)["report"]["accepted"] == 1
    assert kept(archive) == digests([content])


def test_a_file_that_is_sent_again_from_its_beginning_takes_the_place_of_the_first(client, archive, files):
    session = begin(client)
    assert client.put(f"/upload/{session}/0", content=b"x" * 500, headers={"Upload-Lengths": "9999"}).status_code == 200
    send(client, session, 0, files[0], files[1])
    send(client, session, 1, files[2])
    finish(client, session, 2)
    assert kept(archive) == digests([files[0], files[2]])


def test_an_import_that_could_not_begin_is_tried_again_without_sending_again(client, archive, files):
    session = begin(client)
    send(client, session, 0, *files)
    with pytest.MonkeyPatch.context() as patch:

        def busy(*_paths: Any, **_how: Any) -> Any:
            raise Busy("the index is being made anew")

        patch.setattr(Archive, "ingest", busy)
        state = finish(client, session, 5)
        assert (state["state"], state["problem"]) == ("failed", "the index is being made anew")
    assert finish(client, session, 5)["report"]["accepted"] == 5
    assert spools(archive) == []


# -- what does not -----------------------------------------------------------------------------------------------------


def test_files_that_have_not_arrived_are_named(client, files):
    session = begin(client)
    send(client, session, 0, files[0])
    client.put(f"/upload/{session}/1", content=b"x", headers={"Upload-Lengths": "2"})
    answer = client.post(f"/upload/{session}/finish", json={"files": 3})
    assert (answer.status_code, answer.json()["missing"]) == (409, [1, 2])
    assert client.get(f"/upload/{session}").json()["state"] == "receiving"
    assert client.post(f"/upload/{session}/finish", json={"files": 3, "without": [1, 2]}).status_code == 202
    report = ended(client, session)["report"]
    assert (report["accepted"], report["refused"]) == (1, 0)


def test_one_object_beyond_the_limit_is_refused_and_an_archive_is_not(client):
    session = begin(client)
    assert client.post("/upload", json={}).json()["most"] == LIMIT
    large = send(client, session, 0, b"\0" * (LIMIT + 1))
    assert large.status_code == 413
    assert "beyond the limit of 1.0 MB" in large.json()["what"]
    assert send(client, session, 0, b"PK\x03\x04" + b"\0" * LIMIT).status_code == 200
    assert send(client, session, 1, b"\0" * 257 + b"ustar" + b"\0" * LIMIT).status_code == 200


def test_more_bytes_than_announced_are_refused(client):
    session = begin(client)
    answer = client.put(f"/upload/{session}/0", content=b"123", headers={"Upload-Lengths": "2"})
    assert (answer.status_code, answer.json()["what"]) == (400, "more bytes came than were announced")


@pytest.mark.parametrize("lengths", ["", "x", "-1", "1,,2", "1.5", "١"])
def test_lengths_that_make_no_sense_are_refused(client, lengths):
    answer = client.put(f"/upload/{begin(client)}/0", content=b"1", headers={"Upload-Lengths": lengths.encode()})
    assert answer.status_code == 400


@pytest.mark.parametrize("number", [-1, 1_000_000, 10**30, "../../x", "%2e%2e%2fx"])
def test_numbers_that_make_no_sense_are_refused(client, archive, number):
    session = begin(client)
    assert client.put(f"/upload/{session}/{number}", content=b"1", headers={"Upload-Lengths": "1"}).status_code >= 400
    assert list((archive.root / layout.spool()).rglob("*")) == [archive.root / layout.spool(f"upload-{session}")]


def test_uploads_that_are_not_there(client):
    assert client.get("/upload/nothing").status_code == 404
    assert send(client, "nothing", 0, b"1").status_code == 404
    assert client.delete("/upload/..%2f..").status_code >= 400


def test_what_is_cancelled_is_gone(client, archive, files):
    session = begin(client)
    send(client, session, 0, *files)
    assert client.delete(f"/upload/{session}").status_code == 204
    assert send(client, session, 0, *files).status_code == 404
    assert spools(archive) == []
    assert archive.search().count() == 0


def test_a_full_disk_is_told_and_nothing_is_taken_in(client, archive, files, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(0, 0, SPARE + 1000))
    answer = client.post("/upload", json={"bytes": 501})
    assert answer.status_code == 507
    assert "there is no room" in answer.json()["what"]
    session = begin(client, bytes=500)
    send(client, session, 0, *files)
    late = client.post(f"/upload/{session}/finish", json={"files": 5})
    assert late.status_code == 507
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(0, 0, SPARE - 1))
    assert send(client, session, 5, b"x").status_code == 507
    assert archive.search().count() == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux's")
def test_a_disk_that_fills_while_it_is_written_is_told(client, archive):
    session = begin(client)
    part = archive.root / layout.spool(f"upload-{session}") / "00000000.part"
    part.symlink_to("/dev/full")
    answer = send(client, session, 0, b"x" * 100)
    assert answer.status_code == 507
    assert "full" in answer.json()["what"]


# -- who may -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_pages_of_other_sites_send_nothing(client, archive, headers):
    session = begin(client)
    for ask in (
        client.post("/upload", json={}, headers=headers),
        client.put(f"/upload/{session}/0", content=b"1", headers={"Upload-Lengths": "1", **headers}),
        client.post(f"/upload/{session}/finish", json={"files": 1}, headers=headers),
        client.delete(f"/upload/{session}", headers=headers),
    ):
        assert ask.status_code == 403
    assert len(spools(archive)) == 1


def test_own_pages_may(client):
    headers = {"Origin": SITE, "Sec-Fetch-Site": "same-origin"}
    assert client.post("/upload", json={}, headers=headers).status_code == 201


def test_a_form_of_another_site_is_no_upload(client, archive):
    answer = client.post("/upload", content=b'{"bytes": 1}', headers={"Content-Type": "text/plain"})
    assert answer.status_code >= 400
    assert spools(archive) == []


def test_who_may_not_write_may_not_send(archive):
    from pacs_panel.policy import Rule

    rules = (Rule("reader", frozenset({"read"})),)
    with Archive(archive.root, archive.settings, Principal("r", frozenset({"reader"})), rules) as reader:
        assert TestClient(served(reader), base_url=SITE).post("/upload", json={}).status_code == 403


def test_an_upload_is_its_senders(archive, files):
    who = [archive]
    client = TestClient(served(archive, asking=lambda: who[0]), base_url=SITE)
    session = begin(client)
    who[0] = archive.as_(Principal("somebody else", frozenset({"admin"})))
    assert client.get(f"/upload/{session}").status_code == 404
    assert send(client, session, 0, files[0]).status_code == 404


def test_no_name_and_no_path_is_needed_or_told(client, archive, files):
    session = begin(client)
    send(client, session, 0, b"no DICOM")
    assert str(archive.root) not in str(finish(client, session, 1))


# -- what is left behind -----------------------------------------------------------------------------------------------


def test_what_nobody_touched_for_a_day_is_swept(archive, files):
    spool = archive.root / layout.spool()
    for name in ("old", "new", "busy"):
        (spool / name).mkdir(parents=True)
        (spool / name / "00000000.part").touch()
    yesterday = time.time() - 25 * 3600
    for path in (spool / "old" / "00000000.part", spool / "old", spool / "busy"):
        os.utime(path, (yesterday, yesterday))
    Uploads(archive.root).sweep()
    assert {path.name for path in spool.iterdir()} == {"new", "busy"}
    sweep(spool / "nowhere")


def test_what_comes_over_the_network_has_its_place_however_long_nothing_comes(archive):
    folder = archive.root / layout.spool("network")
    folder.mkdir(parents=True)
    (folder / "left.dcm").touch()
    yesterday = time.time() - 25 * 3600
    for path in (folder / "left.dcm", folder):
        os.utime(path, (yesterday, yesterday))
    Uploads(archive.root).sweep()
    assert folder.is_dir()
    assert not list(folder.iterdir())


def test_an_import_that_takes_days_keeps_its_files(archive):
    uploads = Uploads(archive.root)
    session = uploads.begin(archive, Beginning())
    (session.folder / "00000000").touch()
    session.state = "importing"
    long_ago = time.time() - 50 * 3600
    session.touched = long_ago
    for path in (session.folder / "00000000", session.folder):
        os.utime(path, (long_ago, long_ago))
    uploads.sweep()
    assert (session.folder / "00000000").exists()


def test_stopping_ends_an_import_after_a_batch(tmp_path, files):
    """The rest is neither kept nor lost: it can be sent again."""
    settings = Settings(workers=0, batch=1)
    with open_archive(tmp_path / "archive", settings=settings) as archive:
        uploads = Uploads(archive.root)
        app = served(archive)
        app.router.routes.clear()
        app.include_router(upload_routes(lambda: archive, uploads))
        client = TestClient(app, base_url=SITE)
        session = begin(client)
        send(client, session, 0, *files)
        uploads.close()
        state = finish(client, session, 5)
        assert (state["state"], state["problem"][:7]) == ("failed", "stopped")
        assert spools(archive) == []
        again = begin(client)
        send(client, again, 0, *files, encode(cr(rows=8, columns=8).datasets[0]))
        assert finish(client, again, 6)["state"] == "done"
        assert len(kept(archive)) == 6
