"""From the images of a series to stacks: what belongs together, and in which order.

The rules, in the order in which they act:

1. Every frame of a multi-frame object, and every tile of a mosaic, is an image of its own. Those of an object whose
   frames have no place stand alone, and so do those of a dose, which is a whole; so does every image that differs in
   size, type, frame of reference or in what kind of dose it is.
2. Images with a place in the patient are parted by orientation and Pixel Spacing, and, where all planes hold the same
   few offsets (stations side by side), by offset. Images without a place are parted by the reason for it.
3. Slices increase along the normal ``row × column``, so ``(column, row, slice)`` is a right-handed system.
4. Several images at one place: a further dimension, duplicates, or an ambiguity (`pacs_panel.geometry.dimension`).
5. The places are measured (`pacs_panel.geometry.passport`).
6. Objects that show the same area of a slide are levels of the finest (`pacs_panel.geometry.pyramid`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pacs_panel.geometry import affine as affines
from pacs_panel.geometry import passport as passports
from pacs_panel.geometry.affine import Array
from pacs_panel.geometry.dimension import Arrangement, arrange, by_instance, number
from pacs_panel.geometry.pyramid import joined
from pacs_panel.model import Dimension, ImageHeader, Passport, Stack, Tolerance, Vector

RULES = "5"
"""Version of these rules, part of a revision's identity: raised whenever the same images would give other stacks."""

CHANNEL = Dimension("channel", "PhotometricInterpretation", ("red", "green", "blue"))
"""The last dimension of images in colour; their planes are still counted without it."""

Images = list[ImageHeader]
Frame = tuple[passports.Cosines, tuple[float, float]]
PIXEL_SPACING = 1e-4  # relative; 0.05 of a pixel over 512


def stacks(images: Sequence[ImageHeader], tolerance: Tolerance = passports.DEFAULT) -> tuple[Stack, ...]:
    """The stacks of a series, whatever the order of its images.

    Parameters
    ----------
    images : sequence of ImageHeader
        One for each plane: for each SOP Instance UID and frame.
    tolerance : Tolerance

    Returns
    -------
    tuple of Stack
        Most voxels first; equal ones by their first Instance Number, then SOP Instance UID. Every image is a member or
        a duplicate of exactly one stack, or of one of its levels.
    """
    made: list[tuple[tuple[float, float, str], Stack]] = []
    for group in _parted(_in_order(images), _kind):
        for stack in _of_one_kind(group, tolerance):
            made.append((_rank(stack, group), stack))
    return joined([stack for _, stack in sorted(made, key=lambda pair: pair[0])], images)


def _in_order(images: Sequence[ImageHeader]) -> Images:
    """By SOP Instance UID and frame; where one occurs twice, the rest decides, so nothing is left to chance."""
    repeated = len({(image.sop_instance_uid, image.frame) for image in images}) < len(images)
    return sorted(images, key=lambda image: (image.sop_instance_uid, image.frame, repr(image) if repeated else ""))


def _kind(image: ImageHeader) -> Hashable:
    """What must be equal for images to share an array."""
    dose = "DoseGridScaling" in image.order
    whole = image.matrix or (image.frames != 1 and (dose or image.position is None))
    alone = image.sop_instance_uid if whole else ""
    what = (dose, *(image.order.get(keyword) for keyword in ("DoseType", "DoseSummationType")))
    shape = (image.rows, image.columns, image.samples)
    bits = (image.bits_allocated, image.bits_stored, image.high_bit, image.signed)
    unit = (image.units, image.slope is None and image.table is None)
    return (*shape, *bits, *unit, *what, image.photometric, image.frame_of_reference, alone)


def _rank(stack: Stack, group: Images) -> tuple[float, float, str]:
    members = set(stack.members)
    first = min((image for image in group if image.sop_instance_uid in members), key=by_instance)
    voxels = len(stack.members) * first.rows * first.columns
    number, uid, _ = by_instance(first)
    return (-voxels, number, uid)


