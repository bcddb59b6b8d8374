from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from pacs_panel.archive import open_archive
from pacs_panel.dicom import kind as kinds
from pacs_panel.errors import BadQuery, NotFound
from pacs_panel.settings import Settings
from pacs_panel.testing import ct_phantom, write
from pacs_panel.view.browse.actions import Picked
from pacs_panel.view.browse.browse import Browse
from pacs_panel.view.browse.corrected import corrected, told
from pacs_panel.view.browse.counts import paced
from pacs_panel.view.browse.series import SeriesPage
from pacs_panel.view.browse.state import BrowseState, checked_date
from pacs_panel.view.words import day, number, person, state


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Sample^Amina", "Sample, Amina"),
        ("Grün^Jürgen^^Dr.", "Grün, Dr. Jürgen"),
        ("Tanaka^Yuki=田中^雪=たなか^ゆき", "Tanaka, Yuki (田中 雪, たなか ゆき)"),
        ("=田中^雪", "田中 雪"),
        ("PLA", "PLA"),
        ("^^^^", ""),
        (None, ""),
        ("<script>^x", "<script>, x"),
    ],
)
def test_names_as_people_write_them(name, words):
    assert person(name) == words


def test_days_and_numbers():
    assert [day("20250822"), day("2025"), day(None)] == ["2025-08-22", "2025", ""]
    assert [number(2.50), number(-3.0), number(-0.001), number(0.0)] == ["2.5", "−3", "0", "0"]
    assert [checked_date(text) for text in ("2025-01-31", "2025-02-31", "x", "")] == ["2025-01-31", "", "", ""]


def test_what_became_of_a_series():
    assert state({"Verdict": "sheared", "revision": "r"}) == ("sheared", "tilted volume")
    assert state({"Verdict": None, "revision": "r"})[0] == "kept"
    assert state({"Verdict": None, "revision": None, "Kind": "RT plan"})[0] == "building"
    told = {
        kind: state({"Verdict": None, "revision": "r", "Kind": kind}) for kind in ("RT plan", "RT dose", "raw data")
    }
    assert list(told.values()) == [("document", "plan"), ("overlay", "dose"), ("header", "header only")]


def test_every_kind_without_images_has_words():
    told = {name: state({"Verdict": None, "revision": "r", "Kind": name})[0] for name in kinds.OTHERS.values()}
    assert {name for name, what in told.items() if what == "kept"} == set()
    images = {name: state({"Verdict": None, "revision": "r", "Kind": name})[0] for name in kinds.IMAGES.values()}
    assert images.pop("RT dose") == "overlay"  # one whose values are not told
    assert set(images.values()) == {"kept"}


@pytest.fixture
def browse(demo_archive: Any) -> Browse:
    return Browse(demo_archive)


def rows(browse: Browse) -> list[dict[str, Any]]:
    return browse.table.shown["rows"]


def facets(browse: Browse) -> dict[str, dict[str, Any]]:
    return {facet["keyword"]: facet for facet in browse.filters.shown["facets"]}


def test_rows_come_first_and_counts_after(browse):
    assert len(rows(browse)) == 25
    assert browse.table.total is None
    assert browse.filters.counting
    browse.count()
    assert browse.table.total == browse.archive.search().count()
    assert len(rows(browse)) == 25
    counted = browse.archive.search().facets("Modality")["Modality"]
    assert {value["value"]: value["count"] for value in facets(browse)["Modality"]["values"]} == dict(counted)
    assert not browse.filters.counting


def test_counts_are_dropped_where_the_filters_changed_meanwhile(demo_archive):
    waiting: list[Any] = []
    browse = Browse(demo_archive, later=lambda steps, show: waiting.append((steps, show)))
    browse.count()
    browse.hear({"kind": "toggle", "keyword": "Modality", "value": "MR"})
    (old, show), (new, _) = waiting
    early = list(new())
    late = list(old())
    for found in late:
        show(found)
    assert browse.table.total == early[0]["total"]
    browse.hear({"kind": "toggle", "keyword": "Modality", "value": "CT"})
    assert len(list(zip(early, new(), strict=False))) > 1
    for found in early:
        show(found)
    assert browse.table.total is None


