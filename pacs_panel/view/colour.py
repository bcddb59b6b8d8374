"""Colour, which a store holds as an extra dimension, as three samples a pixel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pacs_panel.view.source import StoredFrames

CHANNEL = "channel"


@dataclass(frozen=True, slots=True)
class ColourFrames:
    """Frames whose innermost extra dimension is ``channel``, with red, green and blue as the array's last axis."""

    frames: StoredFrames

    def describe(self) -> dict[str, Any]:
        """As `StoredFrames.describe`, with ``samples`` 3 and without the dimension ``channel``."""
        told = dict(self.frames.describe())
        passport = dict(told["passport"])
        passport["dimensions"] = list(passport["dimensions"])[:-1]
        return told | {"samples": 3, "passport": passport}

    def plane(self, level: int, axis: int, index: int, extra: tuple[int, ...] = ()) -> np.ndarray:
        """One plane, ``(rows, columns, 3)``; see `StoredFrames.plane`."""
        return np.stack([self.frames.plane(level, axis, index, (*extra, n)) for n in range(3)], axis=-1)

    def volume(self, level: int, extra: tuple[int, ...] = ()) -> np.ndarray:
        """A whole level, ``(slices, rows, columns, 3)``; see `StoredFrames.volume`."""
        return np.stack([self.frames.volume(level, (*extra, n)) for n in range(3)], axis=-1)


def in_colour(frames: StoredFrames) -> StoredFrames:
    """The frames as they are, or, where they are red, green and blue, in colour."""
    dimensions: list[Mapping[str, Any]] = list(frames.describe()["passport"]["dimensions"])
    coloured = bool(dimensions) and dimensions[-1]["name"] == CHANNEL and len(dimensions[-1]["values"]) == 3
    return ColourFrames(frames) if coloured else frames
