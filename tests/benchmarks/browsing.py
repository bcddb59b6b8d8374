"""The Browse page of a large archive in a headless Chromium: from what a person does to the rows that are painted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

STEP = """async ([table, target]) => {
    const before = table.dataset.stamp, start = performance.now();
    target.click();
    do {
        await new Promise(requestAnimationFrame);
        if (performance.now() - start > 20000) throw new Error("no rows came");
    }
    while (table.dataset.stamp === before);
    return performance.now() - start;
}"""
COUNTED = ".filters .facets:not([data-counting])"


def steps(archive: Path, times: int) -> list[float]:
    """Milliseconds from a click to painted rows, looked at once a frame.

    Each round narrows by a modality, turns a page, sorts by another column, lists studies and series, and takes the
    filter back. The counts of the filters come after the rows; the next click comes when they are there.
    """
    with _page(archive) as page:
        return [took for number in range(times) for took in _round(page, number)]


def _round(page: Any, number: int) -> Iterator[float]:
    labels = page.locator('[data-facet="Modality"] label')
    labels.first.wait_for(timeout=60_000)
    label = labels.nth(number % min(4, labels.count()))
    yield _step(page, label)
    if (following := page.locator(".pages button", has_text="Next")).is_enabled():
        yield _step(page, following)
    yield _step(page, page.locator("th.date button"))
    yield _step(page, page.locator(".levels button", has_text="Studies"))
    yield _step(page, page.locator(".levels button", has_text="Series").first)
    yield _step(page, page.locator("button.chip").first)


def _step(page: Any, target: Any) -> float:
    target.wait_for(timeout=60_000)
    page.locator(COUNTED).wait_for(timeout=60_000)
    return float(page.evaluate(STEP, [page.locator(".results").element_handle(), target.element_handle()]))


@contextmanager
def _page(archive: Path) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    from pacs_panel.archive import open_archive
    from pacs_panel.serve.app import make_app
    from tests.browser_fixtures import ARGUMENTS, run
    from tests.conftest import find_peer

    with open_archive(archive) as opened, sync_playwright() as play:
        address, stop = run(make_app(opened, settle=False))  # there is nothing to build: the index alone is real
        try:
            chromium = play.chromium.launch(executable_path=str(find_peer("chromium")), args=ARGUMENTS)
            page = chromium.new_page(viewport={"width": 1400, "height": 900})
            page.goto(f"{address}/browse")
            page.locator(".results tr[data-key]").first.wait_for(timeout=60_000)
            yield page
            chromium.close()
        finally:
            stop()