def test_counts_that_come_together_are_drawn_together():
    steps = [{"a": [(1, 1)]}, {"b": [(2, 1)]}, {"c": [(3, 1)]}]
    assert list(paced(steps, pause=0)) == steps
    assert list(paced(steps, pause=3600)) == [{"a": [(1, 1)], "b": [(2, 1)], "c": [(3, 1)]}]
    assert list(paced([])) == []


def test_counting_ends_where_the_filters_changed_meanwhile(demo_archive):
    waiting: list[Any] = []
    browse = Browse(demo_archive, later=lambda steps, _show: waiting.append(steps))
    browse.count()
    steps = iter(waiting[0]())
    next(steps), next(steps)
    browse.state.toggle("Modality", "MR")
    assert list(steps) == []


def test_a_message_narrows_and_another_takes_it_back(browse):
    browse.hear({"kind": "toggle", "keyword": "Modality", "value": "CT"})
    assert {row["cells"]["modality"] for row in rows(browse)} == {"CT"}
    assert browse.table.shown["chips"] == [{"name": "Modality", "value": "CT", "words": "CT"}]
    assert [value["value"] for value in facets(browse)["Modality"]["values"] if value["chosen"]] == ["CT"]
    browse.hear({"kind": "drop", "name": "Modality", "value": "CT"})
    assert browse.table.total == browse.archive.search().count()


def test_words_and_dates_narrow(browse):
    browse.hear({"kind": "set", "name": "text", "value": "amina"})
    assert [row["id"] for row in rows(browse)] == ["PP-0006"]
    browse.hear({"kind": "clear"})
    browse.hear({"kind": "range", "keyword": "StudyDate", "low": "2025-06-01", "high": ""})
    assert {row["cells"]["date"] for row in rows(browse)} == {"2025-06-11", "2025-08-22"}


def test_a_range_of_numbers_narrows(browse):
    browse.hear({"kind": "range", "keyword": "SliceThickness", "low": "2", "high": "4.5"})
    found = list(browse.archive.search(SliceThickness=(2.0, 4.5)).rows())
    assert found
    assert browse.table.total == len(found)
    assert facets(browse)["SliceThickness"]["ends"] == ["2", "4.5"]
    browse.hear({"kind": "drop", "name": "SliceThickness"})
    assert browse.state.ranges == {}


def test_pages_go_there_and_back(browse):
    first = [row["key"] for row in rows(browse)]
    seen = list(first)
    while browse.table.shown["more"]:
        browse.hear({"kind": "page", "by": 1})
        assert browse.table.shown["first"] == len(seen) + 1
        seen += [row["key"] for row in rows(browse)]
    assert sorted(seen) == sorted(str(row["key"]) for row in browse.archive.search().rows())
    for _ in browse.state.marks:
        browse.hear({"kind": "page", "by": -1})
    assert [row["key"] for row in rows(browse)] == first


def test_a_page_of_an_old_address_may_be_gone(demo_archive):
    state = BrowseState()
    state.take({"after": ["nothing"]})
    browse = Browse(demo_archive, state)
    assert (browse.table.shown["first"], browse.table.shown["error"]) == (1, "")
    assert len(rows(browse)) == 25


def test_studies_unfold_to_the_series_that_match(browse):
    browse.hear({"kind": "level", "level": "study"})
    assert browse.table.total == browse.archive.search("study").count()
    study = next(row for row in rows(browse) if int(row["cells"]["series"]) > 2)
    browse.hear({"kind": "unfold", "key": study["key"]})
    below = browse.table.below[study["key"]]
    assert len(below["rows"]) == int(study["cells"]["series"])
    modality = below["rows"][0]["modality"]
    browse.hear({"kind": "toggle", "keyword": "Modality", "value": modality})
    assert browse.table.below == {}
    browse.hear({"kind": "unfold", "key": study["key"]})
    assert {row["modality"] for row in browse.table.below[study["key"]]["rows"]} == {modality}


