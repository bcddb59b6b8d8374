"""The Pull page over a peer: what is asked, what comes, what is refused; and that a pull outlives the page."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pacs_panel.archive import Archive, open_archive
from pacs_panel.errors import BadQuery, NotFound, Unreachable
from pacs_panel.peer import Peer
from pacs_panel.serve import pulls as module
from pacs_panel.serve.app import make_app
from pacs_panel.serve.dimse.listener import Listening, listening
from pacs_panel.serve.dimse.peers import Callers
from pacs_panel.serve.pulling import STOPPED, Pulled, pull
from pacs_panel.serve.pulls import Pulls
from pacs_panel.settings import Settings
from pacs_panel.testing import Study, Subject, ct_phantom, mr_oblique, write
from tests.browser_fixtures import run
from tests.view.accessible import LIGHT_AND_DARK, accessible, in_theme

SETTINGS = Settings(workers=0, poll_seconds=0.1)
US = Peer("us", "PACS_PANEL", may=frozenset({"echo", "find", "retrieve"}))
OTHER = Subject("Other^Önë", "P2")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """What the peer has: a CT and an MR of one study, and a CT of another patient."""
    base = tmp_path_factory.mktemp("source")
    one = Study(OTHER, "20240303", "101010", "Follow-up", accession="ACC-7")
    write(ct_phantom(study=one, slices=4, rows=16, columns=16), base / "in" / "ct")
    write(mr_oblique(study=one, slices=3, rows=16, columns=16), base / "in" / "mr")
    write(ct_phantom(study=Study(date="20230101"), slices=2, rows=16, columns=16), base / "in" / "first")
    with open_archive(base / "archive", settings=SETTINGS) as opened:
        opened.ingest(base / "in", build=False)
        yield opened


@pytest.fixture(scope="module")
def there(source: Archive) -> Iterator[Peer]:
    """A listener over it."""
    with listening(source, Callers((US,)), Listening(port=0, ae_title="NORTH")) as (host, port):
        yield Peer("north", "NORTH", host, port, collection="from north")


@pytest.fixture
def archive(tmp_path: Path, there: Peer) -> Iterator[Archive]:
    nobody = Peer("nobody", "NOBODY", "127.0.0.1", 1)
    settings = replace(SETTINGS, peers=(there, nobody, Peer("caller", "CALLER")))
    with open_archive(tmp_path / "archive", settings=settings) as opened:
        yield opened


@pytest.fixture
def pulls(archive: Archive) -> Iterator[Pulls]:
    made = Pulls(archive.settings.peers, hand_over=lambda search: f"token of {search.level}")
    yield made
    made.close()


def ended(pulls: Pulls, archive: Archive) -> dict[str, Any]:
    """What the latest pull tells once it is over."""
    thread = next(reversed(pulls._runs.values())).thread
    assert thread is not None
    thread.join(60)
    return pulls.told(archive)[0]


def test_those_are_asked_that_can_be_called(pulls):
    assert [peer.name for peer in pulls.peers] == ["north", "nobody"]


@pytest.mark.parametrize(
    ("asked", "dates"),
    [
        ({"PatientName": "Other*"}, ["20240303"]),
        ({"Modality": "MR"}, ["20240303"]),
        ({"Modality": "CT"}, ["20230101", "20240303"]),
        ({"StudyDate": "-20231231"}, ["20230101"]),
        ({"AccessionNumber": "ACC-7", "PatientID": "P2"}, ["20240303"]),
        ({"PatientID": "P3"}, []),
    ],
)
def test_studies_are_found(pulls, archive, asked, dates):
    found, more = pulls.find(archive, "north", asked)
    assert (sorted(each["StudyDate"] for each in found), more) == (dates, False)


def test_too_many_are_cut(pulls, archive, monkeypatch):
    monkeypatch.setattr(module, "MOST", 1)
    found, more = pulls.find(archive, "north", {"Modality": "CT"})
    assert (len(found), more) == (1, True)


class Odd:
    """A peer that matches by nothing, and tells what no peer should."""

    def find(self, _level: str, _keys: Any, wanted: Any) -> Iterator[dict[str, str]]:
        blank = dict.fromkeys(wanted, "")
        for uid, modalities, count in (
            ("1.2.1", "CT\\SR", "9" * 5000),
            ("1.2.2", "MR", "5"),
            ("1.2.3", "", "-5"),
            ("*", "CT", "5"),
        ):
            told = {"StudyInstanceUID": uid, "ModalitiesInStudy": modalities, "NumberOfStudyRelatedInstances": count}
            yield blank | told | {"StudyDescription": "x" * 5000}

    def close(self) -> None:
        """Nothing is open."""


def test_odd_answers_are_bounded_and_what_does_not_match_is_left_out(pulls, archive, monkeypatch):
    monkeypatch.setattr(module, "calling", lambda *_, **__: Odd())
    found, _ = pulls.find(archive, "north", {"Modality": "CT"})
    assert [each["StudyInstanceUID"] for each in found] == ["1.2.1", "1.2.3"]
    assert {each["NumberOfStudyRelatedInstances"] for each in found} == {""}
    assert {len(each["StudyDescription"]) for each in found} == {module.LONGEST}


def test_those_of_an_application_end_with_it(pulls, archive, monkeypatch):
    found, _ = pulls.find(archive, "north", {"PatientID": "P2"})
    began = threading.Event()

    def until_told(*_args: Any, stop: Any, **_how: Any) -> Pulled:
        began.set()
        assert stop.__self__.wait(60)
        return Pulled(stopped=STOPPED)

    monkeypatch.setattr(module, "pull", until_told)
    for _ in range(2):
        pulls.begin(archive, "north", found)
    assert began.wait(60)
    pulls.close()
    assert [(each["state"], each["problem"]) for each in pulls.told(archive)] == [("failed", STOPPED)] * 2


def test_what_cannot_be_asked_is_told(pulls, archive):
    with pytest.raises(Unreachable, match="nobody does not answer"):
        pulls.find(archive, "nobody", {"PatientID": "P2"})
    with pytest.raises(NotFound, match="caller"):
        pulls.find(archive, "caller", {"PatientID": "P2"})
    with pytest.raises(BadQuery):
        pulls.find(archive, "north", {})


def test_a_study_comes_once_and_is_handed_over(pulls, archive):
    found, _ = pulls.find(archive, "north", {"PatientID": "P2"})
    uid = found[0]["StudyInstanceUID"]
    assert pulls.here(archive, [uid]) == {}
    for here, accepted in ((0, 7), (7, 0)):
        pulls.begin(archive, "north", found)
        told = ended(pulls, archive)
        counts = (told["expected"], told["found"], told["here"], told["accepted"], told["reasons"])
        assert counts == (7, 7, here, accepted, [])
        assert (told["state"], told["chosen"], told["problem"]) == ("done", "token of series", "")
    assert pulls.here(archive, [uid]) == {uid: 7}
    assert {row["Collection"] for row in archive.search().rows()} == {"from north"}
    assert [session.kind for session, _ in archive.activity().sessions] == ["pull", "pull"]


def test_only_series_of_a_modality_of_several_studies(pulls, archive):
    found, _ = pulls.find(archive, "north", {"Modality": "CT"})
    pulls.begin(archive, "north", found, "CT")
    told = ended(pulls, archive)
    assert (told["studies"], told["accepted"], told["expected"]) == (2, 6, 0)
    assert {row["Modality"] for row in archive.search().rows()} == {"CT"}


def test_a_peer_is_called_by_our_title_and_moves_to_where_we_listen(source, archive):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    us = Peer("study", "STUDY", "127.0.0.1", port, may=frozenset({"find", "retrieve"}))
    with listening(source, Callers((us,)), Listening(port=0, ae_title="NORTH")) as (host, at):
        there = Peer("north", "NORTH", host, at, retrieve="move")
        made = Pulls([there], listen=Listening(port=port, ae_title="STUDY"))
        found, _ = made.find(archive, "north", {"PatientID": "P2"})
        made.begin(archive, "north", found)
        told = ended(made, archive)
    assert (told["state"], told["accepted"], told["reasons"]) == ("done", 7, [])


def test_over_dicomweb(source, archive):
    address, stop = run(make_app(source, settle=False))
    made = Pulls([Peer("web", url=f"{address}/dicomweb")])
    try:
        found, _ = made.find(archive, "web", {"PatientName": "Other*", "Modality": "MR"})
        assert [each["AccessionNumber"] for each in found] == ["ACC-7"]
        made.begin(archive, "web", found)
        assert ended(made, archive)["accepted"] == 7
    finally:
        stop()


def test_what_breaks_is_told_in_words_and_logs_no_name(pulls, archive, monkeypatch, caplog):
    found, _ = pulls.find(archive, "north", {"PatientID": "P2"})

    def failing(error: Exception) -> dict[str, Any]:
        def fails(*_args: Any, **_how: Any) -> None:
            raise error

        monkeypatch.setattr(module, "pull", fails)
        pulls.begin(archive, "north", found)
        return ended(pulls, archive)

    assert failing(Unreachable("north breaks the association"))["problem"] == "north breaks the association"
    assert failing(OSError(28, "No space left on device"))["problem"].startswith("the archive cannot write (No space")
    told = failing(ValueError("Other^Önë"))
    assert (told["state"], told["problem"]) == ("failed", module.UNFORESEEN)
    assert "ValueError" in caplog.text
    assert "Other" not in caplog.text


def test_one_that_is_stopped_ends_before_its_next_series(pulls, archive, monkeypatch):
    found, _ = pulls.find(archive, "north", {"PatientID": "P2"})
    came, go = threading.Event(), threading.Event()

    def slowly(*args: Any, progress: Any, **how: Any) -> Any:
        def told(now: Any) -> None:
            progress(now)
            came.set()
            assert go.wait(60)

        return pull(*args, progress=told, **how)

    monkeypatch.setattr(module, "pull", slowly)
    first = pulls.begin(archive, "north", found)
    second = pulls.begin(archive, "north", found)
    assert came.wait(60)
    assert [each["state"] for each in pulls.told(archive)] == ["waiting", "running"]
    for key in (first, second):
        pulls.stop(archive, key)
    go.set()
    assert "stopped" in ended(pulls, archive)["problem"]
    told = pulls.told(archive)
    assert [each["state"] for each in told] == ["failed", "failed"]
    assert told[1]["accepted"] in (3, 4)
    assert told[0]["accepted"] == 0
    with pytest.raises(NotFound):
        pulls.stop(archive, "another")


def test_there_is_no_page_without_a_peer_that_can_be_asked(archive, tmp_path):
    from starlette.testclient import TestClient

    with open_archive(tmp_path / "alone", settings=replace(SETTINGS, peers=(Peer("caller", "CALLER"),))) as alone:
        for opened, status in ((alone, 404), (archive, 200)):
            with TestClient(make_app(opened, settle=False), base_url="http://127.0.0.1:5006") as client:
                assert client.get("/pull").status_code == status


@pytest.fixture
def address(archive: Archive) -> Iterator[str]:
    at, stop = run(make_app(archive, settle=False))
    yield at
    stop()


@pytest.mark.browser
@pytest.mark.parametrize("theme", LIGHT_AND_DARK)
def test_the_page_finds_pulls_and_may_be_closed(address, page, tmp_path, theme, caplog):
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    in_theme(page, address, theme)
    page.goto(f"{address}/pull")
    page.wait_for_selector('nav a[aria-current="page"] >> text=Pull')
    page.get_by_role("button", name="Find").click()
    page.get_by_role("alert").get_by_text("Fill in at least one field").wait_for()
    accessible(page)
    page.get_by_label("Patient’s name").fill("Other*")
    page.get_by_label("Study date from").fill("2024-01-01")
    page.get_by_label("Patient’s name").press("Enter")
    row = page.locator("tr[data-study]", has_text="Follow-up")
    row.wait_for()
    page.get_by_label("Select Follow-up").check()
    accessible(page)
    page.get_by_role("button", name="Pull 1 study").click()
    page.goto(f"{address}/cohorts")  # it goes on
    page.goto(f"{address}/pull")
    page.locator("[data-pull][data-state=done]", has_text="7 accepted").wait_for()
    page.get_by_label("Modality").fill("ct")
    page.get_by_role("button", name="Find").click()
    row.locator(".here >> text=all").wait_for()
    accessible(page)
    for width in (600, 1400):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_function("width => document.documentElement.scrollWidth <= width", arg=width)
        page.screenshot(path=str(tmp_path / f"{theme}-{width}.png"))
    page.get_by_text("Show in Browse").click()
    page.get_by_text("2 series").first.wait_for()
    assert not any("Other" in url for url in asked)
    assert "Other" not in caplog.text
