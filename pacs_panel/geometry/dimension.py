"""Dimensions beyond space: which attribute orders the images that lie at one and the same place."""

from __future__ import annotations

import datetime
import itertools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pacs_panel.model import Dimension, ImageHeader, Vector

Column = Sequence[ImageHeader]  # the images at one place

# Tried in this order: what states an order outright comes before what only happens to vary.
KEYS: tuple[tuple[str, str], ...] = (
    ("TemporalPositionIdentifier", "time"),
    ("TemporalPositionIndex", "time"),
    ("ComplexImageComponent", "component"),
    ("EchoTime", "echo"),
    ("EchoNumbers", "echo"),
    ("DiffusionBValue", "b_value"),
    ("DiffusionBValue,DiffusionGradientOrientation", "diffusion"),
    ("TriggerTime", "phase"),
    ("FrameReferenceTime", "time"),
    ("TemporalPositionTimeOffset", "time"),
    ("AcquisitionNumber", "acquisition"),
    ("FrameReferenceDateTime", "time"),
    ("FrameAcquisitionDateTime", "time"),
    ("AcquisitionTime", "time"),
    ("ContentTime", "time"),
    ("ImageType", "type"),
)
RANK = ("InstanceNumber", "instance")
INDEX = "DimensionIndexValues."
DIFFUSION = "DiffusionBValue,DiffusionGradientOrientation"
DATES = {"AcquisitionTime": "AcquisitionDate", "ContentTime": "ContentDate"}
DATE_TIMES = ("FrameReferenceDateTime", "FrameAcquisitionDateTime")
DAY = 86_400.0
OVER_NIGHT = "Their times, without a date, lie more than half a day apart: they are taken to pass midnight."
ONE_DAY = "Their times, without a date, lie more than half a day apart: they are of one day, as Instance Numbers say."
DATE_STUCK = "They all state one date, but are taken to pass midnight, as Instance Numbers say."


@dataclass(frozen=True, slots=True)
class Arrangement:
    """Images in order.

    Attributes
    ----------
    dimensions : tuple of Dimension
        Outermost first; empty where there is one image a place.
    images : tuple of ImageHeader
        In C order of ``(*dimensions, place)``; in order of Instance Number where ``ambiguous``.
    duplicates : tuple of ImageHeader
        Further images at a place, which are not among ``images``.
    candidates : tuple of str
        Keywords that vary at a place, but order nothing; named where ``ambiguous``.
    ambiguous : str
        Why there is no grid; empty where there is one.
    note : str
        What was taken for granted in the order, as of times without a date.
    """

    dimensions: tuple[Dimension, ...]
    images: tuple[ImageHeader, ...]
    duplicates: tuple[ImageHeader, ...] = ()
    candidates: tuple[str, ...] = ()
    ambiguous: str = ""
    note: str = ""


def arrange(places: Sequence[Column]) -> Arrangement:
    """Order the images of a stack.

    The first of these that gives a complete grid, one image for each place and value, is used: one key of `KEYS`, or
    of the dimensions that an enhanced object declares; two of them; the rank of Instance Number and frame among the
    images of a place. Acquisitions that have a time each are told by that. If none does, then

    - where at most half of the places hold more than one image, those are duplicates: the lowest Instance Number stays
      (of equal ones the first SOP Instance UID);
    - else the order is ambiguous, and nothing is left out.

    Parameters
    ----------
    places : sequence of sequences of ImageHeader
        Images at each place, in the order of the places.
    """
    columns = [sorted(place, key=by_instance) for place in places]
    crowded = sum(len(column) > 1 for column in columns)
    if crowded == 0:
        return Arrangement((), tuple(column[0] for column in columns))
    if (found := _by_keys(columns) or _by_rank(columns)) is not None:
        return found
    if 2 * crowded <= len(columns):
        spare = (image for column in columns for image in column[1:])
        return Arrangement((), tuple(c[0] for c in columns), tuple(sorted(spare, key=by_instance)))
    return _ambiguous(columns)


def by_instance(image: ImageHeader) -> tuple[float, str, int]:
    """Sort key: Instance Number, those without one last; of equal ones, the SOP Instance UID, then the frame."""
    return (instance_number(image), image.sop_instance_uid, image.frame)


def instance_number(image: ImageHeader) -> float:
    """Instance Number, infinite where there is none."""
    return number(image, "InstanceNumber", math.inf)


def number(image: ImageHeader, keyword: str, default: float = math.nan) -> float:
    """Value of one of the ordering attributes as a finite number, else ``default``."""
    try:
        value = float(image.order.get(keyword, default))
    except (TypeError, ValueError):
        return default
    return value if math.isfinite(value) else default