def test_values_of_a_long_facet_are_looked_for(browse):
    browse.hear({"kind": "seek", "keyword": "SeriesDescription", "words": "CHEST"})
    found = browse.filters.sought
    assert {value["words"] for value in found["values"]} >= {"Chest PA", "Chest 2 mm"}
    assert all("chest" in value["words"].lower() for value in found["values"])


def test_messages_that_make_no_sense_are_left(browse):
    before = browse.state.criteria(), browse.state.order
    for message in (
        {},
        {"kind": "toggle", "keyword": "Rows", "value": 1},
        {"kind": "sort", "keyword": "x"},
        {"kind": "level", "level": "x"},
        {"kind": "rows", "rows": 10**9},
        {"kind": "columns", "columns": 3},
        {"kind": "range", "keyword": "Modality", "low": 1, "high": []},
        {"kind": "address", "query": None, "private": 3},
        {"kind": "seek", "keyword": "PatientName", "words": "a"},
    ):
        browse.hear(message)
    assert (browse.state.criteria(), browse.state.order) == before


def test_what_cannot_be_read_is_told(browse):
    def search(*_level: Any, **_keywords: Any) -> Any:
        raise BadQuery("the archive is busy")

    browse.archive = SimpleNamespace(search=search)
    browse.refresh()
    assert browse.table.shown["error"] == "the archive is busy"
    assert browse.filters.shown["failed"] == "Not counted: the archive is busy"


# -- addresses ---------------------------------------------------------------------------------------------------------


def test_each_change_is_a_step_and_typing_is_one(browse):
    steps: list[tuple[str, bool]] = []
    browse.table.param.watch(lambda event: steps.append((event.new["query"], event.new["push"])), "place")
    browse.hear({"kind": "toggle", "keyword": "Modality", "value": "CT"})
    for text in ("s", "sa", "sample"):
        browse.hear({"kind": "set", "name": "text", "value": text, "typing": True})
    browse.hear({"kind": "sort", "keyword": "Modality"})
    assert [push for _, push in steps] == [True, True, False, False, True]
    assert steps[0][0] == "Modality=CT"
    assert "sample" not in str(steps)


def test_words_are_kept_by_the_tab_under_an_id(browse):
    browse.hear({"kind": "set", "name": "text", "value": "amina"})
    kept = browse.table.place
    assert kept["private"] == {"text": "amina"}
    assert kept["query"] == f"words={kept['name']}"
    browse.hear({"kind": "clear"})
    assert browse.table.place["query"] == ""
    browse.hear({"kind": "address", "query": f"?{kept['query']}", "private": kept["private"]})
    assert browse.state.text == "amina"
    assert [row["id"] for row in rows(browse)] == ["PP-0006"]
    assert browse.table.place["query"] == ""  # going back writes no address


def test_a_page_waits_for_the_words_of_its_address(demo_archive):
    browse = Browse(demo_archive, waiting=True)
    browse.count()
    assert browse.table.shown["waiting"]
    assert "rows" not in browse.table.shown
    browse.hear({"kind": "address", "query": "?words=abc", "private": {"text": "amina"}})
    assert [row["id"] for row in rows(browse)] == ["PP-0006"]


def test_columns_stand_in_the_address_without_a_step(browse):
    browse.hear({"kind": "columns", "columns": ["patient", "SliceThickness", "nonsense"]})
    assert browse.table.place["query"] == "columns=patient.SliceThickness"
    assert not browse.table.place["push"]


def test_a_selection_of_another_page_is_narrowed_further(demo_archive):
    given = demo_archive.search(Modality="CT")
    state = BrowseState(given="token")
    browse = Browse(demo_archive, state, taken={"token": given}.get)
    browse.count()
    assert browse.table.total == given.count()
    browse.hear({"kind": "toggle", "keyword": "BodyPartExamined", "value": "CHEST"})
    assert browse.table.total == demo_archive.search(Modality="CT", BodyPartExamined="CHEST").count() > 0


