from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from pacs_panel.view.image.viewer import ImageView, image_view
from pacs_panel.view.state import ViewState
from tests.view import scene


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What viewers tell their browsers."""
    messages: list[dict[str, Any]] = []
    monkeypatch.setattr("panel.custom.ReactiveESM._send_msg", lambda self, data: messages.append(data))
    return messages


def say(view: ImageView, message: dict[str, Any]) -> None:
    for callback in view._component._msg__callbacks:
        callback(SimpleNamespace(data=message))


def test_the_scene_holds_all_that_the_browser_needs() -> None:
    view = image_view(scene.ct(), base="/pacs", state=ViewState(index=(1, 2, 3), center=50, width=80))
    made = view._component.scene
    assert (made["transport"], made["base"]) == ("http", "/pacs")
    assert made["meta"]["series_key"] == view.state.series == "series"
    assert made["look"]["index"] == (1, 2, 3)
    assert made["look"]["width"] == 80


def test_frames_are_answered_by_message(told: list[dict[str, Any]]) -> None:
    say(image_view(scene.ct(), transport="message"), {"id": "1", "kind": "slice", "level": 0, "axis": 2, "index": 9})
    assert [(m["id"], m["total"]) for m in told] == [("1", 24 * 64 * 2)]


def test_a_state_hears_the_browser_and_does_not_echo(told: list[dict[str, Any]]) -> None:
    state = ViewState()
    first, _second = image_view(scene.ct(), state=state), image_view(scene.ct(), state=state)
    say(first, {"kind": "look", "look": {"index": [4, 5, 6], "width": 90.0, "unknown": 1}})
    assert (state.index, state.width) == ((4, 5, 6), 90.0)
    assert told == [{"look": {"index": (4, 5, 6), "width": 90.0}}]  # the second viewer's, not the first's


def test_a_state_tells_the_browser(told: list[dict[str, Any]]) -> None:
    view = image_view(scene.ct())
    view.state.param.update(center=-600, width=1500)
    view.state.index = (0, 0, 0)
    assert told == [{"look": {"center": -600, "width": 1500}}, {"look": {"index": (0, 0, 0)}}]


def test_another_stack_starts_afresh(told: list[dict[str, Any]]) -> None:
    view = image_view(scene.ct())
    view.state.param.update(index=(1, 1, 1), layout="coronal")
    view.source = scene.over_time()
    assert view.state.series == "times"
    assert view.state.index is None
    assert view.state.layout == "coronal"
    assert view._component.scene["meta"]["series_key"] == "times"
    say(view, {"id": "1", "kind": "slice", "level": 0, "axis": 0, "index": 1, "extra": [2]})
    assert told[-1]["total"] == 32 * 32 * 2


def test_shown_again_it_starts_where_the_state_is() -> None:
    view = image_view(scene.ct())
    view.state.index = (7, 8, 9)
    view.__panel__()
    assert view._component.scene["look"]["index"] == (7, 8, 9)


def test_its_size_may_be_given() -> None:
    assert image_view(scene.ct())._component.height == 640
    assert image_view(scene.ct(), height=300)._component.height == 300


def test_overlays_are_asked_for_where_there_are_any(told: list[dict[str, Any]]) -> None:
    view = image_view(scene.ct(), transport="message")
    assert view._component.scene["overlays"] is False
    view.overlays = scene.box_overlays()
    assert view._component.scene["overlays"] is True
    say(view, {"id": "1", "kind": "overlay", "sop": scene.SEG, "layer": 1, "axis": 0, "index": 12})
    assert told[-1]["total"] == 64 * 80
