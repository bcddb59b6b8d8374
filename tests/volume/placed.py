"""Datasets at known places, made in memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import xarray as xr

from pacs_panel.model import Dimension
from pacs_panel.testing import PhantomSeries, turned
from pacs_panel.volume import grids, read
from pacs_panel.volume.grids import SPACE, Grid

Array = np.ndarray
assert read  # registers ds.pacs


def dataset(grid: Grid, values: Array, dimensions: tuple[Dimension, ...] = (), mask: Array | None = None) -> xr.Dataset:
    """A dataset as an archive opens it: values ``(*extra, slice, row, column)`` on a grid."""

    passport = replace(grid.passport("Made for a test."), dimensions=dimensions, frame_of_reference="1.2.3")
    dims = (*(dimension.name for dimension in dimensions), *SPACE)
    coordinates = {name: (name, line) for name, line in zip(SPACE, grid.lines(), strict=True)}
    coordinates |= {d.name: (d.name, list(d.values)) for d in dimensions}
    coordinates["sop_instance_uid"] = ("slice", [f"1.{k}" for k in range(grid.shape[0])])
    variables = {"image": (dims, values, {"units": "HU", "rescale": {}})}
    if mask is not None:
        variables["mask"] = (dims, mask, {"long_name": "padding"})
    facts = passport.to_dict()
    attributes = {"passport": facts, "affine": facts["affine"], "units": "HU", "level": 0, "factors": [1, 1, 1]}
    return xr.Dataset(variables, coordinates, attributes)


def of_phantom(series: PhantomSeries) -> xr.Dataset:
    """The truth of a phantom series of an even grid, as a dataset."""
    assert series.truth is not None
    truth = series.truth
    return dataset(grids.made(truth.affine, truth.stored.shape[-3:]), truth.physical().astype(np.float32))


def oblique(shape: tuple[int, int, int], angles: tuple[float, float, float], spacing: tuple[float, ...]) -> Grid:
    """A grid turned about the axes, of a spacing along ``(slice, row, column)``."""
    affine = np.eye(4)
    affine[:3, :3] = turned(*angles) * spacing[::-1]
    affine[:3, 3] = (-31.5, 12.25, 740.125)
    return grids.made(affine, shape)


def ramp(points: Array) -> Array:
    """A value that is linear in each coordinate of a place."""
    return np.asarray(points @ (0.7, -0.4, 1.3) + 5)


def places(made: xr.Dataset) -> Array:
    """LPS mm of all voxels, as the dataset itself says."""
    return made.pacs.lps(*np.indices([made.sizes[name] for name in SPACE]))
