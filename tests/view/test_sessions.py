"""Several people at once: each page is a session, and one process serves them all."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from pacs_panel.view.image.viewer import image_view
from pacs_panel.view.overlay.source import ArrayOverlays
from tests.view import scene
from tests.view.conftest import Show
from tests.view.reading import drawn, over, painted

pytestmark = pytest.mark.browser


class Held(ArrayOverlays):
    """Overlays that can be held back."""

    may: threading.Event
    asked: threading.Event

    def plane(self, sop_instance_uid: str, layer: int, axis: int, index: int) -> np.ndarray:
        self.asked.set()
        assert self.may.wait(100)
        return super().plane(sop_instance_uid, layer, axis, index)


def test_a_slow_answer_of_one_session_stalls_no_other(page: Any, show: Show, stage: Any) -> None:
    address, _, cases = stage
    held = Held(scene.box_overlays().arrays)
    held.may, held.asked = threading.Event(), threading.Event()
    held.may.set()
    show(scene.ct(), transport="message", overlays=held)
    drawn(page, "axial", 12)
    held.may.clear()
    held.asked.clear()
    try:
        page.mouse.move(*over(page, "axial", 40, 30))
        page.mouse.wheel(0, 8 * 120)
        assert held.asked.wait(60)
        other = page.context.new_page()
        cases["other"] = lambda: image_view(scene.ct(), transport="message", height=600)
        other.goto(f"{address}/viewer?case=other")
        painted(other, "axial", 12)
        assert page.locator("canvas[data-over=axial][data-painted^='20|']").count() == 0
    finally:
        held.may.set()
    drawn(page, "axial", 20)
    other.close()
