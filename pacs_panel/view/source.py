"""What a viewer draws from: one description of a stack, and its frames by level, axis and index.

A viewer holds stored integers and windows them itself, so a source gives stored values, never a picture. The same
contract is behind both transports: routes of the serving process, and messages of a notebook's kernel.

Arrays are indexed ``[*extra, slice, row, column]`` (and samples last, where a pixel has three). A plane is cut across
one of the three space axes and keeps the other two in order: axis 0 gives ``(row, column)``, axis 1
``(slice, column)``, axis 2 ``(slice, row)``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np

from pacs_panel.errors import BadPixels, NotFound
from pacs_panel.geometry import plane as planes
from pacs_panel.geometry.plane import View
from pacs_panel.model import Dimension, Passport, Vector
from pacs_panel.view.extra import name_words, value_words

Matrix = tuple[tuple[float, ...], ...]
Triple = tuple[int, int, int]
Window = tuple[float, float, str]

DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")


@dataclass(frozen=True, slots=True)
class Level:
    """One resolution of a stack.

    Attributes
    ----------
    shape : tuple of 3 ints
        ``(slices, rows, columns)``.
    factors : tuple of 3 numbers
        Voxels of level 0 that one voxel of this level spans along ``(slice, row, column)``; voxel ``i`` has its centre
        at ``i * factor + (factor - 1) / 2`` of level 0. They need not be whole: a level may be an image of its own.
    """

    shape: Triple
    factors: Vector = (1, 1, 1)


@dataclass(frozen=True, slots=True)
class StackMeta:
    """All that a viewer must know to draw a stack and to say what is under the cursor.

    Attributes
    ----------
    series_key, revision : str
        Which frames; both stand in every address, so what is behind an address never changes.
    stack : int
        Number of the stack in its revision.
    dtype : str
        Of the stored values; one of `DTYPES`.
    levels : tuple of Level
        Finest first.
    samples : int
        1, or 3 for RGB.
    dimensions : tuple of Dimension
        Extra dimensions, outermost first.
    slope, intercept : float
        ``value = stored * slope + intercept``.
    unit : str
        Of the value, e.g. ``"HU"``.
    windows : tuple of (centre, width, name)
        Presets in output units of the modality transform; the first is shown at once.
    voi_tables : tuple of mapping
        VOI LUTs among the presets: ``name``, the ``first`` value that each maps, the ``greys`` of it and those after it
        (8 bits each, base64), and its ``place``: how many of the windows stand before it.
    supplemental : mapping, optional
        From which ``first`` stored value on values are ``colours`` (RGB of 8 bits each, base64; PS3.3 §C.7.6.19).
    voi_function : str
        ``LINEAR``, ``LINEAR_EXACT`` or ``SIGMOID`` (PS3.3 §C.11.2.1.2).
    padding : tuple of 2 numbers, optional
        Lowest and highest stored value that mean "no image here".
    photometric : str
        ``MONOCHROME1`` is shown inverted.
    affine : 4 x 4, optional
        ``(column, row, slice, 1)`` of level 0 to LPS mm.
    positions : tuple of Vector
        LPS mm of voxel (0, 0) of each slice, where the affine does not hold for all.
    spacing : tuple of 3 floats
        mm along ``(slice, row, column)``.
    calibration : str
        ``patient``, ``detector`` or ``none``: what a millimetre on screen means.
    views : tuple of View
        The planes, those of the images as acquired first; three for a volume, one for images whose place is known
        but across which nothing may be drawn, none where it is not known.
    verdict, reason : str
        The passport's.
    title : tuple of str
        What stands above the image, most general first.
    frame_time : float, optional
        ms from one frame to the next, as they were recorded.
    slices_are : str
        What the planes of axis 0 are called: ``slice``, or ``frame`` where they follow one another in time.
    """

    series_key: str
    revision: str
    stack: int
    dtype: str
    levels: tuple[Level, ...]
    samples: int = 1
    dimensions: tuple[Dimension, ...] = ()
    slope: float = 1.0
    intercept: float = 0.0
    unit: str = ""
    windows: tuple[Window, ...] = ()
    voi_tables: tuple[Mapping[str, Any], ...] = ()
    supplemental: Mapping[str, Any] | None = None
    voi_function: str = "LINEAR"
    padding: tuple[float, float] | None = None
    photometric: str = "MONOCHROME2"
    affine: Matrix | None = None
    positions: tuple[Vector, ...] = ()
    spacing: Vector = (1.0, 1.0, 1.0)
    calibration: str = "patient"
    views: tuple[View, ...] = ()
    verdict: str = "stack"
    reason: str = ""
    title: tuple[str, ...] = ()
    frame_time: float | None = None
    slices_are: Literal["slice", "frame"] = "slice"

    @property
    def shape(self) -> Triple:
        """``(slices, rows, columns)`` at full resolution."""
        return self.levels[0].shape

    def level_affine(self, level: int) -> Matrix | None:
        """``(column, row, slice, 1)`` of that level to LPS mm."""
        if self.affine is None:
            return None
        slices, rows, columns = self.levels[level].factors
        grid = np.diag((columns, rows, slices, 1)).astype(float)
        grid[:3, 3] = [(factor - 1) / 2 for factor in (columns, rows, slices)]
        return tuple(tuple(map(float, row)) for row in np.asarray(self.affine) @ grid)

    def to_dict(self) -> dict[str, Any]:
        """The description as plain JSON types, each level with its own affine."""
        data = asdict(self)
        data["shape"] = self.shape
        for number, level in enumerate(data["levels"]):
            level["affine"] = self.level_affine(number)
        for told, dimension in zip(data["dimensions"], self.dimensions, strict=True):
            told["title"] = name_words(dimension)
            told["words"] = [value_words(dimension, value) for value in dimension.values]
        return data


def describe(passport: Passport, levels: Sequence[Level] = (), **facts: Any) -> StackMeta:
    """The description of a stack with this passport.

    Parameters
    ----------
    passport : Passport
    levels : sequence of Level, optional
        Only full resolution where empty.
    **facts
        Whatever else `StackMeta` holds: ``series_key``, ``revision``, ``stack`` and ``dtype`` at least.
    """
    return StackMeta(
        levels=tuple(levels) or (Level(passport.shape),),
        dimensions=passport.dimensions,
        affine=passport.affine,
        positions=passport.positions if passport.verdict == "irregular" else (),
        spacing=passport.spacing,
        calibration=passport.calibration,
        views=_views(passport),
        verdict=passport.verdict,
        reason=passport.reason,
        **facts,
    )


def _views(passport: Passport) -> tuple[View, ...]:
    if passport.affine is None:
        return ()
    if passport.verdict in ("regular", "sheared") and min(passport.shape) > 1:
        return tuple(sorted(planes.views(passport.affine).values(), key=lambda view: view.axis))
    return (planes.view(passport.affine, 0),)


@runtime_checkable
class FrameSource(Protocol):
    """Frames of one stack.

    A source is read from several threads at once, and gives arrays that nobody writes to.
    """

    def meta(self) -> StackMeta:
        """What the frames are of."""
        ...

    def plane(self, level: int, axis: int, index: int, extra: tuple[int, ...] = ()) -> np.ndarray:
        """Stored values of one plane, 2-D (3-D with samples).

        Parameters
        ----------
        level, axis, index : int
            Resolution; 0, 1 or 2 for a plane across slices, rows or columns; which one, in voxels of that level.
        extra : tuple of int
            Index along each extra dimension.

        Raises
        ------
        NotFound
            Where there is no such plane.
        """
        ...

    def volume(self, level: int, extra: tuple[int, ...] = ()) -> np.ndarray:
        """Stored values of a whole level, ``(slices, rows, columns)``."""
        ...


class StoredFrames(Protocol):
    """Frames as a store gives them: a description in plain JSON types, and the arrays."""

    def describe(self) -> Mapping[str, Any]:
        """``passport``, ``levels``, and whatever else `StackMeta` holds of the values."""
        ...

    def plane(self, level: int, axis: int, index: int, extra: tuple[int, ...] = ()) -> np.ndarray:
        """As `FrameSource.plane`."""
        ...

    def volume(self, level: int, extra: tuple[int, ...] = ()) -> np.ndarray:
        """As `FrameSource.volume`."""
        ...


@dataclass(frozen=True, slots=True)
class StackFrames:
    """The frames of a stored stack, as a viewer takes them.

    Parameters
    ----------
    frames : StoredFrames
    described : StackMeta
        As `meta_of` makes it.
    """

    frames: StoredFrames
    described: StackMeta

    def meta(self) -> StackMeta:
        """What the frames are of."""
        return self.described

    def plane(self, level: int, axis: int, index: int, extra: tuple[int, ...] = ()) -> np.ndarray:
        """Stored values of one plane; see `FrameSource.plane`."""
        return self.frames.plane(level, axis, index, extra)

    def volume(self, level: int, extra: tuple[int, ...] = ()) -> np.ndarray:
        """Stored values of a whole level; see `FrameSource.volume`."""
        return self.frames.volume(level, extra)


def meta_of(
    description: Mapping[str, Any], series_key: str, revision: str, stack: int, title: Sequence[str] = ()
) -> StackMeta:
    """The description of a stored stack as a viewer takes it, from what its store tells."""
    facts = {name: value for name, value in description.items() if name in _OF_VALUES}
    facts["windows"] = tuple((centre, width, name) for centre, width, name in facts.get("windows", ()))
    facts["voi_tables"] = tuple(facts.get("voi_tables", ()))
    if facts.get("padding") is not None:
        facts["padding"] = tuple(facts["padding"])
    levels = [Level(tuple(level["shape"]), tuple(level["factors"])) for level in description["levels"]]
    passport = Passport.from_dict(description["passport"])
    return describe(
        passport, levels, series_key=series_key, revision=revision, stack=stack, title=tuple(title), **facts
    )


_OF_VALUES = frozenset(
    {
        *("dtype", "samples", "slope", "intercept", "unit", "windows", "voi_function", "padding", "photometric"),
        *("voi_tables", "supplemental", "frame_time", "slices_are"),
    }
)


def encode(array: np.ndarray) -> bytes:
    """Stored values as they travel: little-endian, C order, in the array's own type (a mask as uint8).

    Raises
    ------
    BadPixels
        Where a browser has no array of that type.
    """
    array = array.view(np.uint8) if array.dtype == bool else array
    if array.dtype.name not in DTYPES:
        raise BadPixels(f"cannot show values of type {array.dtype}: convert them to one of {', '.join(DTYPES)}")
    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).tobytes()


def check_extra(meta: StackMeta, extra: tuple[int, ...]) -> None:
    """Hold an extra index against the stack's extra dimensions; `NotFound` where it is outside."""
    sizes = tuple(len(dimension.values) for dimension in meta.dimensions)
    if len(extra) != len(sizes) or not all(0 <= at < size for at, size in zip(extra, sizes, strict=True)):
        raise NotFound(f"no index {extra} in extra dimensions of sizes {sizes}")


def check_level(meta: StackMeta, level: int) -> None:
    """`NotFound` where a stack has no such level."""
    if not 0 <= level < len(meta.levels):
        raise NotFound(f"no level {level}: the stack has {len(meta.levels)}")


def check_plane(meta: StackMeta, level: int, axis: int, index: int) -> None:
    """`NotFound` where a stack has no such plane."""
    check_level(meta, level)
    if axis not in (0, 1, 2):
        raise NotFound(f"no axis {axis}: 0 is across slices, 1 across rows, 2 across columns")
    size = meta.levels[level].shape[axis]
    if not 0 <= index < size:
        raise NotFound(f"no plane {index} on axis {axis}: level {level} has {size}")
