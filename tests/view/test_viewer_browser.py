"""The viewer in a real browser: what it paints, and what it makes of hands."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import numpy as np
import panel as pn
import pytest

from pacs_panel.errors import NotFound
from pacs_panel.view.image.viewer import ImageView, image_view
from pacs_panel.view.source import ArrayFrames, FrameSource
from tests.view import scene

pytestmark = pytest.mark.browser
Show = Callable[..., ImageView]


def linear(values: np.ndarray, center: float, width: float) -> np.ndarray:
    """PS3.3 §C.11.2.1.2.1, to 0..255."""
    return np.floor(np.clip((values - (center - 0.5)) / (width - 1) + 0.5, 0, 1) * 255 + 0.5).astype(int)


@pytest.fixture(params=["http", "message"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def stage(serve_app: Callable[..., str]) -> tuple[str, scene.Shelf, dict[str, Callable[[], Any]]]:
    """An address under which ``?case=…`` shows what was put there."""
    shelf, cases = scene.Shelf(), {}

    def case() -> Any:
        return cases[pn.state.session_args["case"][0].decode()]()

    return serve_app({"viewer": case}, scene.routes(shelf)), shelf, cases


@pytest.fixture
def show(page: Any, stage: Any, request: pytest.FixtureRequest) -> Show:
    """Show a source in the page, and wait until all its planes are painted at full resolution."""
    address, shelf, cases = stage

    def shown(source: FrameSource, size: tuple[int, int] = (1400, 900), wait: bool = True, **options: Any) -> ImageView:
        views: list[ImageView] = []

        def make() -> ImageView:
            views.append(image_view(source, sizing_mode="stretch_width", height=600, **options))
            return views[-1]

        shelf.put(source)
        cases[request.node.name] = make
        page.set_viewport_size({"width": size[0], "height": size[1]})
        page.goto(f"{address}/viewer?{urlencode({'case': request.node.name})}")
        for view in (source.meta().views or ("image",)) if wait else ():
            painted(page, getattr(view, "name", view), None)
        return views[-1]

    return shown


def painted(page: Any, plane: str, index: int | None, extra: str | None = None) -> None:
    """Wait until that slice of a plane is painted at full resolution."""
    which = "" if index is None else f'[data-slice="{index}"]'
    which += "" if extra is None else f'[data-extra="{extra}"]'
    page.wait_for_selector(f'canvas[data-plane="{plane}"][data-level="0"][data-painted]{which}', state="attached")


def grays(page: Any, plane: str) -> np.ndarray:
    """The canvas's own pixels: (rows, columns, 4)."""
    read = """canvas => [canvas.height, canvas.width,
        [...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data]]"""
    rows, columns, data = page.locator(f'canvas[data-plane="{plane}"]').evaluate(read)
    return np.array(data).reshape(rows, columns, 4)


def told(page: Any) -> dict[str, Any]:
    return json.loads(page.locator(".viewer").get_attribute("data-painted"))


def over(page: Any, plane: str, column: float, row: float) -> tuple[float, float]:
    """Where on the page a plane's voxel centre lies, by the canvas's own transform."""
    read = """(canvas, [x, y]) => {
        const pane = canvas.parentElement.getBoundingClientRect();
        const at = new DOMMatrix(canvas.style.transform).transformPoint({ x, y });
        return [pane.left + at.x, pane.top + at.y];
    }"""
    x, y = page.locator(f'canvas[data-plane="{plane}"]').evaluate(read, [column + 0.5, row + 0.5])
    return x, y


def readout(page: Any) -> list[str]:
    return [text.replace("\u2212", "-") for text in page.locator(".readout span").all_text_contents()]


def window_text(page: Any) -> str:
    return str(page.locator(".pane.shown .window").first.text_content()).replace("\u2212", "-")


def test_every_plane_is_painted_exactly(page: Any, show: Show, transport: str) -> None:
    show(scene.ct(), transport=transport)
    array = scene.ct_values().astype(float) - 1024
    cuts = {"axial": array[12], "coronal": array[:, 32], "sagittal": array[:, :, 40]}
    for plane, values in cuts.items():
        pixels = grays(page, plane)
        np.testing.assert_array_equal(pixels[..., 0], linear(values, 40, 400))
        np.testing.assert_array_equal(pixels[..., 1], pixels[..., 0])
        assert (pixels[..., 3] == 255).all()
    assert told(page) == {
        "series": "series",
        "revision": "rev1",
        "stack": 0,
        "window": [40, 400],
        "planes": {name: {"slice": at, "level": 0} for name, at in (("axial", 12), ("coronal", 32), ("sagittal", 40))},
    }


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


