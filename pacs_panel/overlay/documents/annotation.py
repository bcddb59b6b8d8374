"""Microscopy annotations: groups of very many small figures on slides (PS3.3 §A.87, §C.37.1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from pacs_panel.dicom.dataset import number_of, text_of
from pacs_panel.errors import NotFound, Unreadable
from pacs_panel.overlay.documents.fields import (
    Code,
    Head,
    Referenced,
    code,
    data,
    head,
    in_series,
    integer,
    items,
    references,
)

POINTS = {"POINT": 1, "RECTANGLE": 4, "ELLIPSE": 4}  # of one figure


@dataclass(frozen=True, slots=True)
class AnnotationGroup:
    """Figures that mean the same.

    Attributes
    ----------
    number : int
    label, description, generation : str
        ``generation`` is ``MANUAL``, ``SEMIAUTOMATIC`` or ``AUTOMATIC``.
    category, type : Code, optional
        Of the annotated property.
    graphic : str
        ``POINT``, ``POLYLINE``, ``POLYGON``, ``ELLIPSE`` or ``RECTANGLE``.
    count : int
        Figures.
    measurements : tuple of str
        What was measured on each, with its unit.
    """

    number: int
    label: str
    description: str
    generation: str
    category: Code | None
    type: Code | None
    graphic: str
    count: int
    measurements: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Annotations:
    """An object of annotations; `pacs_panel.overlay.documents.read.coordinates` gives the figures themselves.

    ``coordinates`` is ``2D`` (pixels of the slide) or ``3D`` (mm on the slide).
    """

    head: Head
    label: str
    coordinates: str
    groups: tuple[AnnotationGroup, ...]
    images: tuple[Referenced, ...]


def annotated(dataset: Dataset) -> Annotations:
    """What the annotations of a data set are."""
    return Annotations(
        head(dataset),
        text_of(dataset, "ContentLabel"),
        text_of(dataset, "AnnotationCoordinateType"),
        tuple(_group(one) for one in items(dataset, "AnnotationGroupSequence")),
        references(dataset, "ReferencedImageSequence") or in_series(dataset, "ReferencedInstanceSequence"),
    )


def figures(dataset: Dataset, number: int, little: bool) -> list[NDArray[np.float64]]:
    """The points of each figure of the group with this number.

    Returns
    -------
    list of arrays of shape (points, 2) or (points, 3)
        2D: (column, row) of the total pixel matrix' pixel centres counted from 0; 3D: (x, y, z) in mm of the slide.

    Raises
    ------
    NotFound
        No such group.
    Unreadable
        Its indices do not fit its coordinates.
    """
    group = next((g for g in items(dataset, "AnnotationGroupSequence") if _number(g) == number), None)
    if group is None:
        raise NotFound(f"there is no annotation group {number}")
    order = "<" if little else ">"
    raw, kind = data(group, "DoublePointCoordinatesData"), f"{order}f8"
    if not raw:
        raw, kind = data(group, "PointCoordinatesData"), f"{order}f4"
    flat = np.frombuffer(raw, kind, len(raw) // int(kind[-1])).astype(float)
    common = number_of(group, "CommonZCoordinateValue")
    volume = text_of(dataset, "AnnotationCoordinateType") == "3D"
    width = 3 if volume and common is None else 2
    points = flat[: len(flat) - len(flat) % width].reshape(-1, width)
    if volume and common is not None:
        points = np.column_stack([points, np.full(len(points), common)])
    elif not volume:
        points = points - 0.5  # DICOM counts from the first pixel's corner
    return _split(points, _starts(group, order, len(points), width))


def _starts(group: Dataset, order: str, number: int, width: int) -> NDArray[np.int64]:
    """First point of each figure; the file counts numbers, not points, from 1 (PS3.3 §C.37.1.2)."""
    graphic = text_of(group, "GraphicType")
    if graphic in POINTS:
        return np.arange(0, number - number % POINTS[graphic], POINTS[graphic])
    raw = data(group, "LongPrimitivePointIndexList")
    starts = np.frombuffer(raw, f"{order}u4", len(raw) // 4).astype(np.int64) - 1
    if len(starts) and (starts[0] < 0 or (np.diff(starts) <= 0).any() or starts[-1] >= number * width):
        raise Unreadable("the indices of an annotation group do not fit its coordinates")
    if (starts % width).any():
        raise Unreadable("an index of an annotation group points into the middle of a point")
    return starts // width


def _split(points: NDArray[np.float64], starts: NDArray[np.int64]) -> list[NDArray[np.float64]]:
    return np.split(points, starts[1:]) if len(starts) else []


def _number(group: Dataset) -> int:
    return integer(group, "AnnotationGroupNumber")


def _group(one: Dataset) -> AnnotationGroup:
    measured = (
        f"{code(m, 'ConceptNameCodeSequence') or 'unnamed'} ({code(m, 'MeasurementUnitsCodeSequence') or 'no unit'})"
        for m in items(one, "MeasurementsSequence")
    )
    return AnnotationGroup(
        _number(one),
        text_of(one, "AnnotationGroupLabel"),
        text_of(one, "AnnotationGroupDescription"),
        text_of(one, "AnnotationGroupGenerationType"),
        code(one, "AnnotationPropertyCategoryCodeSequence"),
        code(one, "AnnotationPropertyTypeCodeSequence"),
        text_of(one, "GraphicType"),
        integer(one, "NumberOfAnnotations"),
        tuple(measured),
    )
