"""One stack on disk: at once an OME-Zarr 0.5 image and a tree of plain xarray datasets.

::

    <stack>/zarr.json               OME metadata; ours under "pacs_panel": passport, affine, levels, values
    <stack>/scale0/zarr.json        ours under "pacs_panel": SOP Instance UIDs, in order
    <stack>/scale0/image            the values
    <stack>/scale0/{z,y,x}          mm along the array's own axes; t, c where there are extra dimensions
    <stack>/scale0/{stored,slope,intercept}    only where slopes vary: then ``image`` is physical, float32
    <stack>/scale0/mask             only where values of ``image`` don't tell what is padding
    <stack>/scale1/…                means of blocks; or the pixels of a coarser object of the slide, named as in scale0

An affine other than scale and translation has no place in OME-Zarr 0.5: its space is that of the image's own axes, with
voxel (0, 0, 0) at 0 mm; where that lies in the patient, our affine says.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from pacs_panel.geometry import affine as affines
from pacs_panel.model import Passport, Stack
from pacs_panel.volume import grid, pyramid
from pacs_panel.volume import values as meanings
from pacs_panel.volume.grid import Level
from pacs_panel.volume.shards import ShardedArray, Writer
from pacs_panel.volume.store import Store
from pacs_panel.volume.values import Values

Array = np.ndarray
Slab = tuple[Array, list[int]]
Writers = tuple[Writer, Writer | None]
"""Of a level's images, and of their mask."""

FORMAT = 1
OURS = "pacs_panel"
IMAGE, STORED, MASK = "image", "stored", "mask"
NOTHING: Mapping[str, Iterable[Slab]] = MappingProxyType({})


def write(
    folder: Path, slabs: Iterable[Slab], values: Values, stack: Stack, others: Mapping[str, Iterable[Slab]] = NOTHING
) -> None:
    """Write a stack, with all its levels, at ``folder``, which is made.

    Parameters
    ----------
    slabs : iterable of (ndarray, list of int)
        Stored values, the rows of chunks of ``(*grid.extra_shape, slice, row, column)`` in C order, and the number in
        the stack of the image that each plane is of. Only one is held at a time.
    stack : Stack
        Its passport, and the object and frame of each plane.
    others : mapping of str to iterable
        Slabs, as those of the stack, of each object whose pixels are a level, by SOP Instance UID.
    """
    passport = stack.passport
    levels = grid.levels(passport)
    store = Store(folder, {"ome": multiscales(passport, levels), OURS: _ours(values, passport, levels)})
    with ExitStack() as opened:
        made = []
        for number, level in enumerate(levels):
            store.group(path(number), _objects(stack, level, number))
            made.append(_begin_level(opened, store, path(number), values, passport, level))
        kept = None if values.uniform else _begin_stored(opened, store, path(0), values, passport)
        for run in _runs(levels):
            writers, steps = made[run], _steps(levels[run])
            source = levels[run][0].source
            for stored, numbers in others[source] if source else slabs:
                if kept is not None and not source:
                    kept.add(stored)
                _add(writers, steps, stored, numbers, values)
    store.finish()


def _objects(stack: Stack, level: Level, number: int) -> dict[str, Any]:
    """Which object and frame each plane of a level is; nothing where they are those of the level before."""
    own = next((own for own in stack.passport.levels if own.sop_instance_uid == level.source), None)
    if own is not None:
        frames = list(own.frames) if any(own.frames) else []
        return {OURS: {"members": [own.sop_instance_uid] * len(own.frames), "frames": frames}}
    return {} if number else {OURS: {"members": list(stack.members), "frames": list(stack.frames)}}


def _runs(levels: Sequence[Level]) -> list[slice]:
    """Levels with pixels of their own, each with those after it that are means of it."""
    first = [number for number, level in enumerate(levels) if level.source or number == 0]
    return [slice(a, b) for a, b in pairwise([*first, len(levels)])]


def _steps(levels: Sequence[Level]) -> list[list[int]]:
    """Voxels of the level before that one of each is the mean of, but for the first."""
    pairs = pairwise(level.factors for level in levels)
    return [[round(b / a) for a, b in zip(*pair, strict=True)] for pair in pairs]


