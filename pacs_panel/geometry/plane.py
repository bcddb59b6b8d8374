"""Planes of a volume: how to draw its own three, what their edges are called, and grids for any other.

Screens are drawn as radiologists expect them: the patient's right is on the left of axial and coronal planes, anterior
on the left of sagittal ones; anterior is up on axial planes, superior on the others.

Everything here takes the affine of a passport, ``(column, row, slice, 1)`` to LPS mm. That of an ``irregular`` stack
holds at slice 0 only: draw its slices by it, but nothing across them.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pacs_panel.geometry import affine as affines
from pacs_panel.geometry.affine import Array

Name = Literal["axial", "coronal", "sagittal"]
NAMES: tuple[Name, ...] = ("sagittal", "coronal", "axial")  # by the patient axis (x, y, z) they are passed along
NEAR = 0.8  # cosine, 37°: a plane further from all three is oblique
LETTER = float(np.sin(np.radians(10)))  # share of a direction below which its letter is left out

# What lies to the right and at the bottom of the screen, as (patient axis, sign) in LPS.
RIGHT: dict[Name, tuple[int, int]] = {"axial": (0, 1), "coronal": (0, 1), "sagittal": (1, 1)}
DOWN: dict[Name, tuple[int, int]] = {"axial": (1, 1), "coronal": (2, -1), "sagittal": (2, -1)}


@dataclass(frozen=True, slots=True)
class View:
    """How to draw the planes across one axis of an array ``[slice, row, column]``.

    Take the plane at an index along ``axis``; swap its two axes where ``transpose``; then reverse its rows where
    ``flip_rows``, and its columns where ``flip_columns`` (`View.draw` does so).

    Attributes
    ----------
    axis : int
        Array axis to scroll along: 0 slice, 1 row, 2 column.
    flip_rows, flip_columns, transpose : bool
    name : str
        ``axial``, ``coronal`` or ``sagittal``: the one that these planes are nearest to.
    labels : mapping of str to str
        What lies at the ``left``, ``right``, ``top`` and ``bottom`` edge of the screen, in letters L R A P S I.
    spacing : tuple of 2 floats
        mm between rows, and between columns, of the drawn plane.
    angle : float
        Degrees between these planes and a true plane of that name.
    """

    axis: int
    flip_rows: bool
    flip_columns: bool
    transpose: bool
    name: Name
    labels: dict[str, str]
    spacing: tuple[float, float]
    angle: float = 0.0

    def draw(self, array: NDArray, index: int) -> NDArray:
        """The plane at ``index`` along `axis`, as rows and columns of the screen; a view of ``array``, not a copy."""
        plane = array[(slice(None),) * self.axis + (index,)]
        plane = plane.T if self.transpose else plane
        return plane[:: -1 if self.flip_rows else 1, :: -1 if self.flip_columns else 1]


def views(affine: ArrayLike) -> dict[Name, View]:
    """The three views of a volume, by name: axial, coronal, sagittal.

    Each array axis is given the patient axis that the three together fit best, so every name occurs once, however
    oblique the volume is.
    """
    across = _assigned(affine)
    made = {NAMES[across[axis]]: _view(affine, axis, across) for axis in range(3)}
    return {name: made[name] for name in ("axial", "coronal", "sagittal")}


def view(affine: ArrayLike, axis: int) -> View:
    """The view that scrolls along one array axis: 0 slice, 1 row, 2 column."""
    return _view(affine, axis, _assigned(affine))


def scroll_axis(affine: ArrayLike, name: Name) -> int:
    """The array axis to scroll along for planes of that name: 0 slice, 1 row, 2 column."""
    return views(affine)[name].axis


def _view(affine: ArrayLike, axis: int, across: tuple[int, ...]) -> View:
    name = NAMES[across[axis]]
    (right, right_sign), (down, down_sign) = RIGHT[name], DOWN[name]
    horizontal, vertical = across.index(right), across.index(down)
    steps = _steps(affine)
    flip_columns = bool(steps[horizontal][right] * right_sign < 0)
    flip_rows = bool(steps[vertical][down] * down_sign < 0)
    lengths = np.linalg.norm(steps, axis=1)
    normal = normals(affine)[axis]
    return View(
        axis=axis,
        flip_rows=flip_rows,
        flip_columns=flip_columns,
        transpose=horizontal < vertical,
        name=name,
        labels=_labels(steps[horizontal] * (1 - 2 * flip_columns), steps[vertical] * (1 - 2 * flip_rows)),
        spacing=(float(lengths[vertical]), float(lengths[horizontal])),
        angle=float(np.degrees(np.arccos(np.clip(abs(normal[across[axis]]), 0, 1)))),
    )


def _steps(affine: ArrayLike) -> Array:
    """Steps, mm LPS, along the array axes (slice, row, column); shape (3, 3), one a line."""
    return np.asarray(np.asarray(affine, float)[:3, :3].T[::-1])


def _assigned(affine: ArrayLike) -> tuple[int, ...]:
    """For each array axis the patient axis (0 x, 1 y, 2 z) it runs along, all different."""
    steps = _steps(affine)
    share = np.abs(steps) / np.linalg.norm(steps, axis=1, keepdims=True)
    choices = itertools.permutations(range(3))
    # Rounding keeps the choice the same for directions that differ by noise only; ties fall to the first choice.
    return max(choices, key=lambda choice: round(float(sum(share[axis, choice[axis]] for axis in range(3))), 6))


# -- names -------------------------------------------------------------------------------------------------------------


def normals(affine: ArrayLike) -> Array:
    """Unit normals of the planes across each array axis (slice, row, column); shape (3, 3), one a line.

    In a sheared volume these are not the directions of the axes themselves.
    """
    slices, rows, columns = _steps(affine)
    crossed = ((columns, rows), (slices, columns), (rows, slices))
    return np.stack([affines.unit(np.cross(one, other)) for one, other in crossed])


def name(normal: ArrayLike) -> Name | Literal["oblique"]:
    """What planes with this normal (LPS) are called: ``oblique`` where they are more than 37° off all three."""
    share = np.abs(affines.unit(normal))
    nearest = int(share.argmax())
    return NAMES[nearest] if share[nearest] >= NEAR else "oblique"


def orientation(affine: ArrayLike, axis: int = 0) -> Name | Literal["oblique"]:
    """What the planes across an array axis are called; those of axis 0 are the images as acquired."""
    return name(normals(affine)[axis])


def letters(direction: ArrayLike) -> str:
    """A direction (LPS) in letters, the largest component first: ``L``, ``PS`` (PS3.3 §C.7.6.1.1.1).

    Components of less than 10° are left out.
    """
    vector = affines.unit(direction)
    order = sorted(range(3), key=lambda axis: -round(abs(float(vector[axis])), 6))
    return "".join("LPS"[axis] if vector[axis] > 0 else "RAI"[axis] for axis in order if abs(vector[axis]) >= LETTER)


def edge_labels(affine: ArrayLike, axis: int) -> dict[str, str]:
    """Letters for the edges of the planes across an array axis, drawn as `view` says."""
    return view(affine, axis).labels


def _labels(right: Array, down: Array) -> dict[str, str]:
    return {"left": letters(-right), "right": letters(right), "top": letters(-down), "bottom": letters(down)}


# -- grids -------------------------------------------------------------------------------------------------------------


def grid(
    affine: ArrayLike,
    origin: ArrayLike,
    u: ArrayLike,
    v: ArrayLike,
    spacing: tuple[float, float],
    size: tuple[int, int],
) -> Array:
    """Where to sample a volume for a plane of any place and direction.

    Parameters
    ----------
    affine : array of shape (4, 4)
        Of the volume: not of an ``irregular`` stack.
    origin : array of shape (3,)
        Centre of the plane's first pixel, mm LPS.
    u, v : arrays of shape (3,)
        Directions, LPS, of growing columns and of growing rows; brought to length 1.
    spacing : tuple of 2 floats
        mm between rows, and between columns.
    size : tuple of 2 ints
        Rows, columns.

    Returns
    -------
    array of shape (rows, columns, 3)
        Array indices ``(slice, row, column)`` as floats, voxel centres at whole numbers, as
        ``scipy.ndimage.map_coordinates`` takes them. `inside` tells which lie in the volume.
    """
    rows = np.arange(size[0])[:, None, None] * spacing[0] * affines.unit(v)
    columns = np.arange(size[1])[None, :, None] * spacing[1] * affines.unit(u)
    points = np.asarray(origin, float) + rows + columns
    return affines.apply(affines.invert(affine), points)[..., ::-1]


def inside(coordinates: ArrayLike, shape: Sequence[int]) -> NDArray[np.bool_]:
    """Which array indices (..., 3) lie in a volume of ``shape``, to the outer faces of its voxels."""
    at = np.asarray(coordinates, float)
    return np.asarray(((at >= -0.5) & (at <= np.asarray(shape) - 0.5)).all(axis=-1))
