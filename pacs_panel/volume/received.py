"""A stack that is not built yet, drawn from the received images: single slices, as they are."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pacs_panel.errors import BadPixels, NotFound, TooLarge
from pacs_panel.geometry.stack import CHANNEL, stacks
from pacs_panel.model import Kept, Passport, Stack, Tolerance
from pacs_panel.pixels import decode
from pacs_panel.settings import Settings
from pacs_panel.volume import values as meanings
from pacs_panel.volume.build import revision_id, thumbnail
from pacs_panel.volume.gather import Members, Opener, gather
from pacs_panel.volume.planes import fill

Array = np.ndarray
Extra = tuple[int, ...]
PREFIX = "received-"
BUILDING = "The volume is being built; these are the received images, one by one."


class ReceivedFrames:
    """Frames of one stack, as `pacs_panel.volume.frames.ZarrFrames` gives them, of axis 0 only.

    Its levels are objects as they were received: one, or those of a whole slide. Its passport says ``stack``: nothing
    is claimed of a volume before there is one. Threads may share it.
    """

    def __init__(
        self, stack: Stack, levels: Sequence[Members], values: meanings.Values, opener: Opener, settings: Settings
    ) -> None:
        self.stack, self._levels, self._values = stack, levels, values
        self._opener, self._settings = opener, settings
        self._sizes = tuple(len(dimension.values) for dimension in stack.passport.dimensions)
        self._last: tuple[tuple[int, int], Array] | None = None
        self._lock = threading.Lock()

    @property
    def passport(self) -> Passport:
        """The stack's passport, without a claim to be a volume."""
        return replace(self.stack.passport, verdict="stack", reason=BUILDING, affine=None, positions=())

    def describe(self) -> dict[str, Any]:
        """As `pacs_panel.volume.frames.ZarrFrames.describe`."""
        facts = {**meanings.facts(self._values), "samples": 1}
        own = [{"shape": one.shape, "factors": one.factors} for one in self.stack.passport.levels]
        levels = [{"shape": self.stack.passport.shape, "factors": (1, 1, 1)}, *own]
        return {**facts, "levels": levels, "passport": self.passport.to_dict()}

    def plane(self, level: int, axis: int, index: int, extra: Extra = ()) -> Array:
        """Values of one slice, decoded now; see `pacs_panel.volume.frames.ZarrFrames.plane`.

        Raises
        ------
        NotFound
            Another axis or level is asked for, or there is no such slice.
        BadPixels, TooLarge
            The image cannot be decoded, or is larger than the settings allow.
        """
        slices = self.stack.passport.shape[0]
        inside = len(extra) == len(self._sizes) and all(0 <= at < n for at, n in zip(extra, self._sizes, strict=False))
        if not 0 <= level < len(self._levels) or axis or not 0 <= index < slices or not inside:
            raise NotFound("the volume is being built: until then there are only its slices, as they were received")
        channel = extra[-1] if self.stack.passport.dimensions[-1:] == (CHANNEL,) else None
        place = 0
        for at, size in zip(extra, self._sizes[: len(extra) - (channel is not None)], strict=False):
            place = place * size + at
        picture = self._picture(level, place * slices + index)
        return picture if channel is None else picture[..., channel]

    def picture(self) -> bytes:
        """PNG of the middle slice, decoded now; raises `BadPixels`."""
        middle, first = self.stack.passport.shape[0] // 2, tuple(0 for _ in self._sizes)
        colour = self._values.samples == 3
        return thumbnail(
            self._picture(0, middle) if colour else self.plane(0, 0, middle, first), self._values, self.stack.passport
        )

    def volume(self, level: int, extra: Extra = ()) -> Array:
        """There is none yet: `NotFound`."""
        raise NotFound("the volume is being built")

    def volume_bytes(self, level: int) -> int:
        """There is none yet: `NotFound`."""
        raise NotFound("the volume is being built")

    def _picture(self, level: int, number: int) -> Array:
        with self._lock:
            if self._last is None or self._last[0] != (level, number):
                self._last = ((level, number), self._decoded(level, number))
            return self._last[1]

    def _decoded(self, level: int, number: int) -> Array:
        one, image = self._levels[level][number]
        values = self._values
        shape = (image.rows, image.columns) + ((3,) if values.samples == 3 else ())
        size = math.prod(shape) * values.dtype.itemsize * (1 if values.uniform else 3)
        if size > self._settings.max_volume_bytes:
            raise TooLarge(f"the image needs {size} bytes, the limit is {self._settings.max_volume_bytes}")
        stored = np.zeros(shape, values.dtype)
        with self._opener(one.location) as file:
            (reason,) = fill([image], file, [stored], self._settings)
        if reason:
            raise BadPixels(reason)
        return stored if values.uniform else meanings.physical_plane(stored, values, number)


@dataclass(frozen=True, slots=True)
class Received:
    """The stacks that received objects will make, the largest first, and a name for this state of them."""

    revision: str
    stacks: tuple[ReceivedFrames, ...]


def received(
    kept: Sequence[Kept], opener: Opener, settings: Settings, modality: str = "", body_part: str = ""
) -> Received:
    """The stacks that these objects will make, as far as their headers tell.

    Compressed images are left out: they are decoded in processes of their own, which a damaged one may end.
    """
    native = [one for one in kept if one.image is not None and not decode.is_compressed(one.image)]
    planes, _ = gather(native, opener, settings)
    made = []
    for stack in stacks([image for _, image in planes.values()], Tolerance()):
        members = [planes[plane] for plane in stack.planes()]
        known = modality or ("CT" if members[0][0].sop_class_uid in meanings.CT else "")
        values = meanings.of([image for _, image in members], known, body_part)
        own = [[planes[one.sop_instance_uid, frame] for frame in one.frames] for one in stack.passport.levels]
        made.append(ReceivedFrames(stack, [members, *own], values, opener, settings))
    return Received(PREFIX + revision_id(kept), tuple(made))
