"""dcm2niix on the files of one series, and how its images lie to ours."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import dcm2niix
import nibabel
import numpy as np

RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Image:
    """A NIfTI file.

    Attributes
    ----------
    name : str
        What dcm2niix appended to the name that it was given: ``_e2``, ``_Tilt_1`` and so on.
    values : ndarray
        ``(volume, column, row, slice)``, physical; colour has red, green and blue as a last axis.
    affine : ndarray
        ``(column, row, slice, 1)`` to LPS mm.
    bval, bvec : ndarray, optional
        ``(volumes,)`` in s/mm², and ``(volumes, 3)`` in FSL's axes.
    """

    name: str
    values: np.ndarray
    affine: np.ndarray
    bval: np.ndarray | None = None
    bvec: np.ndarray | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Columns, rows, slices."""
        return self.values.shape[1:4]

    @property
    def slices(self) -> np.ndarray:
        """``(slice, row, column[, 3])`` of all volumes, one after the other."""
        return np.concatenate([np.swapaxes(volume, 0, 2) for volume in self.values])


def images(files: Iterable[Path], target: Path, *options: str) -> list[Image]:
    """What dcm2niix makes of these files, by name; overlays that it writes as images of their own left out."""
    source, made = target / "in", target / "out"
    for folder in (source, made):
        folder.mkdir(parents=True)
    for number, path in enumerate(sorted(files)):
        (source / f"{number:04d}.dcm").symlink_to(path.resolve())
    command = [dcm2niix.bin, *options, "-b", "n", "-z", "n", "-f", "image", "-o", str(made), str(source)]
    subprocess.run(command, check=False, capture_output=True, timeout=100)
    return [load(path) for path in sorted(made.glob("*.nii")) if "_ROI" not in path.name]


def load(path: Path) -> Image:
    """A NIfTI file, and what lies beside it."""
    image = nibabel.load(path)
    raw = np.asarray(image.dataobj)
    if raw.dtype.names:
        raw = np.stack([raw[name] for name in raw.dtype.names], axis=-1)
        raw = raw[:, :, :, None] if raw.ndim == 4 else raw
    else:
        raw = raw[..., None] if raw.ndim == 3 else raw
    b, vectors = (np.loadtxt(p) if (p := path.with_suffix(end)).exists() else None for end in (".bval", ".bvec"))
    values = np.moveaxis(raw, 3, 0).astype(float)
    return Image(path.stem.removeprefix("image"), values, RAS @ image.affine, b, None if vectors is None else vectors.T)


@dataclass(frozen=True)
class Way:
    """How to come from our voxels to the peer's: which of our axes each of theirs is, and which run the other way."""

    axes: tuple[int, ...]
    flips: tuple[bool, ...]
    apart: float
    """mm between corresponding corners, at most."""

    def onto(self, values: np.ndarray) -> np.ndarray:
        """Our ``(volume, column, row, slice[, 3])`` in the peer's order."""
        axes = (0, *(axis + 1 for axis in self.axes), *range(4, values.ndim))
        return values.transpose(axes)[(slice(None), *(slice(None, None, -1 if flip else 1) for flip in self.flips))]


def way(shape: tuple[int, ...], affine: np.ndarray, peer: Image) -> Way | None:
    """The way from a grid ``(column, row, slice)`` of ours to the peer's; ``None`` where they are not the same grid."""
    turn = np.rint((np.linalg.inv(_upright(peer.affine, peer.shape)) @ _upright(affine, shape))[:3, :3])
    if not all(np.array_equal(np.abs(turn).sum(axis), [1, 1, 1]) for axis in (0, 1)):
        return None
    axes = tuple(int(np.flatnonzero(row)[0]) for row in turn)
    flips = tuple(bool(turn[row, axis] < 0) for row, axis in enumerate(axes))
    if tuple(shape[axis] for axis in axes) != peer.shape:
        return None
    corners = np.array([[c, r, s] for c in (0, 1) for r in (0, 1) for s in (0, 1)], float) * (np.array(shape) - 1)
    theirs = np.where(flips, np.array(peer.shape) - 1 - corners[:, axes], corners[:, axes])
    return Way(axes, flips, float(np.linalg.norm(_at(affine, corners) - _at(peer.affine, theirs), axis=1).max()))


def _upright(affine: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """An affine of unit steps; what is said of the step from a single slice places nothing, and is put upright."""
    made = np.array(affine, float)
    made[:3, :3] /= np.linalg.norm(made[:3, :3], axis=0)
    if shape[2] == 1:
        made[:3, 2] = np.cross(made[:3, 0], made[:3, 1])
    return made


def _at(affine: np.ndarray, index: np.ndarray) -> np.ndarray:
    return index @ affine[:3, :3].T + affine[:3, 3]
