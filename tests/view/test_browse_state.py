"""What a list is narrowed by, ordered by, and where one is in it; and the address that says so."""

from __future__ import annotations

from urllib.parse import parse_qs, urlencode

import pytest

from pacs_panel.attributes import BY_KEYWORD
from pacs_panel.view.browse.columns import OURS, age, columns, heads, size, sortable, text
from pacs_panel.view.browse.facets import BARS, FACETS, bars
from pacs_panel.view.browse.state import BrowseState


def back(state: BrowseState, private: bool = True) -> BrowseState:
    other = BrowseState(text="something else", since="1999-01-01", marks=("x",), skipped=3)
    other.take(parse_qs(urlencode(state.address())), state.private() if private else None)
    return other


def test_every_facet_and_column_is_of_an_attribute_that_can_be_searched():
    assert {name for name in FACETS if name not in BY_KEYWORD} == set()
    shown = {column.name for level in ("series", "study") for column in columns(level)} - OURS
    assert {name for name in shown if name not in BY_KEYWORD} == set()


def test_an_address_brings_everything_back():
    there = BrowseState(text="Sample Amina", since="2024-01-01", until="2025-01-01")
    there.toggle("Modality", "CT")
    there.toggle("BodyPartExamined", None)
    there.toggle("SeriesDescription", "Brain of Amina")
    there.limit("SliceThickness", "0.5", "")
    there.sort("PatientName")
    there.param.update(rows=50, columns=("patient", "date"), given="abc_-9", marks=("m1", "m2"))
    again = back(there)
    names = [name for name in BrowseState.param if name != "name"]
    assert {name: getattr(again, name) for name in names} == {name: getattr(there, name) for name in names}
    assert again.criteria() == there.criteria()


def test_an_address_says_which_series_of_a_study_must_match():
    there = BrowseState(level="study", matching="all")
    assert ("matching", "all") in there.address()
    assert back(there).strict
    there.unfold("series")
    assert not there.strict
    assert "matching" not in dict(there.address())
    there.match("none")
    assert there.matching == "all"
    there.clear()
    assert there.matching == "any"


def test_an_address_holds_nothing_that_somebody_typed():
    there = BrowseState(text="Sample Amina")
    there.toggle("SeriesDescription", "Brain of Amina")
    there.toggle("Modality", "CT")
    assert there.address() == [("Modality", "CT")]
    assert back(there, private=False).criteria() == {"Modality": ["CT"]}
    assert {"StudyDescription", "SeriesDescription", "ProtocolName"} == {k for k, f in FACETS.items() if f.private}


def test_no_facet_tells_who_a_patient_is():
    assert not {"PatientID", "PatientName", "PatientBirthDate", "AccessionNumber", "StudyID"} & FACETS.keys()


def test_numbers_in_an_address_are_numbers():
    there = BrowseState()
    there.toggle("MagneticFieldStrength", 1.5)
    again = back(there)
    assert again.chosen == {"MagneticFieldStrength": (1.5,)}
    again.toggle("MagneticFieldStrength", 1.5)
    assert again.chosen == {}


def test_an_address_remembers_some_pages_back_and_how_many_there_were():
    there = BrowseState(marks=tuple(f"k{n}" for n in range(30)))
    again = back(there)
    assert (again.page, again.marks[-1], len(again.marks)) == (30, "k29", 20)
    for _ in range(19):
        again.turn(-1)
    assert again.page == 11
    again.turn(-1)
    assert again.page == 0


def test_addresses_that_make_no_sense_are_left():
    state = BrowseState()
    state.take(
        {
            "since": ["yesterday"],
            "order": ["PatientID; drop-asc"],
            "Rows": ["3"],
            "until": [],
            "SliceThickness": ["a..b"],
            "ArrivalDate": ["2025"],
            "rows": ["1000000"],
            "level": ["instance"],
            "columns": ["nothing.<b>"],
            "after": ["../../x"],
            "skipped": ["-1"],
            "chosen": ["<script>"],
        },
        {"text": 3, "chosen": {"SeriesDescription": "x", "Modality": ["CT"]}},
    )
    assert (state.criteria(), state.order, state.address()) == ({}, ("StudyDate", "desc"), [])


