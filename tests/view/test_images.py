"""How the viewer draws images of each kind, in a real browser."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pacs_panel.errors import NotFound
from pacs_panel.view.arrays import ArrayFrames
from pacs_panel.view.source import Level
from tests.view import scene
from tests.view.conftest import Show
from tests.view.reading import PRESETS, grays, linear, over, painted, readout, told, wait_for

pytestmark = pytest.mark.browser


def test_the_planes_lie_as_in_the_patient(page: Any, show: Show) -> None:
    show(scene.ct())
    edges = {
        plane: {edge: page.locator(f".pane[data-plane={plane}] .edge.{edge}").text_content() for edge in EDGES}
        for plane in ("axial", "coronal", "sagittal")
    }
    assert edges["axial"] == {"left": "R", "right": "L", "top": "A", "bottom": "P"}
    assert edges["coronal"] == {"left": "R", "right": "L", "top": "S", "bottom": "I"}
    assert edges["sagittal"] == {"left": "A", "right": "P", "top": "S", "bottom": "I"}
    # The last slice is the highest, so it is drawn on top: array row 23 above array row 0.
    assert over(page, "coronal", 0, 23)[1] < over(page, "coronal", 0, 0)[1]
    # 3 mm between slices beside 0.8 mm between columns.
    across = over(page, "coronal", 10, 0)[0] - over(page, "coronal", 0, 0)[0]
    down = over(page, "coronal", 0, 0)[1] - over(page, "coronal", 0, 10)[1]
    assert down / across == pytest.approx(3.0 / 0.8)


EDGES = ("left", "right", "top", "bottom")


@pytest.mark.parametrize("verdict", ["regular", "sheared", "irregular", "stack"])
def test_the_verdict_is_never_hidden(page: Any, show: Show, verdict: str) -> None:
    reason = "Why <b>this</b> is so, in words that may well go on for longer than a narrow window has room for"
    show(scene.ct(verdict=verdict, reason=reason, shear=0.5 * (verdict == "sheared")), size=(500, 900))
    assert page.locator(".verdict").get_attribute("data-verdict") == verdict
    assert page.locator(".verdict span").text_content() == reason
    assert page.locator(".verdict span").is_visible()
    assert page.locator(".pane.shown").count() == (3 if verdict in ("regular", "sheared") else 1)
    assert "Research use only" in str(page.locator(".foot").text_content())


def test_a_sheared_volume_is_drawn_sheared(page: Any, show: Show) -> None:
    show(scene.ct(verdict="sheared", shear=1.5))
    low, high = over(page, "sagittal", 10, 0), over(page, "sagittal", 10, 10)
    per_mm = (over(page, "sagittal", 20, 0)[0] - low[0]) / (10 * 0.8)
    assert high[0] - low[0] == pytest.approx(15 * per_mm, abs=0.01)  # towards posterior, which is on the right
    assert low[1] - high[1] == pytest.approx(30 * per_mm, abs=0.01)
    page.mouse.move(*over(page, "sagittal", 10, 10))
    assert readout(page)[1] == "LPS 2.0, 3.0, 40.0 mm"


def test_places_of_irregular_slices_are_their_own(page: Any, show: Show) -> None:
    places = tuple((-30.0, -20.0, 10.0 + 3 * n + (6 if n > 5 else 0)) for n in range(24))
    show(scene.ct(verdict="irregular", positions=places))
    page.mouse.move(*over(page, "axial", 0, 0))
    assert readout(page)[1] == "LPS -30.0, -20.0, 52.0 mm"


def test_one_image_fills_the_viewer(page: Any, show: Show) -> None:
    array = np.arange(1 * 30 * 40, dtype=np.uint16).reshape(1, 30, 40)
    show(scene.flat(array, photometric="MONOCHROME1", windows=((600.0, 1200.0, ""),), padding=(0, 9)))
    expected = 255 - linear(array[0].astype(float), 600, 1200)
    expected[0, :10] = 0
    np.testing.assert_array_equal(grays(page, "image")[..., 0], expected)
    across = over(page, "image", 10, 0)[0] - over(page, "image", 0, 0)[0]
    down = over(page, "image", 0, 10)[1] - over(page, "image", 0, 0)[1]
    assert down / across == pytest.approx(0.2 / 0.1)
    page.mouse.move(*over(page, "image", 5, 20))
    assert readout(page) == ["805", "column 5, row 20, slice 0"]
    page.mouse.move(*over(page, "image", 5, 0))
    assert readout(page)[0] == "no image here (padding)"


def test_floats_are_windowed_as_they_are(page: Any, show: Show) -> None:
    array = np.linspace(0, 10, 600, dtype=np.float32).reshape(1, 20, 30)
    array[0, 0, 0] = np.nan
    show(scene.flat(array, windows=((2.5, 5.0, "SUV 0 to 5"),), unit="g/ml"))
    expected = np.floor(np.clip(np.nan_to_num(array[0].astype(float)) / 5, 0, 1) * 255 + 0.5)
    np.testing.assert_array_equal(grays(page, "image")[..., 0], expected)
    page.mouse.move(*over(page, "image", 1, 0))
    assert readout(page)[0].endswith(" g/ml")
    assert float(readout(page)[0].split()[0]) == pytest.approx(float(array[0, 0, 1]), rel=1e-7)


def test_colour_is_painted_as_it_is(page: Any, show: Show) -> None:
    array = np.random.default_rng(3).integers(0, 255, (2, 12, 16, 3), dtype=np.uint8)
    show(scene.flat(array, samples=3))
    np.testing.assert_array_equal(grays(page, "image")[..., :3], array[1])
    page.mouse.move(*over(page, "image", 5, 7))
    assert readout(page)[0] == "RGB " + ", ".join(map(str, array[1, 7, 5]))
    page.mouse.wheel(0, -120)
    painted(page, "image", 0)
    np.testing.assert_array_equal(grays(page, "image")[..., :3], array[0])


def test_colour_volumes_are_cut_in_three_planes(page: Any, show: Show, transport: str) -> None:
    array = np.random.default_rng(3).integers(0, 255, (6, 10, 14, 3), dtype=np.uint8)
    show(scene.ct(array, samples=3, series_key="colour", windows=(), unit=""), transport=transport)
    for plane, cut in (("axial", array[3]), ("coronal", array[:, 5]), ("sagittal", array[:, :, 7])):
        np.testing.assert_array_equal(grays(page, plane)[..., :3], cut)
    page.mouse.move(*over(page, "sagittal", 2, 1))
    assert readout(page)[0] == "RGB " + ", ".join(map(str, array[1, 2, 7]))
    page.mouse.wheel(0, 120)
    painted(page, "sagittal", 8)
    np.testing.assert_array_equal(grays(page, "sagittal")[..., :3], array[:, :, 8])
    assert page.locator(PRESETS).count() == 0


def test_colour_of_16_bits_is_brought_to_8(page: Any, show: Show) -> None:
    array = np.array([[[[0, 32768, 65535], [257, 512, 65000]]]], np.uint16)
    show(scene.flat(array, samples=3))
    np.testing.assert_array_equal(grays(page, "image")[..., :3], array[0].astype(int) * 255 // 65535)


class Counted(ArrayFrames):
    """Frames that know which planes were asked for."""

    asked: list[tuple[int, int]]

    def plane(self, level: int, axis: int, index: int, extra: tuple[int, ...] = ()) -> np.ndarray:
        self.asked.append((level, index))
        shape = self.described.levels[level].shape[1:]
        return np.full((*shape, 3), 10 * (level + 1), np.uint8)


def test_what_is_too_large_is_shown_coarser_and_says_so(page: Any, show: Show) -> None:
    small = scene.flat(np.zeros((1, 4, 4, 3), np.uint8), samples=3)
    source = Counted(small.array, small.described)
    levels = tuple(Level((1, 9000 // by, 10000 // by), (1, by, by)) for by in (1, 2, 4, 8, 16))
    source.described, source.asked = replace(source.described, levels=levels, spacing=(1.0, 0.1, 0.1)), []
    show(source, wait=False)
    page.wait_for_selector('canvas[data-plane="image"][data-level="2"][data-painted]', state="attached")
    assert source.asked == [(4, 0), (2, 0)]  # 64 MiB hold a quarter of it; a sixteenth comes first
    assert page.locator(".coarse").text_content() == "1/4 resolution: 2500 × 2250 of 10000 × 9000"
    page.mouse.move(*over(page, "image", 1200, 1000))
    assert readout(page) == ["≈ RGB 30, 30, 30", "column 4802, row 4002, slice 0"]


def test_a_large_image_is_refined(page: Any, show: Show, transport: str) -> None:
    array = (np.arange(3062)[:, None] % 512 + np.arange(2394) % 700).astype(np.uint16)[None]
    show(scene.flat(array, windows=((600.0, 1200.0, ""),)), transport=transport)
    assert page.locator(".coarse").text_content() == ""
    read = "canvas => [canvas.width, canvas.height, ...canvas.getContext('2d').getImageData(700, 1000, 1, 1).data]"
    value = linear(array[0, 1000, 700].astype(float), 600, 1200)
    assert page.locator("canvas[data-plane]").evaluate(read) == [2394, 3062, value, value, value, 255]


def test_values_may_be_painted_in_colours(page: Any, show: Show) -> None:
    array = np.arange(0, 256, dtype=np.float32).reshape(1, 16, 16) / 25.5
    view = show(scene.flat(array, windows=((5.0, 10.0, ""),), unit="g/ml"))
    levels = np.floor(array[0].astype(float) * 25.5 + 0.5).astype(int)
    page.get_by_label("Colours").select_option("hot")
    red, green, blue = (np.clip(scale * (levels - start), 0, 255) for scale, start in ((2, 0), (2, 128), (4, 192)))
    np.testing.assert_allclose(grays(page, "image")[..., :3], np.stack([red, green, blue], -1), atol=4)
    page.get_by_label("Colours").select_option("inverse")
    np.testing.assert_allclose(grays(page, "image")[..., 0], 255 - levels, atol=1)
    wait_for(page, lambda: (view.state.colours, view.state.invert) == ("grey", True))
    page.keyboard.press("r")
    np.testing.assert_allclose(grays(page, "image")[..., 0], levels, atol=1)
    assert page.get_by_label("Colours").input_value() == "grey"


def test_without_presets_the_window_fits_the_values(page: Any, show: Show) -> None:
    array = np.arange(1000, dtype=np.int32).reshape(1, 25, 40)
    show(scene.flat(array))
    assert told(page)["window"] == [500, 979]
    assert page.locator(PRESETS).input_value() == "auto"


class OneGone(ArrayFrames):
    """Frames of which the second cannot be had."""

    def plane(self, level: int, axis: int, index: int, extra: tuple[int, ...] = ()) -> np.ndarray:
        if index == 1:
            raise NotFound("the second is gone")
        return super().plane(level, axis, index, extra)


def test_a_frame_that_cannot_be_had_is_told(page: Any, show: Show, transport: str, allow_errors: list[str]) -> None:
    allow_errors.append("404")
    whole = scene.flat(np.full((2, 8, 8), 7, np.uint8))
    show(OneGone(whole.array, whole.described), transport=transport, wait=False)
    page.locator(".note", has_text="This image could not be loaded").wait_for()
    page.locator(".pane").hover()
    page.mouse.wheel(0, -120)
    painted(page, "image", 0)
    assert page.locator(".note").text_content() == ""


@pytest.mark.parametrize("size", [(1400, 900), (1024, 700), (500, 900)])
def test_nothing_is_cut_off(page: Any, show: Show, size: tuple[int, int]) -> None:
    show(scene.ct(), size=size)
    wide = page.evaluate("() => document.documentElement.scrollWidth")
    assert wide <= size[0]
    root = page.locator(".viewer").bounding_box()
    tools = ["colours", "play", "speed", "reset"]
    parts = [PRESETS, "[data-tool=cross]", "[data-layout=sagittal]", ".research", ".verdict"]
    for part in parts + [f"[data-act={tool}]" for tool in tools]:
        box = page.locator(part).last.bounding_box()
        assert box["width"] > 0
        assert box["x"] >= root["x"]
        assert box["x"] + box["width"] <= root["x"] + root["width"]
    panes = [page.locator(f".pane[data-plane={plane}]").bounding_box() for plane in ("axial", "coronal", "sagittal")]
    assert all(pane["width"] > 140 and pane["height"] > 100 for pane in panes)
    assert panes[0]["width"] * panes[0]["height"] > panes[1]["width"] * panes[1]["height"]
