"""How a stack's array is laid out on disk: axes, levels of resolution, chunks.

On disk the space axes are called ``z, y, x`` (slice, row, column), as readers of OME-Zarr expect.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pacs_panel.model import Dimension, Passport, Vector

Triple = tuple[int, int, int]

SPACE = ("z", "y", "x")
TIMES = ("time", "phase")
SMALLEST = 128  # no further level once both in-plane sides are this small
LEVELS = 5
SLICE_RATIO = 1.5
FAR = 2 * math.sqrt(2)  # coarser than that is nearer to a quarter than to a half

PLANE, SINGLE = 64, 512  # in-plane side of a chunk: of a volume, of a single image
SLICES, BLOCK = 32, 8  # slices of a chunk, and of each of its separately compressed blocks
EXTRA = 10  # positions of a chunk along the innermost extra dimension
SHARD_BYTES = 256 << 20


def extra_axes(dimensions: Sequence[Dimension]) -> tuple[str, ...]:
    """Names of the axes before the space axes.

    OME-Zarr 0.5 allows one axis of time, then one more. Anything else is flattened, in C order, into one axis ``c``;
    the passport's dimensions tell the sizes.
    """
    kinds = tuple("t" if dimension.name in TIMES else "c" for dimension in dimensions)
    return kinds if kinds in ((), ("t",), ("c",), ("t", "c")) else ("c",)


def extra_shape(dimensions: Sequence[Dimension]) -> tuple[int, ...]:
    """Sizes along `extra_axes`."""
    sizes = tuple(len(dimension.values) for dimension in dimensions)
    return sizes if len(extra_axes(dimensions)) == len(sizes) else (math.prod(sizes),)


@dataclass(frozen=True, slots=True)
class Level:
    """One resolution.

    Attributes
    ----------
    shape : tuple of 3 ints
        ``(slices, rows, columns)``.
    factors : tuple of 3 numbers
        Voxels of level 0 that one voxel spans along each axis; whole ones where it is means of blocks of level 0.
    source : str
        SOP Instance UID of the object whose own pixels it holds; empty where they are means of the level before.
    """

    shape: Triple
    factors: Vector = (1, 1, 1)
    source: str = ""


def levels(passport: Passport) -> tuple[Level, ...]:
    """The resolutions of a stack, finest first.

    Each halves rows and columns, until both are at most 128 or there are five levels. Slices are halved with them where
    the step between slices is then at most 1.5 times the larger in-plane spacing, and only in a grid whose slices are
    evenly spaced (``regular``, ``sheared``): means across a gap, or across unrelated images, would have no place.

    Levels that are objects of their own stand among them, however many; where the next of these is far, levels between
    are means of the one before, and so are those after the last.
    """
    made = [Level(passport.shape)]
    for own in passport.levels:
        while max(own.factors) >= FAR * max(made[-1].factors) and max(made[-1].shape[1:]) > 1:
            made.append(_halved(made[-1], passport))
        made.append(Level(own.shape, own.factors, own.sop_instance_uid))
    while max(made[-1].shape[1:]) > SMALLEST and len(made) < LEVELS:
        made.append(_halved(made[-1], passport))
    return tuple(made)


def _halved(last: Level, passport: Passport) -> Level:
    even = passport.verdict in ("regular", "sheared")
    slice_, row, column = (s * f for s, f in zip(passport.spacing, last.factors, strict=True))
    halved = (even and slice_ <= SLICE_RATIO * max(row, column), True, True)
    steps = [2 if half and n > 1 else 1 for half, n in zip(halved, last.shape, strict=True)]
    slices, rows, columns = (-(-n // step) for n, step in zip(last.shape, steps, strict=True))
    along, down, across = (f * step for f, step in zip(last.factors, steps, strict=True))
    return Level((slices, rows, columns), (along, down, across))


def chunk_shape(shape: Sequence[int]) -> tuple[int, ...]:
    """Shape of a chunk: compact, so that a plane across any axis touches few bytes.

    A chunk may reach beyond a short array; that is filled with zeros and costs nothing.
    """
    *extra, slices, rows, columns = shape
    side = SINGLE if slices == 1 else PLANE
    deep = slices if slices < BLOCK else min(SLICES, -(-slices // BLOCK) * BLOCK)
    outer = [1] * (len(extra) - 1) + [min(EXTRA, extra[-1])] if extra else []
    return (*outer, deep, min(side, rows), min(side, columns))


def block_shape(chunk: Sequence[int]) -> tuple[int, ...]:
    """Shape of the part of a chunk that is compressed on its own, so that it can be read on its own."""
    *extra, slices, rows, columns = chunk
    return (*(1 for _ in extra), BLOCK if slices % BLOCK == 0 else slices, rows, columns)


def shard_shape(shape: Sequence[int], chunk: Sequence[int], itemsize: int) -> tuple[int, ...]:
    """Shape of a shard, which is one file: the whole array, or where that is large a slab of at most 256 MiB.

    The slab is cut across the first axis along which one layer of chunks is small enough.
    """
    counts = [-(-n // c) for n, c in zip(shape, chunk, strict=True)]
    chunk_bytes = math.prod(chunk) * itemsize
    for axis in range(len(counts)):
        layer = math.prod(counts[axis + 1 :]) * chunk_bytes
        if layer <= SHARD_BYTES or axis == len(counts) - 1:
            counts[axis] = min(counts[axis], max(1, SHARD_BYTES // layer))
            break
        counts[axis] = 1
    return tuple(n * c for n, c in zip(counts, chunk, strict=True))
