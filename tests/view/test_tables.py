"""VOI tables among the presets, and values that stand for colours, in a page."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import numpy as np
import pytest

from tests.view import scene
from tests.view.reading import PRESETS, grays, linear, over, painted, readout, wait_for, window_text

pytestmark = pytest.mark.browser

GREYS = (255 * np.sqrt(np.linspace(0, 1, 1500))).astype(np.uint8)
TABLE = {"name": "NORMAL", "first": -124, "greys": b64encode(GREYS.tobytes()).decode(), "place": 0}
COLOURS = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255]], np.uint8)


def through(values: np.ndarray) -> np.ndarray:
    return GREYS[np.clip(values + 124, 0, len(GREYS) - 1)]


def test_a_table_is_a_preset_by_its_name(page, show) -> None:
    values = scene.ct_values().astype(int) - 1024
    view = show(scene.ct(voi_tables=(TABLE, TABLE | {"name": "SOFTER", "place": 1})))
    painted(page, "axial", 12)
    np.testing.assert_array_equal(grays(page, "axial")[..., 0], through(values[12]))
    names = page.locator(f"{PRESETS} option").all_text_contents()
    assert [name.split("  ")[-1] for name in names[:5]] == ["NORMAL", "Soft tissue", "SOFTER", "Lung", "Bone"]
    assert window_text(page).startswith("Table NORMAL")
    page.locator(".viewer").focus()
    page.keyboard.press("2")
    wait_for(page, lambda: view.state.width == 400 and view.state.table is None)
    np.testing.assert_array_equal(grays(page, "axial")[..., 0], linear(values[12], 40, 400))
    page.keyboard.press("3")
    wait_for(page, lambda: view.state.table == 1)
    np.testing.assert_array_equal(grays(page, "axial")[..., 0], through(values[12]))
    page.keyboard.press("i")
    np.testing.assert_array_equal(grays(page, "axial")[..., 0], 255 - through(values[12]))


def test_a_window_that_python_sets_takes_the_tables_place(page, show) -> None:
    values = scene.ct_values().astype(int) - 1024
    view = show(scene.ct(voi_tables=(TABLE,)))
    view.state.param.update(center=40, width=400)
    wait_for(page, lambda: window_text(page).startswith("C 40"))
    np.testing.assert_array_equal(grays(page, "axial")[..., 0], linear(values[12], 40, 400))
    view.state.table = 0
    wait_for(page, lambda: window_text(page).startswith("Table NORMAL"))


def test_a_drag_begins_where_the_table_ends(page, show) -> None:
    view = show(scene.ct(voi_tables=(TABLE,)))
    x, y = over(page, "axial", 10, 10)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y, steps=4)
    page.mouse.up()
    wait_for(page, lambda: view.state.table is None and view.state.width is not None and view.state.width > 1500)
    assert window_text(page).startswith("C ")


def test_values_beyond_the_greys_are_colours_whatever_the_window(page, show) -> None:
    stored = scene.ct_values().astype(np.uint16)
    stored[12, 10, 10:14] = [2000, 2001, 2002, 2500]
    told: dict[str, Any] = {"first": 2000, "colours": b64encode(COLOURS.tobytes()).decode()}
    show(scene.ct(stored, supplemental=told))
    painted(page, "axial", 12)
    drawn = grays(page, "axial")
    assert drawn[10, 10:14, :3].tolist() == [[255, 0, 0], [0, 255, 0], [0, 0, 255], [0, 0, 255]]
    values = stored[12].astype(int) - 1024
    np.testing.assert_array_equal(drawn[0, :, 0], linear(values[0], 40, 400))
    page.locator(".viewer").focus()
    page.keyboard.press("i")
    assert grays(page, "axial")[10, 10, :3].tolist() == [255, 0, 0]
    page.mouse.move(*over(page, "axial", 11, 10))
    wait_for(page, lambda: readout(page)[:1] == ["colour RGB 0, 255, 0"])
    page.mouse.move(*over(page, "axial", 0, 0))
    wait_for(page, lambda: readout(page)[:1] == [f"{values[0, 0]} HU"])


def test_images_that_follow_in_time_are_called_frames(page, show) -> None:
    array = np.arange(3 * 16 * 16, dtype=np.uint16).reshape(3, 16, 16)
    show(scene.flat(array, slices_are="frame", windows=((400.0, 800.0, "All"),)))
    wait_for(page, lambda: page.locator(".heading").inner_text().split() == ["Frame", "2", "/", "3"])
    page.mouse.move(*over(page, "image", 3, 4))
    wait_for(page, lambda: readout(page)[-1:] == ["column 3, row 4, frame 1"])


def test_other_images_are_called_images(page, show) -> None:
    show(scene.flat(np.zeros((3, 16, 16), np.uint16), windows=((400.0, 800.0, "All"),)))
    wait_for(page, lambda: page.locator(".heading").inner_text().split() == ["Image", "2", "/", "3"])
