"""One object, and one image: as its header tells it, and as it is kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Any

from pacs_panel.model.mapping import RealWorldMap
from pacs_panel.model.slide import Slide

Vector = tuple[float, float, float]


def tuples(value: Any) -> Any:
    """A value out of JSON with tuples for its lists."""
    return tuple(tuples(v) for v in value) if isinstance(value, list) else value


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
class Stored:
    """What a sender is told of an object that is durable; study and series as its header names them.

    ``new_version``: another object of the same UID was there, and is kept beside it.
    """

    study_uid: str
    series_uid: str
    sop_class_uid: str
    sop_instance_uid: str
    new_version: bool = False


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
        Which frame of the object, or which tile of a mosaic, this speaks of, from 0; 0 where it speaks of all.
    tiles : int
        Tiles across and down a mosaic, where ``rows`` and ``columns`` are those of one tile; else 0.
    matrix : tuple of 2 ints, optional
        Total Pixel Matrix Rows and Columns, where frames are tiles of one large image (PS3.3 §C.8.12.4).
    aspect : tuple of 2 ints, optional
        Pixel Aspect Ratio: height, then width of a pixel, in whatever unit.
    frame_time : float, optional
        ms from frame to frame, as Frame Time or the rate says.
    sequences : tuple of str
        Keywords of the sequences there are that tell of places or values, and are read with the pixels: functional
        groups, detectors, tables.
    table : tuple of int and tuple of float, optional
        Modality LUT: the first stored value that it maps, and what each maps to. Read with the planes, never kept.
    palette : bytes
        Red, green and blue of each palette index from 0 on, 8 bits each. Read with the planes, never kept.
    voi_tables : tuple of (explanation, first, greys)
        VOI LUTs: the first physical value that each maps, and the grey of each value from there on, 8 bits each. Read
        with the planes, never kept.
    supplemental : tuple of int and bytes, optional
        Supplemental palette of an image of greys: the stored value from which on values are colours, and red, green
        and blue of each. Read with the planes, never kept.
    tiling : tuple of (frame, row, column, rows, columns)
        Where each tile of a large image lies, and its size. Read with the planes, never kept.
    slide : Slide, optional
        Which part of a whole slide it shows, and how. Read with the planes, never kept.
    real_world : tuple of RealWorldMap
        What its stored values mean in the real world. Read with the planes, never kept.
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
    tiles: int = 0
    matrix: tuple[int, int] | None = None
    aspect: tuple[int, int] | None = None
    frame_time: float | None = None
    sequences: tuple[str, ...] = ()
    table: tuple[int, tuple[float, ...]] | None = None
    palette: bytes = b""
    voi_tables: tuple[tuple[str, int, bytes], ...] = ()
    supplemental: tuple[int, bytes] | None = None
    tiling: tuple[tuple[int, int, int, int, int], ...] = ()
    slide: Slide | None = None
    real_world: tuple[RealWorldMap, ...] = ()
    order: Mapping[str, float | str] = field(default_factory=dict)

    def to_json(self) -> str:
        """The value as compact JSON, for a column of the index: what is not as by default."""
        found = zip(_TOLD, _VALUES(self), _DEFAULTS, strict=True)
        told = {name: value for name, value, default in found if value is not default and value != default}
        told |= {name: getattr(self, name) for name in _REQUIRED}
        return _encode(told)

    @classmethod
    def from_json(cls, text: str) -> ImageHeader:
        """The value that `to_json` wrote."""
        return cls(**{key: tuples(value) for key, value in json.loads(text).items()})


_REQUIRED = ("sop_instance_uid", "rows", "columns")
_OPTIONAL = {f.name: f.default for f in fields(ImageHeader) if f.name not in _REQUIRED}
_PASSING = ("table", "palette", "voi_tables", "supplemental", "tiling", "slide", "real_world")
_TOLD = tuple(name for name in _OPTIONAL if name not in _PASSING)
_VALUES, _DEFAULTS = attrgetter(*_TOLD), tuple(_OPTIONAL[name] for name in _TOLD)
_encode = json.JSONEncoder(separators=(",", ":"), default=dict).encode


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
