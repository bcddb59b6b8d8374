"""What a page's viewer shows, read from its canvases and texts."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np


def linear(values: np.ndarray, center: float, width: float) -> np.ndarray:
    """PS3.3 §C.11.2.1.2.1, to 0..255."""
    return np.floor(np.clip((values - (center - 0.5)) / (width - 1) + 0.5, 0, 1) * 255 + 0.5).astype(int)


def painted(page: Any, plane: str, index: int | None, extra: str | None = None) -> None:
    """Wait until that slice of a plane is painted at full resolution."""
    which = "" if index is None else f'[data-slice="{index}"]'
    which += "" if extra is None else f'[data-extra="{extra}"]'
    page.wait_for_selector(f'canvas[data-plane="{plane}"][data-level="0"][data-painted]{which}', state="attached")


def grays(page: Any, plane: str) -> np.ndarray:
    """The canvas's own pixels: (rows, columns, 4)."""
    return _pixels(page, f'canvas[data-plane="{plane}"]')


def _pixels(page: Any, canvas: str) -> np.ndarray:
    read = """canvas => [canvas.height, canvas.width,
        [...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data]]"""
    rows, columns, data = page.locator(canvas).evaluate(read)
    return np.array(data).reshape(rows, columns, 4)


def drawn(page: Any, plane: str, index: int) -> None:
    """Wait until all that is to lie over that slice of a plane is drawn there."""
    page.wait_for_selector(f'canvas[data-over="{plane}"][data-painted^="{index}|"]', state="attached")


def overlay_pixels(page: Any, plane: str) -> np.ndarray:
    """What lies over a plane, in the plane's own pixels: (rows, columns, 4), alpha 0 where nothing does."""
    return _pixels(page, f'canvas[data-over="{plane}"]')


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


def wait_for(page: Any, true: Callable[[], bool]) -> None:
    """Let the page run until something is true in this process."""
    for _ in range(3000):
        if true():
            return
        page.evaluate("() => new Promise(requestAnimationFrame)")
    raise AssertionError("it never came true")


PRESETS = "select[aria-label='Window preset']"
