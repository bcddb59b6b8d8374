"""From kept objects to the array of a stack: which planes there are, and their stored values."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import BinaryIO

import numpy as np

from pacs_panel.dicom.kind import kind
from pacs_panel.dicom.planes import needs_more, planes
from pacs_panel.errors import BadPixels, PacsPanelError, TooLarge
from pacs_panel.model import ImageHeader, Kept, Location, Passport, Stack
from pacs_panel.settings import Settings
from pacs_panel.volume import grid
from pacs_panel.volume.planes import fill
from pacs_panel.volume.values import Values, pictures

Array = np.ndarray
Opener = Callable[[Location], BinaryIO]
Plane = tuple[str, int]
"""SOP Instance UID and frame."""


def gather(
    kept: Sequence[Kept], opener: Opener, settings: Settings
) -> tuple[dict[Plane, tuple[Kept, ImageHeader]], list[str]]:
    """Every plane of these objects, and why others have none."""
    found: dict[Plane, tuple[Kept, ImageHeader]] = {}
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
    members: Sequence[tuple[Kept, ImageHeader]], values: Values, passport: Passport, opener: Opener, settings: Settings
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
    targets = pictures(out, values.samples)
    blank: dict[int, str] = {}
    numbered = itertools.groupby(enumerate(members), lambda pair: pair[1][0].sop_instance_uid)
    for uid, group in numbered:
        numbers, chosen = zip(*group, strict=True)
        reasons = _fill(chosen, [targets[n] for n in numbers], opener, settings)
        blank |= {n: f"object {uid}: {reason}" for n, reason in zip(numbers, reasons, strict=True) if reason}
    if len(blank) == len(members):
        raise BadPixels(next(iter(blank.values())))
    return out, blank


def _fill(
    members: Sequence[tuple[Kept, ImageHeader]], targets: Sequence[Array], opener: Opener, settings: Settings
) -> list[str]:
    """Planes of one object into their targets; why not, for each."""
    try:
        with opener(members[0][0].location) as file:
            return fill([image for _, image in members], file, targets, settings)
    except (PacsPanelError, OSError) as error:
        return [_reason(error)] * len(members)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"cannot be read ({error.strerror})"
    return str(getattr(error, "detail", "") or error)


def marked(stack: Stack, blank: Mapping[int, str]) -> Stack:
    """A stack whose passport tells which planes could not be decoded, and why."""
    some = f"{len(blank)} of {len(stack.members)} images cannot be decoded as a whole"
    reason = f"{stack.passport.reason} {some}: {'; '.join(dict.fromkeys(blank.values()))}."
    return replace(stack, passport=replace(stack.passport, reason=reason, blank=tuple(sorted(blank))))
