"""Other grids: a volume resampled, made upright, or with its axes in another order; each a product with its history.

A product is a dataset like that of `pacs_panel.volume.read.open_stack`, with a passport of its own, whose reason says
how it was made; ``attrs["provenance"]`` lists all steps, the latest last. Nothing of it is written to the archive.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from pacs_panel import __version__
from pacs_panel.errors import PacsPanelError
from pacs_panel.model import Dimension, Passport
from pacs_panel.volume import grids, interpolate
from pacs_panel.volume.grids import SPACE, Grid

METHODS = {0: "nearest neighbour", 1: "linear interpolation"}
MOST = 1 << 31  # voxels of one volume: what is larger is asked for by mistake


def resample(dataset: xr.Dataset, to: Any, order: int = 1) -> xr.Dataset:
    """Values on another grid.

    Parameters
    ----------
    dataset : xarray.Dataset
        With ``slice``, ``row`` and ``column``; any level, any part. Unevenly spaced slices are interpolated between
        where they are, across gaps too.
    to : float, 3 floats, Dataset, Passport, or (affine, shape)
        A spacing in mm, along ``(slice, row, column)``: an upright grid along the dataset's own rows and columns, from
        its first voxel's centre on. Another dataset or passport: its grid. An affine, ``(column, row, slice, 1)`` to
        LPS mm, with a shape ``(slices, rows, columns)``.
    order : int
        0 takes the nearest voxel, for labels; 1 is linear. Neither averages: a coarse grid wants a coarse level.

    Returns
    -------
    xarray.Dataset
        ``image`` in floating point, lazy as the dataset is along further dimensions, and ``mask`` if there is one;
        other variables are left out. NaN, and true in ``mask``, where there is no value: beyond the outermost voxel
        centres (the outer faces for order 0, and along an axis of one voxel), and where padding has a share.

    Raises
    ------
    PacsPanelError
        The dataset has no place in the patient; the other grid is in another frame of reference; no such order.
    """
    if order not in METHODS:
        raise PacsPanelError(f"no order {order}: 0 takes the nearest voxel, 1 interpolates linearly")
    source = grids.of(dataset)
    target = grids.wanted(to, source)
    frame = to.pacs.passport if isinstance(to, xr.Dataset) else to
    if isinstance(frame, Passport):
        _same_frame(dataset.pacs.passport, frame)
    return _moved(dataset, source, target, order, "Resampled", to if isinstance(to, xr.Dataset) else None)


def deskew(dataset: xr.Dataset, order: int = 1) -> xr.Dataset:
    """A sheared volume on an upright grid; a regular one is returned as it is.

    Each slice stays in its plane and is only shifted along rows and columns, so that slices lie straight above each
    other. The first slice's pixels keep their values. The grid is wide enough for all slices.

    Raises
    ------
    PacsPanelError
        No affine holds, or rows and columns are not at right angles (as after `reorient` of a sheared volume).
    """
    source = grids.of(dataset)
    if source.positions is not None:
        raise PacsPanelError("slices are unevenly spaced: resample(to=spacing in mm) makes an even, upright grid")
    if source.upright:
        return dataset
    return _moved(dataset, source, grids.upright(source), order, "Deskewed")


def reorient(dataset: xr.Dataset, code: str) -> xr.Dataset:
    """The same voxels with axes in another order and direction; no value and no place of a voxel changes.

    Parameters
    ----------
    code : str
        Where column, row and slice index shall grow towards, one letter of L R, A P, I S each: ``"LPS"`` is what axial
        images mostly are, ``"RAS"`` is the habit of NIfTI. Of an oblique volume the nearest axes are taken.

    Raises
    ------
    PacsPanelError
        The code is none of the 48; or slices are unevenly spaced and would no longer be slices.
    """
    source = grids.of(dataset)
    order, flips = grids.turns(source, code)
    target = grids.turned(source, order, flips)
    names = [SPACE[axis] for axis in order]
    flipped = dataset.isel({name: slice(None, None, -1) for name, flip in zip(names, flips, strict=True) if flip})
    renamed = flipped.drop_vars(SPACE).rename(dict(zip(names, SPACE, strict=True)))
    ordered = renamed.assign({name: v.transpose(*dataset[name].dims) for name, v in renamed.data_vars.items()})
    reason = f"Axes in the order {code.upper()}, no voxel moved; was: {dataset.pacs.passport.reason}"
    passport = _passport(dataset, target.passport(reason))
    return _labelled(ordered, dataset, target, passport, {"made": "reoriented", "code": code.upper()})


# -- how ---------------------------------------------------------------------------------------------------------------


def _same_frame(source: Passport, target: Passport) -> None:
    one, other = source.frame_of_reference, target.frame_of_reference
    if one and other and one != other:
        raise PacsPanelError(
            f"the grid is in another frame of reference ({other}) than the values ({one}), so places in the two need "
            "not be the same; where a registration says that they are, give the grid as (affine, shape)"
        )


def _moved(
    dataset: xr.Dataset, source: Grid, target: Grid, order: int, done: str, like: xr.Dataset | None = None
) -> xr.Dataset:
    if math.prod(target.shape) > MOST:
        raise PacsPanelError(f"a grid of {' x '.join(map(str, target.shape))} voxels is too large")
    image, mask = dataset["image"], dataset.get("mask")
    kernel = partial(interpolate.volumes, source=source, target=target, order=order)
    given = [one.drop_vars(SPACE) for one in (image, mask) if one is not None]
    given = [one if one.chunks is None else one.chunk(dict.fromkeys(SPACE, -1)) for one in given]
    moved = xr.apply_ufunc(
        kernel,
        *given,
        input_core_dims=[SPACE] * len(given),
        output_core_dims=[SPACE],
        exclude_dims=set(SPACE),
        dask="parallelized",
        output_dtypes=[interpolate.floating(image.dtype)],
        dask_gufunc_kwargs={"output_sizes": dict(zip(SPACE, target.shape, strict=True))},
    ).transpose(*image.dims)
    kept = dataset.drop_vars([name for name, v in dataset.variables.items() if set(v.dims) & set(SPACE)])
    made = kept.assign(image=described(moved, image.attrs))
    if mask is not None:
        made["mask"] = moved.isnull().drop_attrs().assign_attrs(mask.attrs)
    reason = f"{done} by {METHODS[order]}; was: {dataset.pacs.passport.reason}"
    passport = _passport(dataset, target.passport(reason) if like is None else _grid_of(like, reason))
    step = {"made": done.lower(), "method": METHODS[order], "order": order}
    return _labelled(made, dataset, target, passport, step, like)


def described(image: xr.DataArray, attributes: Mapping[str, Any], **more: Any) -> xr.DataArray:
    """Values with their attributes, without those by which stored values follow: from these they do not any more."""
    return image.drop_attrs().assign_attrs({k: v for k, v in attributes.items() if k != "rescale"} | more)


def _grid_of(like: xr.Dataset, reason: str) -> Passport:
    """What a dataset's passport says of its grid; with its coordinates, so that the two can be computed with."""
    whole = like.pacs.passport
    return Passport(
        verdict=whole.verdict,
        reason=reason,
        shape=whole.shape,
        affine=whole.affine,
        positions=whole.positions,
        spacing=whole.spacing,
        step_normal=whole.step_normal,
        tilt=whole.tilt,
    )


