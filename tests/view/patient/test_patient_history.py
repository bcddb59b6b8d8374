"""A patient's rows as a history, and the page that shows it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pacs_panel.archive import Archive, open_archive
from pacs_panel.settings import Settings
from pacs_panel.testing import Study, Subject, cr, ct_phantom, seg_on, write
from pacs_panel.view.patient.history import age, age_at, differences, history, ordinal, who
from pacs_panel.view.patient.page import PatientPage

EARLY = Study(Subject("Old^Name", "P1"), "20190105", "080000", "First")
LATE = Study(Subject("New^Name", "P1"), "20240301", "090000", "Second")


def row(key: str, study: str = "t1", **values: Any) -> dict[str, Any]:
    names = ("Modality", "SeriesDescription", "BodyPartExamined", "Kind", "Verdict", "SeriesNumber")
    plain = dict.fromkeys(names) | {"NumberOfSeriesRelatedInstances": 3, "revision": "r"}
    return plain | {"key": key, "study_key": study} | values


def study(key: str, date: str | None, **values: Any) -> dict[str, Any]:
    names = ("StudyTime", "StudyDescription", "PatientAge", "PatientBirthDate", "PatientSize", "PatientWeight")
    return dict.fromkeys(names) | {"AccessionNumber": None, "key": key, "StudyDate": date} | values


CT = {"Modality": "CT", "Kind": "CT image", "Verdict": "regular"}
SEG = {"Modality": "SEG", "Kind": "segmentation"}
SR = {"Modality": "SR", "Kind": "structured report"}


def test_studies_come_latest_first_and_those_without_a_date_last():
    found = history([study("a", "20200101"), study("b", None), study("c", "20210101")], [], {})
    assert [each["key"] for each in found] == ["c", "a", "b"]
    assert [each["day"] for each in found] == [ordinal("20210101"), ordinal("20200101"), None]


def test_objects_stand_beneath_what_they_speak_of():
    rows = [row("ct", **CT), row("seg", **SEG), row("sr", "t2", **SR), row("alone", "t2", **SR)]
    speaks = {"seg": ["gone", "ct"], "sr": ["ct"], "alone": ["elsewhere"]}
    one, two = history([study("t1", "20210101"), study("t2", "20200101")], rows, speaks)
    assert [line["key"] for line in one["series"]] == ["ct"]
    assert [line["key"] for line in one["series"][0]["objects"]] == ["seg", "sr"]  # also from another study
    assert [line["key"] for line in two["series"]] == ["alone"]
    assert two["modalities"] == [["SR", 2]]
    assert (one["count"], two["count"]) == (2, 2)


def test_objects_that_speak_of_one_another_are_not_lost():
    rows = [row("a", **SR), row("b", **SR)]
    (found,) = history([study("t1", "20210101")], rows, {"a": ["b"], "b": ["a"]})
    assert [line["key"] for line in found["series"]] == ["a", "b"]


def test_ages():
    assert [age("052Y"), age("001Y"), age("010D"), age("x"), age(None)] == ["52 years", "1 year", "10 days", "", ""]
    assert age_at("19800615", "20200614") == "39 years"
    assert age_at("19800615", "20200615") == "40 years"
    assert [age_at(None, "20200101"), age_at("20210101", "20200101")] == ["", ""]


def test_what_differs_is_told_with_the_studies_that_say_so():
    headers = {
        "2019": {"00100010": {"Value": [{"Alphabetic": "Old^Name"}]}, "00100040": {"Value": ["F"]}},
        "2024": {"00100010": {"Value": [{"Alphabetic": "New^Name"}]}, "00100040": {"Value": ["F"]}},
        "2025": {"00100040": {"Value": ["F"]}},
    }
    assert differences(headers) == [
        {"what": "Name", "values": [["Old, Name", "2019"], ["New, Name", "2024"], ["not said", "2025"]]}
    ]
    assert differences({"2019": headers["2019"]}) == []


def test_who_it_is():
    facts = {"PatientName": "A^B", "PatientID": None, "PatientBirthDate": "19610423", "PatientSex": "F"}
    told = who(facts | {"IssuerOfPatientID": None})
    assert told == {"name": "A, B", "id": "", "facts": [["Born", "1961-04-23"], ["Sex", "female"]]}


# -- the page ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def archive(tmp_path: Path) -> Any:
    ct = ct_phantom(study=EARLY, slices=4, rows=16, columns=16)
    write(ct, tmp_path / "in" / "ct")
    write(seg_on(ct, spheres=1), tmp_path / "in" / "seg")
    write(cr(study=LATE, rows=32, columns=32), tmp_path / "in" / "cr")
    with open_archive(tmp_path / "archive", settings=Settings(workers=0)) as made:
        made.ingest(tmp_path / "in")
        yield made


def page_of(archive: Archive) -> PatientPage:
    (patient,) = archive.search("patient").page().rows
    return PatientPage(archive, str(patient["key"]))


@pytest.mark.slow
def test_a_page_shows_who_and_what(archive):
    shown = page_of(archive).main.shown
    assert shown["who"]["id"] == "P1"
    assert [study["date"] for study in shown["studies"]] == ["2024-03-01", "2019-01-05"]
    (ct,) = shown["studies"][1]["series"]
    assert ct["thumbnail"].startswith("thumbnails/")
    assert [each["modality"] for each in ct["objects"]] == ["SEG"]
    assert ct["href"] == f"view?series={ct['key']}&stack=0"


@pytest.mark.slow
def test_studies_that_name_the_patient_otherwise_are_told(archive):
    page = page_of(archive)
    page.read_differences()
    (name,) = page.main.shown["differs"]
    assert name == {"what": "Name", "values": [["New, Name", "2024-03-01"], ["Old, Name", "2019-01-05"]]}


@pytest.mark.slow
def test_what_is_said_on_the_page_is_kept(archive):
    page = page_of(archive)
    key, series = page.key, page.main.shown["studies"][1]["series"][0]["key"]
    page.hear({"kind": "tag", "level": "patient", "key": key, "value": "control"})
    page.hear({"kind": "note", "level": "series", "key": series, "value": "Moved"})
    page.hear({"kind": "rate", "level": "series", "key": series, "value": 4})
    assert archive.organise.tags(key, "patient") == ["control"]
    assert page.main.shown["remarks"][key]["tags"] == ["control"]
    assert "control" in page.main.shown["known"]
    said = page.main.shown["remarks"][series]
    assert (said["notes"][0]["text"], said["mine"]) == ("Moved", 4)
    page.hear({"kind": "unnote", "level": "series", "key": series, "value": said["notes"][0]["id"]})
    page.hear({"kind": "rate", "level": "series", "key": series, "value": 0})
    page.hear({"kind": "untag", "level": "patient", "key": key, "value": "control"})
    for left in (key, series):
        assert page.main.shown["remarks"][left] == {"tags": [], "notes": [], "ratings": [], "mine": 0}


@pytest.mark.slow
def test_what_was_read_before_a_change_does_not_undo_it(archive):
    page = page_of(archive)
    before = page.read()
    page.hear({"kind": "rate", "level": "patient", "key": page.key, "value": 4})
    page.put(before)
    assert page.main.shown["remarks"][page.key]["mine"] == 4
    archive.organise.rate(page.key, 2, "patient")
    page.put(page.read())
    assert page.main.shown["remarks"][page.key]["mine"] == 2


@pytest.mark.slow
def test_what_cannot_be_said_is_told_and_what_makes_no_sense_is_left(archive):
    page = page_of(archive)
    page.hear({"kind": "tag", "level": "patient", "key": page.key, "value": "*"})
    assert "printable" in page.main.shown["said"][page.key]
    page.hear({"kind": "rate", "level": "patient", "key": page.key, "value": 9})
    assert "whole number" in page.main.shown["said"][page.key]
    before = dict(page.main.shown)
    for message in ({}, {"kind": "tag", "level": "series", "key": "elsewhere", "value": "x"}):
        page.hear(message)
    assert page.main.shown == before


@pytest.mark.slow
def test_a_patient_is_asked_for_by_key_alone(archive):
    for asked in ("P1", "nobody", ""):
        shown = PatientPage(archive, asked).main.shown
        assert (shown["state"], shown["title"]) == ("missing", "There is no such patient")


@pytest.mark.slow
def test_what_arrives_shows_up(archive, tmp_path):
    page = page_of(archive)
    page.read_differences()
    more = Study(Subject("New^Name", "P1"), "20250101", "090000", "Third")
    write(cr(study=more, rows=32, columns=32), tmp_path / "more")
    archive.ingest(tmp_path / "more")
    page.put(page.read())
    assert [study["title"] for study in page.main.shown["studies"]] == ["Third", "Second", "First"]
    assert page.main.shown["differs"]
