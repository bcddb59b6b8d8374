"""Where the frames of a segmentation lie on the images' grid: by place where both have one, else by reference.

A frame whose pixels are those of an image, or a part of it, is *pasted*. Frames on other planes, spacings or
orientations form a lattice of their own, out of which the images' pixels are *sampled*, nearest neighbour.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pacs_panel.geometry import affine as affines
from pacs_panel.geometry.passport import allowed, flaw
from pacs_panel.overlay.grid import Grid, Planes
from pacs_panel.overlay.segmentation import Frame, Segmentation

SAME = 1e-3  # mm: planes that are nearer are one, written by another hand
PIXEL = 0.02  # of a pixel: how far a pasted frame may be off the images' pixels


@dataclass(frozen=True, slots=True)
class Pasted:
    """A frame whose pixel (0, 0) is the images' pixel ``(row, column)`` of a slice."""

    frame: int
    row: int = 0
    column: int = 0


@dataclass(frozen=True, eq=False)
class Lattice:
    """Frames on planes of their own: which frames lie on each of the planes."""

    planes: Planes
    frames: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, eq=False)
class Placement:
    """Where all frames lie.

    Attributes
    ----------
    slices : mapping of int to list of Pasted
        By slice.
    lattices : tuple of Lattice
    notes : tuple of str
    """

    slices: dict[int, list[Pasted]] = field(default_factory=dict)
    lattices: tuple[Lattice, ...] = ()
    notes: tuple[str, ...] = ()

    def groups(self) -> list[list[int]]:
        """Frames that may overlap each other: those of one plane."""
        pasted = [[one.frame for one in frames] for frames in self.slices.values()]
        return pasted + [list(frames) for lattice in self.lattices for frames in lattice.frames]


def place(found: Segmentation, shape: tuple[int, int], grid: Grid) -> Placement:
    """Place the frames of a segmentation.

    Parameters
    ----------
    shape : tuple of 2 ints
        Rows and columns of its frames.
    """
    same = _same_space(found, grid)
    by_place: dict[tuple[tuple[float, ...], tuple[float, ...]], list[int]] = defaultdict(list)
    by_reference = []
    for number, frame in enumerate(found.frames):
        placed = same and not flaw(frame.position, frame.orientation, frame.spacing, grid.tolerance)
        if placed:
            by_place[frame.orientation, frame.spacing].append(number)
        else:
            by_reference.append(number)
    slices: dict[int, list[Pasted]] = defaultdict(list)
    lattices: list[Lattice] = []
    notes: list[str] = []
    for (orientation, spacing), numbers in by_place.items():
        planes, frames = _planes(found, numbers, orientation, spacing, shape)
        lattice = _paste(planes, frames, grid, slices, notes)
        if lattice is not None:
            lattices.append(lattice)
    notes += _refer(found, by_reference, shape, grid, slices)
    notes += _contradictions(found, grid, slices)
    return Placement(dict(slices), tuple(lattices), tuple(dict.fromkeys(notes)))


def _same_space(found: Segmentation, grid: Grid) -> bool:
    """Whether positions of both are in one space; where one of them names none, references must show it."""
    if grid.planes is None:
        return False
    if found.frame_of_reference and grid.frame_of_reference:
        return found.frame_of_reference == grid.frame_of_reference
    return any(uid in grid.slices for uid in found.referred.instances)


def _planes(
    found: Segmentation,
    numbers: list[int],
    orientation: tuple[float, ...],
    spacing: tuple[float, ...],
    shape: tuple[int, int],
) -> tuple[Planes, tuple[tuple[int, ...], ...]]:
    """The planes of frames that share orientation and spacing, in order of height, and the frames on each."""
    across, down, normal = affines.directions(orientation)
    at: dict[tuple[float, ...], list[int]] = defaultdict(list)
    for number in numbers:
        position = found.frames[number].position
        known = next((p for p in at if np.abs(np.subtract(p, position)).max() <= SAME), position)
        at[known].append(number)
    positions = np.asarray(sorted(at, key=lambda position: float(np.asarray(position) @ normal)), float)
    apart = np.diff(positions @ normal)
    apart = apart[apart > SAME]
    # A thickness may be more than the distance: then it does not tell how far a plane reaches.
    step = min(filter(None, (found.step, float(apart.min()) if apart.size else 0.0)), default=1.0)
    planes = Planes(positions, across * spacing[1], down * spacing[0], shape, step)
    return planes, tuple(tuple(at[tuple(position)]) for position in positions.tolist())


