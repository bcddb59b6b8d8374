"""A segmentation of a hundred segments in a headless Chromium: from the picture to the first overlay."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import pacs_panel
from pacs_panel.testing import ct_phantom, write
from pacs_panel.testing.overlays import masks_on
from pacs_panel.testing.truth import PhantomSeries
from tests.benchmarks.measure import Row, Scale, alternate, timed, times

TITLE = "Overlays"
NOTES = """
A CT with a segmentation whose segments are boxes that fill it: every slice meets all of them. The page of the series is
opened anew, in headless Chromium, and counts from its first picture on until labels lie over the axial plane; the
server has not read the segmentation before. The peer, highdicom, reads the file and makes one label volume of it (its
own reader takes no label maps whose frames name no segment).
"""
BITS, AIM = "bits", "≤ 2 s"
OVERLAY = 'canvas[data-over="axial"][data-painted]:not([hidden])'
SIDE = 10  # segments along a row, and along a column


def run(folder: Path, scale: Scale) -> list[Row]:
    size, slices = scale.of(512, 256, 40), scale.of(100, 40, 4)
    ct = ct_phantom(rows=size, columns=size, slices=slices, spacing=(1.5, 360 / size, 360 / size))
    labels = _boxes(slices, size)
    masks = (labels == np.arange(1, SIDE**2 + 1)[:, None, None, None]).astype(np.uint8)
    write(ct, folder / "ct")
    made = {BITS: masks_on(ct, masks, overlapping="NO"), "a label map": masks_on(ct, labels, kind="LABELMAP")}
    return [
        _row(folder / f"{number}", folder / "ct", what, seg, scale) for number, (what, seg) in enumerate(made.items())
    ]


def _boxes(slices: int, size: int) -> np.ndarray:
    """Labels from 1 on, each a square column through all slices."""
    place = np.arange(size) * SIDE // size
    return np.broadcast_to((1 + SIDE * place[:, None] + place).astype(np.uint8), (slices, size, size)).copy()


def _row(folder: Path, ct: Path, what: str, seg: PhantomSeries, scale: Scale) -> Row:
    write(seg, folder / "seg")
    [file] = [path for path in (folder / "seg").rglob("*") if path.is_file()]
    frames = len(seg.datasets[0].PerFrameFunctionalGroupsSequence)
    named = f"{SIDE**2} segments as {what}, {frames:,} frames: from the picture to the first overlay"
    runs = [partial(_opened, folder, [ct, folder / "seg"])] + [partial(_read, file)] * (what == BITS)
    ours, *peers = map(median, alternate(scale.rounds, *runs))
    return times(named, ours, peers[0], AIM) if peers else Row(named, f"{ours:.2f} s", "", "", AIM)


def _read(file: Path, _number: int) -> float:
    from highdicom.seg import segread

    return timed(lambda: segread(file).get_volume(combine_segments=True))


def _opened(folder: Path, paths: Sequence[Path], number: int) -> float:
    """Seconds from the first picture of a CT to its first overlay, on a page that is opened from the list."""
    from playwright.sync_api import sync_playwright

    from pacs_panel.serve.app import make_app
    from tests.browser_fixtures import ARGUMENTS, run
    from tests.conftest import find_peer

    with pacs_panel.open_archive(folder / f"archive{number}") as archive, sync_playwright() as play:
        archive.ingest(paths)
        [series] = archive.search(Modality="CT").rows()
        archive.volume(series["key"])
        address, stop = run(make_app(archive, settle=False))
        try:
            chromium = play.chromium.launch(executable_path=str(find_peer("chromium")), args=ARGUMENTS)
            page: Any = chromium.new_page(viewport={"width": 1400, "height": 900})
            page.goto(f"{address}/browse")  # scripts and styles are there, as for whoever comes from the list
            page.locator("tr[data-key]").first.wait_for(timeout=60_000)
            link = page.locator(f'tr[data-key="{series["key"]}"] a.opens')
            link.click()
            page.wait_for_selector('canvas[data-plane="axial"][data-painted]', state="attached", timeout=60_000)
            seconds = timed(partial(page.wait_for_selector, OVERLAY, timeout=60_000))
            chromium.close()
            return seconds
        finally:
            stop()
