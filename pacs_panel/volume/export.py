"""A stack in other programs' formats."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pacs_panel.errors import NotFound, PacsPanelError
from pacs_panel.geometry import affine as affines
from pacs_panel.model import Passport
from pacs_panel.pixels import intensity, render
from pacs_panel.pixels.intensity import Window
from pacs_panel.volume import nrrd, ome, values
from pacs_panel.volume.frames import ZarrFrames
from pacs_panel.volume.shards import ShardedArray

Array = np.ndarray


def to_nifti(path: Path, target: Path, repetition: float | None = None) -> Path:
    """Write a stack as NIfTI-1, compressed where ``target`` ends in ``.gz``.

    Voxels stay as they are, in the order of the stack: axes are column, row, slice, then, where there are extra
    dimensions, one for all of them, in C order. Integers stay integers, with slope and intercept in the header; where
    slopes vary from slice to slice, values are physical, float32. Colour is RGB24. The sform is the passport's affine
    in RAS, in NIfTI's float32. A sheared grid has no qform, and the header's description says so.

    Parameters
    ----------
    path : Path
        Folder of the stack.
    target : Path
    repetition : float, optional
        Seconds from one volume of a time series to the next.

    Raises
    ------
    PacsPanelError
        Slices are unevenly spaced: NIfTI would place them wrongly.
    """
    import nibabel  # takes longer to import than most exports take

    frames = ZarrFrames(path)
    (passport, samples), facts = without_channels(frames.passport), frames.describe()
    _even(passport, "NIfTI")
    data = np.stack(list(volumes(frames)), axis=-1 if samples == 1 else -2)
    if samples == 3:
        data = np.ascontiguousarray(data).view([("R", "u1"), ("G", "u1"), ("B", "u1")])[..., 0]
    data = np.moveaxis(data, (2, 1, 0), (0, 1, 2))
    image = nibabel.Nifti1Image(data if data.shape[3] > 1 else data[..., 0], None, dtype=data.dtype)
    _place(image, passport)
    if data.shape[3] > 1 and repetition:
        image.header.set_zooms((*image.header.get_zooms()[:3], repetition))
        image.header.set_xyzt_units(image.header.get_xyzt_units()[0], "sec")
    if samples == 1:
        image.header.set_slope_inter(facts["slope"], facts["intercept"])
    nibabel.save(image, target)
    return target


def to_nrrd(path: Path, target: Path) -> Path:
    """Write a stack as compressed NRRD, in LPS, with its exact affine.

    Values are physical: integers where stored values, slope and intercept are, else float32. Extra dimensions are one
    further axis, in C order; colour comes first, as ``RGB-color``.

    Parameters
    ----------
    path : Path
        Folder of the stack.
    target : Path
        Must not exist.

    Raises
    ------
    PacsPanelError
        Slices are unevenly spaced: NRRD would place them wrongly.
    """
    frames = ZarrFrames(path)
    (passport, samples), facts = without_channels(frames.passport), frames.describe()
    _even(passport, "NRRD")
    kind = _physical_type(frames, facts)
    text = nrrd.header(passport, kind, math.prod(frames.extra) // samples, samples, facts["unit"])
    nrrd.write(target, text, (_physical(volume, facts, kind) for volume in volumes(frames)))
    return target


def without_channels(passport: Passport) -> tuple[Passport, int]:
    """A passport without the dimension of colours, which is part of a voxel elsewhere; and how many there are."""
    if not passport.dimensions or passport.dimensions[-1].name != "channel":
        return passport, 1
    colours = passport.dimensions[-1].values
    if len(colours) != 3:
        raise PacsPanelError(f"colour of {len(colours)} channels cannot be written; red, green and blue can")
    return replace(passport, dimensions=passport.dimensions[:-1]), 3


def volumes(frames: ZarrFrames) -> Iterator[Array]:
    """A stack's stored volumes, ``(slice, row, column)`` or in colour ``(slice, row, column, 3)``, in C order."""
    array = ShardedArray(frames.path / ome.path(0) / ome.IMAGE)
    samples, box = without_channels(frames.passport)[1], [(0, n) for n in array.shape[-3:]]
    read: list[Array] = []
    for at in np.ndindex(*array.shape[:-3]):
        read.append(array.read((*((i, i + 1) for i in at), *box))[(0,) * len(at)])
        if len(read) == samples:
            yield read[0] if samples == 1 else np.stack(read, axis=-1)
            read = []


