"""From kept objects to the values of a stack: which planes there are, and their stored values."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import BinaryIO

import numpy as np

from pacs_panel.dicom.kind import kind
from pacs_panel.dicom.planes import needs_more, planes
from pacs_panel.errors import BadPixels, PacsPanelError, TooLarge
from pacs_panel.model import ImageHeader, Kept, Location, Passport, Stack
from pacs_panel.pixels.planes import Plane, PlaneReader
from pacs_panel.settings import Settings
from pacs_panel.volume import grid
from pacs_panel.volume.planes import fill, is_frame
from pacs_panel.volume.shards import rows
from pacs_panel.volume.values import Values, pictures

Array = np.ndarray
Opener = Callable[[Location], BinaryIO]
Members = Sequence[tuple[Kept, ImageHeader]]
PlaneKey = tuple[str, int]
"""SOP Instance UID and frame."""
THREADS = min(4, os.cpu_count() or 1)


def gather(
    kept: Sequence[Kept], opener: Opener, settings: Settings
) -> tuple[dict[PlaneKey, tuple[Kept, ImageHeader]], list[str]]:
    """Every plane of these objects, and why others have none."""
    found: dict[PlaneKey, tuple[Kept, ImageHeader]] = {}
    notes = []
    for one in kept:
        what = kind(one.sop_class_uid, "", one.image)
        if one.image is None or not what.volume:
            notes.append(f"{what.name}: {what.note}")
            continue
        try:
            for image in _planes(one, one.image, opener, settings):
                found[one.sop_instance_uid, image.frame] = (one, image)
        except (PacsPanelError, OSError) as error:
            notes.append(f"object {one.sop_instance_uid}: {_reason(error)}")
    return found, notes


def _planes(one: Kept, image: ImageHeader, opener: Opener, settings: Settings) -> tuple[ImageHeader, ...]:
    if not needs_more(image):
        return (image,)
    with opener(one.location) as file:
        return planes(image, file, settings)


class Pixels:
    """The stored values of a stack, decoded part by part; what several parts need stays open between them.

    Parameters
    ----------
    members : sequence
        Object and header of each image, in the stack's order.

    Attributes
    ----------
    blank : dict
        Number of each image that could not be decoded, and is zero, to the reason.

    Raises
    ------
    TooLarge
        The array needs more bytes than the settings allow.
    """

    def __init__(
        self, members: Members, values: Values, passport: Passport, opener: Opener, settings: Settings
    ) -> None:
        extra = grid.extra_shape(passport.dimensions)
        self.shape = (*extra, *passport.shape)
        self.blank: dict[int, str] = {}
        self._members, self._values, self._opener, self._settings = members, values, opener, settings
        self._sources = {one.sop_instance_uid: partial(self._open, one) for one, _ in members}
        self._as_frames = all(is_frame(image) for _, image in members)
        self._frames = PlaneReader(settings, THREADS)
        positions = np.arange(math.prod(extra)).reshape(*extra, 1) // values.samples
        self._numbers = positions * passport.shape[0] + np.arange(passport.shape[0])  # of the image of each plane
        self._seen = False
        size = math.prod(self.shape) * values.dtype.itemsize * (1 if values.uniform else 3)
        if size > settings.max_volume_bytes:
            raise TooLarge(f"the array needs {size} bytes, the limit is {settings.max_volume_bytes}")

    def slabs(self) -> Iterator[tuple[Array, list[int]]]:
        """Stored values, a row of chunks at a time, and the number of the image that each plane is of.

        Raises
        ------
        BadPixels
            An object cannot be read; or no image could be decoded, which is known at the end.
        """
        with self._frames:
            for at in rows(self.shape, grid.chunk_shape(self.shape)):
                yield self._slab(at), self._numbers[at[:-2]].ravel().tolist()
        if not self._seen:
            raise BadPixels(next(iter(self.blank.values())))

    def _slab(self, at: tuple[slice, ...]) -> Array:
        """Values in a box. Where that cuts through the samples of colour images, those are decoded as a whole."""
        samples = self._values.samples
        if samples == 1:
            return self._images(at)
        cut = at[-4]
        first, end = cut.start // samples * samples, -(-cut.stop // samples) * samples
        whole = self._images((*at[:-4], slice(first, end), *at[-3:]))
        return whole[..., cut.start - first : cut.stop - first, :, :, :]

    def _images(self, at: tuple[slice, ...]) -> Array:
        """Values in a box of whole images."""
        out = np.zeros([part.stop - part.start for part in at], self._values.dtype)
        numbers = self._numbers[at[:-2]].reshape(-1, self._values.samples, out.shape[-3])[:, 0].ravel().tolist()
        try:
            failed = self._decode(numbers, out)
        except OSError as error:
            raise BadPixels(_reason(error)) from error
        self.blank |= failed
        self._seen = self._seen or len(failed) < len(numbers) or bool(out.any())  # some tiles of a large image
        return out

    def _decode(self, numbers: Sequence[int], out: Array) -> dict[int, str]:
        """Images into an array of them; why some are blank."""
        targets = pictures(out, self._values.samples)
        if not self._as_frames:
            return self._fill(numbers, targets)
        wanted = [self._members[n] for n in numbers]
        planes = (Plane(image, self._sources[one.sop_instance_uid], image.frame) for one, image in wanted)
        mixed = np.zeros((len(numbers), *targets[0].shape), out.dtype) if self._values.samples > 1 else None
        failed = self._frames.read(planes, out.reshape(-1, *out.shape[-2:]) if mixed is None else mixed)
        if mixed is not None:
            for target, picture in zip(targets, mixed, strict=True):
                target[...] = picture
        return {numbers[n]: _told(wanted[n][0], _reason(failed[n])) for n in sorted(failed)}

    def _fill(self, numbers: Sequence[int], targets: Sequence[Array]) -> dict[int, str]:
        """Decode tiles and palettes, object by object; why some are blank."""
        blank: dict[int, str] = {}
        pairs = zip(numbers, targets, strict=True)
        for _, group in itertools.groupby(pairs, lambda pair: self._members[pair[0]][0].sop_instance_uid):
            chosen, places = zip(*group, strict=True)
            one = self._members[chosen[0]][0]
            try:
                with self._opener(one.location) as file:
                    reasons = fill([self._members[n][1] for n in chosen], file, places, self._settings)
            except (PacsPanelError, OSError) as error:
                reasons = [_reason(error)] * len(chosen)
            blank |= {n: _told(one, reason) for n, reason in zip(chosen, reasons, strict=True) if reason}
        return blank

    def _open(self, one: Kept) -> BinaryIO:
        try:
            return self._opener(one.location)
        except (PacsPanelError, OSError) as error:  # one object that cannot be read is one blank plane
            raise BadPixels(_reason(error)) from error


def _told(one: Kept, reason: str) -> str:
    return f"object {one.sop_instance_uid}: {reason}"


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"cannot be read ({error.strerror})"
    return str(getattr(error, "detail", "") or error)


def marked(stack: Stack, blank: Mapping[int, str], of_levels: Sequence[str] = ()) -> Stack:
    """A stack whose passport tells which planes could not be decoded, and why; of its levels, why only."""
    reason = stack.passport.reason
    if blank:
        some = f"{len(blank)} of {len(stack.members)} images cannot be decoded as a whole"
        reason = f"{reason} {some}: {'; '.join(dict.fromkeys(blank.values()))}."
    if of_levels:
        reason = f"{reason} Of its levels some cannot be decoded as a whole: {'; '.join(dict.fromkeys(of_levels))}."
    return replace(stack, passport=replace(stack.passport, reason=reason, blank=tuple(sorted(blank))))
