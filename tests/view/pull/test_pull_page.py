"""Pulling on a page: what is asked, shown and begun, of peers that are made up here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from pacs_panel.errors import Damaged, Denied, NotFound, Unreachable
from pacs_panel.view.pull import page as pages
from pacs_panel.view.pull.page import PullPage, Ways
from tests.view.accessible import LIGHT_AND_DARK, accessible, in_theme
from tests.view.reading import wait_for

FACTS = {
    "PatientID": "P2",
    "PatientName": "Other^Önë",
    "StudyDescription": "<b>Follow-up</b>",
    "AccessionNumber": "",
    "ModalitiesInStudy": "CT\\MR",
}
OLD = FACTS | {"StudyInstanceUID": "1.2.1", "StudyDate": "20230101", "NumberOfStudyRelatedInstances": "4"}
NEW = FACTS | {"StudyInstanceUID": "1.2.2", "StudyDate": "20240303", "NumberOfStudyRelatedInstances": ""}
RUN = {
    **{"key": "k", "peer": "north", "state": "failed", "studies": 1, "expected": 4, "found": 4, "here": 1},
    **{"accepted": 1, "refused": 0, "stopping": False, "began": 1700000000.0, "chosen": "token"},
    **{"problem": "north breaks the association", "reasons": [("not DICOM", 2)]},
}


class Broken(dict[str, int]):
    """Counts that cannot be read."""

    def __contains__(self, uid: object) -> bool:
        raise Damaged("the index cannot be read")


class Made:
    """Ways that remember what they were asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.kept: dict[str, int] = {}
        self.runs: list[dict[str, Any]] = []
        self.error: Exception | None = None
        ways = Ways(("north", "south"), self.find, self.here, self.begin, lambda: self.runs, self.stop)
        self.page = PullPage(ways, start=lambda act: act())

    def find(self, peer: str, asked: Mapping[str, str]) -> tuple[Sequence[Mapping[str, str]], bool]:
        self.asked.append((peer, asked))
        if self.error:
            raise self.error
        return [OLD, NEW], False

    def here(self, uids: Sequence[str]) -> Mapping[str, int]:
        return {uid: self.kept[uid] for uid in uids if uid in self.kept}

    def begin(self, peer: str, found: Sequence[Mapping[str, str]], modality: str) -> None:
        if self.error:
            raise self.error
        self.asked.append((peer, [each["StudyInstanceUID"] for each in found], modality))

    def stop(self, key: str) -> None:
        raise NotFound("this pull is not known any more")

    def ask(self, **values: str) -> dict[str, Any]:
        self.page.hear({"kind": "find", "peer": "north", "asked": values})
        return self.page.main.shown


@pytest.fixture
def made() -> Made:
    return Made()


def test_what_is_found_is_told_with_what_is_here(made):
    made.kept = {"1.2.1": 4}
    shown = made.ask(PatientName=" Other* ", Modality="ct", StudyDate="20230101-", Unknown="x")
    assert made.asked == [("north", {"PatientName": "Other*", "StudyDate": "20230101-", "Modality": "CT"})]
    assert (shown["finding"], shown["trouble"]) == (False, "")
    found = shown["found"]
    assert (found["peer"], found["modality"], found["more"]) == ("north", "CT", False)
    new, old = found["studies"]  # the latest first
    assert (new["date"], new["objects"], new["here"], new["all"]) == ("2024-03-03", None, 0, False)
    assert (old["name"], old["objects"], old["here"], old["all"]) == ("Other, Önë", 4, 4, True)
    assert old["modalities"] == "CT, MR"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "Fill in at least one field"),
        ({"PatientName": "  "}, "Fill in at least one field"),
        ({"PatientName": "x" * 65}, "PatientName must be at most 64"),
        ({"PatientID": "a\\b"}, "PatientID must be"),
        ({"PatientID": "a\nb"}, "PatientID must be"),
    ],
)
def test_what_cannot_be_asked_is_told(made, values, words):
    assert made.ask(**values)["trouble"].startswith(words)
    assert made.asked == []


def test_who_does_not_answer_is_told_and_what_is_unforeseen_is_not_quoted(made, caplog):
    made.error = Unreachable("north does not answer; see that host is right")
    assert made.ask(PatientID="P2")["trouble"] == "North does not answer; see that host is right."
    made.error = ValueError("Other^Önë")
    shown = made.ask(PatientID="P2")
    assert (shown["trouble"], shown["finding"], shown["found"]) == (pages.UNFORESEEN, False, None)
    assert "ValueError" in caplog.text
    assert "Other" not in caplog.text


