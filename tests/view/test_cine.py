"""Cine and extra dimensions, in a real browser."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.view import scene
from tests.view.conftest import Show
from tests.view.reading import grays, linear, painted, readout, wait_for

pytestmark = pytest.mark.browser

HIDE = """() => {
    Object.defineProperty(document, "hidden", { value: true, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
}"""


def test_frames_are_played_in_a_loop(page: Any, show: Show, transport: str) -> None:
    array = np.zeros((6, 20, 30, 3), np.uint8)
    array[..., 1] = (40 * np.arange(6, dtype=np.uint8))[:, None, None]
    show(scene.flat(array, samples=3, frame_time=20.0, slices_are="frame"), transport=transport)
    viewer = page.locator(".viewer")
    assert (viewer.get_attribute("data-playing"), viewer.get_attribute("data-speed")) == ("false", "50")
    assert page.locator("[data-act=speed]").input_value() == "50"
    viewer.focus()
    page.keyboard.press(" ")
    assert viewer.get_attribute("data-playing") == "true"
    for index in (5, 1):  # past the end, and on from the start
        painted(page, "image", index)
    page.locator("[data-act=speed]").select_option("60")
    assert viewer.get_attribute("data-speed") == "60"
    page.locator("[data-act=play]").click()
    assert viewer.get_attribute("data-playing") == "false"
    shown = int(page.locator("canvas[data-plane]").get_attribute("data-slice"))
    np.testing.assert_array_equal(grays(page, "image")[..., :3], array[shown])
    page.locator(".pane").hover()
    assert readout(page)[-1].endswith(f"frame {shown}")
    page.locator("[data-act=play]").click()
    page.evaluate(HIDE)
    assert viewer.get_attribute("data-playing") == "false"


def test_time_is_played_in_all_planes(page: Any, show: Show, transport: str) -> None:
    view = show(scene.over_time(), transport=transport)
    page.locator(".viewer").focus()
    page.locator("[data-act=speed]").select_option("30")
    page.keyboard.press(" ")
    for time in (3, 1):
        painted(page, "axial", 4, extra=str(time))
        painted(page, "coronal", 16, extra=str(time))
    page.keyboard.press(" ")
    time = int(page.locator("canvas[data-plane=axial]").get_attribute("data-extra"))
    wait_for(page, lambda: (view.state.speed, view.state.extra) == (30, (time,)))
    painted(page, "sagittal", 16, extra=str(time))
    assert (grays(page, "axial")[..., 0] == linear(np.array(100.0 * time + 4), 250, 501)).all()
    assert page.locator(".extra output").text_content() == f"{time + 1}/5 · {time}"


def test_every_dimension_has_its_slider(page: Any, show: Show) -> None:
    array = (10 * np.arange(3)[:, None, None, None, None] + np.arange(2)[:, None, None, None]).astype(np.uint8)
    array = np.broadcast_to(array, (3, 2, 1, 8, 8)).copy()
    show(scene.ct(array, dimensions=(scene.B_VALUES, scene.ECHOES), intercept=0.0, series_key="two"), size=(500, 900))
    texts = page.locator(".extra").all_text_contents()
    assert texts == ["b-value1/3 · 0 s/mm²", "echo1/2 · 2.46 ms"]
    page.locator(".viewer").focus()
    for key, extra, value in ((".", "0,1", 1), (",", "0,0", 0), (",", "0,1", 1)):
        page.keyboard.press(key)
        painted(page, "axial", 0, extra=extra)
        page.locator(".pane").hover()
        assert readout(page)[0] == f"{value} HU"
    page.locator(".extra input").first.fill("2")
    painted(page, "axial", 0, extra="2,1")
    page.locator(".pane").hover()
    assert readout(page)[0] == "21 HU"
    for box in (found.bounding_box() for found in page.locator(".extra").all()):
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 500