def _passport(dataset: xr.Dataset, grid: Passport) -> Passport:
    """The passport of a product; it keeps the dimensions that the dataset still has."""
    before = dataset.pacs.passport
    still = [d for d in before.dimensions if d.name in dataset.dims]
    return replace(
        grid,
        dimensions=tuple(_selected(d, np.asarray(dataset[d.name].values).tolist()) for d in still),
        frame_of_reference=before.frame_of_reference,
        tolerance=before.tolerance,
    )


def _selected(dimension: Dimension, values: Sequence[float | str]) -> Dimension:
    """A dimension at some of its values, in their order."""
    where = {value: n for n, value in enumerate(dimension.values)}
    if len(where) < len(dimension.values) or any(value not in where for value in values):
        return Dimension(dimension.name, dimension.keyword, tuple(values))
    at = [where[value] for value in values]
    return replace(
        dimension,
        values=tuple(values),
        b_values=tuple(dimension.b_values[n] for n in at if dimension.b_values),
        directions=tuple(dimension.directions[n] for n in at if dimension.directions),
    )


def _labelled(
    made: xr.Dataset,
    source: xr.Dataset,
    target: Grid,
    passport: Passport,
    step: dict[str, Any],
    like: xr.Dataset | None = None,
) -> xr.Dataset:
    """The product with its coordinates, its passport, and its history."""
    facts, history = passport.to_dict(), source.attrs.get("provenance", [])
    attributes = {
        **source.attrs,
        "passport": facts,
        "affine": facts["affine"],
        "level": 0 if like is None else like.attrs.get("level", 0),
        "factors": [1, 1, 1] if like is None else like.attrs.get("factors", [1, 1, 1]),
        "provenance": [*history, {**step, **_origin(source), "software": f"pacs_panel {__version__}"}],
    }
    lines = target.lines() if like is None else [like[name].values for name in SPACE]
    coordinates = {name: (name, line, {"units": "mm"}) for name, line in zip(SPACE, lines, strict=True)}
    return made.assign_coords(coordinates).drop_attrs(deep=False).assign_attrs(attributes)


def _origin(source: xr.Dataset) -> dict[str, Any]:
    """What a product was made from."""
    names = ("series", "revision", "stack", "level")
    passport = source.pacs.passport
    return {
        "source": {
            **{name: source.attrs[name] for name in names if name in source.attrs},
            "verdict": passport.verdict,
            "affine": [list(line) for line in passport.affine or ()],
            "shape": [source.sizes[name] for name in SPACE],
        }
    }
