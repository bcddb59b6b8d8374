"""Images that form a grid: where it is, and what is odd about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from pacs_panel.model.image import Vector, tuples
from pacs_panel.model.slide import Resolution

Verdict = Literal["regular", "sheared", "irregular", "stack"]
VERDICTS: tuple[Verdict, ...] = ("regular", "sheared", "irregular", "stack")  # best first


@dataclass(frozen=True, slots=True)
class Dimension:
    """A dimension beyond space.

    Attributes
    ----------
    name, keyword : str
        What it is; the attribute that ordered it, or two with a comma between them.
    values : tuple of float or str
        In order; times of day are seconds after the first.
    b_values : tuple of float
        Diffusion b-value at each position, s/mm², where all slices of a position agree; else empty.
    directions : tuple of (Vector or None)
        Diffusion gradient direction at each position, a unit vector in LPS, ``None`` where there is none; or empty.
    """

    name: str
    keyword: str
    values: tuple[float | str, ...]
    b_values: tuple[float, ...] = ()
    directions: tuple[Vector | None, ...] = ()


@dataclass(frozen=True, slots=True)
class Gap:
    """Missing slices: after slice ``after``, ``missing`` whole steps are not there."""

    after: int
    missing: int


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What counts as equal: ``max(absolute mm, relative of the step)``, and ``angle`` between directions in degrees."""

    absolute: float = 0.01
    relative: float = 0.01
    angle: float = 0.1

    def of(self, step: float) -> float:
        """The tolerance in mm for a slice step in mm."""
        return max(self.absolute, self.relative * abs(step))


@dataclass(frozen=True, slots=True)
class Passport:
    """Where a stack's voxels are, how sure that is, and what is odd about it.

    Attributes
    ----------
    verdict : str
        ``regular``: an upright grid. ``sheared``: an even grid whose slices are shifted along themselves (gantry
        tilt). ``irregular``: ordered and parallel, but not evenly spaced, or with slices missing. ``stack``: images
        that are not a volume.
    reason : str
        The verdict in words.
    shape : tuple of 3 ints
        ``(slices, rows, columns)``.
    affine : tuple of 4 tuples of 4 floats, optional
        ``(column, row, slice, 1)`` to LPS mm. For ``irregular`` it holds exactly at slice 0 and uses the median step;
        ``positions`` hold everywhere. ``None`` where there is no place in the patient.
    positions : tuple of Vector
        LPS mm of voxel (0, 0) of each slice; empty where unknown.
    spacing : tuple of 3 floats
        mm between voxel centres along ``(slice, row, column)`` index; the slice one is the length of the step vector;
        1.0 where unknown.
    step_normal : float, optional
        mm between slices along the slice normal.
    tilt : float
        Degrees between the step and the normal.
    gaps : tuple of Gap
    duplicates : tuple of str
        SOP Instance UIDs of objects at an already occupied place, which are not in the stack.
    blank : tuple of int
        Planes that could not be decoded, wholly or in part, counted in C order of ``(*extra dimensions, slice)``.
    residual : float
        Largest distance, mm, of a slice's stated position from the affine's.
    dimensions : tuple of Dimension
        Extra dimensions, outermost first.
    candidates : tuple of str
        Where extra dimensions are ambiguous: the keywords that might order them.
    levels : tuple of Resolution
        Objects whose own pixels are coarser levels, finest first; other levels are means.
    calibration : str
        ``patient`` (Pixel Spacing), ``detector`` (Imager Pixel Spacing) or ``none``.
    frame_of_reference : str
        Frame of Reference UID.
    tolerance : Tolerance
    """

    verdict: Verdict
    reason: str
    shape: tuple[int, int, int]
    affine: tuple[tuple[float, ...], ...] | None = None
    positions: tuple[Vector, ...] = ()
    spacing: Vector = (1.0, 1.0, 1.0)
    step_normal: float | None = None
    tilt: float = 0.0
    gaps: tuple[Gap, ...] = ()
    duplicates: tuple[str, ...] = ()
    blank: tuple[int, ...] = ()
    residual: float = 0.0
    dimensions: tuple[Dimension, ...] = ()
    candidates: tuple[str, ...] = ()
    levels: tuple[Resolution, ...] = ()
    calibration: str = "patient"
    frame_of_reference: str = ""
    tolerance: Tolerance = Tolerance()

    def to_dict(self) -> dict[str, Any]:
        """The passport as plain JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Passport:
        """The passport that `to_dict` gave, also after a round trip through JSON."""
        values = {key: tuples(value) for key, value in data.items()}
        values["gaps"] = tuple(Gap(**gap) for gap in data["gaps"])
        values["dimensions"] = tuple(Dimension(**{k: tuples(v) for k, v in d.items()}) for d in data["dimensions"])
        levels = data.get("levels", ())
        values["levels"] = tuple(Resolution(**{k: tuples(v) for k, v in level.items()}) for level in levels)
        values["tolerance"] = Tolerance(**data["tolerance"])
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Stack:
    """Objects that form one grid, in order.

    Attributes
    ----------
    passport : Passport
    members : tuple of str
        SOP Instance UIDs, one a plane, in C order of ``(*extra dimensions, slice)``.
    frames : tuple of int
        Which frame of its object each plane is, from 0; empty where all are frame 0.
    """

    passport: Passport
    members: tuple[str, ...]
    frames: tuple[int, ...] = ()

    def planes(self) -> tuple[tuple[str, int], ...]:
        """SOP Instance UID and frame of each plane, in order."""
        return tuple(zip(self.members, self.frames or (0,) * len(self.members), strict=True))

    def objects(self) -> frozenset[str]:
        """SOP Instance UIDs of all that it is made of: its planes, and its coarser levels."""
        return frozenset((*self.members, *(level.sop_instance_uid for level in self.passport.levels)))

    def to_dict(self) -> dict[str, Any]:
        """The stack as plain JSON types."""
        return {"passport": self.passport.to_dict(), "members": list(self.members), "frames": list(self.frames)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Stack:
        """The stack that `to_dict` gave, also after a round trip through JSON."""
        return cls(Passport.from_dict(data["passport"]), tuple(data["members"]), tuple(data.get("frames", ())))


@dataclass(frozen=True, slots=True)
class Revision:
    """One published state of a series' volumes.

    Attributes
    ----------
    series_key, revision : str
        Key of the series; hash of its objects' digests and of the rules' version.
    path : str
        Where the stacks lie, relative to the archive.
    verdict : str
        The worst of its stacks'; empty where no volume is made of the series.
    stacks : tuple of Stack
    note : str
        Why there is no volume, if there is none.
    """

    series_key: str
    revision: str
    path: str
    verdict: str
    stacks: tuple[Stack, ...]
    note: str = ""