def _by_keys(columns: Sequence[Column]) -> Arrangement | None:
    count = sum(map(len, columns))
    keys = (*KEYS, *_declared(columns))
    axes = _timed([axis for key, name in keys if (axis := _axis(columns, key, name)) is not None])
    for size in (1, 2):
        for chosen in itertools.combinations(axes, size):
            if len({axis.name for axis in chosen}) < size:
                continue
            cells = len(columns) * math.prod(len(axis.values) for axis in chosen)
            if cells == count and (images := _grid(columns, chosen)) is not None:
                note = " ".join(filter(None, (axis.note for axis in chosen)))
                return Arrangement(_described(chosen, images, len(columns)), images, note=note)
    return None


def _timed(axes: Sequence[_Axis]) -> list[_Axis]:
    """Numbers of acquisitions last where times of acquisition tell the same: one each, which rises with the number.

    Acquisitions that differ in their diffusion weighting are no time series.
    """
    of = {axis.key: axis.of for axis in axes}
    numbers, times = of.get("AcquisitionNumber", {}), of.get("AcquisitionTime", {})
    pairs = sorted({(number, times[image]) for image, number in numbers.items() if image in times})
    rising = all(one[0] < other[0] and one[1] < other[1] for one, other in itertools.pairwise(pairs))
    same = bool(pairs) and rising and "DiffusionBValue" not in of
    return sorted(axes, key=lambda axis: same and axis.key == "AcquisitionNumber")


def _declared(columns: Sequence[Column]) -> list[tuple[str, str]]:
    """Dimensions that enhanced objects declare (PS3.3 §C.7.6.17), by their index, and named after their attribute."""
    found = {key for column in columns for image in column for key in image.order if key.startswith(INDEX)}
    return [(key, re.sub(r"(?<=[a-z])(?=[A-Z])", "_", key.removeprefix(INDEX)).lower()) for key in sorted(found)]


@dataclass(frozen=True, slots=True)
class _Axis:
    """What may be a dimension: the values of a key in order, and which of them each image has."""

    name: str
    key: str
    values: tuple[Any, ...]
    of: Mapping[tuple[str, int], Any]
    note: str = ""


def _axis(columns: Sequence[Column], key: str, name: str) -> _Axis | None:
    """The axis of a key; ``None`` where an image lacks it, or where all have the same, or numbers and text."""
    images = [image for column in columns for image in column]
    found: Sequence[Any] = [_value(image, key) for image in images]
    note = ""
    if key in DATES or key in DATE_TIMES:
        found, note = _seconds(columns, key)
    kinds = {type(value) for value in found}
    if len(kinds) != 1 or kinds == {type(None)} or len(set(found)) < 2:
        return None
    if key == DIFFUSION:  # in the order in which they were acquired, as every list of directions is
        first: dict[Any, tuple[float, str, int]] = {}
        for image, value in sorted(zip(images, found, strict=True), key=lambda pair: by_instance(pair[0])):
            first.setdefault(value, by_instance(image))
        values = tuple(first)
    else:
        values = tuple(sorted(set(found)))
    of = {(image.sop_instance_uid, image.frame): value for image, value in zip(images, found, strict=True)}
    return _Axis(name, key, values, of, note)


def _value(image: ImageHeader, key: str) -> Any:
    if key == DIFFUSION:
        b = _value(image, "DiffusionBValue")
        return None if b is None else (b, direction(image))
    value = image.order.get(key)
    if isinstance(value, int | float):
        return float(value) if math.isfinite(value) else None
    return value


def direction(image: ImageHeader) -> Vector | tuple[()]:
    """Diffusion gradient direction of an image, LPS; empty where it has none."""
    try:
        x, y, z = (float(part) for part in str(image.order["DiffusionGradientOrientation"]).split("\\"))
    except (KeyError, ValueError):
        return ()
    return (x, y, z)


def _seconds(columns: Sequence[Column], key: str) -> tuple[list[float | None], str]:
    """Seconds after the first image, and what had to be taken for granted, in words.

    Where no date is stated and the times of day span more than half a day, the early ones are after midnight, unless
    Instance Numbers rise with the times as they stand; where all have one and the same date, they are after midnight
    only if Instance Numbers say so. Where only some state a zone, none is told.
    """
    images = [image for column in columns for image in column]
    dates = [str(image.order.get(DATES.get(key, ""), "")) for image in images]
    if not all(dates):
        dates = [""] * len(images)  # beside a date, none is no date at all
    times = [_moment(str(image.order.get(key, "")), date) for image, date in zip(images, dates, strict=True)]
    zoned = {re.search(r"[+-]\d{4}$", str(image.order.get(key, ""))) is not None for image in images}
    known = [time for time in times if time is not None]
    if len(known) < len(times) or len(zoned) > 1:
        return [None] * len(times), ""
    note = ""
    if key in DATES and len(set(dates)) == 1 and max(known) - min(known) > DAY / 2:
        later = [time + DAY if time % DAY < DAY / 2 else time for time in known]
        if any(dates):
            known, note = (later, DATE_STUCK) if _in_order(columns, later) else (known, "")
        else:
            known, note = (known, ONE_DAY) if _in_order(columns, known) else (later, OVER_NIGHT)
    return [round(time - min(known), 6) for time in known], note


