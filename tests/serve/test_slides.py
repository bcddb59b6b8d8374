"""A whole slide in a real browser: one stack, whose coarser levels are the pixels of other objects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from pacs_panel.archive import Archive, open_archive
from pacs_panel.serve.app import make_app
from pacs_panel.settings import Settings
from pacs_panel.testing import PhantomSeries, ct_phantom, write
from pacs_panel.testing.multiframe import slide, slide_levels
from tests.browser_fixtures import run
from tests.view.reading import over, readout

pytestmark = pytest.mark.browser
RED, GREEN, BLUE = (200, 40, 40), (40, 160, 60), (40, 60, 200)
SHAPES = {RED: (4780, 4820), GREEN: (1912, 1928), BLUE: (597, 602)}  # the first takes more than 64 MiB


def picture(colour: tuple[int, int, int], rows: int, columns: int) -> np.ndarray:
    """A colour, with the lower right quarter in white."""
    made = np.full((rows, columns, 3), colour, np.uint8)
    made[rows // 2 :, columns // 2 :] = 255
    return made


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """Its slide came in two parts: the finest and the coarsest level, with a label, and then the one between."""
    base = tmp_path_factory.mktemp("slides")
    subject = ct_phantom(rows=16, columns=16, slices=1)
    pictures = [picture(colour, *shape) for colour, shape in SHAPES.items()]
    red, green, blue = slide_levels(pictures, subject, tile=512).datasets
    (label,) = slide(picture(RED, 60, 90), subject, tile=64, flavour="LABEL").datasets
    write(PhantomSeries((red, blue, label)), base / "first")
    write(PhantomSeries((green,)), base / "then")
    with open_archive(base / "archive", settings=Settings(workers=0)) as opened:
        opened.ingest(base / "first")
        opened.ingest(base / "then")
        yield opened


@pytest.fixture(scope="module")
def address(archive: Archive) -> Iterator[str]:
    at, stop = run(make_app(archive))
    yield at
    stop()


def test_a_late_level_joined_its_slide(archive: Archive) -> None:
    (row,) = archive.search().page().rows
    whole, label = archive.revision(str(row["key"])).stacks
    assert whole.passport.shape == (1, *SHAPES[RED])
    assert [level.shape[1:] for level in whole.passport.levels] == [SHAPES[GREEN], SHAPES[BLUE]]
    assert "label" in label.passport.reason


def test_the_level_that_fits_is_shown_from_its_own_object(page: Any, archive: Archive, address: str) -> None:
    (row,) = archive.search().page().rows
    asked: list[str] = []
    page.on("request", lambda sent: asked.append(sent.url.partition("/frames/")[2]))
    page.goto(f"{address}/view?series={row['key']}&stack=0")
    page.wait_for_selector('canvas[data-plane="image"][data-level="1"][data-painted]', state="attached")
    planes = [part.split("/")[3] for part in asked if part.count("/") == 5]
    assert planes == ["3", "1"], "a quick look, then the finest that fits; never the finest of all"
    canvas = page.locator('canvas[data-plane="image"]')
    read = """canvas => [canvas.height, canvas.width, ...[[100, 100], [1000, 1000], [1927, 1911]].flatMap(
        ([x, y]) => [...canvas.getContext("2d").getImageData(x, y, 1, 1).data.slice(0, 3)])]"""
    assert canvas.evaluate(read) == [*SHAPES[GREEN], *GREEN, 255, 255, 255, 255, 255, 255]
    assert page.locator(".coarse").text_content() == "1/2.5 resolution: 1928 × 1912 of 4820 × 4780"


def test_a_quick_look_is_at_the_coarsest_object(page: Any, archive: Archive, address: str) -> None:
    (row,) = archive.search().page().rows
    page.route("**/1/0/0**", lambda held: None)  # the better level never comes
    page.goto(f"{address}/view?series={row['key']}&stack=0")
    page.wait_for_selector('canvas[data-plane="image"][data-level="3"][data-painted]', state="attached")
    read = "canvas => [canvas.height, canvas.width, ...canvas.getContext('2d').getImageData(50, 50, 1, 1).data]"
    assert page.locator('canvas[data-plane="image"]').evaluate(read) == [*SHAPES[BLUE], *BLUE, 255]


def test_the_value_under_the_pointer_is_that_of_the_level(page: Any, archive: Archive, address: str) -> None:
    (row,) = archive.search().page().rows
    page.goto(f"{address}/view?series={row['key']}&stack=0")
    page.wait_for_selector('canvas[data-plane="image"][data-level="1"][data-painted]', state="attached")
    page.mouse.move(*over(page, "image", 400, 300))
    value, place = readout(page)
    assert value == "≈ RGB 40, 160, 60"
    column, row_ = (int(part.split()[1]) for part in place.split(", ")[:2])
    assert (column / 2.5, row_ / 2.5) == (pytest.approx(400.5, abs=1.5), pytest.approx(300.5, abs=1.5))
