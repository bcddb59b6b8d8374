"""Dimensions beyond space: which attribute orders the images that lie at one and the same place."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pacs_panel.model import Dimension, ImageHeader

Value = float | str
Column = Sequence[ImageHeader]  # the images at one place

# Tried in this order: what states an order outright comes before what only happens to vary.
KEYS: tuple[tuple[str, str], ...] = (
    ("TemporalPositionIdentifier", "time"),
    ("EchoTime", "echo"),
    ("EchoNumbers", "echo"),
    ("DiffusionBValue", "b_value"),
    ("TriggerTime", "phase"),
    ("FrameReferenceTime", "time"),
    ("AcquisitionNumber", "acquisition"),
    ("AcquisitionTime", "time"),
    ("ContentTime", "time"),
    ("ImageType", "type"),
)
RANK = ("InstanceNumber", "instance")


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
    """

    dimensions: tuple[Dimension, ...]
    images: tuple[ImageHeader, ...]
    duplicates: tuple[ImageHeader, ...] = ()
    candidates: tuple[str, ...] = ()
    ambiguous: str = ""


def arrange(places: Sequence[Column]) -> Arrangement:
    """Order the images of a stack.

    The first of these that gives a complete grid, one image for each place and value, is used: one key of `KEYS`, two
    of them, the rank of Instance Number among the images of a place. If none does, then

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


def by_instance(image: ImageHeader) -> tuple[float, str]:
    """Sort key: Instance Number, those without one last; of equal ones, the SOP Instance UID."""
    return (instance_number(image), image.sop_instance_uid)


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
    known = [(key, name, values) for key, name in KEYS if len(values := _values(columns, key)) > 1]
    for size in (1, 2):
        for chosen in itertools.combinations(known, size):
            axes = [values for _, _, values in chosen]
            named_apart = len({name for _, name, _ in chosen}) == size
            if named_apart and len(columns) * math.prod(map(len, axes)) == count:
                keys = [key for key, _, _ in chosen]
                if (images := _grid(columns, keys, axes)) is not None:
                    return Arrangement(tuple(Dimension(n, k, v) for k, n, v in chosen), images)
    return None


def _values(columns: Sequence[Column], key: str) -> tuple[Value, ...]:
    """The values of ``key`` in order; none where an image lacks it, or where numbers and text are mixed."""
    values = {image.order.get(key) for column in columns for image in column}
    if all(isinstance(v, int | float) and math.isfinite(v) for v in values) or all(isinstance(v, str) for v in values):
        return tuple(sorted(values))  # type: ignore[arg-type]
    return ()


def _grid(
    columns: Sequence[Column], keys: Sequence[str], axes: Iterable[Sequence[Value]]
) -> tuple[ImageHeader, ...] | None:
    """Images in C order of (*axes, place), if there is exactly one for each; there are as many as there are cells."""
    cells = {
        (tuple(image.order[key] for key in keys), place): image
        for place, column in enumerate(columns)
        for image in column
    }
    wanted = [(values, place) for values in itertools.product(*axes) for place in range(len(columns))]
    return tuple(cells[cell] for cell in wanted) if all(cell in cells for cell in wanted) else None


def _by_rank(columns: Sequence[Column]) -> Arrangement | None:
    depth = len(columns[0])
    for column in columns:
        numbers = {instance_number(image) for image in column}
        if len(column) != depth or len(numbers) != depth or math.inf in numbers:
            return None
    images = tuple(column[rank] for rank in range(depth) for column in columns)
    keyword, name = RANK
    return Arrangement((Dimension(name, keyword, tuple(range(1, depth + 1))),), images)


def _ambiguous(columns: Sequence[Column]) -> Arrangement:
    candidates = tuple(key for key, _ in (*KEYS, RANK) if any(_varies(column, key) for column in columns))
    low, high = min(map(len, columns)), max(map(len, columns))
    held = f"{low}" if low == high else f"{low} to {high}"
    places = "The one place holds" if len(columns) == 1 else f"Each of {len(columns)} places holds"
    images = sorted(itertools.chain.from_iterable(columns), key=by_instance)
    why = f"Ambiguous: {places} {held} images, and no attribute orders them into a complete grid."
    return Arrangement((), tuple(images), candidates=candidates, ambiguous=why)


def _varies(column: Column, key: str) -> bool:
    return len({image.order.get(key) for image in column}) > 1