def _paste(
    planes: Planes,
    frames: tuple[tuple[int, ...], ...],
    grid: Grid,
    slices: dict[int, list[Pasted]],
    notes: list[str],
) -> Lattice | None:
    """Paste planes that lie on the images' pixels; all of them, or else they form a lattice."""
    target = grid.planes
    assert target is not None
    nearest, above = target.nearest(planes.positions)
    offset = target.pixels(planes.positions, nearest)
    whole = np.rint(offset)
    outside = _outside(target, nearest, above)
    off = np.abs(offset - whole).max(axis=1) > PIXEL
    off |= np.abs(above) > allowed(target.step, grid.tolerance)
    if not target.parallel(planes, grid.tolerance.angle) or (off & ~outside).any():
        notes.append(
            "The segmentation has a grid of its own; its labels are shown on the images' by nearest neighbour."
        )
        return Lattice(planes, frames)
    if outside.any():
        notes.append(f"{int(outside.sum())} of {len(frames)} planes lie outside the images and are not shown.")
    if (planes.shape != target.shape or np.any(whole)) and not outside.all():
        notes.append("Its frames are another part of the plane than the images; pixels are the same.")
    for number in np.flatnonzero(~outside):
        column, row = whole[number].astype(int).tolist()
        slices[int(nearest[number])] += [Pasted(frame, row, column) for frame in frames[number]]
    return None


def _outside(target: Planes, nearest: NDArray[np.intp], above: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which planes are more than half a step beyond the first or the last slice, or fall into a gap between two."""
    return np.asarray(np.abs(above) > target.step / 2 * (1 + 1e-6))


def _refer(
    found: Segmentation, numbers: list[int], shape: tuple[int, int], grid: Grid, slices: dict[int, list[Pasted]]
) -> list[str]:
    """Place frames that have no place in the images' space by the image that each was made from."""
    if not numbers:
        return []
    if shape != grid.shape[1:]:
        size = f"{shape[0]} × {shape[1]} pixels, the images {grid.shape[1]} × {grid.shape[2]}"
        return [f"Frames cannot be placed: {len(numbers)} of {len(found.frames)} have {size}."]
    lost = 0
    for number in numbers:
        found_in = _sources(found.frames[number], grid)
        if len(found_in) == 1 and _as_the_images(found.frames[number], grid):
            slices[found_in.pop()].append(Pasted(number))
        else:
            lost += 1
    notes = []
    if lost < len(numbers) and grid.planes is not None:
        notes.append("Placed by the images that it refers to: its own positions are in another space, or missing.")
    if lost:
        notes.append(f"{lost} of {len(found.frames)} frames cannot be placed on these images and are not shown.")
    return notes


def _as_the_images(frame: Frame, grid: Grid) -> bool:
    """Whether rows and columns of a frame may be those of the images: it says so, or nothing."""
    if grid.planes is None or not (frame.orientation and frame.spacing):
        return True
    across, down, _ = affines.directions(frame.orientation)
    one = Planes(np.zeros((1, 3)), across * frame.spacing[1], down * frame.spacing[0], (1, 1), 1.0)
    return grid.planes.parallel(one, grid.tolerance.angle)


def _sources(frame: Frame, grid: Grid) -> set[int]:
    return set().union(*(grid.slice_of(uid, frames) for uid, frames in frame.sources))


def _contradictions(found: Segmentation, grid: Grid, slices: dict[int, list[Pasted]]) -> list[str]:
    """Frames that refer to one image but lie at another: the place counts, and it is said."""
    count = 0
    for slice_, pasted in slices.items():
        for one in pasted:
            named = _sources(found.frames[one.frame], grid)
            count += bool(named) and slice_ not in named
    if not count:
        return []
    return [f"{count} frames refer to another image than the one at their position; the position counts."]
