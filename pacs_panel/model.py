"""Frozen values: the only currency between stages.

Conventions, everywhere in the package:

- Patient space is LPS (x to the Left, y to the Posterior, z to the Superior), in mm (PS3.3 §C.7.6.2.1.1).
- A voxel's index counts voxel centres from 0. An affine takes ``(column, row, slice, 1)`` to ``(x, y, z, 1)``.
- Arrays are indexed ``[..., slice, row, column]``; extra dimensions come first.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Vector = tuple[float, float, float]
Verdict = Literal["regular", "sheared", "irregular", "stack"]
VERDICTS: tuple[Verdict, ...] = ("regular", "sheared", "irregular", "stack")  # best first


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. Until there is sign-in, `LOCAL` is the one who may do everything."""

    name: str
    roles: frozenset[str] = frozenset()


LOCAL = Principal("local", frozenset({"admin"}))


# -- one object --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Location:
    """Where the bytes of one object lie: a byte range of a pack, or of the user's own file.

    Attributes
    ----------
    path : str
        Pack id inside the archive; an absolute path where ``in_place``.
    offset, length : int
        Bytes.
    in_place : bool
        The file belongs to the user; the archive never writes it.
    """

    path: str
    offset: int
    length: int
    in_place: bool = False


@dataclass(frozen=True, slots=True)
class Digests:
    """SHA-256, in hex, of the file's bytes, and of its data set (without preamble and group 2)."""

    file: str
    dataset: str


@dataclass(frozen=True, slots=True)
class Identity:
    """What tells an object from all others, as its header says; Study and Series UID may be empty."""

    sop_instance_uid: str
    sop_class_uid: str
    study_uid: str
    series_uid: str
    transfer_syntax: str


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """What a header says of an image's pixels, values and place: all that a volume is made from.

    Attributes
    ----------
    sop_instance_uid : str
        The object.
    rows, columns, frames, samples : int
        Shape: ``frames`` of ``rows`` x ``columns`` pixels with ``samples`` a pixel.
    bits_allocated, bits_stored, high_bit : int
        PS3.5 §8.1.1.
    signed : bool
        Pixel Representation is 1.
    photometric : str
        Photometric Interpretation.
    planar : int
        Planar Configuration, 0 where absent.
    position : tuple of 3 floats, optional
        Image Position (Patient), mm LPS: centre of the first voxel transmitted.
    orientation : tuple of 6 floats, optional
        Image Orientation (Patient): direction of a row (towards growing columns), then of a column.
    spacing : tuple of 2 floats, optional
        Pixel Spacing, mm: between rows, then between columns.
    imager_spacing : tuple of 2 floats, optional
        Imager Pixel Spacing, mm at the detector, not in the patient.
    slope, intercept : float, optional
        Rescale Slope and Intercept.
    rescale_type, units : str
        Rescale Type; Units (PET).
    windows : tuple of (centre, width, explanation)
        VOI windows, in output units of the modality transform.
    voi_function : str
        ``LINEAR``, ``LINEAR_EXACT`` or ``SIGMOID`` (PS3.3 §C.11.2.1.2).
    padding : tuple of 2 ints, optional
        Pixel Padding Value and Range Limit, both inclusive, in order (PS3.3 §C.7.5.1.1.2).
    pixel_offset, pixel_length : int
        Value of Pixel Data, in bytes from the start of the file; length -1 where encapsulated, 0 where there is none.
    frame : int
        Which frame of the object this speaks of, from 0; a mosaic's tiles count as frames. 0 where it speaks of all.
    order : mapping of str to float or str
        Keyword to value, of the attributes that may order further dimensions (time, echo, b-value, …), and of
        ``InstanceNumber``, ``SliceThickness``, ``SpacingBetweenSlices``, ``GantryDetectorTilt`` where present.
    """

    sop_instance_uid: str
    rows: int
    columns: int
    frames: int = 1
    samples: int = 1
    bits_allocated: int = 16
    bits_stored: int = 16
    high_bit: int = 15
    signed: bool = False
    photometric: str = "MONOCHROME2"
    planar: int = 0
    position: Vector | None = None
    orientation: tuple[float, float, float, float, float, float] | None = None
    spacing: tuple[float, float] | None = None
    imager_spacing: tuple[float, float] | None = None
    slope: float | None = None
    intercept: float | None = None
    rescale_type: str = ""
    units: str = ""
    windows: tuple[tuple[float, float, str], ...] = ()
    voi_function: str = "LINEAR"
    padding: tuple[int, int] | None = None
    frame_of_reference: str = ""
    transfer_syntax: str = ""
    pixel_offset: int = 0
    pixel_length: int = 0
    frame: int = 0
    order: Mapping[str, float | str] = field(default_factory=dict)

    def to_json(self) -> str:
        """The value as compact JSON, for a column of the index."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> ImageHeader:
        """The value that `to_json` wrote."""
        return cls(**{key: _tuples(value) for key, value in json.loads(text).items()})


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value


@dataclass(frozen=True, slots=True)
class Header:
    """One object as its header tells it: identity, index columns, and, for images, what a volume needs.

    Attributes
    ----------
    values : mapping of str to str, int or float
        Keyword to value for the table in `pacs_panel.attributes`; several values are joined by a backslash.
    image : ImageHeader, optional
        ``None`` where there is no pixel data.
    """

    identity: Identity
    values: Mapping[str, str | int | float]
    image: ImageHeader | None
    dataset_offset: int


@dataclass(frozen=True, slots=True)
class Kept:
    """One object version as the index knows it: which, where, since when."""

    sop_instance_uid: str
    sop_class_uid: str
    series_key: str
    transfer_syntax: str
    location: Location
    digests: Digests
    dataset_offset: int
    received: int
    current: bool
    image: ImageHeader | None = None


# -- one stack ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Dimension:
    """A dimension beyond space: its name, the attribute that ordered it, and its values in order."""

    name: str
    keyword: str
    values: tuple[float | str, ...]


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
    residual : float
        Largest distance, mm, of a slice's stated position from the affine's.
    dimensions : tuple of Dimension
        Extra dimensions, outermost first.
    candidates : tuple of str
        Where extra dimensions are ambiguous: the keywords that might order them.
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
    residual: float = 0.0
    dimensions: tuple[Dimension, ...] = ()
    candidates: tuple[str, ...] = ()
    calibration: str = "patient"
    frame_of_reference: str = ""
    tolerance: Tolerance = Tolerance()

    def to_dict(self) -> dict[str, Any]:
        """The passport as plain JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Passport:
        """The passport that `to_dict` gave, also after a round trip through JSON."""
        values = {key: _tuples(value) for key, value in data.items()}
        values["gaps"] = tuple(Gap(**gap) for gap in data["gaps"])
        values["dimensions"] = tuple(Dimension(d["name"], d["keyword"], tuple(d["values"])) for d in data["dimensions"])
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