def _in_order(columns: Sequence[Column], times: Sequence[float]) -> bool:
    """Whether times, one an image, never fall from one Instance Number to the next at a place, and all have numbers."""
    left = iter(times)
    for column in columns:  # each is sorted by Instance Number
        here = list(itertools.islice(left, len(column)))
        if len({instance_number(image) for image in column} - {math.inf}) < len(column) or here != sorted(here):
            return False
    return True


def _moment(text: str, date: str = "") -> float | None:
    """Seconds from a fixed moment to a time (TM) of a date (DA), or to a date and time (DT), if it is one."""
    match = re.fullmatch(r"(\d{8})?(\d{2})(\d{2})(\d{2}(?:\.\d{1,6})?)([+-]\d{4})?", f"{date}{text}".replace(":", ""))
    if match is None:
        return None
    day, hour, minute, second, zone = match.groups()
    ahead = int(f"{zone[0]}1") * (int(zone[1:3]) * 3600 + int(zone[3:]) * 60) if zone else 0
    try:
        days = datetime.date(int(day[:4]), int(day[4:6]), int(day[6:])).toordinal() if day else 0
    except ValueError:
        return None
    return days * DAY + int(hour) * 3600 + int(minute) * 60 + float(second) - ahead


def _grid(columns: Sequence[Column], axes: Sequence[_Axis]) -> tuple[ImageHeader, ...] | None:
    """Images in C order of (*axes, place), if there is exactly one for each; there are as many as there are cells."""
    cells = {
        (tuple(axis.of[image.sop_instance_uid, image.frame] for axis in axes), place): image
        for place, column in enumerate(columns)
        for image in column
    }
    products = itertools.product(*(axis.values for axis in axes))
    wanted = [(values, place) for values in products for place in range(len(columns))]
    return tuple(cells[cell] for cell in wanted) if all(cell in cells for cell in wanted) else None


def _described(axes: Sequence[_Axis], images: Sequence[ImageHeader], places: int) -> tuple[Dimension, ...]:
    """Axes as dimensions; a single one tells the diffusion weighting of its positions, too."""
    made = []
    for axis in axes:
        values = tuple(value[0] for value in axis.values) if axis.key == DIFFUSION else axis.values
        made.append(Dimension(axis.name, axis.key, values))
    return (diffusion(made[0], images, places),) if len(made) == 1 else tuple(made)


def diffusion(dimension: Dimension, images: Sequence[ImageHeader], places: int) -> Dimension:
    """A dimension with b-values and directions, where all images of each position agree in them."""
    positions = [images[first : first + places] for first in range(0, len(images), places)]
    weights = [{_value(image, DIFFUSION) for image in position} for position in positions]
    if any(len(weight) != 1 or None in weight for weight in weights):
        return dimension
    pairs = [next(iter(weight)) for weight in weights]
    directions = tuple(vector or None for _, vector in pairs)
    if not any(b for b, _ in pairs):
        return dimension  # some scanners write a b-value of 0 into everything
    return replace(dimension, b_values=tuple(b for b, _ in pairs), directions=directions if any(directions) else ())


def _by_rank(columns: Sequence[Column]) -> Arrangement | None:
    depth = len(columns[0])
    for column in columns:
        ranks = {(instance_number(image), image.frame) for image in column}
        if len(column) != depth or len(ranks) != depth or any(math.isinf(number) for number, _ in ranks):
            return None
    images = tuple(column[rank] for rank in range(depth) for column in columns)
    keyword, name = RANK
    dimension = Dimension(name, keyword, tuple(float(rank) for rank in range(1, depth + 1)))
    return Arrangement((diffusion(dimension, images, len(columns)),), images)


def _ambiguous(columns: Sequence[Column]) -> Arrangement:
    keys = (*KEYS, *_declared(columns), RANK)
    candidates = tuple(key for key, _ in keys if key != DIFFUSION and any(_varies(column, key) for column in columns))
    low, high = min(map(len, columns)), max(map(len, columns))
    held = f"{low}" if low == high else f"{low} to {high}"
    places = "The one place holds" if len(columns) == 1 else f"Each of {len(columns)} places holds"
    images = sorted(itertools.chain.from_iterable(columns), key=by_instance)
    why = f"Ambiguous: {places} {held} images, and no attribute orders them into a complete grid."
    return Arrangement((), tuple(images), candidates=candidates, ambiguous=why)


def _varies(column: Column, key: str) -> bool:
    return len({image.order.get(key) for image in column}) > 1