def _parted(images: Iterable[ImageHeader], key: Callable[[ImageHeader], Hashable]) -> list[Images]:
    groups: dict[Hashable, Images] = defaultdict(list)
    for image in images:
        groups[key(image)].append(image)
    return list(groups.values())


# -- images of one kind ------------------------------------------------------------------------------------------------


def _of_one_kind(images: Images, tolerance: Tolerance) -> list[Stack]:
    made = []
    for group in _parted(images, lambda image: _placeless(image, tolerance)):
        if reason := _placeless(group[0], tolerance):
            made += [_unplaced(part, reason, tolerance) for part in _parted(group, _calibration)]
        else:
            made += [_placed(part, frame, tolerance) for part, frame in _aligned(group, tolerance)]
    return made


def _placeless(image: ImageHeader, tolerance: Tolerance) -> str:
    """Why an image cannot be placed in the patient; empty where it can."""
    if image.matrix:
        return "One large image, in tiles."
    if "MOSAIC" in str(image.order.get("ImageType", "")).upper() and not image.tiles:
        return "A mosaic: slices tiled in one image, whose number its header does not tell."
    if image.tiles and image.position is None:
        return "The tiles of a mosaic, whose place its header does not tell."
    if image.frames != 1 and image.position is None:
        return "The frames of one object, which have no place in the patient."
    return passports.flaw(image.position, image.orientation, image.spacing, tolerance)


def _calibration(image: ImageHeader) -> Hashable:
    return (repr(image.spacing), repr(image.imager_spacing), image.aspect)  # as text, since NaN does not equal itself


def _unplaced(images: Images, reason: str, tolerance: Tolerance) -> Stack:
    ordered = sorted(images, key=by_instance)
    first = ordered[0]
    passport = passports.without_place(
        reason,
        (len(ordered), first.rows, first.columns),
        first.spacing,
        first.imager_spacing,
        aspect=first.aspect,
        tolerance=tolerance,
        frame_of_reference=first.frame_of_reference,
    )
    return _stack(passport, ordered)


def _stack(passport: Passport, images: Sequence[ImageHeader]) -> Stack:
    frames = tuple(image.frame for image in images)
    if images[0].samples == 3 or images[0].palette:
        passport = replace(passport, dimensions=(*passport.dimensions, CHANNEL))
    return Stack(passport, tuple(image.sop_instance_uid for image in images), frames if any(frames) else ())


# -- images with a place in the patient --------------------------------------------------------------------------------


def _aligned(images: Images, tolerance: Tolerance) -> list[tuple[Images, Frame]]:
    """Parts that share orientation, Pixel Spacing and course, each with its most frequent orientation and spacing."""
    counts = Counter(_frame(image) for image in images)
    leaders: list[Frame] = []
    leader: dict[Frame, Frame] = {}
    for frame in sorted(counts, key=lambda f: (-counts[f], f)):
        leader[frame] = next((known for known in leaders if _alike(known, frame, tolerance)), frame)
        if leader[frame] is frame:
            leaders.append(frame)
    groups = _parted(images, lambda image: leader[_frame(image)])
    framed = [(group, leader[_frame(group[0])]) for group in groups]
    return [(part, frame) for group, frame in framed for part in _stations(group, frame, tolerance)]


def _frame(image: ImageHeader) -> Frame:
    if image.orientation is None or image.spacing is None:
        raise ValueError(f"image {image.sop_instance_uid} has no orientation or no pixel spacing")
    return (image.orientation, image.spacing)


def _position(image: ImageHeader) -> Vector:
    if image.position is None:
        raise ValueError(f"image {image.sop_instance_uid} has no position")
    return image.position


def _alike(one: Frame, other: Frame, tolerance: Tolerance) -> bool:
    if not np.allclose(one[1], other[1], rtol=PIXEL_SPACING, atol=0):
        return False
    pairs = zip(affines.directions(one[0])[:2], affines.directions(other[0])[:2], strict=True)
    # The chord between unit vectors tells small angles apart where the cosine is flat.
    chord = max(float(np.linalg.norm(a - b)) for a, b in pairs)
    return bool(chord <= 2 * np.sin(np.radians(tolerance.angle) / 2))