def test_ranges_are_criteria():
    state = BrowseState()
    state.limit("SliceThickness", "", "3")
    state.limit("ArrivalDate", "2026-01-01", "")
    assert state.criteria() == {"SliceThickness": (None, 3.0), "ArrivalDate": "20260101-"}
    assert [chip["words"] for chip in state.narrowed()] == ["Slice thickness up to 3 mm", "Arrived from 2026-01-01"]
    state.drop("SliceThickness")
    state.limit("ArrivalDate", "", "")
    assert state.criteria() == {}


def test_studies_keep_an_order_that_they_have():
    state = BrowseState()
    state.sort("Modality")
    state.unfold("study")
    assert state.order == ("StudyDate", "desc")
    state.sort("Modality")
    assert state.order == ("StudyDate", "desc")
    assert "NumberOfStudyRelatedSeries" in sortable("study")
    assert "SeriesDescription" not in sortable("study")


# -- histograms --------------------------------------------------------------------------------------------------------


def test_bars_hold_each_value_once():
    counted = [(0.5, 3), (1.0, 4), (5.0, 2), (None, 9), ("x", 1), (float("nan"), 1)]
    drawn = bars("numbers", counted)
    assert sum(drawn["counts"]) == 9
    assert len(drawn["edges"]) == len(drawn["counts"]) + 1
    edges = [float(edge) for edge in drawn["edges"]]
    assert edges == sorted(edges)
    assert edges[0] <= 0.5
    assert edges[-1] > 5.0
    assert (drawn["low"], drawn["high"]) == ("0.5", "5")


@pytest.mark.parametrize("high", [1, 7, 123, 4096, 1e7])
def test_there_are_never_too_many_bars(high):
    counted = [(high * n / 99, 1) for n in range(100)]
    drawn = bars("numbers", counted)
    assert len(drawn["counts"]) <= BARS + 1
    assert sum(drawn["counts"]) == 100


def test_bars_of_dates():
    drawn = bars("dates", [("20240101", 2), ("20240103", 1), ("2024", 5), (None, 1)])
    assert drawn["counts"] == [2, 0, 1]
    assert drawn["edges"] == ["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04"]
    assert bars("dates", [("19000101", 1), ("20260101", 1)])["counts"][-1] == 1


def test_ages_lie_at_their_years():
    drawn = bars("numbers", [("054Y", 2), ("018M", 1), ("old", 4)])
    assert (sum(drawn["counts"]), drawn["low"], drawn["high"]) == (3, "1.5", "54")


def test_no_bars_without_values():
    assert bars("numbers", [(None, 3)]) == {}
    assert bars("numbers", [(2.0, 3)])["counts"] == [3]


# -- columns -----------------------------------------------------------------------------------------------------------


def test_values_as_people_read_them():
    assert [size(n) for n in (None, 0, 999, 1500, 3.2e9)] == ["", "0 B", "999 B", "1.5 kB", "3.2 GB"]
    assert [age(value) for value in ("054Y", "010M", "old", "")] == ["54 y", "10 m", "old", ""]
    assert text("SliceThickness", 2.50) == "2.5"
    assert text("PatientBirthDate", "19700131") == "1970-01-31"
    assert text("ScanningSequence", "SE\\IR") == "SE, IR"


@pytest.mark.parametrize("level", ["series", "study"])
def test_columns_have_names_of_their_own(level):
    names = [column.name for column in columns(level)]
    assert len(names) == len(set(names))
    assert all(head["words"] for head in heads(level))
    assert {head["sort"] for head in heads(level)} - {""} <= sortable(level)
