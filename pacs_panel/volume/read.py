"""A stack on disk as an `xarray.Dataset`, in physical units, lazily read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from pacs_panel.errors import NotFound
from pacs_panel.geometry.stack import CHANNEL
from pacs_panel.model import Dimension, Passport
from pacs_panel.pixels import intensity
from pacs_panel.volume import accessor, grid, ome
from pacs_panel.volume.frames import ZarrFrames
from pacs_panel.volume.shards import ShardedArray

Array = np.ndarray
SPACE = accessor.SPACE
AS_STORED = ("float32", 1.0, 0.0)


def open_stack(path: Path, level: int = 0, physical: bool = True) -> xr.Dataset:
    """Open one stack.

    Parameters
    ----------
    path : Path
        Folder of the stack.
    level : int
        Resolution, 0 the finest.
    physical : bool
        ``image`` in physical units, as float32; else the stored integers.

    Returns
    -------
    xarray.Dataset
        ``image``, dims ``(*extra, slice, row, column)``; ``mask``, true where values are padding, if the header
        names any. ``slice``, ``row`` and ``column`` are mm along the array's own axes, from voxel (0, 0, 0) of level
        0 on; ``sop_instance_uid`` tells the object of each slice, and ``frame_number`` which of its frames, where
        slices are those of objects. Extra dimensions have their attribute's values; colour is the last of them,
        ``channel``. ``b`` and ``direction`` (LPS) tell the diffusion weighting of positions.
        Attributes: ``passport``, ``affine``, ``units``, ``level``, ``factors``, ``real_world`` (maps to the real world
        by name).
        ``ds.pacs`` knows places: see `pacs_panel.volume.accessor`.

    Raises
    ------
    NotFound
        There is no such stack or level, or no stored values of that level (where slopes vary from slice to slice, only
        the finest has them).
    """
    frames = ZarrFrames(path)
    if not 0 <= level < len(frames.levels):
        raise NotFound(f"no level {level}: the stack has {len(frames.levels)}")
    facts, passport = frames.describe(), frames.passport
    place = path / ome.path(level)
    dims = (*(dimension.name for dimension in passport.dimensions), *SPACE)
    stored = _lazy(place / _source(frames.uniform, physical, level), passport)
    image = stored
    if physical and frames.uniform:
        image = da.map_blocks(intensity.physical, stored, facts["slope"], facts["intercept"], dtype=np.float32)
    variables: dict[str, Any] = {"image": (dims, image, _about(facts, physical, frames.uniform))}
    if (mask := _mask(place, stored, facts, passport)) is not None:
        variables["mask"] = (dims, mask, {"long_name": "padding"})
    attributes = {
        "passport": facts["passport"],
        "affine": facts["passport"]["affine"],
        "units": facts["unit"],
        "pet": facts.get("pet", {}),
        "real_world": facts.get("real_world", {}),
        "level": level,
        "factors": list(frames.levels[level].factors),
    }
    return xr.Dataset(variables, _coordinates(path, frames, level), attributes)


def _source(uniform: bool, physical: bool, level: int) -> str:
    if uniform or physical:
        return ome.IMAGE
    if level > 0:
        raise NotFound("slopes vary from slice to slice, so only level 0 has stored values: open it with level=0")
    return ome.STORED


def _lazy(folder: Path, passport: Passport) -> da.Array:
    """An array as dask sees it, in slabs of whole slices, with the passport's extra dimensions."""
    array = ShardedArray(folder)
    chunks = (*array.chunk[:-2], *array.shape[-2:])
    lazy = da.from_array(array, chunks=tuple(min(c, n) for c, n in zip(chunks, array.shape, strict=True)))
    sizes = tuple(len(dimension.values) for dimension in passport.dimensions)
    return lazy if grid.extra_shape(passport.dimensions) == sizes else lazy.reshape(*sizes, *array.shape[-3:])


def _mask(place: Path, stored: da.Array, facts: dict[str, Any], passport: Passport) -> da.Array | None:
    if (place / ome.MASK / "zarr.json").exists():
        return _lazy(place / ome.MASK, passport).astype(bool)
    if facts["padding"] is None:
        return None
    low, high = facts["padding"]
    return (stored >= low) & (stored <= high)


def _about(facts: dict[str, Any], physical: bool, uniform: bool) -> dict[str, Any]:
    about: dict[str, Any] = {"long_name": "intensity" if physical else "stored values"}
    if physical and facts["unit"]:
        about["units"] = facts["unit"]
    exact = np.dtype(facts["dtype"]).itemsize <= 2 or (facts["dtype"], facts["slope"], facts["intercept"]) == AS_STORED
    if physical and uniform and exact:  # float32 then holds all that there was
        about["rescale"] = {key: facts[key] for key in ("dtype", "slope", "intercept")}
    return about | {"windows": facts["windows"], "photometric": facts["photometric"]}


def _coordinates(path: Path, frames: ZarrFrames, level: int) -> dict[str, Any]:
    passport, resolution = frames.passport, frames.levels[level]
    made: dict[str, Any] = {d.name: (d.name, list(d.values), {"keyword": d.keyword}) for d in passport.dimensions}
    lines = zip(SPACE, ome.coordinates(passport, resolution), ome.units(passport), strict=True)
    for name, line, unit in lines:
        made[name] = (name, line, {"units": unit} if unit else {})
    for dimension in passport.dimensions:
        made |= _diffusion(dimension)
    if resolution.factors[0] == 1:
        dims = (*(dimension.name for dimension in passport.dimensions if dimension != CHANNEL), "slice")
        sizes = tuple(len(dimension.values) for dimension in passport.dimensions if dimension != CHANNEL)
        found = _planes(path, frames.levels, level)
        made |= {name: (dims, planes.reshape(*sizes, passport.shape[0])) for name, planes in found.items()}
    return made


def _diffusion(dimension: Dimension) -> dict[str, Any]:
    """b-values and gradient directions of a dimension's positions, where they are known."""
    made: dict[str, Any] = {}
    if dimension.b_values:
        made["b"] = (dimension.name, list(dimension.b_values), {"units": "s/mm²", "keyword": "DiffusionBValue"})
    if dimension.directions:
        vectors = [vector or (0.0, 0.0, 0.0) for vector in dimension.directions]
        made["direction"] = ((dimension.name, "lps"), np.asarray(vectors), {"keyword": "DiffusionGradientOrientation"})
    return made


def _planes(path: Path, levels: Sequence[grid.Level], level: int) -> dict[str, Array]:
    """SOP Instance UID of each plane, and, of multi-frame objects, the number of its frame as DICOM counts, from 1.

    Of a level of a slide they are those of the object that it is, or is the mean of.
    """
    source = max(number for number, one in enumerate(levels[: level + 1]) if one.source or number == 0)
    attributes = json.loads((path / ome.path(source) / "zarr.json").read_bytes())["attributes"][ome.OURS]
    made = {"sop_instance_uid": np.asarray(attributes["members"])}
    if frames := attributes.get("frames"):
        made["frame_number"] = np.asarray(frames) + 1
    return made