def _cells(images: Images, frame: Frame, tolerance: Tolerance) -> NDArray[np.intp]:
    """Place of each image, shape (n, 3): numbers of equal coordinates along normal, row and column direction."""
    row, column, normal = affines.directions(frame[0])
    places = np.asarray([_position(image) for image in images], float)
    near = passports.same_place(frame[1], tolerance)
    return np.stack([_runs(places @ axis, near) for axis in (normal, row, column)], axis=1)


def _runs(values: Array, near: float) -> NDArray[np.intp]:
    """Number, in increasing order, of the run that each value belongs to; ``near`` ones follow each other in a run."""
    order = np.argsort(values, kind="stable")
    numbers = np.empty(len(values), np.intp)
    numbers[order] = np.concatenate([[0], np.cumsum(np.diff(values[order]) > near)])
    return numbers


def _stations(images: Images, frame: Frame, tolerance: Tolerance) -> list[Images]:
    """Parts with the same offset within the plane, where every offset is one that a single plane shows too.

    Coronal stations of a whole body lie side by side in the same planes: each of them is a volume. Sheared slices
    have an offset each, and stay together.
    """
    cells = np.unique(_cells(images, frame, tolerance), axis=0)
    most = np.bincount(cells[:, 0]).max()
    if most == 1 or len(np.unique(cells[:, 1:], axis=0)) != most:
        return [images]
    offsets = [tuple(cell) for cell in _cells(images, frame, tolerance)[:, 1:].tolist()]
    parts: dict[tuple[int, ...], Images] = defaultdict(list)
    for image, offset in zip(images, offsets, strict=True):
        parts[offset].append(image)
    return list(parts.values())


def _placed(images: Images, frame: Frame, tolerance: Tolerance) -> Stack:
    cells = [tuple(cell) for cell in _cells(images, frame, tolerance).tolist()]
    places: dict[tuple[int, ...], Images] = defaultdict(list)
    for image, cell in zip(images, cells, strict=True):
        places[cell].append(image)
    arrangement = arrange([places[cell] for cell in sorted(places)])
    return _stack(_passport(arrangement, len(places), frame, tolerance), arrangement.images)


def _passport(arrangement: Arrangement, slices: int, frame: Frame, tolerance: Tolerance) -> Passport:
    orientation, spacing = frame
    images = arrangement.images
    first = images[0]
    uid = first.frame_of_reference
    if arrangement.ambiguous:
        shape = (len(images), first.rows, first.columns)
        made = passports.without_place(
            arrangement.ambiguous, shape, spacing, tolerance=tolerance, frame_of_reference=uid
        )
        positions = tuple(_position(image) for image in images)
        return replace(made, positions=positions, candidates=arrangement.candidates)
    made = passports.measure(
        [_position(image) for image in images[:slices]],
        orientation,
        spacing,
        (slices, first.rows, first.columns),
        assumed_step=_stated_step(first),
        tolerance=tolerance,
        frame_of_reference=uid,
    )
    duplicates = tuple(image.sop_instance_uid for image in arrangement.duplicates)
    told = (made.reason, _left_out(arrangement) if duplicates else "", arrangement.note)
    reason = " ".join(filter(None, told))
    return replace(made, dimensions=arrangement.dimensions, duplicates=duplicates, reason=reason)


def _left_out(arrangement: Arrangement) -> str:
    count = len(arrangement.duplicates)
    return f"{count} further {'image lies' if count == 1 else 'images lie'} at a place already taken."


def _stated_step(image: ImageHeader) -> tuple[str, float] | None:
    """What an attribute says of the distance to the next slice; Spacing Between Slices may be negative in NM."""
    for keyword in ("SpacingBetweenSlices", "SliceThickness"):
        if (step := abs(number(image, keyword, 0.0))) > 0:
            return (keyword, step)
    return None