def test_only_what_was_found_is_pulled(made):
    made.page.hear({"kind": "pull", "number": 0, "uids": ["1.2.1"]})
    number = made.ask(Modality="CT")["found"]["number"]
    made.asked.clear()
    made.page.hear({"kind": "pull", "number": number, "uids": ["1.2.1", "1.2.1", "9.9", 5], "only": True})
    made.page.hear({"kind": "pull", "number": number, "uids": ["1.2.2"]})
    for wrong in ({"uids": ["9.9"]}, {"uids": "1.2.1"}, {"uids": []}, {"uids": ["1.2.1"], "number": number + 1}):
        made.page.hear({"kind": "pull", "number": number} | wrong)
    assert made.asked == [("north", ["1.2.1"], "CT"), ("north", ["1.2.2"], "")]
    made.error = Denied("no rule grants this")
    made.page.hear({"kind": "pull", "number": number, "uids": ["1.2.1"]})
    assert made.page.main.shown["trouble"] == "No rule grants this."


def test_messages_that_make_no_sense_are_left(made):
    before = made.page.main.shown
    for message in ({}, {"kind": "drop"}, {"kind": "find", "peer": "west", "asked": {"PatientID": "1"}}):
        made.page.hear(message)
    assert made.page.main.shown == before
    made.page.hear({"kind": "stop", "key": "k"})
    assert made.page.main.shown["trouble"] == "This pull is not known any more."


def test_what_comes_is_seen_and_how_far_a_pull_is(made):
    assert made.page.read() is None
    made.ask(PatientID="P2")
    made.kept = {"1.2.1": 2}
    made.page.put(made.page.read())
    assert [each["here"] for each in made.page.main.shown["found"]["studies"]] == [0, 2]
    before = made.page.main.shown
    made.kept = Broken()
    made.page.put(made.page.read())
    assert made.page.main.shown == before
    made.runs = [RUN]
    made.page.look()
    (told,) = made.page.main.shown["pulls"]
    assert (told["problem"], told["failed"], told["href"]) == (
        "North breaks the association.",
        2,
        "browse?chosen=token",
    )
    assert (told["reasons"], told["began"]) == ([["not DICOM", 2]], "2023-11-14 22:13 UTC")


@pytest.mark.browser
@pytest.mark.parametrize("theme", LIGHT_AND_DARK)
def test_pulls_that_run_wait_and_failed_are_drawn(serve_app, page, tmp_path, theme):
    running = RUN | {"key": "r", "state": "running", "problem": "", "reasons": [], "chosen": ""}
    waiting = running | {"key": "w", "state": "waiting", "expected": 0, "stopping": True}
    asked: list[Any] = []

    def make() -> Any:
        here = {"1.2.1": 2}
        ways = Ways(
            ("north", "south"),
            find=lambda peer, _: ([OLD | {"StudyDescription": f"<b>{peer}</b>"}, NEW], True),
            here=lambda uids: {uid: here[uid] for uid in uids if uid in here},
            begin=lambda *what: asked.append(what),
            told=lambda: [waiting, running, RUN],
            stop=asked.append,
        )
        return pages.pull_page(ways)

    address = serve_app({f"pull-{theme}": make})
    in_theme(page, address, theme)
    page.goto(f"{address}/pull-{theme}")
    page.get_by_label("Peer").select_option("south")
    page.get_by_label("Patient ID").fill("P2")
    page.get_by_role("button", name="Find").click()
    page.get_by_text("The first 2 studies of south").wait_for()
    assert page.get_by_label("Patient ID").input_value() == "P2"
    assert page.locator("td.description").all_inner_texts() == ["<b>Follow-up</b>", "<b>south</b>"]
    assert page.locator("td.here").all_inner_texts() == ["–", "2 of 4"]
    page.get_by_label("Select all that is not here").check()
    for width in (600, 1400):
        page.set_viewport_size({"width": width, "height": 1000})
        page.wait_for_function("width => document.documentElement.scrollWidth <= width", arg=width)
        accessible(page)
        page.screenshot(path=str(tmp_path / f"{theme}-{width}.png"))
    page.get_by_role("button", name="Pull 2 studies").click()
    page.locator("[data-pull=r]").get_by_role("button", name="Stop").click()
    wait_for(page, lambda: len(asked) == 2)
    (peer, found, modality), key = asked
    assert (peer, [each["StudyInstanceUID"] for each in found], modality, key) == ("south", ["1.2.2", "1.2.1"], "", "r")
    assert page.locator("[data-pull=w]").get_by_role("button", name="Stop").is_disabled()
    assert page.locator("[data-pull=k]").get_by_role("link", name="Show in Browse").count() == 1
