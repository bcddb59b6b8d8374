"""``ds.pacs``: where the voxels of a dataset lie in the patient, and which objects they come from.

It answers for the dataset as it is, after ``isel`` and ``sel`` too: places follow from the coordinates. And it makes
products of it: on another grid, upright, with other axes, in uptake values.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from pacs_panel.errors import PacsPanelError
from pacs_panel.geometry import affine as affines
from pacs_panel.geometry.passport import words
from pacs_panel.model import Passport
from pacs_panel.pixels import suv
from pacs_panel.volume import grids, ome, real_world, resample, uptake

Array = np.ndarray
SPACE = grids.SPACE


@xr.register_dataset_accessor("pacs")
class Places:
    """What a dataset of `pacs_panel.volume.read.open_stack` knows beyond its values."""

    def __init__(self, dataset: xr.Dataset) -> None:
        self._dataset = dataset

    @cached_property
    def passport(self) -> Passport:
        """The passport of the whole stack, whatever part of it the dataset is."""
        if "passport" not in self._dataset.attrs:
            raise PacsPanelError(
                "this dataset has no passport: it was not opened from an archive, or lost its attributes"
            )
        return Passport.from_dict(self._dataset.attrs["passport"])

    @property
    def words(self) -> list[str]:
        """The passport in short sentences."""
        return words(self.passport)

    @property
    def members(self) -> tuple[str, ...]:
        """SOP Instance UIDs of the dataset's slices, in C order of ``(*extra, slice)``.

        Raises
        ------
        PacsPanelError
            A slice of this level is the mean of several.
        """
        if "sop_instance_uid" not in self._dataset.coords:
            raise PacsPanelError("a slice of this level is not that of one object: open level 0 to tell which it is of")
        if {"row", "column"} & set(self._dataset.coords["sop_instance_uid"].dims):
            raise PacsPanelError("slices run across the objects here: ds.sop_instance_uid tells which is where")
        return tuple(map(str, np.ravel(self._dataset.coords["sop_instance_uid"].values)))

    @property
    def affine(self) -> Array:
        """``(column, row, slice, 1)`` of this dataset's voxels to LPS mm, 4 x 4.

        Raises
        ------
        PacsPanelError
            Slices are unevenly spaced, so no affine holds (`lps` still does); or they have no place in the patient.
        """
        whole = self._affine()
        if self.passport.verdict == "irregular":
            raise PacsPanelError(f"no affine holds for all slices: {self.passport.reason} Use ds.pacs.lps() instead")
        part = np.eye(4)
        for axis, name in enumerate(SPACE):
            start, step = self._line(name)
            part[2 - axis, 2 - axis] = step / self.passport.spacing[axis]
            part[2 - axis, 3] = start / self.passport.spacing[axis]
        return np.asarray(whole @ part)

    def lps(self, slice: ArrayLike, row: ArrayLike, column: ArrayLike) -> Array:
        """Where voxels lie in the patient.

        Parameters
        ----------
        slice, row, column : array_like
            Indices into this dataset, voxel centres at whole numbers; broadcast against each other.

        Returns
        -------
        ndarray
            ``(..., 3)``: LPS mm. Between unevenly spaced slices it is interpolated, beyond them NaN.
        """
        k, i, j = np.broadcast_arrays(*(np.asarray(index, float) for index in (slice, row, column)))
        if self.passport.verdict != "irregular":
            return affines.apply(self.affine, np.stack([j, i, k], axis=-1))
        coordinate = np.atleast_1d(self._dataset.coords["slice"].values)
        at = np.interp(k, np.arange(len(coordinate)), coordinate, left=np.nan, right=np.nan)
        return self._irregular(at) + self._in_plane(i, j)

    def voxel(self, x: ArrayLike, y: ArrayLike, z: ArrayLike) -> tuple[Array, Array, Array]:
        """The inverse of `lps`: LPS mm to indices ``(slice, row, column)`` into this dataset, as floats."""
        points = np.stack(np.broadcast_arrays(*(np.asarray(value, float) for value in (x, y, z))), axis=-1)
        if self.passport.verdict != "irregular":
            index = affines.apply(affines.invert(self.affine), points)
            return index[..., 2], index[..., 1], index[..., 0]
        return self._irregular_voxel(points)

    @property
    def stored(self) -> xr.DataArray:
        """Stored values of a dataset whose ``image`` is physical and has one slope; lazy as the image is.

        Raises
        ------
        PacsPanelError
            They do not follow exactly from the physical ones: open the stack with ``physical=False``.
        """
        rescale = self._dataset["image"].attrs.get("rescale")
        if rescale is None:
            raise PacsPanelError("stored values do not follow from these: open the stack with physical=False")
        image = self._dataset["image"]
        values = (image.astype(np.float64) - rescale["intercept"]) / rescale["slope"]
        values = values if np.dtype(rescale["dtype"]).kind == "f" else values.round()
        return values.astype(rescale["dtype"]).rename("stored")

    # -- products ------------------------------------------------------------------------------------------------------

    def resample(self, to: Any, order: int = 1) -> xr.Dataset:
        """Values on another grid: see `pacs_panel.volume.resample.resample`."""
        return resample.resample(self._dataset, to, order)

    def deskew(self, order: int = 1) -> xr.Dataset:
        """A sheared volume on an upright grid: see `pacs_panel.volume.resample.deskew`."""
        return resample.deskew(self._dataset, order)

    def reorient(self, code: str = "RAS") -> xr.Dataset:
        """Axes in another order and direction: see `pacs_panel.volume.resample.reorient`."""
        return resample.reorient(self._dataset, code)

    def suv(self, kind: suv.Kind = "bw") -> xr.Dataset:
        """A PET in standardized uptake values: see `pacs_panel.volume.uptake.suv`."""
        return uptake.suv(self._dataset, kind)

    def real_world(self, label: str | None = None) -> xr.DataArray:
        """Values as a map to the real world gives them: see `pacs_panel.volume.real_world.real_world`.

        ``list(ds.attrs["real_world"])`` tells the labels that there are.
        """
        return real_world.real_world(self._dataset, label)

    # -- how -----------------------------------------------------------------------------------------------------------

    def _affine(self) -> Array:
        if self.passport.affine is None:
            raise PacsPanelError(f"these images have no place in the patient: {self.passport.reason}")
        return np.asarray(self.passport.affine, float)

    def _line(self, name: str) -> tuple[float, float]:
        """First coordinate and step along an axis, mm; a single one has the step of its level."""
        if name not in self._dataset.coords:
            raise PacsPanelError(f"coordinate {name!r} was dropped, so the place of the voxels is not known any more")
        line = np.atleast_1d(self._dataset.coords[name].values)
        axis = SPACE.index(name)
        alone = self.passport.spacing[axis] * self._dataset.attrs.get("factors", (1, 1, 1))[axis]
        steps = np.diff(line)
        if len(steps) and not np.allclose(steps, steps[0]):
            raise PacsPanelError(f"{name}s are unevenly chosen, so no affine holds")
        return float(line[0]), float(steps.mean()) if len(steps) else float(alone)

    def _in_plane(self, row: Any, column: Any) -> Array:
        """LPS mm from voxel (0, 0) of a slice to others of it."""
        affine = self._affine()
        total = np.zeros((*np.shape(row), 3))
        for name, index, axis in (("row", row, 1), ("column", column, 2)):
            start, step = self._line(name)
            along = (start + np.asarray(index) * step) / self.passport.spacing[axis]
            total += along[..., None] * affine[:3, 2 - axis]
        return total

    def _irregular(self, at: Array) -> Array:
        """LPS mm of voxel (0, 0) at a coordinate along unevenly spaced slices."""
        positions, known = np.asarray(self.passport.positions, float), ome.distances(self.passport)
        return np.stack([grids.between(at, known, line) for line in positions.T], axis=-1)

    def _irregular_voxel(self, points: Array) -> tuple[Array, Array, Array]:
        affine = self._affine()
        normal = affines.unit(np.cross(affine[:3, 0], affine[:3, 1]))
        positions, known = np.asarray(self.passport.positions, float), ome.distances(self.passport)
        order = np.argsort(positions @ normal)
        at = grids.between(points @ normal, (positions @ normal)[order], known[order])
        coordinate = np.atleast_1d(self._dataset.coords["slice"].values)
        order = np.argsort(coordinate)
        k = grids.between(at, coordinate[order], np.arange(len(coordinate))[order])
        inverse = np.linalg.pinv(affine[:3, [1, 0]])  # to row and column of the whole stack
        index = (points - self._irregular(at)) @ inverse.T
        found = [k]
        for axis, name in ((1, "row"), (2, "column")):
            start, step = self._line(name)
            found.append((index[..., axis - 1] * self.passport.spacing[axis] - start) / step)
        return found[0], found[1], found[2]
