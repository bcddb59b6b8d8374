"""From kept objects to the array of a stack: which planes there are, and their stored values."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import BinaryIO

import numpy as np

from pacs_panel.dicom.kind import kind
from pacs_panel.dicom.planes import needs_more, planes
from pacs_panel.errors import BadPixels, PacsPanelError, TooLarge
from pacs_panel.model import ImageHeader, Kept, Location, Passport, Stack
from pacs_panel.pixels.planes import Plane, read_planes
from pacs_panel.settings import Settings
from pacs_panel.volume import grid
from pacs_panel.volume.planes import fill, is_frame
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


def read(
    members: Members, values: Values, passport: Passport, opener: Opener, settings: Settings
) -> tuple[Array, dict[int, str]]:
    """Stored values of all planes, ``(*extra, slice, row, column)``.

    Returns
    -------
    ndarray
    dict
        Number of each plane that cannot be decoded, and is zero, to the reason.

    Raises
    ------
    TooLarge
        The array needs more bytes than the settings allow.
    BadPixels
        No plane can be decoded.
    """
    shape = (*grid.extra_shape(passport.dimensions), *passport.shape)
    size = math.prod(shape) * values.dtype.itemsize * (1 if values.uniform else 3)
    if size > settings.max_volume_bytes:
        raise TooLarge(f"the array needs {size} bytes, the limit is {settings.max_volume_bytes}")
    out = np.zeros(shape, values.dtype)
    if not all(is_frame(image) for _, image in members):
        blank = _others(members, pictures(out, values.samples), opener, settings)
    elif values.samples == 1:
        blank = _frames(members, out.reshape(-1, *shape[-2:]), opener, settings)
    else:
        mixed = np.zeros((len(members), *shape[-2:], values.samples), values.dtype)
        blank = _frames(members, mixed, opener, settings)
        for picture, target in zip(mixed, pictures(out, values.samples), strict=True):
            target[...] = picture
    if len(blank) == len(members) and not out.any():  # of a large image, some tiles may be there
        raise BadPixels(next(iter(blank.values())))
    return out, blank


def _frames(members: Members, out: Array, opener: Opener, settings: Settings) -> dict[int, str]:
    """Decode frames by several threads; why some are blank."""

    def open_(one: Kept) -> BinaryIO:
        try:
            return opener(one.location)
        except (PacsPanelError, OSError) as error:  # one object that cannot be read is one blank plane
            raise BadPixels(_reason(error)) from error

    sources = {one.sop_instance_uid: partial(open_, one) for one, _ in members}
    wanted = (Plane(image, sources[one.sop_instance_uid], image.frame) for one, image in members)
    failed = read_planes(wanted, out, settings, THREADS)
    return {n: _told(members[n][0], _reason(failed[n])) for n in sorted(failed)}


def _others(members: Members, targets: Sequence[Array], opener: Opener, settings: Settings) -> dict[int, str]:
    """Decode tiles and palettes, object by object; why some are blank."""
    blank: dict[int, str] = {}
    for _, group in itertools.groupby(enumerate(members), lambda pair: pair[1][0].sop_instance_uid):
        numbers, chosen = zip(*group, strict=True)
        one = chosen[0][0]
        try:
            with opener(one.location) as file:
                reasons = fill([image for _, image in chosen], file, [targets[n] for n in numbers], settings)
        except (PacsPanelError, OSError) as error:
            reasons = [_reason(error)] * len(numbers)
        blank |= {n: _told(one, reason) for n, reason in zip(numbers, reasons, strict=True) if reason}
    return blank


def _told(one: Kept, reason: str) -> str:
    return f"object {one.sop_instance_uid}: {reason}"


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"cannot be read ({error.strerror})"
    return str(getattr(error, "detail", "") or error)


def marked(stack: Stack, blank: Mapping[int, str]) -> Stack:
    """A stack whose passport tells which planes could not be decoded, and why."""
    some = f"{len(blank)} of {len(stack.members)} images cannot be decoded as a whole"
    reason = f"{stack.passport.reason} {some}: {'; '.join(dict.fromkeys(blank.values()))}."
    return replace(stack, passport=replace(stack.passport, reason=reason, blank=tuple(sorted(blank))))
