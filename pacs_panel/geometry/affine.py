"""Affines: ``(column, row, slice, 1)`` to ``(x, y, z, 1)``, mm in the patient (LPS), voxel centres.

The first three columns of such a matrix are the steps, in mm, that one more column, row and slice make; the fourth is
the centre of voxel ``(0, 0, 0)`` (PS3.3 §C.7.6.2.1.1, with a third axis added).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def directions(orientation: Sequence[float]) -> tuple[Array, Array, Array]:
    """Unit vectors of an orientation.

    Parameters
    ----------
    orientation : sequence of 6 floats
        Image Orientation (Patient): direction cosines of a row, then of a column. Their lengths are brought to 1;
        the angle between them stays as stated.

    Returns
    -------
    row, column, normal : arrays of shape (3,)
        LPS. ``row`` points towards growing column indices, ``column`` towards growing row indices, and ``normal`` is
        ``row × column``.
    """
    row, column = unit(orientation[:3]), unit(orientation[3:])
    return row, column, unit(np.cross(row, column))


def unit(vector: ArrayLike) -> Array:
    """``vector`` with length 1."""
    array = np.asarray(vector, float)
    return np.asarray(array / np.linalg.norm(array))


def make(position: Sequence[float], orientation: Sequence[float], spacing: Sequence[float], step: ArrayLike) -> Array:
    """The affine of a grid of slices.

    Parameters
    ----------
    position : sequence of 3 floats
        Image Position (Patient) of the first slice: centre of its voxel (0, 0), mm LPS.
    orientation : sequence of 6 floats
        Image Orientation (Patient).
    spacing : sequence of 2 floats
        Pixel Spacing as DICOM orders it, mm: between rows, then between columns.
    step : array of shape (3,)
        From one slice's position to the next one's, mm LPS.

    Returns
    -------
    array of shape (4, 4)
    """
    row, column, _ = directions(orientation)
    affine = np.eye(4)
    affine[:3, 0] = row * spacing[1]
    affine[:3, 1] = column * spacing[0]
    affine[:3, 2] = step
    affine[:3, 3] = position
    return affine


def apply(affine: ArrayLike, points: ArrayLike) -> Array:
    """Points of shape (..., 3) through an affine: voxels ``(column, row, slice)`` to LPS mm, or back if inverted."""
    matrix = np.asarray(affine, float)
    return np.asarray(np.asarray(points, float) @ matrix[:3, :3].T + matrix[:3, 3])


def invert(affine: ArrayLike) -> Array:
    """LPS mm to voxel ``(column, row, slice)``; raises ``numpy.linalg.LinAlgError`` where the axes span no volume."""
    matrix = np.asarray(affine, float)
    inverse = np.eye(4)
    inverse[:3, :3] = np.linalg.inv(matrix[:3, :3])
    inverse[:3, 3] = -inverse[:3, :3] @ matrix[:3, 3]
    return inverse


def to_ras(affine: ArrayLike) -> Array:
    """The same affine into RAS mm, as NIfTI and most neuroimaging tools count (x to the Right, y to the Anterior)."""
    return np.asarray(LPS_TO_RAS @ np.asarray(affine, float))


def spacing(affine: ArrayLike) -> tuple[float, float, float]:
    """Lengths of the steps along an array's axes ``(slice, row, column)``, mm."""
    lengths = np.linalg.norm(np.asarray(affine, float)[:3, :3], axis=0)
    return (float(lengths[2]), float(lengths[1]), float(lengths[0]))


def at_level(affine: ArrayLike, factors: Sequence[float]) -> Array:
    """The affine of an array reduced by block means.

    The centre of a block of ``f`` voxels lies ``(f - 1) / 2`` voxels after the centre of its first one.

    Parameters
    ----------
    affine : array of shape (4, 4)
        Of the full array.
    factors : sequence of 3 numbers
        Voxels a block along ``(slice, row, column)``, counted in the full array: 4 for the second level of halving.
    """
    by_column = np.asarray(factors, float)[::-1]
    reduce = np.diag([*by_column, 1.0])
    reduce[:3, 3] = (by_column - 1) / 2
    return np.asarray(np.asarray(affine, float) @ reduce)


def as_tuple(affine: ArrayLike) -> tuple[tuple[float, ...], ...]:
    """An affine as a passport keeps it: four rows of four floats."""
    return tuple(tuple(float(value) for value in line) for line in np.asarray(affine, float))
