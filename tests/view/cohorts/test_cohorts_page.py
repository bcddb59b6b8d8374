"""Cohorts on a page: listed, opened, compared and verified."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pacs_panel.archive import open_archive
from pacs_panel.cohort.asked import to_text
from pacs_panel.errors import ArchiveError
from pacs_panel.index.criteria import criteria
from pacs_panel.settings import Settings
from pacs_panel.testing import Study, ct_phantom, write
from pacs_panel.view.cohorts import page as pages
from pacs_panel.view.cohorts.page import CohortList, CohortPage
from pacs_panel.view.cohorts.words import criteria_words


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({}, ["everything"]),
        ({"Modality": ["CT", "MR"]}, ["Modality CT or MR"]),
        ({"StudyDate": "20230101-"}, ["StudyDate from 2023-01-01"]),
        ({"StudyDate": "-20231231"}, ["StudyDate until 2023-12-31"]),
        ({"StudyDate": "20230101-20230102"}, ["StudyDate from 2023-01-01 to 2023-01-02"]),
        ({"StudyDate": "2023"}, ["StudyDate 2023"]),
        ({"SliceThickness": (0, 2.5)}, ["SliceThickness from 0 to 2.5"]),
        ({"PatientID": "PP-*", "text": "liver phantom"}, ["PatientID pp-*", "words “liver phantom”"]),
        ({"BodyPartExamined": '""'}, ["BodyPartExamined missing"]),
        ({"Modality": [f"X{n}" for n in range(8)]}, ["Modality X0 or X1 or X2 or X3 or X4 or X5 or 2 more"]),
    ],
)
def test_criteria_in_words(asked, words):
    assert criteria_words(to_text(criteria("series", **asked))) == words


def test_keys_are_counted_and_what_is_withheld_is_told():
    assert criteria_words(to_text(criteria("series", key=["a", "b"]))) == ["2 series rows chosen by hand"]
    assert criteria_words("")[0].startswith("withheld")
    assert criteria_words("{}") == ["criteria of another version of this software"]


@pytest.fixture
def archive(tmp_path: Path) -> Any:
    for number in range(3):
        one = ct_phantom(slices=3, rows=16, columns=16, seed=number, study=Study(date=f"2024030{number + 1}"))
        write(one, tmp_path / "in" / str(number))
    with open_archive(tmp_path / "archive", settings=Settings(workers=0)) as made:
        made.ingest(tmp_path / "in")
        yield made


def opened(archive: Any, name: str = "lungs", **more: Any) -> CohortPage:
    page = CohortPage(archive, name, start=lambda act: act(), **more)
    page.read_rows()
    return page


@pytest.mark.slow
def test_no_cohorts_tells_how_to_make_one(archive):
    shown = CohortList(archive).main.shown
    assert (shown["cohorts"], "pacs-panel cohort freeze" in shown["how"]) == ([], True)


@pytest.mark.slow
def test_the_list_has_the_latest_first(archive):
    archive.search(Modality="CT").freeze("lungs")
    archive.search("study").freeze("all of it")
    shown = CohortList(archive).main.shown
    assert [each["name"] for each in shown["cohorts"]] == ["all of it", "lungs"]
    first = shown["cohorts"][1]
    assert (first["series"], first["objects"], first["criteria"]) == (3, 9, ["Modality CT"])
    assert first["hash"] == archive.cohort("lungs").hash
    assert first["href"] == "cohorts?name=lungs"


@pytest.mark.slow
def test_a_cohort_shows_its_rows_and_where_they_lead(archive):
    archive.search(Modality="CT").freeze("lungs")
    handed: list[Any] = []
    shown = opened(archive, hand_over=lambda search: handed.append(search) or "token").main.shown
    assert (shown["state"], shown["gone"], shown["withheld"], shown["total"]) == ("cohort", 0, 0, 3)
    assert {row["key"] for row in shown["rows"]} == {row["key"] for row in archive.search().rows()}
    assert [href for _, href in shown["links"]] == ["browse?chosen=token", "charts?chosen=token", "download/token.zip"]
    assert {row["key"] for row in handed[0].rows()} == {row["key"] for row in shown["rows"]}
    assert shown["tables"][0] == ["CSV", "manifests/cohort.csv?name=lungs"]
    assert shown["commands"][0][0] == "pacs-panel cohort export lungs dicom FOLDER"


@pytest.mark.slow
def test_pages_turn(archive, monkeypatch):
    monkeypatch.setattr(pages, "ROWS", 2)
    archive.search(Modality="CT").freeze("lungs")
    page = opened(archive)
    first = [row["key"] for row in page.main.shown["rows"]]
    page.hear({"kind": "page", "by": 1})
    assert (len(page.main.shown["rows"]), page.main.shown["first"]) == (1, 3)
    page.hear({"kind": "page", "by": 1})
    assert page.main.shown["first"] == 3
    page.hear({"kind": "page", "by": -1})
    assert [row["key"] for row in page.main.shown["rows"]] == first


@pytest.mark.slow
def test_what_changed_since_is_told(archive, tmp_path):
    archive.search(Modality="CT").freeze("lungs")
    page = opened(archive)
    assert page.main.shown["diff"]["same"]
    write(ct_phantom(slices=3, rows=16, columns=16, seed=9), tmp_path / "more")
    archive.ingest(tmp_path / "more")
    gone = page.main.shown["rows"][0]["key"]
    archive.remove(gone)
    page.put()
    assert page.main.shown["stale"]
    page.hear({"kind": "again"})
    shown = page.main.shown
    assert {part["name"]: part["count"] for part in shown["diff"]["parts"]} == {"added": 1, "removed": 1, "changed": 0}
    assert (shown["stale"], shown["gone"]) == (False, 1)
    (row,) = [row for row in shown["rows"] if row["gone"]]
    assert (row["key"], row["here"], row["href"]) == (gone, False, "")


@pytest.mark.slow
def test_verifying_tells_how_far_it_is_and_what_it_found(archive):
    archive.search(Modality="CT").freeze("lungs")
    page, seen = opened(archive), []
    page.main.param.watch(lambda event: seen.append(event.new.get("verify")), "shown")
    page.hear({"kind": "verify"})
    assert seen[0] == {"running": True, "done": 0}
    assert {"running": True, "done": 9} in seen
    found = page.main.shown["verify"]
    assert (found["clean"], found["objects"]) == (True, 9)
    archive.remove(page.main.shown["rows"][0]["key"])
    page.hear({"kind": "verify"})
    assert not page.main.shown["verify"]["clean"]
    assert "trash" in page.main.shown["verify"]["told"][0]


@pytest.mark.slow
def test_what_cannot_be_compared_says_why(archive):
    cohort = archive.search(Modality="CT").freeze("lungs")
    cohort.only([next(iter(row["key"] for row in archive.search().rows()))]).freeze("one")
    page = opened(archive, "one")
    assert "compare" in page.main.shown["diff"]["trouble"]
    assert page.main.shown["facts"]["criteria"][0].startswith("part of cohort")


@pytest.mark.slow
def test_a_cohort_that_is_not_there_and_an_archive_that_cannot_be_read(archive, monkeypatch):
    page = opened(archive, "nothing")
    assert page.main.shown["state"] == "missing"
    page.hear({"kind": "verify"})

    def fail(*_: object) -> Any:
        raise ArchiveError("the disk is gone")

    monkeypatch.setattr(type(archive), "cohorts", fail)
    assert CohortList(archive).main.shown["words"] == "the disk is gone"
