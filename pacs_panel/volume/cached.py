"""Frames of a stack that come from decoded volumes in memory where those are there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pacs_panel.errors import NotFound, NotYetShown, SeveralStacks
from pacs_panel.model import Revision
from pacs_panel.volume.frames import Extra, VolumeCache, ZarrFrames


@dataclass(frozen=True, slots=True)
class CachedFrames:
    """The frames of one stack, through a cache that many stacks share. Threads may share it.

    Parameters
    ----------
    frames : ZarrFrames
    cache : VolumeCache
    """

    frames: ZarrFrames
    cache: VolumeCache

    def describe(self) -> dict[str, Any]:
        """See `ZarrFrames.describe`."""
        return self.frames.describe()

    def plane(self, level: int, axis: int, index: int, extra: Extra = ()) -> np.ndarray:
        """See `ZarrFrames.plane`."""
        return self.cache.plane(self.frames, level, axis, index, extra)

    def volume(self, level: int, extra: Extra = ()) -> np.ndarray:
        """See `ZarrFrames.volume`."""
        return self.cache.volume(self.frames, level, extra)


def number_of(revision: Revision, stack: int | None) -> int:
    """The number of a stack of a revision; ``None`` means the only one.

    Raises
    ------
    NotYetShown
        It has none.
    SeveralStacks
        It has several, and none is named.
    NotFound
        It has none of that number.
    """
    key, count = revision.series_key, len(revision.stacks)
    if not count:
        raise NotYetShown(f"series {key}: {revision.note}")
    if stack is None and count > 1:
        choices = tuple(str(number) for number in range(count))
        raise SeveralStacks(f"series {key} holds {count} stacks: give stack=0 to stack={count - 1}", choices)
    if not 0 <= (stack or 0) < count:
        raise NotFound(f"series {key} has no stack {stack}; it has {count}")
    return stack or 0
