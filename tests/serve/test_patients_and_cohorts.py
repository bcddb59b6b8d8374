"""The Patient, Compare and Cohorts pages in a real browser."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from pacs_panel.archive import Archive, open_archive
from pacs_panel.settings import Settings
from pacs_panel.testing import Study, Subject, cr, ct_phantom, seg_on, write
from tests.browser_fixtures import run
from tests.view.accessible import LIGHT_AND_DARK, accessible, in_theme
from tests.view.reading import wait_for

pytestmark = pytest.mark.browser
UP_AND_DOWN = """viewer => {
    let steps = 0;
    const key = () => (steps++ % 12 < 6 ? "ArrowDown" : "ArrowUp");
    window.moving = setInterval(() => viewer.dispatchEvent(new KeyboardEvent("keydown", { key: key() })), 20);
}"""
WHO = Subject("<b>Bold</b>^<i>Given</i>", "PP-0042")
FIRST = Study(WHO, "20190105", "080000", "<u>First</u>")
LATER = Study(WHO, "20240301", "090000", "Later")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("pages")
    coarse = ct_phantom(study=FIRST, slices=6, rows=20, columns=20, spacing=(4.0, 8.0, 8.0), description="Coarse")
    write(coarse, base / "in" / "coarse")
    write(seg_on(coarse, spheres=1), base / "in" / "seg")
    fine = ct_phantom(study=FIRST, slices=12, rows=40, columns=40, spacing=(2.0, 4.0, 4.0), description="Fine")
    write(fine, base / "in" / "fine")
    write(ct_phantom(study=LATER, slices=6, rows=20, columns=20, description="Elsewhere"), base / "in" / "elsewhere")
    write(cr(study=LATER, rows=32, columns=32), base / "in" / "cr")
    with open_archive(base / "archive", settings=Settings(workers=0)) as archive:
        archive.ingest(base / "in")
        archive.search(Modality="CT").freeze("scans & more")
    return base / "archive"


@pytest.fixture(scope="module")
def address(app: Any) -> Iterator[str]:
    at, stop = run(app)
    yield at
    stop()


def series(archive: Archive, description: str) -> str:
    return str(archive.search(SeriesDescription=description).page().rows[0]["key"])


def patient(archive: Archive) -> str:
    return str(archive.search("patient").page().rows[0]["key"])


# -- patient -----------------------------------------------------------------------------------------------------------


def test_a_mark_on_the_timeline_leads_to_its_study(page, address, archive):
    page.goto(f"{address}/patient?patient={patient(archive)}")
    marks = page.locator(".timeline .mark")
    marks.first.wait_for()
    wait_for(page, lambda: marks.count() == 2)
    wait_for(page, lambda: page.locator(".timeline .between").text_content() == "5 years 1 month")
    marks.first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    page.wait_for_selector(".study.gone-to b >> text=2019-01-05")
    page.locator(".study.gone-to .series > li", has_text="Coarse").locator(
        ".objects >> text=segmentation"
    ).first.wait_for()
    page.get_by_role("button", name="Zoom in").click()
    page.get_by_role("button", name="All", exact=True).click()
    wait_for(page, lambda: page.locator(".timeline .mark").count() == 2)


def test_what_headers_say_of_a_patient_is_text(page, address, archive):
    page.goto(f"{address}/patient?patient={patient(archive)}")
    page.wait_for_selector("h1 >> text=<b>Bold</b>, <i>Given</i>")
    page.wait_for_selector(".study .title >> text=<u>First</u>")
    assert page.locator(".patient u, .patient i, h1 b").count() == 0
    assert "PP-0042" not in page.url


def test_tags_notes_and_ratings_are_given_and_taken_back(page, address, archive):
    page.goto(f"{address}/patient?patient={patient(archive)}")
    head = page.locator("header.who")
    head.get_by_label("New tag").fill("control")
    head.get_by_label("New tag").press("Enter")
    page.wait_for_selector("header.who .chip >> text=control")
    head.get_by_label("4 stars").click()
    page.wait_for_selector("header.who .star[aria-pressed=true]")
    head.get_by_role("button", name="Add note").click()
    head.get_by_label("New note").fill("Read <b>twice</b>")
    head.locator(".notes").get_by_role("button", name="Add note").click()
    page.wait_for_selector("header.who .notes li >> text=Read <b>twice</b>")
    organise, key = archive.organise, patient(archive)
    assert organise.tags(key, "patient") == ["control"]
    assert list(organise.ratings(key, "patient").values()) == [4]
    head.locator(".chip").click()
    page.wait_for_selector("header.who .chip", state="detached")
    head.get_by_role("button", name="Remove").click()
    page.wait_for_selector("header.who .notes li", state="detached")
    assert organise.notes(key, "patient") == []


def test_a_patient_who_is_not_there(page, address):
    page.goto(f"{address}/patient?patient=PP-0042")
    page.wait_for_selector("text=There is no such patient")


# -- compare -----------------------------------------------------------------------------------------------------------


def cell(page: Any, number: int) -> Any:
    return page.locator(".viewer").nth(number)


def slice_of(page: Any, number: int) -> str:
    return str(cell(page, number).locator(".pane.shown .slice").first.text_content())


def test_one_place_is_followed_in_mm(page, address, archive):
    fine, coarse = series(archive, "Fine"), series(archive, "Coarse")
    page.goto(f"{address}/compare?series={fine}&series={coarse}")
    page.locator(".viewer").nth(1).locator("canvas[data-painted]").first.wait_for(state="attached")
    page.wait_for_selector(".linkbar small >> text=one frame of reference")
    cell(page, 0).focus()
    page.keyboard.press("Home")
    wait_for(page, lambda: slice_of(page, 1) == "1 / 6")
    page.keyboard.press("End")
    wait_for(page, lambda: (slice_of(page, 0), slice_of(page, 1)) == ("12 / 12", "6 / 6"))
    page.keyboard.press("l")  # no longer linked
    page.wait_for_selector(".linkbar input[data-focus=place]:not(:checked)")
    page.keyboard.press("Home")
    wait_for(page, lambda: slice_of(page, 0) == "1 / 12")
    assert slice_of(page, 1) == "6 / 6"


def test_it_is_followed_while_it_moves(page, address, archive):
    fine, coarse = series(archive, "Fine"), series(archive, "Coarse")
    page.goto(f"{address}/compare?series={fine}&series={coarse}")
    page.locator(".viewer").nth(1).locator("canvas[data-painted]").first.wait_for(state="attached")
    page.wait_for_selector(".linkbar small >> text=one frame of reference")
    before = slice_of(page, 1)
    cell(page, 0).evaluate(UP_AND_DOWN)
    wait_for(page, lambda: slice_of(page, 1) != before)  # it never stood still until now
    page.evaluate("clearInterval(window.moving)")
    cell(page, 0).press("End")
    wait_for(page, lambda: (slice_of(page, 0), slice_of(page, 1)) == ("12 / 12", "6 / 6"))


def test_other_frames_of_reference_are_told_and_series_closed(page, address, archive):
    asked = [series(archive, "Fine"), series(archive, "Elsewhere"), series(archive, "Spheres"), "nothing"]
    page.goto(f"{address}/compare?{'&'.join(f'series={key}' for key in asked)}")
    page.wait_for_selector(".caption >> text=another frame of reference")
    page.wait_for_selector("text=No images to compare: segmentation")
    page.wait_for_selector("text=There is no such series")
    page.get_by_label("Others by relative position").check()
    page.wait_for_selector(".caption em >> text=relative position")
    page.get_by_role("button", name="Take this series out").nth(3).click()
    page.wait_for_url(lambda url: "nothing" not in url)
    page.wait_for_selector("h1 >> text=Compare 3 series")


@pytest.mark.parametrize(("width", "across"), [(700, 1), (1300, 2), (1900, 3)])
def test_the_grid_follows_the_width(page, address, archive, width, across):
    asked = [series(archive, name) for name in ("Fine", "Coarse", "Elsewhere")]
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{address}/compare?{'&'.join(f'series={key}' for key in asked)}")
    page.locator(".viewer").nth(2).wait_for()
    tops = [round(page.locator(".viewer").nth(n).bounding_box()["y"]) for n in range(3)]
    assert tops.count(tops[0]) == across
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.set_viewport_size({"width": 1400, "height": 900})


def test_nothing_to_compare(page, address):
    page.goto(f"{address}/compare")
    page.wait_for_selector("text=Nothing to compare yet")


# -- cohorts -----------------------------------------------------------------------------------------------------------


def test_a_cohort_is_found_read_and_verified(page, address):
    page.goto(f"{address}/cohorts")
    page.locator("td.cohort a", has_text="scans & more").click()
    page.wait_for_url("**/cohorts?name=scans*")
    page.wait_for_selector("[data-card=diff] .good")
    wait_for(page, lambda: page.locator("table.rows tbody tr").count() == 3)
    wait_for(page, lambda: "Modality CT" in page.locator("[data-card=facts]").inner_text())
    page.get_by_role("button", name="Verify").click()
    page.wait_for_selector("[data-card=verify] .good >> text=All is as it was frozen")
    found = page.request.get(f"{address}/{page.locator('a', has_text='CSV').get_attribute('href')}")
    rows = list(csv.DictReader(io.StringIO(found.text())))
    assert len(rows) == 24
    assert "patient" not in found.text().lower()
    assert found.headers["content-disposition"] == 'attachment; filename="cohort.csv"'
    page.locator("a", has_text="Browse").last.click()
    page.wait_for_url("**/browse?chosen=*")


def test_what_changes_meanwhile_is_told(page, address, archive):
    page.goto(f"{address}/cohorts?name={quote('scans & more')}")
    page.wait_for_selector("[data-card=diff] .good")
    key = series(archive, "Elsewhere")
    archive.remove(key)
    page.wait_for_selector(".stale")
    page.get_by_role("button", name="Read again").click()
    page.wait_for_selector("table.rows .bad >> text=removed")
    archive.restore(key)


def test_a_cohort_that_is_not_there(page, address, client):
    page.goto(f"{address}/cohorts?name=nothing")
    page.wait_for_selector("text=There is no such cohort")
    assert client.get("/manifests/cohort.csv?name=nothing").status_code == 404


# -- for everybody -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("theme", LIGHT_AND_DARK)
def test_pages_can_be_used_by_everybody(page, address, archive, theme):
    key = patient(archive)
    archive.organise.rate(key, 3, "patient")
    in_theme(page, address, theme)
    page.goto(f"{address}/patient?patient={key}")
    page.wait_for_selector(".timeline .mark")
    page.locator("header.who").get_by_role("button", name="note").click()
    accessible(page)
    page.goto(f"{address}/cohorts")
    page.wait_for_selector("td.cohort a")
    accessible(page)
    page.goto(f"{address}/cohorts?name={quote('scans & more')}")
    page.wait_for_selector("table.rows")
    page.wait_for_selector("[data-card=diff] .good")
    accessible(page)
    asked = [series(archive, "Fine"), series(archive, "Elsewhere"), "nothing"]
    page.goto(f"{address}/compare?{'&'.join(f'series={each}' for each in asked)}")
    page.locator(".viewer").nth(1).wait_for()
    page.wait_for_selector(".caption em >> text=another frame of reference")
    accessible(page)