def _even(passport: Passport, name: str) -> None:
    if passport.verdict == "irregular":
        raise PacsPanelError(f"{name} cannot hold this stack: {passport.reason}")


def _physical_type(frames: ZarrFrames, facts: dict[str, Any]) -> np.dtype:
    """The type of physical values: integers that hold all there are, where they are whole, else float32."""
    dtype, slope, intercept = np.dtype(facts["dtype"]), float(facts["slope"]), float(facts["intercept"])
    if dtype.kind == "f" or (slope, intercept) == (1, 0):
        return dtype
    if not (slope.is_integer() and intercept.is_integer() and dtype.itemsize <= 2):
        return np.dtype(np.float32)
    stored = {int(end) for volume in volumes(frames) for end in (volume.min(), volume.max())}
    ends = [int(slope) * end + int(intercept) for end in (min(stored), max(stored))]
    return next(np.dtype(t) for t in (np.int16, np.int32, np.int64) if all(abs(end) <= np.iinfo(t).max for end in ends))


def _physical(stored: Array, facts: dict[str, Any], kind: np.dtype) -> Array:
    if kind.kind == "f":
        return intensity.physical(stored, facts["slope"], facts["intercept"])
    return stored.astype(kind) * kind.type(facts["slope"]) + kind.type(facts["intercept"])


def _place(image: Any, passport: Passport) -> None:
    header = image.header
    header.set_xyzt_units("mm" if passport.calibration != "none" else "unknown")
    if passport.affine is None or passport.verdict == "stack":
        header.set_zooms((*passport.spacing[::-1], *header.get_zooms()[3:]))
        image.set_sform(None, code=0)
        image.set_qform(None, code=0)
        header["descrip"] = b"no place in the patient known"
        return
    affine = affines.to_ras(passport.affine)
    image.set_sform(affine, code=1)
    if passport.verdict == "sheared":
        image.set_qform(None, code=0)
        header["descrip"] = f"sheared by {passport.tilt:.3f} deg: sform is exact, qform is not set".encode("ascii")
    else:
        image.set_qform(affine, code=1)
    image.set_sform(affine, code=1)


def to_zarr(path: Path, target: Path) -> Path:
    """Copy a stack's OME-Zarr, as it is, to a folder that must not exist."""
    if target.exists():
        raise PacsPanelError(f"{target.name} is there already; export to another place")
    ZarrFrames(path)  # is there a stack at all?
    shutil.copytree(path, target)
    return target


def to_png(path: Path, target: Path, index: int | None = None, axis: int = 0, window: Window | None = None) -> Path:
    """Write one plane as an 8-bit PNG of the right proportions.

    Parameters
    ----------
    path : Path
        Folder of the stack.
    target : Path
    index : int, optional
        Which plane; the middle one by default. Of extra dimensions, the first position is taken.
    axis : int
        0 across slices, 1 across rows, 2 across columns.
    window : Window, optional
        In physical values; by default the stack's first, or an automatic one.

    Raises
    ------
    NotFound
        There is no such plane.
    """
    frames = ZarrFrames(path)
    facts, spacing = frames.describe(), frames.passport.spacing
    if axis not in (0, 1, 2):
        raise NotFound(f"no axis {axis}: 0 is across slices, 1 across rows, 2 across columns")
    index = frames.passport.shape[axis] // 2 if index is None else index
    stored = frames.plane(0, axis, index, (0,) * len(frames.extra))
    low, high = facts["padding"] or (1, 0)
    mask = (stored >= low) & (stored <= high)
    palette = values.supplemental(facts)
    picture = render.thumbnail(
        intensity.physical(stored, facts["slope"], facts["intercept"]),
        spacing=(spacing[1 if axis == 0 else 0], spacing[1 if axis == 2 else 2]),
        size=max(stored.shape),
        window=window or values.default_window(facts),
        invert=facts["photometric"] == "MONOCHROME1",
        mask=mask if mask.any() else None,
        colours=None if palette is None else (stored, palette),
    )
    target.write_bytes(picture)
    return target
