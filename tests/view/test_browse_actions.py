"""What is done with picked series, and what is told of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pacs_panel.archive import Archive, open_archive
from pacs_panel.errors import Busy, Denied, NotFound
from pacs_panel.settings import Settings
from pacs_panel.testing import Study, Subject, cr, write
from pacs_panel.view.browse.actions import Actions, Picked
from pacs_panel.view.browse.browse import Browse


@pytest.fixture(scope="module")
def four(tmp_path_factory) -> Path:
    base = tmp_path_factory.mktemp("four")
    for number in range(4):
        study = Study(Subject(f"Name^{number}", f"ID-{number}"), f"2026010{number + 1}", "080000", f"Study {number}")
        write(cr(study=study, rows=8, columns=8, description=f"Series {number}"), base / "in" / str(number))
    with open_archive(base / "archive", settings=Settings(workers=0)) as opened:
        opened.ingest(base / "in")
    return base / "archive"


@pytest.fixture
def archive(four, tmp_path) -> Iterator[Archive]:
    shutil.copytree(four, tmp_path / "archive")
    with open_archive(tmp_path / "archive", settings=Settings(workers=0)) as opened:
        yield opened


@pytest.fixture
def handed() -> dict[str, Any]:
    return {}


@pytest.fixture
def browse(archive, handed) -> Browse:
    def hand_over(search: Any) -> str:
        handed[token := f"token{len(handed)}"] = search
        return token

    return Browse(archive, hand_over=hand_over, taken=handed.get, pages=("compare", "charts"))


def act(browse: Browse, action: str, **more: Any) -> dict[str, Any]:
    browse.hear({"kind": "act", "id": 1, "action": action, **more})
    return browse.table.answer


def keys(browse: Browse) -> list[str]:
    return [row["key"] for row in browse.table.shown["rows"]]


def test_picked_series_are_tagged_and_told(archive, browse):
    answer = act(browse, "tag", series=keys(browse)[:2], name=" lung ")
    assert answer["words"] == "2 series tagged “lung”."
    assert archive.organise.tag_counts() == [("lung", 2)]
    act(browse, "untag", series=keys(browse)[:1], name="lung")
    assert archive.organise.tag_counts() == [("lung", 1)]


def test_the_rows_show_a_new_tag(browse):
    act(browse, "tag", series=keys(browse)[:1], name="seen")
    assert browse.table.shown["rows"][0]["cells"].get("Tags") == "seen"


def test_series_of_picked_studies_are_collected(archive, browse):
    browse.hear({"kind": "level", "level": "study"})
    assert act(browse, "collect", studies=keys(browse)[:3], name="three")["words"] == "3 series put into “three”."
    assert archive.organise.collection("three").count() == 3


def test_all_that_match_may_become_a_rule(archive, browse):
    browse.hear({"kind": "set", "name": "text", "value": "series 1"})
    act(browse, "collect", all=True, rule=True, name="by rule")
    assert archive.organise.collections() == {"by rule": "rule"}
    assert archive.organise.collection("by rule").count() == 1


def test_rules_and_saved_searches_are_offered_and_shown(archive, browse):
    archive.organise.collect_by("late", StudyDate="20260103-")
    archive.organise.save_search("second", archive.search("study", StudyDate="20260102"))
    browse.count()
    assert browse.filters.shown["named"] == [{"of": "rule", "name": "late"}, {"of": "search", "name": "second"}]
    browse.hear({"kind": "look", "of": "rule", "name": "late"})
    assert (browse.state.level, browse.table.total, len(keys(browse))) == ("series", 2, 2)
    browse.hear({"kind": "range", "keyword": "StudyDate", "low": "2026-01-04", "high": ""})
    assert len(keys(browse)) == 1
    browse.hear({"kind": "clear"})
    assert len(keys(browse)) == 4
    browse.hear({"kind": "look", "of": "search", "name": "second"})
    assert (browse.state.level, [row["title"] for row in browse.table.shown["rows"]]) == ("study", ["Study 1"])


def test_what_cannot_be_looked_into_is_told(archive, browse):
    archive.organise.save_search("every", archive.search("study", matching="all", Modality="CR"))
    browse.count()
    browse.hear({"kind": "look", "of": "search", "name": "every"})
    assert "all series of a study" in browse.filters.shown["failed"]
    browse.hear({"kind": "look", "of": "rule", "name": "nothing"})
    assert "no collection of that name" in browse.filters.shown["failed"]
    assert browse.state.given == ""


def test_all_that_match_are_frozen(archive, browse):
    browse.hear({"kind": "range", "keyword": "StudyDate", "low": "2026-01-02", "high": ""})
    answer = act(browse, "freeze", all=True, name="late ones")
    assert answer["words"] == "Cohort “late ones” frozen: 3 series."
    assert len(archive.cohort("late ones").rows) == 3


def test_a_selection_is_handed_over_under_a_token(browse, handed):
    answer = act(browse, "hand", series=keys(browse)[:2])
    assert (answer["count"], answer["query"]) == (2, "chosen=token0")
    assert handed["token0"].count() == 2


def test_names_that_are_there_are_offered(browse):
    act(browse, "tag", series=keys(browse)[:1], name="lung")
    act(browse, "collect", series=keys(browse)[:1], name="mine")
    answer = act(browse, "names")
    assert (answer["tags"], answer["collections"]) == (["lung"], ["mine"])


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"action": "tag", "name": ""}, "Give a name."),
        ({"action": "tag", "name": "a*b"}, "A name is 1 to 100 printable"),
        ({"action": "nothing"}, "There is no such action."),
    ],
)
def test_what_cannot_be_done_is_told(browse, said, words):
    answer = act(browse, series=keys(browse)[:1], **said)
    assert answer["error"].startswith(words)
    assert "words" not in answer


@pytest.mark.parametrize(("error", "hint"), [(Denied, "right"), (Busy, "again"), (NotFound, "removed")])
def test_what_to_do_is_told(archive, error, hint):
    class Found:
        def count(self) -> int:
            raise error("no")

    actions = Actions(archive, Found, Found, dict)
    answer = actions.do({"action": "tag", "name": "x", "all": True})
    assert answer["error"] == "No."
    assert hint in answer["hint"]


def test_too_many_are_not_marked_one_by_one(archive):
    class Found:
        def count(self) -> int:
            return 1_000_000

    answer = Actions(archive, Found, Found, dict).do({"action": "tag", "name": "x", "all": True})
    assert "1,000,000 series are too many" in answer["error"]


def test_messages_are_read_with_care():
    assert Picked.said({"all": 1, "series": "abc", "studies": [1, "k"]}) == Picked(False, (), ("k",))


def test_what_there_is_not_is_not_offered(archive):
    can = Browse(archive).table.can
    assert (can["compare"], can["charts"], can["hand"], can["organise"]) == (False, False, False, True)


def test_a_search_is_saved_and_chosen_again(browse, archive, handed):
    browse.hear({"kind": "set", "name": "text", "value": "ID-1"})
    browse.hear({"kind": "level", "level": "study"})
    found = keys(browse)
    assert act(browse, "save", name=" mine ")["words"] == "Search “mine” saved."
    assert browse.filters.shown["named"] == [{"of": "search", "name": "mine"}]
    assert act(browse, "names")["searches"] == ["mine"]
    assert [row["key"] for row in archive.organise.saved("mine").rows()] == found
    browse.hear({"kind": "clear"})
    browse.hear({"kind": "level", "level": "series"})
    assert len(keys(browse)) == 4
    browse.hear({"kind": "look", "of": "search", "name": "mine"})
    assert (browse.state.level, keys(browse)) == ("study", found)
    assert act(browse, "save", name=" ")["error"]