def _add(
    levels: Sequence[Writers], steps: Sequence[Sequence[int]], stored: Array, numbers: list[int], values: Values
) -> None:
    """Write a slab to all levels of a run. Its slices are even in number, or all there are: blocks are never cut."""
    image = stored if values.uniform else meanings.physical(stored, values, numbers)
    mask = meanings.mask(stored, values, numbers) if values.needs_mask else None
    padding = values.padding if values.uniform else None
    for (images, masks), step in zip(levels, [None, *steps], strict=True):
        if step is not None:
            image = pyramid.halve(image, step, padding, mask)
            mask = None if mask is None else pyramid.halve_mask(mask, step)
        images.add(image)
        if masks is not None and mask is not None:
            masks.add(mask.view(np.uint8))


def middle(folder: Path, passport: Passport, samples: int, level: int = -1) -> Array:
    """The middle image of a level, by default the coarsest: ``(row, column)`` or ``(row, column, samples)``."""
    images = ShardedArray(folder / path(range(len(grid.levels(passport)))[level]) / IMAGE)
    *extra, slices = images.shape[:-2]
    position, slice_ = divmod(math.prod(extra) // samples * slices // 2, slices)
    places = [np.unravel_index(position * samples + n, extra) if extra else () for n in range(samples)]
    planes = [images[(*map(int, place), slice_)] for place in places]
    return planes[0] if samples == 1 else np.stack(planes, -1)


def path(level: int) -> str:
    """Group of a level in a stack."""
    return f"scale{level}"


def axes(passport: Passport) -> tuple[str, ...]:
    """Names of the array's axes on disk."""
    return (*grid.extra_axes(passport.dimensions), *grid.SPACE)


def _begin_level(
    opened: ExitStack, store: Store, place: str, values: Values, passport: Passport, level: Level
) -> Writers:
    """The arrays of a level: small ones are written, images and mask are to be."""
    names = axes(passport)
    shape = (*grid.extra_shape(passport.dimensions), *level.shape)
    dtype = values.dtype if values.uniform else np.dtype(np.float32)
    images = opened.enter_context(store.array(f"{place}/{IMAGE}", shape, dtype, names, _cf(values)))
    masks = None
    if values.needs_mask:
        about = {"long_name": "padding"}
        masks = opened.enter_context(store.array(f"{place}/{MASK}", shape, np.dtype(np.uint8), names, about))
    for name, size in zip(names[:-3], shape, strict=False):
        store.line(f"{place}/{name}", _extra_values(passport, name, size), (name,), {})
    lines = zip(grid.SPACE, coordinates(passport, level), units(passport), strict=True)
    for name, line, unit in lines:
        store.line(f"{place}/{name}", line, (name,), {"units": unit} if unit else {})
    return images, masks


def _begin_stored(opened: ExitStack, store: Store, place: str, values: Values, passport: Passport) -> Writer:
    names = axes(passport)
    shape = (*grid.extra_shape(passport.dimensions), *passport.shape)
    for name, numbers in (("slope", values.slopes), ("intercept", values.intercepts)):
        store.line(f"{place}/{name}", np.asarray(numbers, float).reshape(shape[:-2]), names[:-2], {})
    about = {"long_name": "stored values"}
    return opened.enter_context(store.array(f"{place}/{STORED}", shape, values.dtype, names, about))


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
    image = {"name": "image", "axes": made, "datasets": datasets}
    if not passport.levels:
        image["type"] = "mean"
    return {"version": "0.5", "multiscales": [image]}


def _ours(values: Values, passport: Passport, levels: Sequence[Level]) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "passport": passport.to_dict(),
        "levels": [_told(level) for level in levels],
        "values": meanings.facts(values),
        "uniform": values.uniform,
    }


def _told(level: Level) -> dict[str, Any]:
    told: dict[str, Any] = {"shape": level.shape, "factors": level.factors}
    return told | ({"source": level.source} if level.source else {})
