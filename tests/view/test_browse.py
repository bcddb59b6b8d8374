from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from pacs_panel.archive import open_archive
from pacs_panel.dicom import kind as kinds
from pacs_panel.errors import BadQuery, NotFound
from pacs_panel.settings import Settings
from pacs_panel.testing import ct_phantom, write
from pacs_panel.view.browse.browse import Browse
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


def test_an_address_brings_the_filters_back_but_holds_no_words():
    there = BrowseState(text="Sample Amina", since="2024-01-01", until="2025-01-01")
    there.toggle("Modality", "CT")
    there.toggle("BodyPartExamined", None)
    there.sort("PatientName")
    address: dict[str, list[str]] = {}
    for name, value in there.address():
        address.setdefault(name, []).append(value)
    assert "Amina" not in str(address)
    back = BrowseState()
    back.take(address)
    assert back.criteria() == {k: v for k, v in there.criteria().items() if k != "text"}
    assert back.order == ("PatientName", "asc")


def test_addresses_that_make_no_sense_are_left():
    state = BrowseState()
    state.take({"since": ["yesterday"], "order": ["PatientID; drop-asc"], "Rows": ["3"], "until": []})
    assert (state.criteria(), state.order) == ({}, ("StudyDate", "desc"))


@pytest.fixture
def browse(demo_archive: Any) -> Browse:
    return Browse(demo_archive)


def test_rows_come_first_and_counts_after(browse):
    assert len(browse.table.shown["rows"]) == 25
    assert "total" not in browse.table.shown
    browse.count()
    assert browse.table.shown["total"] == browse.archive.search().count()
    assert len(browse.table.shown["rows"]) == 25
    facets = {facet["keyword"]: facet["values"] for facet in browse.filters.shown["facets"]}
    counted = browse.archive.search().facets("Modality")["Modality"]
    assert {value["value"]: value["count"] for value in facets["Modality"]} == dict(counted)


def test_a_message_narrows_and_another_takes_it_back(browse):
    browse.hear({"kind": "toggle", "keyword": "Modality", "value": "CT"})
    assert {row["modality"] for row in browse.table.shown["rows"]} == {"CT"}
    assert browse.table.shown["chips"] == [{"name": "Modality", "value": "CT", "words": "CT"}]
    browse.hear({"kind": "drop", "name": "Modality", "value": "CT"})
    assert browse.table.shown["total"] == browse.archive.search().count()


def test_words_and_dates_narrow(browse):
    browse.hear({"kind": "set", "name": "text", "value": "amina"})
    assert [row["id"] for row in browse.table.shown["rows"]] == ["PP-0006"]
    browse.hear({"kind": "clear"})
    browse.hear({"kind": "set", "name": "since", "value": "2025-06-01"})
    assert {row["date"] for row in browse.table.shown["rows"]} == {"2025-06-11", "2025-08-22"}


def test_pages_go_there_and_back(browse):
    first = [row["key"] for row in browse.table.shown["rows"]]
    seen = list(first)
    while browse.table.shown["more"]:
        browse.hear({"kind": "page", "by": 1})
        assert browse.table.shown["first"] == len(seen) + 1
        seen += [row["key"] for row in browse.table.shown["rows"]]
    assert sorted(seen) == sorted(str(row["key"]) for row in browse.archive.search().rows())
    for _ in browse.state.marks:
        browse.hear({"kind": "page", "by": -1})
    assert [row["key"] for row in browse.table.shown["rows"]] == first


def test_messages_that_make_no_sense_are_left(browse):
    before = browse.state.criteria(), browse.state.order
    for message in ({}, {"kind": "toggle", "keyword": "Rows", "value": 1}, {"kind": "sort", "keyword": "x"}):
        browse.hear(message)
    assert (browse.state.criteria(), browse.state.order) == before


def test_what_cannot_be_read_is_told(browse):
    def search(*_level: Any, **_keywords: Any) -> Any:
        raise BadQuery("the archive is busy")

    browse.archive = SimpleNamespace(search=search)
    browse.refresh()
    assert browse.table.shown["error"] == "the archive is busy"


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


def test_what_has_no_volume_says_what_it_is(demo_archive):
    page = SeriesPage(demo_archive, demo_archive.search(Modality="RTSTRUCT").page().rows[0]["key"])
    assert page.main[0].shown["kind"] == "RT structure set"
    assert page.main[0].shown["blocks"][0]["title"] == "Shown on"


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
