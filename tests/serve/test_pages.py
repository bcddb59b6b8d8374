"""The pages in a real browser: find, filter, open, scroll; and what other processes do while they are open."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pacs_panel.testing import Study, Subject, cr, write
from tests.browser_fixtures import run
from tests.view.accessible import LIGHT_AND_DARK, accessible, in_theme
from tests.view.reading import painted, wait_for

pytestmark = pytest.mark.browser
INGEST = "import sys, pacs_panel; pacs_panel.open_archive(sys.argv[1]).ingest(sys.argv[2], build=False)"


@pytest.fixture(scope="module")
def address(app: Any) -> Iterator[str]:
    at, stop = run(app)
    yield at
    stop()


def open_browse(page: Any, address: str, query: str = "") -> None:
    page.goto(f"{address}/browse{query}")
    page.wait_for_selector("tr[data-key], .empty")
    page.wait_for_selector("[data-facet]")


def test_find_filter_open_and_scroll(page, address):
    open_browse(page, address)
    page.locator('[data-facet="Modality"] label', has_text="CT").click()
    page.wait_for_selector(".chip >> text=CT")
    page.wait_for_url("**/browse?Modality=CT")
    wait_for(page, lambda: page.locator("tr[data-key]").count() == 2)
    page.locator("tr[data-key]", has_text="PP-0001").locator("td.date").click()
    page.wait_for_url("**/view?series=*&stack=0")
    painted(page, "axial", 6)
    page.mouse.move(*middle(page, "axial"))
    page.mouse.wheel(0, 100)
    painted(page, "axial", 7)
    page.wait_for_selector(".details >> text=PixelSpacing")
    page.locator("input[aria-label='Filter the header']").fill("rescale")
    wait_for(
        page, lambda: set(page.locator(".rows .what b").all_text_contents()) >= {"RescaleSlope", "RescaleIntercept"}
    )
    wait_for(page, lambda: page.locator(".rows .what b", has_text="PixelSpacing").count() == 0)
    page.locator("a.back").click()
    page.wait_for_url("**/browse?Modality=CT")
    page.wait_for_selector(".chip >> text=CT")


def middle(page: Any, plane: str) -> tuple[float, float]:
    box = page.locator(f'canvas[data-plane="{plane}"]').bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_enter_opens_the_row_that_has_the_focus(page, address):
    open_browse(page, address, "?Modality=MR")
    page.locator("tr[data-key] a.opens").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/view?series=*")
    page.wait_for_selector('canvas[data-level="0"][data-painted]', state="attached")


def test_names_never_stand_in_an_address_yet_come_back(page, address, browser_context):
    open_browse(page, address)
    page.locator("input.search").fill("PP-0001")
    page.wait_for_selector(".chip >> text=PP-0001")
    page.wait_for_url("**/browse?words=*")
    assert "PP" not in page.url
    page.reload()
    page.wait_for_selector(".chip >> text=PP-0001")
    wait_for(page, lambda: page.locator("input.search").input_value() == "PP-0001")
    page.go_back()
    page.wait_for_selector(".chip", state="detached")
    wait_for(page, lambda: page.url == f"{address}/browse")
    page.go_forward()
    page.wait_for_selector(".chip >> text=PP-0001")
    other = browser_context.new_page()
    other.goto(page.url)
    other.wait_for_selector(".notice >> text=not part of an address")
    other.wait_for_selector("tr[data-key]")
    other.close()


def test_back_and_forward_go_from_change_to_change(page, address):
    open_browse(page, address)
    page.locator('[data-facet="Modality"] label', has_text="CT").click()
    page.wait_for_url("**/browse?Modality=CT")
    page.locator("th >> text=Patient").click()
    page.wait_for_url("**/browse?Modality=CT&order=PatientName-asc")
    page.get_by_role("button", name="Studies").click()
    page.wait_for_url("**/browse?Modality=CT&level=study&order=PatientName-asc")
    page.wait_for_selector('tr[data-level="study"]')
    page.go_back()
    page.wait_for_selector('tr[data-level="series"]')
    page.go_back()
    page.wait_for_selector('th.date[aria-sort="descending"]')
    page.go_back()
    page.wait_for_selector(".chip", state="detached")
    page.go_forward()
    page.wait_for_selector(".chip >> text=CT")
    page.locator('[data-facet="Modality"] label', has_text="CT").locator("input:checked").wait_for()


def test_the_keyboard_does_it_all(page, address):
    open_browse(page, address)
    page.keyboard.press("/")
    page.keyboard.type("phantom")
    page.wait_for_selector(".chip >> text=phantom")
    page.keyboard.press("Escape")
    rows = page.locator("tr[data-key]")
    page.wait_for_function("n => document.activeElement !== document.body", arg=0)
    page.keyboard.press("x")
    page.keyboard.press("j")
    page.keyboard.press("Shift+X")
    wait_for(page, lambda: rows.locator("nth=1").get_attribute("class") == "picked")
    page.wait_for_selector(".acts >> text=2 series selected")
    page.keyboard.press("?")
    page.wait_for_selector("dialog[open] >> text=next row")
    page.keyboard.press("Escape")
    page.keyboard.press("k")
    opened = rows.first.get_attribute("data-key")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/view?series={opened}&stack=0")
    page.go_back()
    page.wait_for_selector(".acts >> text=2 series selected")
    page.keyboard.press("Escape")
    page.wait_for_selector(".acts >> text=selected", state="detached")


def test_picked_series_are_tagged_and_downloaded(page, address):
    open_browse(page, address)
    page.locator("tr[data-key] input.pick").first.click()
    page.get_by_role("button", name="Select all").click()
    page.wait_for_selector(".acts >> text=/All \\d+ series selected/")
    page.get_by_role("button", name="Tag…").click()
    page.keyboard.type("seen")
    page.keyboard.press("Enter")
    page.wait_for_selector(".said >> text=tagged “seen”")
    page.get_by_role("button", name="Tag…").click()
    page.keyboard.type("a*b")
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog .failure >> text=A name is")
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Download…").click()
    way = page.locator("a.way", has_text="Table, CSV").get_attribute("href")
    answer = page.request.get(f"{address}/{way}")
    assert answer.ok
    assert len(answer.text().splitlines()) > page.locator("tr[data-key]").count()


def test_a_search_is_saved_under_a_name_and_chosen_again(page, address):
    open_browse(page, address)
    page.locator('[data-facet="Modality"] label', has_text="CT").click()
    page.get_by_role("button", name="Save…").click()
    page.keyboard.type("all of the CT")
    page.keyboard.press("Enter")
    page.wait_for_selector(".said >> text=Search “all of the CT” saved.")
    page.locator("button.chip").click()
    page.get_by_role("button", name="Save…").wait_for(state="detached")
    page.locator('[data-facet="named"] button', has_text="all of the CT").click()
    page.wait_for_selector("button.chip")
    wait_for(page, lambda: set(page.locator("tr[data-key] td.modality").all_text_contents()) == {"CT"})


def test_studies_unfold_to_their_series(page, address):
    open_browse(page, address, "?level=study")
    page.locator(".unfold").first.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("tr.inner[data-key]")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/view?series=*")


def test_columns_are_chosen_and_remembered(page, address):
    open_browse(page, address)
    page.get_by_role("button", name="Columns").click()
    page.locator(".menu label", has_text="Thickness").click()
    page.wait_for_selector("th >> text=Thickness")
    page.wait_for_url("**/browse?columns=*SliceThickness")
    page.goto(f"{address}/browse")
    page.wait_for_selector("th >> text=Thickness")
    page.get_by_role("button", name="Columns").click()
    page.get_by_role("button", name="Usual columns").click()
    page.wait_for_selector("th >> text=Thickness", state="detached")


def test_a_stretch_of_a_histogram_is_a_range(page, address):
    open_browse(page, address)
    page.locator('[data-facet="StudyDate"] .bars i').last.click()
    page.wait_for_selector(".chip >> text=from")
    wait_for(page, lambda: "since=" in page.url)


@pytest.mark.parametrize("theme", LIGHT_AND_DARK)
def test_everybody_can_use_it(page, address, theme):
    in_theme(page, address, theme)
    open_browse(page, address, "?Modality=CT")
    page.locator("[data-facet]").evaluate_all("all => all.forEach(one => (one.open = true))")
    page.locator("tr[data-key] input.pick").first.click()
    accessible(page)
    page.get_by_role("button", name="Columns").click()
    accessible(page)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Tag…").click()
    accessible(page)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Studies").click()
    page.locator(".unfold").first.click()
    page.wait_for_selector("tr.inner[data-key]")
    accessible(page)
    open_browse(page, address, "?Modality=XX")
    accessible(page)


def test_hostile_text_is_text(page, address):
    open_browse(page, address)
    row = page.locator("tr[data-key]", has_text="<script>alert(1)</script>, <b>Bold</b>")
    assert "<img src=x onerror=alert(2)>" in row.inner_text()
    assert row.locator("script, b, i, td:not(.image) img").count() == 0
    row.locator("a.opens").click()
    page.wait_for_selector(".details >> text=<script>alert(1)</script>")
    assert page.locator(".details >> css=script, .details >> css=dd img").count() == 0


def test_a_segmentation_leads_to_its_images_and_they_lead_back(page, address):
    open_browse(page, address, "?Modality=SEG")
    page.wait_for_selector('.badge[data-state="overlay"] >> text=segmentation')
    page.locator("tr[data-key] a.opens").click()
    page.wait_for_selector(".document td >> text=Sphere 1")
    page.wait_for_selector(".details >> text=SegmentSequence")
    page.locator(".document section", has_text="Lies on").locator("a").click()
    painted(page, "axial", 6)
    page.wait_for_selector(".details a >> text=SEG")


def test_nothing_matches_and_all_is_cleared(page, address):
    open_browse(page, address, "?Modality=XX")
    page.wait_for_selector("text=Nothing matches")
    page.get_by_role("button", name="Clear all filters").click()
    page.wait_for_selector("tr[data-key]")


def test_a_series_that_is_not_there(page, address):
    page.goto(f"{address}/view?series=nothing")
    page.wait_for_selector("text=There is no such series")


def test_what_another_process_takes_in_shows_up_in_an_open_page(page, address, archive, tmp_path: Path):
    open_browse(page, address)
    study = Study(Subject("New^Somebody", "PP-0099"), "20260101", "080000", "Arrived")
    write(cr(study=study, rows=64, columns=64), tmp_path / "in")
    subprocess.run([sys.executable, "-c", INGEST, str(archive.root), str(tmp_path / "in")], check=True, timeout=60)
    page.wait_for_selector("tr[data-key] >> text=PP-0099")
    page.wait_for_selector('tr:has-text("PP-0099") .badge[data-state="stack"]')  # built here, beside serving


@pytest.mark.parametrize("width", [600, 1024, 1920])
def test_nothing_is_clipped(page, address, width):
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(f"{address}/browse")
    page.wait_for_selector("tr[data-key]")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    box = page.locator("tr[data-key]").first.bounding_box()
    assert box["x"] + box["width"] <= width
    page.set_viewport_size({"width": 1400, "height": 900})
