"""The objects of a whole slide that are levels of one image (PS3.3 §C.8.12.4): same glass, same area, same light.

The finest object is the stack; coarser ones of the same area are its levels, corner on corner. What does not fit stays
a stack of its own, whose passport says why; so do label, overview and thumbnail.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace

from pacs_panel.model import ImageHeader, Resolution, Slide, Stack, Vector

LEVEL = "VOLUME"
OTHERS = {"LABEL": "label", "OVERVIEW": "overview", "THUMBNAIL": "thumbnail"}
COSINES = 1e-4
WHOLE = 1e-6  # relative: what decimal text leaves of a ratio of two spacings
APART = 1.1  # ratio of two resolutions that are not the same

Planes = dict[tuple[str, float], ImageHeader]


@dataclass
class _Pyramid:
    """A stack, and the objects that are found to be its levels."""

    stack: Stack
    planes: Planes
    why: str = ""
    levels: list[Resolution] = field(default_factory=list)


def joined(stacks: Sequence[Stack], images: Sequence[ImageHeader]) -> tuple[Stack, ...]:
    """The stacks of a series, in their order, where objects of the same area of a slide are levels of the finest.

    Parameters
    ----------
    stacks : sequence of Stack
        Of each object of a slide one, the finest first among those of a kind.
    images : sequence of ImageHeader
        All their planes.
    """
    if not any(image.slide for image in images):
        return tuple(stacks)
    known = {(image.sop_instance_uid, image.frame): image for image in images}
    found = [(stack, [known[plane] for plane in stack.planes()]) for stack in stacks]
    told = {stack.planes(): _alone(stack, planes) for stack, planes in found}
    candidates = [(stack, named) for stack, planes in found if (named := _by_place(planes)) is not None]
    candidates.sort(key=lambda pair: -pair[0].passport.shape[1] * pair[0].passport.shape[2])
    made: list[_Pyramid] = []
    for stack, named in candidates:
        reasons = []
        for pyramid in made:
            level = _level(pyramid, stack, named)
            if isinstance(level, Resolution):
                pyramid.levels.append(level)
                del told[stack.planes()]
                break
            reasons.append(level)
        else:
            made.append(_Pyramid(stack, named, reasons[0] if reasons else ""))
    told |= {pyramid.stack.planes(): _finished(pyramid) for pyramid in made}
    return tuple(told[stack.planes()] for stack in stacks if stack.planes() in told)


def _alone(stack: Stack, planes: Sequence[ImageHeader]) -> Stack:
    """A stack that is no level, with the reason where it is one of a slide."""
    slide = planes[0].slide
    if slide is None:
        return stack
    if slide.flavour in OTHERS:
        return _with_reason(stack, f"It is the slide's {OTHERS[slide.flavour]}.")
    if slide.part:
        return _with_reason(stack, "It is one part of several.")
    if slide.flavour == LEVEL and _by_place(planes) is None:
        return _with_reason(stack, "It is not told which of its focal planes is which.")
    return stack


def _by_place(planes: Sequence[ImageHeader]) -> Planes | None:
    """Planes of one object by optical path and focal plane; ``None`` where it can be no level."""
    named = {(slide.path, slide.depth): image for image in planes if (slide := image.slide) is not None}
    slide = planes[0].slide
    whole = slide is not None and slide.flavour == LEVEL and not slide.part
    return named if whole and len(named) == len(planes) else None


def _finished(pyramid: _Pyramid) -> Stack:
    stack = _with_reason(pyramid.stack, pyramid.why)
    if not pyramid.levels:
        return stack
    names = " and ".join(", ".join(level.share for level in pyramid.levels).rsplit(", ", 1))
    one = len(pyramid.levels) == 1
    told = f"level {names} is an object of its own" if one else f"levels {names} are objects of their own"
    stack = _with_reason(stack, f"Its {told}.")
    return replace(stack, passport=replace(stack.passport, levels=tuple(pyramid.levels)))


def _with_reason(stack: Stack, more: str) -> Stack:
    reason = " ".join(filter(None, (stack.passport.reason, more)))
    return replace(stack, passport=replace(stack.passport, reason=reason))


def _level(pyramid: _Pyramid, stack: Stack, planes: Planes) -> Resolution | str:
    """A stack as a level of another; or why it is none, in words."""
    fine, coarse = next(iter(pyramid.planes.values())), next(iter(planes.values()))
    factors = _factors(fine, coarse)
    why = _difference(fine, coarse, pyramid.planes, planes)
    if not why and factors is None:
        why = "its size is another area's"
    if why or factors is None:
        return f"It is no level of object {fine.sop_instance_uid}: {why}."
    for uid, taken in [(fine.sop_instance_uid, 1.0), *((x.sop_instance_uid, max(x.factors)) for x in pyramid.levels)]:
        if max(factors) < APART * taken:
            return f"It is no level of object {fine.sop_instance_uid}: object {uid} has that resolution."
    frames = tuple(planes[place].frame for place in pyramid.planes)
    return Resolution(stack.members[0], frames, stack.passport.shape, factors)


def _difference(fine: ImageHeader, coarse: ImageHeader, these: Planes, others: Planes) -> str:
    """What tells that two objects do not show the same in the same way; empty where nothing does."""
    one, other = fine.slide or Slide(""), coarse.slide or Slide("")
    if not fine.frame_of_reference or fine.frame_of_reference != coarse.frame_of_reference:
        return "it has another frame of reference, or none"
    if one.container != other.container:
        return "it is of another container"
    if why := _apart(one, other, min(coarse.spacing) / 2 if coarse.spacing else 0.0):
        return why
    if these.keys() != others.keys():
        paths = {path for path, _ in these} != {path for path, _ in others}
        return f"it has another {'optical path' if paths else 'focal plane'}"
    if any(_pixel(image) != _pixel(others[place]) for place, image in these.items()):
        return "its pixels are of another type"
    return ""


def _apart(one: Slide, other: Slide, near: float) -> str:
    """Why two objects do not begin at one place of the glass, in one direction; ``near`` is what pixels can tell, mm.

    That is half a pixel of the coarser: some state the place of a pixel's corner, some that of its centre.
    """
    if not (one.origin and other.origin and one.orientation and other.orientation):
        return "it is not told where on the slide both lie"
    if max(abs(a - b) for a, b in zip(one.orientation, other.orientation, strict=True)) > COSINES:
        return "it lies in another direction"
    if max(abs(a - b) for a, b in zip(one.origin, other.origin, strict=True)) > near + WHOLE:
        return "it begins at another place"
    return ""


def _pixel(image: ImageHeader) -> Hashable:
    """What must be equal for pixels to share a lookup: how colours were encoded must not."""
    if image.samples == 3 or image.palette:
        return ("colour", 8 if image.palette else image.bits_stored, image.signed and not image.palette)
    values = (image.slope, image.intercept, image.table, image.padding, image.units, image.supplemental)
    return (image.bits_allocated, image.bits_stored, image.signed, image.photometric, *values)


def _factors(fine: ImageHeader, coarse: ImageHeader) -> Vector | None:
    """Pixels of one that a pixel of the other spans, as their spacings say; ``None`` where sizes say otherwise.

    Without spacings the sizes tell, whose ratio must then be the same along rows and columns.
    """
    sizes = [(fine.rows, coarse.rows), (fine.columns, coarse.columns)]
    if fine.spacing and coarse.spacing:
        down, across = (_whole(large / small) for small, large in zip(fine.spacing, coarse.spacing, strict=True))
        fits = [(down, *sizes[0]), (across, *sizes[1])]
    elif fine.spacing or coarse.spacing:
        return None
    else:
        down, across = (_whole(large / small) for large, small in sizes)
        fits = [(across, *sizes[0]), (down, *sizes[1])]
    if min(down, across) < 1 or any(abs(large / factor - small) > 1 for factor, large, small in fits):
        return None
    return (1, down, across)


def _whole(ratio: float) -> float:
    return round(ratio) if abs(ratio - round(ratio)) <= WHOLE * ratio else ratio
