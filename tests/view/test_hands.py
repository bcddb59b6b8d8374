"""What the viewer makes of wheel, drag, click and keys, in a real browser."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.view import scene
from tests.view.conftest import Show
from tests.view.reading import PRESETS, grays, linear, over, painted, readout, told, wait_for, window_text

pytestmark = pytest.mark.browser


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


def test_the_wheel_changes_the_slice(page: Any, show: Show, transport: str) -> None:
    view = show(scene.ct(), transport=transport)
    page.mouse.move(*over(page, "axial", 20, 20))
    page.mouse.wheel(0, 120)
    painted(page, "axial", 13)
    np.testing.assert_array_equal(grays(page, "axial")[..., 0], linear(scene.ct_values()[13] - 1024.0, 40, 400))
    wait_for(page, lambda: page.locator(".pane[data-plane=axial] .slice").text_content() == "14 / 24")
    page.mouse.wheel(0, -360)
    painted(page, "axial", 10)
    page.mouse.move(*over(page, "sagittal", 20, 10))
    page.mouse.wheel(0, 120)
    painted(page, "sagittal", 41)
    np.testing.assert_array_equal(
        grays(page, "sagittal")[..., 0], linear(scene.ct_values()[:, :, 41] - 1024.0, 40, 400)
    )
    wait_for(page, lambda: view.state.index == (10, 32, 41))


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
    wait_for(page, lambda: page.locator(PRESETS).input_value() == "own")
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
    page.locator(PRESETS).select_option(label="2  Lung")
    assert told(page)["window"] == [-600, 1500]
    page.keyboard.press("3")
    assert told(page)["window"] == [480, 2500]
    wait_for(page, lambda: page.locator(PRESETS).input_value() == "2")
    page.keyboard.press("1")
    before = grays(page, "axial")[..., 0]
    page.keyboard.press("i")
    np.testing.assert_array_equal(grays(page, "axial")[..., 0], 255 - before)
    page.mouse.move(*over(page, "axial", 20, 20))
    for key, index in (("ArrowDown", 13), ("ArrowUp", 12), ("PageDown", 22), ("End", 23), ("Home", 0)):
        page.keyboard.press(key)
        painted(page, "axial", index)
    page.keyboard.press("f")
    wait_for(page, lambda: page.locator(".pane.shown").count() == 1)
    page.keyboard.press("f")
    wait_for(page, lambda: page.locator(".pane.shown").count() == 3)
    page.keyboard.press("r")
    np.testing.assert_array_equal(told(page)["window"], [40, 400])
    page.keyboard.press("0")
    wait_for(page, lambda: page.locator(PRESETS).input_value() == "auto")
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
    wait_for(page, lambda: page.locator(".viewer").count() == 1)


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
    wait_for(page, lambda: page.locator(".extra output").text_content() == "5/5 · 4")