def test_the_wheel_changes_the_slice(page: Any, show: Show, transport: str) -> None:
    view = show(scene.ct(), transport=transport)
    page.mouse.move(*over(page, "axial", 20, 20))
    page.mouse.wheel(0, 120)
    painted(page, "axial", 13)
    np.testing.assert_array_equal(grays(page, "axial")[..., 0], linear(scene.ct_values()[13] - 1024.0, 40, 400))
    assert page.locator(".pane[data-plane=axial] .slice").text_content() == "14 / 24"
    page.mouse.wheel(0, -360)
    painted(page, "axial", 10)
    page.mouse.move(*over(page, "sagittal", 20, 10))
    page.mouse.wheel(0, 120)
    painted(page, "sagittal", 41)
    np.testing.assert_array_equal(
        grays(page, "sagittal")[..., 0], linear(scene.ct_values()[:, :, 41] - 1024.0, 40, 400)
    )
    wait_for(page, lambda: view.state.index == (10, 32, 41))


def wait_for(page: Any, true: Callable[[], bool]) -> None:
    """Let the page run until something is true in this process."""
    for _ in range(200):
        if true():
            return
        page.evaluate("() => new Promise(requestAnimationFrame)")
    raise AssertionError("it never came true")


def test_a_drag_changes_the_window(page: Any, show: Show) -> None:
    view = show(scene.ct())
    x, y = over(page, "axial", 20, 20)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 50, y - 30, steps=4)
    page.mouse.up()
    center, width = told(page)["window"]
    assert width == round(400 * np.exp(50 / 250))
    assert center == 40 - 30 * 400 / 300
    assert window_text(page).startswith(f"C {center}  W {width}")
    np.testing.assert_array_equal(grays(page, "axial")[..., 0], linear(scene.ct_values()[12] - 1024.0, center, width))
    assert page.locator("select").input_value() == "own"
    wait_for(page, lambda: (view.state.center, view.state.width) == (center, width))
    assert told(page)["planes"]["coronal"]["slice"] == 32  # it was no click


def test_a_click_moves_the_other_planes(page: Any, show: Show) -> None:
    show(scene.ct())
    page.mouse.click(*over(page, "axial", 55, 21))
    painted(page, "coronal", 21)
    painted(page, "sagittal", 55)
    np.testing.assert_array_equal(grays(page, "coronal")[..., 0], linear(scene.ct_values()[:, 21] - 1024.0, 40, 400))
    # Taken by its centre, the crosshair is dragged.
    page.mouse.move(*over(page, "axial", 55, 21))
    page.mouse.down()
    page.mouse.move(*over(page, "axial", 10, 50), steps=5)
    page.mouse.up()
    painted(page, "coronal", 50)
    painted(page, "sagittal", 10)
    page.mouse.click(*over(page, "coronal", 30, 4))
    painted(page, "axial", 4)
    painted(page, "sagittal", 30)
    assert told(page)["window"] == [40, 400]


def test_the_cursor_reads_value_place_and_index(page: Any, show: Show, transport: str) -> None:
    show(scene.ct(), transport=transport)
    page.mouse.move(*over(page, "axial", 55, 21))
    value = int(scene.ct_values()[12, 21, 55]) - 1024
    expected = [f"{value} HU", "LPS 14.0, -3.2, 46.0 mm", "column 55, row 21, slice 12"]
    assert readout(page) == expected
    page.mouse.move(*over(page, "sagittal", 21, 5))  # its columns are rows of the volume
    value = int(scene.ct_values()[5, 21, 40]) - 1024
    assert readout(page) == [f"{value} HU", "LPS 2.0, -3.2, 25.0 mm", "column 40, row 21, slice 5"]
    page.mouse.move(1, 1)
    assert readout(page) == []


