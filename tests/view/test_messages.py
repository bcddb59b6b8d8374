from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pacs_panel.view.image.messages import MAX_PART, Answers
from tests.view import scene


def test_a_slice_is_answered_whole() -> None:
    answer = Answers(scene.ct())({"id": "a-0", "kind": "slice", "level": 0, "axis": 0, "index": 3, "extra": []})
    assert answer["id"] == "a-0"
    assert answer["total"] == len(answer["bytes"])
    np.testing.assert_array_equal(np.frombuffer(answer["bytes"], "<i2").reshape(64, 80), scene.ct_values()[3])


def test_what_is_large_comes_in_parts() -> None:
    source = scene.ct(scene.head((20, 256, 256)))
    answers = Answers(source)
    parts: list[bytes] = []
    total = 1
    while sum(map(len, parts)) < total:
        answer = answers({"id": "v", "kind": "volume", "level": 0, "extra": [], "offset": sum(map(len, parts))})
        total = answer["total"]
        parts.append(answer["bytes"])
    assert max(map(len, parts)) <= MAX_PART
    assert len(parts) == 2
    assert b"".join(parts) == source.volume(0).tobytes()


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"kind": "file", "level": 0},
        {"kind": "slice", "level": 0, "axis": 0},
        {"kind": "slice", "level": "x", "axis": 0, "index": 0},
        {"kind": "slice", "level": 0, "axis": 0, "index": 999},
        {"kind": "volume", "level": 9},
        {"kind": "volume", "level": 0, "offset": -1},
        {"kind": "volume", "level": 0, "extra": 5},
    ],
)
def test_what_is_no_request_is_told_so(request_: dict[str, Any]) -> None:
    answer = Answers(scene.ct())({**request_, "id": "x"})
    assert answer["id"] == "x"
    assert answer["error"]
    assert "bytes" not in answer


def test_presentation_states_are_answered_and_there_may_be_none() -> None:
    request = {"id": "p", "kind": "presentations"}
    assert Answers(scene.ct())(request)["bytes"] == b"[]"
    states = scene.States({"label": "LUNG"})
    assert Answers(scene.ct(), presentations=states)(request)["bytes"] == b'[{"label":"LUNG"}]'
