"""One stack on disk: at once an OME-Zarr 0.5 image and a tree of plain xarray datasets.

::

    <stack>/zarr.json               OME metadata; ours under "pacs_panel": passport, affine, levels, values
    <stack>/scale0/zarr.json        ours under "pacs_panel": SOP Instance UIDs, in order
    <stack>/scale0/image            the values
    <stack>/scale0/{z,y,x}          mm along the array's own axes; t, c where there are extra dimensions
    <stack>/scale0/{stored,slope,intercept}    only where slopes vary: then ``image`` is physical, float32
    <stack>/scale0/mask             only where values of ``image`` don't tell what is padding
    <stack>/scale1/…                means of blocks

An affine other than scale and translation has no place in OME-Zarr 0.5: its space is that of the image's own axes, with
voxel (0, 0, 0) at 0 mm; where that lies in the patient, our affine says.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pacs_panel.geometry import affine as affines
from pacs_panel.model import Passport, Stack
from pacs_panel.volume import grid, pyramid
from pacs_panel.volume import values as meanings
from pacs_panel.volume.grid import Level
from pacs_panel.volume.store import Store
from pacs_panel.volume.values import Values

Array = np.ndarray

FORMAT = 1
OURS = "pacs_panel"
IMAGE, STORED, MASK = "image", "stored", "mask"


def write(folder: Path, stored: Array, values: Values, stack: Stack) -> Array:
    """Write a stack, with all its levels, at ``folder``, which is made.

    Parameters
    ----------
    stored : ndarray
        ``(*grid.extra_shape, slice, row, column)``.
    stack : Stack
        Its passport, and the object and frame of each plane.

    Returns
    -------
    ndarray
        The coarsest level's ``image``.
    """
    passport = stack.passport
    levels = grid.levels(passport)
    attributes = {"ome": multiscales(passport, levels), OURS: _ours(values, passport, levels)}
    store = Store(folder, attributes)
    image = stored if values.uniform else meanings.physical(stored, values)
    mask = meanings.mask(stored, values) if values.needs_mask else None
    padding = values.padding if values.uniform else None
    for number, level in enumerate(levels):
        if number > 0:
            steps = [b // a for a, b in zip(levels[number - 1].factors, level.factors, strict=True)]
            image = pyramid.halve(image, steps, padding, mask)
            mask = None if mask is None else pyramid.halve_mask(mask, steps)
        ours = {OURS: {"members": list(stack.members), "frames": list(stack.frames)}} if number == 0 else {}
        store.group(path(number), ours)
        _write_level(store, path(number), image, mask, values, passport, level)
    if not values.uniform:
        _write_stored(store, path(0), stored, values, passport)
    store.finish()
    return image


def path(level: int) -> str:
    """Group of a level in a stack."""
    return f"scale{level}"


def axes(passport: Passport) -> tuple[str, ...]:
    """Names of the array's axes on disk."""
    return (*grid.extra_axes(passport.dimensions), *grid.SPACE)


def _write_level(
    store: Store, place: str, image: Array, mask: Array | None, values: Values, passport: Passport, level: Level
) -> None:
    names = axes(passport)
    store.array(f"{place}/{IMAGE}", image, names, _cf(values))
    if mask is not None:
        store.array(f"{place}/{MASK}", mask.view(np.uint8), names, {"long_name": "padding"})
    for name, size in zip(names[:-3], image.shape, strict=False):
        store.line(f"{place}/{name}", _extra_values(passport, name, size), (name,), {})
    lines = zip(grid.SPACE, coordinates(passport, level), units(passport), strict=True)
    for name, line, unit in lines:
        store.line(f"{place}/{name}", line, (name,), {"units": unit} if unit else {})


def _write_stored(store: Store, place: str, stored: Array, values: Values, passport: Passport) -> None:
    names = axes(passport)
    store.array(f"{place}/{STORED}", stored, names, {"long_name": "stored values"})
    for name, numbers in (("slope", values.slopes), ("intercept", values.intercepts)):
        store.line(f"{place}/{name}", np.asarray(numbers, float).reshape(stored.shape[:-2]), names[:-2], {})


def _cf(values: Values) -> dict[str, Any]:
    """Attributes by which plain xarray decodes to physical values (CF conventions §8.1)."""
    made: dict[str, Any] = {"long_name": "intensity"}
    if values.unit:
        made["units"] = values.unit
    if values.uniform and (values.slopes[0], values.intercepts[0]) != (1.0, 0.0):
        made |= {"scale_factor": values.slopes[0], "add_offset": values.intercepts[0]}
    return made


# -- places ------------------------------------------------------------------------------------------------------------


def coordinates(passport: Passport, level: Level) -> tuple[Array, Array, Array]:
    """mm along the array's own axes ``(slice, row, column)`` of the voxel centres of a level, from voxel 0 on.

    Slices of an ``irregular`` stack lie where they are: at their distance along the step's direction.
    """
    made = []
    for size, factor, step in zip(level.shape, level.factors, passport.spacing, strict=True):
        made.append((np.arange(size) * factor + (factor - 1) / 2) * step)
    if passport.verdict == "irregular" and len(passport.positions) == level.shape[0]:
        made[0] = distances(passport)
    return (made[0], made[1], made[2])


def distances(passport: Passport) -> Array:
    """mm from the first slice to each along the step's direction; positions must be known."""
    step = np.asarray(passport.affine, float)[:3, 2]
    positions = np.asarray(passport.positions, float)
    return (positions - positions[0]) @ affines.unit(step)


def units(passport: Passport) -> tuple[str, str, str]:
    """Unit of each space axis; none where the spacing isn't known."""
    plane = "" if passport.calibration == "none" else "mm"
    return ("" if passport.step_normal is None else "mm", plane, plane)


def _extra_values(passport: Passport, name: str, size: int) -> Array:
    """Values along an extra axis as its attribute states them; mere numbers from 0 where they are text or flattened."""
    names = grid.extra_axes(passport.dimensions)
    if len(names) == len(passport.dimensions):
        stated = passport.dimensions[names.index(name)].values
        if all(isinstance(value, int | float) for value in stated):
            return np.asarray(stated, float)
    return np.arange(size, dtype=float)


def multiscales(passport: Passport, levels: Sequence[Level]) -> dict[str, Any]:
    """OME-Zarr 0.5 metadata: where each level lies in the space of the image's own axes."""
    extra = grid.extra_axes(passport.dimensions)
    made: list[dict[str, Any]] = [{"name": n, "type": {"t": "time", "c": "channel"}[n]} for n in extra]
    for name, unit in zip(grid.SPACE, units(passport), strict=True):
        made.append({"name": name, "type": "space"} | ({"unit": "millimeter"} if unit else {}))
    datasets = []
    for number, level in enumerate(levels):
        scale = [step * factor for step, factor in zip(passport.spacing, level.factors, strict=True)]
        shift = [step * (factor - 1) / 2 for step, factor in zip(passport.spacing, level.factors, strict=True)]
        transforms = [
            {"type": "scale", "scale": [1.0] * len(extra) + scale},
            {"type": "translation", "translation": [0.0] * len(extra) + shift},
        ]
        datasets.append({"path": f"{path(number)}/{IMAGE}", "coordinateTransformations": transforms})
    return {"version": "0.5", "multiscales": [{"name": "image", "type": "mean", "axes": made, "datasets": datasets}]}


def _ours(values: Values, passport: Passport, levels: Sequence[Level]) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "passport": passport.to_dict(),
        "levels": [{"shape": level.shape, "factors": level.factors} for level in levels],
        "values": meanings.facts(values),
        "uniform": values.uniform,
    }