def test_studies_of_which_any_or_all_series_match(demo_archive):
    browse = Browse(demo_archive, BrowseState(level="study", chosen={"Modality": ("CT",)}, rows=100))
    some = {row["key"] for row in rows(browse)}
    browse.hear({"kind": "matching", "matching": "all"})
    every = {row["key"] for row in rows(browse)}
    found = demo_archive.search("series").rows()
    others = {row["study_key"] for row in found if row["Modality"] != "CT"}
    assert some & others
    assert every == some - others
    assert "matching=all" in browse.table.place["query"]
    # All that is listed is chosen, not also what matches in other studies; and no rule says the same.
    assert {row["study_key"] for row in browse.actions.search(Picked(True)).rows()} == every
    answer = browse.actions.do({"action": "collect", "name": "x", "all": True, "rule": True})
    assert "cannot be told as a rule" in answer["error"]


def test_a_selection_that_is_gone_is_explained(demo_archive):
    browse = Browse(demo_archive, BrowseState(given="token"))
    assert browse.table.shown["gone"] == "selection"
    browse.hear({"kind": "clear"})
    assert len(rows(browse)) == 25


# -- view --------------------------------------------------------------------------------------------------------------


def test_a_series_in_words_and_images(demo_archive):
    row = demo_archive.search(Modality="CT", PatientID="PP-0002").page().rows[0]
    page = SeriesPage(demo_archive, row["key"])
    page.read_header()
    shown = page.details.shown
    assert shown["who"] == ["Grün, Dr. Jürgen", "PP-0002"]
    assert dict(shown["passport"])["Tilt"].startswith("15")
    assert ["(0008,0060)", "Modality", "CS", "CT", 0] in shown["header"]["rows"]
    assert type(page.main[0]).__name__ != "Note"
    assert shown["patient"] == f"patient?patient={row['patient_key']}"
    assert shown["corrected"] == []


def test_what_was_corrected_is_told_with_what_was_received():
    def listed(key: str, level: str) -> list[Any]:
        made = {
            "patient": SimpleNamespace(kind="set", values={"PatientID": "B"}, reason="typing error"),
            "study": SimpleNamespace(kind="move", values={}, reason=""),
            "series": SimpleNamespace(kind="set", values={"Laterality": "L"}, reason=""),
        }
        return [made[level]] if key == level[0] else []

    archive = SimpleNamespace(corrections=SimpleNamespace(list=listed))
    changes = corrected(archive, {"key": "s", "study_key": "s", "patient_key": "p"})
    assert changes == [("PatientID", "typing error"), ("Moved", ""), ("Laterality", "")]
    header = [["(0010,0020)", "PatientID", "LO", "A", 0], ["(0020,0060)", "Laterality", "CS", "R", 1]]
    assert told(changes) == [["PatientID", "typing error"], ["Moved", "corrected"], ["Laterality", "corrected"]]
    assert told(changes, header) == [
        ["PatientID", "typing error · received: A"],
        ["Moved", "corrected"],
        ["Laterality", "received without"],
    ]
    assert corrected(SimpleNamespace(), {}) == []


def test_what_has_no_volume_says_what_it_is(demo_archive):
    page = SeriesPage(demo_archive, demo_archive.search(Modality="RTSTRUCT").page().rows[0]["key"])
    assert page.main[0].shown["kind"] == "RT structure set"
    assert page.main[0].shown["blocks"][0]["title"] == "Lies on"


def test_a_series_that_is_not_built_yet_shows_the_received_images(tmp_path):
    write(ct_phantom(slices=3, rows=16, columns=20), tmp_path / "in")
    with open_archive(tmp_path / "archive", settings=Settings(workers=0)) as archive:
        archive.ingest(tmp_path / "in", build=False)
        page = SeriesPage(archive, str(archive.search().page().rows[0]["key"]))
        before = page.main[0]
        assert type(before).__name__ == "ImageViewer"
        assert page.details.shown["passport"][0] == ["Verdict", "being built"]
        page.put(page.read())
        assert page.main[0] is before
        list(archive.settle())
        page.put(page.read())
        assert page.main[0] is not before
        assert dict(page.details.shown["passport"])["Verdict"] == "regular volume"


def test_what_is_not_there_says_so():
    def find(_uid: str) -> Any:
        raise NotFound("x")

    page = SeriesPage(SimpleNamespace(find=find), "nothing")
    page.read_header()
    assert page.main[0].shown["state"] == "missing"
    assert page.details.shown.get("title") is None
