"""A stack in other programs' formats."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from pacs_panel.errors import NotFound, PacsPanelError
from pacs_panel.geometry import affine as affines
from pacs_panel.model import Passport
from pacs_panel.pixels import intensity, render
from pacs_panel.pixels.intensity import Window
from pacs_panel.volume import ome, values
from pacs_panel.volume.frames import ZarrFrames
from pacs_panel.volume.shards import ShardedArray

Array = np.ndarray


def to_nifti(path: Path, target: Path) -> Path:
    """Write a stack as NIfTI-1, compressed where ``target`` ends in ``.gz``.

    Voxels stay as they are, in the order of the stack: axes are column, row, slice, then extra dimensions. Integers
    stay integers, with slope and intercept in the header; where slopes vary from slice to slice, values are physical,
    float32. The sform is the passport's affine in RAS, in NIfTI's float32. A sheared grid has no qform, and the
    header's description says so.

    Parameters
    ----------
    path : Path
        Folder of the stack.
    target : Path

    Raises
    ------
    PacsPanelError
        Slices are unevenly spaced: NIfTI would place them wrongly.
    """
    import nibabel  # takes longer to import than most exports take

    frames = ZarrFrames(path)
    passport, facts = frames.passport, frames.describe()
    if passport.verdict == "irregular":
        raise PacsPanelError(f"NIfTI cannot hold this stack: {passport.reason}")
    array = ShardedArray(path / ome.path(0) / ome.IMAGE)[...].reshape(*frames.extra, *passport.shape)
    data = np.moveaxis(array, (-1, -2, -3), (0, 1, 2))
    image = nibabel.Nifti1Image(data, None, dtype=data.dtype)
    _place(image, passport)
    image.header.set_slope_inter(facts["slope"], facts["intercept"])
    nibabel.save(image, target)
    return target


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
    picture = render.thumbnail(
        intensity.physical(stored, facts["slope"], facts["intercept"]),
        spacing=(spacing[1 if axis == 0 else 0], spacing[1 if axis == 2 else 2]),
        size=max(stored.shape),
        window=window or values.default_window(facts),
        invert=facts["photometric"] == "MONOCHROME1",
        mask=mask if mask.any() else None,
    )
    target.write_bytes(picture)
    return target