# -- objects that speak of images --------------------------------------------------------------------------------------

OverlayKind = Literal["segmentation", "structures", "dose", "planes"]


@dataclass(frozen=True, slots=True)
class Segment:
    """One labelled thing: a segment (PS3.3 §C.8.20.4), or a region of interest (PS3.3 §C.8.8.5).

    Attributes
    ----------
    number : int
        Segment Number or ROI Number; what a label volume holds.
    colour : tuple of 3 ints
        sRGB, 0 to 255.
    label, meaning, method : str
        Its name; category and type; how it was made.
    """

    number: int
    label: str
    colour: tuple[int, int, int]
    meaning: str = ""
    method: str = ""


@dataclass(frozen=True, slots=True)
class Overlay:
    """An object that speaks of images, as it lies on the grid of one stack.

    Attributes
    ----------
    sop_instance_uid, series_key : str
        The object, and the series that it is in.
    kind : str
        ``segmentation``, ``structures``, ``dose`` or ``planes`` (overlay planes of the images themselves).
    segments : tuple of Segment
        Empty for a dose.
    layers : int
        Arrays that hold it; segments that overlap are in different ones.
    matched : str
        How it was found to belong to these images, in words.
    missing : tuple of str
        SOP Instance UIDs that it refers to and that are not here.
    unit : str
        Of a dose or of fractions.
    notes : tuple of str
        What is odd about it.
    """

    sop_instance_uid: str
    series_key: str
    kind: OverlayKind
    title: str
    segments: tuple[Segment, ...] = ()
    layers: int = 1
    matched: str = ""
    missing: tuple[str, ...] = ()
    unit: str = ""
    notes: tuple[str, ...] = ()
