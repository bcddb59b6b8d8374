from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pacs_panel.model import Dimension, Passport
from pacs_panel.view.colour import ColourFrames, in_colour
from pacs_panel.view.extra import name_words, value_words
from pacs_panel.view.source import StackFrames, StackMeta, meta_of
from tests.view import scene


@pytest.mark.parametrize(
    ("keyword", "values", "words"),
    [
        ("EchoTime", (2.46, 4.92), "2.46 ms"),
        ("DiffusionBValue", (1000.0, 2000.0), "1000 s/mm²"),
        ("FrameReferenceTime", (12500.0, 25000.0), "12.5 s"),
        ("TriggerTime", (-40.0, 0.0), "−40 ms"),
        ("AcquisitionTime", (12.5, 14.0), "12.5 s"),
        ("AcquisitionTime", ("101530.25", "101540"), "10:15:30.25"),
        ("TemporalPositionIdentifier", (3.0, 4.0), "3"),
        ("FlipAngle", (5.0, 30.0), "5°"),
        ("ImageType", ("ORIGINAL\\PRIMARY\\M", "ORIGINAL\\PRIMARY\\P"), "ORIGINAL · PRIMARY · M"),
    ],
)
def test_values_have_their_unit(keyword: str, values: tuple[Any, ...], words: str) -> None:
    assert value_words(Dimension("name", keyword, values), values[0]) == words


def test_the_viewer_is_told_names_and_values_in_words() -> None:
    told = scene.ct(np.zeros((2, 4, 8, 8), np.int16), dimensions=(scene.ECHOES,)).meta().to_dict()["dimensions"][0]
    assert (told["title"], told["words"]) == ("echo", ["2.46 ms", "4.92 ms"])
    assert name_words(Dimension("b_value", "DiffusionBValue", (0.0,))) == "b-value"


class Stored:
    """Red, green and blue as a store has them, innermost of two extra dimensions."""

    def __init__(self, *names: str) -> None:
        self.array = np.random.default_rng(2).integers(0, 255, (2, 3, 4, 6, 5), dtype=np.uint8)
        self.names = names

    def describe(self) -> dict[str, Any]:
        values = {"time": (0.0, 1.0), "channel": ("red", "green", "blue"), "echo": (1.0, 2.0, 3.0)}
        dimensions = tuple(Dimension(name, "", values[name]) for name in self.names)
        passport = Passport("regular", "", (4, 6, 5), affine=scene.upright((3.0, 1.0, 1.0)), dimensions=dimensions)
        levels = [{"shape": (4, 6, 5), "factors": (1, 1, 1)}]
        more = {"frame_time": 40.0, "slices_are": "frame"}
        return {"dtype": "uint8", "samples": 1, "levels": levels, "passport": passport.to_dict(), **more}

    def plane(self, level: int, axis: int, index: int, extra: tuple[int, ...] = ()) -> np.ndarray:
        return self.array[extra].take(index, axis)

    def volume(self, level: int, extra: tuple[int, ...] = ()) -> np.ndarray:
        return self.array[extra]


def meta(frames: Any) -> StackMeta:
    return meta_of(frames.describe(), "series", "rev", 0)


def test_channels_become_samples_and_no_slider() -> None:
    stored = Stored("time", "channel")
    frames = in_colour(stored)
    assert isinstance(frames, ColourFrames)
    found = meta(frames)
    assert (found.samples, [d.name for d in found.dimensions], len(found.views)) == (3, ["time"], 3)
    assert (found.frame_time, found.slices_are) == (40.0, "frame")
    source = StackFrames(frames, found)
    for axis in range(3):
        np.testing.assert_array_equal(
            source.plane(0, axis, 2, (1,)), np.moveaxis(stored.array[1].take(2, axis + 1), 0, -1)
        )
    np.testing.assert_array_equal(source.volume(0, (0,)), np.moveaxis(stored.array[0], 0, -1))


def test_what_is_no_colour_stays_as_it_is() -> None:
    stored = Stored("time", "echo")
    assert in_colour(stored) is stored
    assert meta(stored).samples == 1
