"""Registrations: how one frame of reference lies in another (PS3.3 §C.20)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydicom import Dataset

from pacs_panel.dicom.dataset import numbers_of, text_of
from pacs_panel.model import Vector
from pacs_panel.overlay.documents.fields import (
    Head,
    Referenced,
    head,
    in_series,
    integers,
    item,
    items,
    references,
)

Matrix = tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class Grid:
    """A grid of displacements: its shape (x, y, z), spacing in mm, and the place of its first point."""

    shape: tuple[int, ...]
    spacing: tuple[float, ...]
    origin: Vector | None


@dataclass(frozen=True, slots=True)
class Transform:
    """How a frame of reference, or some images, lie in the registered frame of reference.

    Attributes
    ----------
    source : str
        Frame of Reference UID; may be empty where only images are named.
    matrix : 4 tuples of 4 floats, optional
        Takes ``(x, y, z, 1)`` of the source, LPS mm, to the registered one; all its steps multiplied. Of a deformable
        one: what comes before the grid. ``None`` where a step cannot be read.
    kinds : tuple of str
        ``RIGID``, ``RIGID_SCALE`` or ``AFFINE``, of each step.
    images : tuple of Referenced
    grid : Grid, optional
        Of a deformable registration.
    after : 4 tuples of 4 floats, optional
        What comes after the grid.
    """

    source: str
    matrix: Matrix | None
    kinds: tuple[str, ...]
    images: tuple[Referenced, ...] = ()
    grid: Grid | None = None
    after: Matrix | None = None


@dataclass(frozen=True, slots=True)
class Registration:
    """An object of transforms into one frame of reference."""

    head: Head
    label: str
    frame_of_reference: str
    transforms: tuple[Transform, ...]
    images: tuple[Referenced, ...] = ()


def registration(dataset: Dataset) -> Registration:
    """A registration from its data set."""
    rigid = tuple(_rigid(one) for one in items(dataset, "RegistrationSequence"))
    deformable = tuple(_deformable(one) for one in items(dataset, "DeformableRegistrationSequence"))
    return Registration(
        head(dataset),
        text_of(dataset, "ContentLabel"),
        text_of(dataset, "FrameOfReferenceUID"),
        rigid + deformable,
        in_series(dataset, "ReferencedInstanceSequence"),
    )


def _rigid(one: Dataset) -> Transform:
    steps = [step for each in items(one, "MatrixRegistrationSequence") for step in items(each, "MatrixSequence")]
    matrix, kinds = _product(steps)
    return Transform(text_of(one, "FrameOfReferenceUID"), matrix, kinds, references(one, "ReferencedImageSequence"))


def _deformable(one: Dataset) -> Transform:
    before, kinds = _product(items(one, "PreDeformationMatrixRegistrationSequence"))
    after, _ = _product(items(one, "PostDeformationMatrixRegistrationSequence"))
    grid = item(one, "DeformableRegistrationGridSequence")
    place = numbers_of(grid, "ImagePositionPatient", 3)
    return Transform(
        text_of(one, "SourceFrameOfReferenceUID"),
        before,
        kinds,
        references(one, "ReferencedImageSequence"),
        Grid(
            integers(grid, "GridDimensions"),
            numbers_of(grid, "GridResolution") or (),
            (place[0], place[1], place[2]) if place else None,
        )
        if len(grid)
        else None,
        after,
    )


def _product(steps: list[Dataset]) -> tuple[Matrix | None, tuple[str, ...]]:
    """All steps as one matrix: the first item is applied first (PS3.3 §C.20.2.1.1)."""
    whole = np.eye(4)
    for step in steps:
        numbers = numbers_of(step, "FrameOfReferenceTransformationMatrix", 16)
        if numbers is None:
            return None, _kinds(steps)
        whole = np.reshape(numbers, (4, 4)) @ whole
    return tuple(tuple(row) for row in whole.tolist()), _kinds(steps)


def _kinds(steps: list[Dataset]) -> tuple[str, ...]:
    return tuple(text_of(step, "FrameOfReferenceTransformationMatrixType") for step in steps)