def test_presets_and_keys(page: Any, show: Show) -> None:
    view = show(scene.ct())
    page.locator("select").select_option(label="2  Lung")
    assert told(page)["window"] == [-600, 1500]
    page.keyboard.press("3")
    assert told(page)["window"] == [480, 2500]
    assert page.locator("select").input_value() == "2"
    page.keyboard.press("1")
    before = grays(page, "axial")[..., 0]
    page.keyboard.press("i")
    np.testing.assert_array_equal(grays(page, "axial")[..., 0], 255 - before)
    page.mouse.move(*over(page, "axial", 20, 20))
    for key, index in (("ArrowDown", 13), ("ArrowUp", 12), ("PageDown", 22), ("End", 23), ("Home", 0)):
        page.keyboard.press(key)
        painted(page, "axial", index)
    page.keyboard.press("f")
    assert page.locator(".pane.shown").count() == 1
    page.keyboard.press(" ")
    assert page.locator(".pane.shown").count() == 3
    page.keyboard.press("r")
    np.testing.assert_array_equal(told(page)["window"], [40, 400])
    page.keyboard.press("0")
    assert page.locator("select").input_value() == "auto"
    wait_for(page, lambda: not view.state.invert and view.state.index == (0, 32, 40))


def test_zoom_keeps_what_is_under_the_pointer_and_pan_moves_it(page: Any, show: Show) -> None:
    show(scene.ct())
    at = origin = over(page, "axial", 20, 20)
    page.mouse.move(*at)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -200)
    page.keyboard.up("Control")
    assert "×1.65" in window_text(page)
    assert over(page, "axial", 20, 20) == pytest.approx(at, abs=0.5)  # a wheel event tells whole pixels
    at = over(page, "axial", 20, 20)
    page.keyboard.down("Shift")
    page.mouse.down()
    x, y = origin
    page.mouse.move(x + 40, y + 25, steps=3)
    page.mouse.up()
    page.keyboard.up("Shift")
    assert over(page, "axial", 20, 20) == pytest.approx((at[0] + 40, at[1] + 25), abs=0.01)
    assert told(page)["planes"]["axial"]["slice"] == 12
    assert told(page)["window"] == [40, 400]


def test_python_moves_it(page: Any, show: Show, transport: str) -> None:
    view = show(scene.ct(), transport=transport)
    view.state.index = (3, 30, 31)
    painted(page, "axial", 3)
    painted(page, "sagittal", 31)
    view.state.param.update(center=0, width=100)
    page.locator(".pane .window", has_text="W 100").first.wait_for()
    np.testing.assert_array_equal(grays(page, "axial")[..., 0], linear(scene.ct_values()[3] - 1024.0, 0, 100))


def test_a_new_source_is_shown_at_once(page: Any, show: Show) -> None:
    view = show(scene.ct(), transport="message")
    page.mouse.move(*over(page, "axial", 20, 20))
    page.mouse.wheel(0, 120)
    painted(page, "axial", 13)
    view.source = scene.ct(scene.ct_values() + 5, revision="rev2")
    page.wait_for_selector('canvas[data-plane="axial"][data-level="0"][data-painted$="|rev2"]', state="attached")
    np.testing.assert_array_equal(grays(page, "axial")[..., 0], linear(scene.ct_values()[13] - 1019.0, 40, 400))
    assert page.locator(".viewer").count() == 1


def test_time_is_one_more_way_to_go(page: Any, show: Show, transport: str) -> None:
    show(scene.over_time(), transport=transport)
    page.locator(".viewer").focus()
    page.keyboard.press("]")
    painted(page, "axial", 4, extra="1")
    painted(page, "coronal", 16, extra="1")
    assert (grays(page, "axial")[..., 0] == linear(np.array(104.0), 250, 501)).all()
    page.keyboard.press("[")
    page.keyboard.press("[")
    painted(page, "axial", 4, extra="4")
    assert (grays(page, "axial")[..., 0] == linear(np.array(404.0), 250, 501)).all()
    assert page.locator(".extra output").text_content() == "5 / 5  (4)"


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


def test_without_presets_the_window_fits_the_values(page: Any, show: Show) -> None:
    array = np.arange(1000, dtype=np.int32).reshape(1, 25, 40)
    show(scene.flat(array))
    assert told(page)["window"] == [500, 979]
    assert page.locator("select").input_value() == "auto"


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
    for part in ("select", "[data-tool=cross]", "[data-act=reset]", "[data-layout=sagittal]", ".research", ".verdict"):
        box = page.locator(part).last.bounding_box()
        assert box["width"] > 0
        assert box["x"] >= root["x"]
        assert box["x"] + box["width"] <= root["x"] + root["width"]
    panes = [page.locator(f".pane[data-plane={plane}]").bounding_box() for plane in ("axial", "coronal", "sagittal")]
    assert all(pane["width"] > 140 and pane["height"] > 100 for pane in panes)
    assert panes[0]["width"] * panes[0]["height"] > panes[1]["width"] * panes[1]["height"]
