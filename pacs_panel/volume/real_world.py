"""A volume in real-world units, or a refusal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from pacs_panel.errors import NotFound, PacsPanelError
from pacs_panel.pixels import real_world as maps

Map = Mapping[str, Any]


def real_world(dataset: xr.Dataset, label: str | None = None) -> xr.DataArray:
    """Values as a map to the real world gives them.

    Parameters
    ----------
    dataset : xarray.Dataset
        ``attrs["real_world"]``: maps by name, as `pacs_panel.pixels.real_world.named` gives them.
    label : str, optional
        Which of them; needed where there are several.

    Returns
    -------
    xarray.DataArray
        ``real_world``, as ``image`` is, float32 and lazy; NaN where a value lies outside the range of the map, where
        its plane has none, or where the dataset's ``mask`` is set. ``attrs``: ``units``, ``long_name``, ``quantity``,
        ``label``.

    Raises
    ------
    NotFound
        There is no map, or none of that label.
    PacsPanelError
        There are several to choose from, or stored values do not follow from this dataset.
    """
    chosen, name = _chosen(dataset.attrs.get("real_world") or {}, label)
    if any(one["slope"] is None and not one["table"] for one in chosen):
        raise PacsPanelError(f"the tables of {name!r} are too large and were not kept with the volume")
    if any(one["slope"] is None for one in chosen) and dataset.attrs.get("level", 0):
        raise PacsPanelError(f"{name!r} is a table, and these are means of several stored values: open level 0")
    stored = _stored(dataset)
    out = _linear(stored, dataset, [one for one in chosen if one["slope"] is not None])
    for one in chosen:
        if one["slope"] is None:
            out = out.fillna(_through_table(stored, dataset, one))
    if "mask" in dataset:
        out = out.where(~dataset["mask"])
    about = {key: chosen[0][key] for key in ("quantity",) if chosen[0][key]}
    about |= {"units": chosen[0]["unit"], "long_name": chosen[0]["explanation"] or name, "label": name}
    return out.drop_attrs().assign_attrs(about).rename("real_world")


def _chosen(known: maps.Named, label: str | None) -> tuple[Sequence[Map], str]:
    if not known:
        raise NotFound("these images state no map to the real world, and no object here does so for them")
    told = ", ".join(map(repr, known))
    if label is None and len(known) > 1:
        raise PacsPanelError(f"there are several maps to the real world; ask for one of {told}")
    name = next(iter(known)) if label is None else label
    if name not in known:
        raise NotFound(f"there is no map to the real world {name!r}; there is {told}")
    return known[name], name


def _stored(dataset: xr.Dataset) -> xr.DataArray:
    image = dataset["image"]
    found = image if image.attrs.get("long_name") == "stored values" else dataset.pacs.stored
    return found.drop_attrs()


def _linear(stored: xr.DataArray, dataset: xr.Dataset, linear: Sequence[Map]) -> xr.DataArray:
    """Through maps of slope and intercept: as many passes as one plane has maps, not as there are maps."""
    out = xr.full_like(stored, np.nan, np.float32)
    for low, high, slope, intercept in _passes(dataset, linear):
        inside = (stored >= low) & (stored <= high)
        out = out.fillna((stored.astype(np.float64) * slope + intercept).where(inside).astype(np.float32))
    return out


def _passes(dataset: xr.Dataset, linear: Sequence[Map]) -> list[tuple[Any, ...]]:
    """Bounds, slope and intercept of each pass: numbers, or arrays of one a plane."""
    made: list[tuple[Any, ...]] = []
    for one in linear:
        if not one["planes"]:
            made.append((*maps.bounds(one), one["slope"], one["intercept"]))
    own = [one for one in linear if one["planes"]]
    if not own:
        return made
    planes = _planes(dataset)
    of_plane: dict[maps.Plane, list[tuple[float, ...]]] = {}
    for one in own:
        for uid, frame in one["planes"]:
            of_plane.setdefault((uid, frame), []).append((*maps.bounds(one), one["slope"], one["intercept"]))
    rows = [[*of_plane.get((uid, frame), ()), *of_plane.get((uid, 0), ())] for uid, frame in _pairs(planes)]
    for number in range(max(map(len, rows), default=0)):
        numbers = [row[number] if number < len(row) else (np.inf, -np.inf, 1.0, 0.0) for row in rows]
        columns = np.reshape(np.asarray(numbers, float), (*planes[0].shape, 4))
        made.append(tuple(xr.DataArray(columns[..., n], dims=planes[0].dims) for n in range(4)))
    return made


def _through_table(stored: xr.DataArray, dataset: xr.Dataset, one: Map) -> xr.DataArray:
    limits = maps.bounds(one)
    apply = partial(maps.mapped, table=np.asarray(one["table"], float), bounds=limits)
    found = xr.apply_ufunc(apply, stored, dask="parallelized", output_dtypes=[np.float32])
    if not one["planes"]:
        return found
    planes = _planes(dataset)
    held = {(uid, frame) for uid, frame in one["planes"]}
    holds = [(uid, frame) in held or (uid, 0) in held for uid, frame in _pairs(planes)]
    return found.where(xr.DataArray(np.reshape(holds, planes[0].shape), dims=planes[0].dims))


def _planes(dataset: xr.Dataset) -> tuple[xr.DataArray, xr.DataArray | None]:
    """SOP Instance UID and, of multi-frame objects, frame number of each plane."""
    if "sop_instance_uid" not in dataset.coords:
        raise PacsPanelError("maps differ from plane to plane, and a slice of this level is of several: open level 0")
    return dataset.coords["sop_instance_uid"], dataset.coords.get("frame_number")


def _pairs(planes: tuple[xr.DataArray, xr.DataArray | None]) -> list[maps.Plane]:
    uids, frames = planes
    numbers = np.ones(uids.size, int) if frames is None else np.ravel(frames.values)
    return [(str(uid), int(frame)) for uid, frame in zip(np.ravel(uids.values), numbers, strict=True)]
