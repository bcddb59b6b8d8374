"""One object's header as the archive needs it: identity, index columns, and what a volume is made from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, BinaryIO, NamedTuple, cast

from pydicom.datadict import dictionary_VR

from pacs_panel.dicom import doses, gems, values
from pacs_panel.dicom.fields import CHARSET, COLUMNS, TAGS, Fields, Value
from pacs_panel.dicom.full import full, rows
from pacs_panel.dicom.scan import Raw, Scan, scan
from pacs_panel.errors import NotDicom, Unidentified, Unreadable
from pacs_panel.model import Header, Identity, ImageHeader, Vector
from pacs_panel.settings import Settings

__all__ = ["DICOMDIR_CLASS", "full", "image", "read", "rows"]

_Directions = tuple[float, float, float, float, float, float]
DICOMDIR_CLASS = "1.2.840.10008.1.3.10"
MEDIA_CLASS, MEDIA_INSTANCE = 0x00020002, 0x00020003

ORDER_NUMBERS = (
    "TemporalPositionIdentifier",
    "EchoTime",
    "EchoNumbers",
    "DiffusionBValue",
    "TriggerTime",
    "FrameReferenceTime",
    "AcquisitionNumber",
    "InstanceNumber",
    "SliceThickness",
    "SpacingBetweenSlices",
    "GantryDetectorTilt",
    "SliceLocation",
    "FrameTime",
    "CineRate",
    "DoseGridScaling",
)
ORDER_VR = {keyword: dictionary_VR(TAGS[keyword]) for keyword in ORDER_NUMBERS}
ORDER_TEXTS = (
    *("AcquisitionDate", "AcquisitionTime", "ContentDate", "ContentTime", "ImageType", "ComplexImageComponent"),
    *("DoseType", "DoseSummationType"),
)
IMAGE = (
    "SamplesPerPixel",
    "BitsAllocated",
    "HighBit",
    "PixelRepresentation",
    "PlanarConfiguration",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "ImagerPixelSpacing",
    "RescaleSlope",
    "RescaleIntercept",
    "RescaleType",
    "Units",
    "DoseUnits",
    "WindowCenter",
    "WindowWidth",
    "WindowCenterWidthExplanation",
    "VOILUTFunction",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "PixelAspectRatio",
    "TotalPixelMatrixRows",
    "TotalPixelMatrixColumns",
    "DiffusionGradientOrientation",
    "InPlanePhaseEncodingDirection",
    "PatientPosition",
)
SEQUENCES = (
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
    "DetectorInformationSequence",
    "ModalityLUTSequence",
    "RealWorldValueMappingSequence",
    "SequenceOfUltrasoundRegions",
    "VOILUTSequence",
    "RedPaletteColorLookupTableDescriptor",
)
COLUMN_KEYWORDS = tuple(a.keyword for a in COLUMNS.values())

# Diffusion b-value where the vendor writes it in a private element: creator's tag, creator, tag, VR.
PRIVATE_B = (
    (0x00190010, "SIEMENS MR HEADER", 0x0019100C, "IS"),
    (0x20010010, "Philips Imaging DD 001", 0x20011003, "FL"),
    (0x00430010, "GEMS_PARM_01", 0x00431039, "IS"),
    (0x00650010, "Image Private Header", 0x00651009, "FD"),
)
# Diffusion gradient direction, in LPS, in a vendor's private elements: creator's tag, creator, tags, VR.
PRIVATE_DIRECTIONS = (
    (0x00190010, "SIEMENS MR HEADER", (0x0019100E,), "FD"),
    (0x20050010, "Philips MR Imaging DD 001", (0x200510B0, 0x200510B1, 0x200510B2), "FL"),
)
PRIVATE = {tag for row in PRIVATE_B for tag in (row[0], row[2])}
PRIVATE |= {tag for creator, _, tags, _ in PRIVATE_DIRECTIONS for tag in (creator, *tags)}
PRIVATE |= {gems.CREATOR_TAG, *gems.TAGS}
KEYWORDS = (*COLUMN_KEYWORDS, *ORDER_NUMBERS, *ORDER_TEXTS, *IMAGE, *SEQUENCES)
WANTED = frozenset(TAGS[keyword] for keyword in KEYWORDS) | {CHARSET} | PRIVATE

# What often differs among the images of a series. The rest is made anew only where its elements are others.
OWN = (
    *("SOPInstanceUID", "InstanceNumber", "ImagePositionPatient", "SliceLocation", "TemporalPositionIdentifier"),
    *("AcquisitionTime", "ContentTime", "TriggerTime", "FrameReferenceTime"),
    *("WindowCenter", "WindowWidth", "WindowCenterWidthExplanation"),
    *("RescaleSlope", "RescaleIntercept", "DoseGridScaling"),
    *SEQUENCES,
)
OWN_COLUMNS = tuple(TAGS[keyword] for keyword in OWN if TAGS[keyword] in COLUMNS)
OWN_NUMBERS = {keyword: vr for keyword, vr in ORDER_VR.items() if keyword in OWN}
OWN_TEXTS = tuple(keyword for keyword in ORDER_TEXTS if keyword in OWN)
ALIKE = tuple(WANTED - {TAGS[keyword] for keyword in OWN})


def read(source: BinaryIO, size: int, settings: Settings) -> Header:
    """Read one object's header.

    Parameters
    ----------
    source : binary file
        Seekable; the object's file begins at 0. May be positioned anywhere.
    size : int
        Bytes.
    settings : Settings
        Bounds size, depth and inflation.

    Returns
    -------
    Header
        ``values`` leaves out what is absent, empty or no number. A media directory (DICOMDIR) is identified by its
        file meta, with SOP class 1.2.840.10008.1.3.10.

    Raises
    ------
    NotDicom, Unreadable, TooLarge, Unidentified
        With a detail that tells of lengths and tags, never of values.
    """
    found = scan(source, size, WANTED, settings)
    prefixed = found.dataset_offset > 0
    if found.empty:
        raise Unreadable("there is no data set") if prefixed else NotDicom("there is no data set")
    fields = Fields(found.elements, found.little)
    identity = _identity(fields, found)
    if not identity.sop_class_uid and not prefixed:
        raise NotDicom("there is neither a DICM prefix nor a SOP Class UID")
    for uid, name in ((identity.sop_class_uid, "SOP Class UID"), (identity.sop_instance_uid, "SOP Instance UID")):
        if not uid:
            raise Unidentified(f"there is no {name}")
    alike = _shared(found, identity)
    columns = alike.columns | fields.columns(OWN_COLUMNS)
    columns["SOPInstanceUID"], columns["SOPClassUID"] = identity.sop_instance_uid, identity.sop_class_uid
    columns["TransferSyntaxUID"] = identity.transfer_syntax
    pixels = _image(fields, found, identity, alike) if found.pixel_tag else None
    return Header(identity, columns, pixels, found.dataset_offset)


def image(source: BinaryIO, size: int, settings: Settings) -> ImageHeader | None:
    """The image of an object alone, whose identity may be incomplete; ``None`` where there is no pixel data.

    Raises
    ------
    NotDicom, Unreadable, TooLarge
    """
    found = scan(source, size, WANTED, settings)
    fields = Fields(found.elements, found.little)
    identity = _identity(fields, found)
    return _image(fields, found, identity, _shared(found, identity)) if found.pixel_tag else None


def _identity(fields: Fields, found: Scan) -> Identity:
    meta = found.meta
    return Identity(
        fields.text("SOPInstanceUID") or values.text(meta.get(MEDIA_INSTANCE, (b"", b"")), "UI"),
        fields.text("SOPClassUID") or values.text(meta.get(MEDIA_CLASS, (b"", b"")), "UI"),
        fields.text("StudyInstanceUID"),
        fields.text("SeriesInstanceUID"),
        found.transfer_syntax,
    )


class _Alike(NamedTuple):
    """What follows from elements that objects of a series share; nobody may change it."""

    columns: dict[str, Value]
    image: dict[str, Any]
    order: dict[str, float | str]


def _shared(found: Scan, identity: Identity) -> _Alike:
    raws = tuple(map(found.elements.get, ALIKE))
    return _alike(raws, found.little, found.pixel_tag, identity.sop_class_uid)


@lru_cache(maxsize=16)
def _alike(raws: tuple[Raw | None, ...], little: bool, pixel_tag: int, sop_class_uid: str) -> _Alike:
    """It sees no other elements than those that tell its results apart, so that none can be out of date."""
    elements = {tag: raw for tag, raw in zip(ALIKE, raws, strict=True) if raw is not None}
    fields = Fields(elements, little)
    columns = fields.columns(COLUMNS)
    if not pixel_tag:
        return _Alike(columns, {}, {})
    return _Alike(columns, _form(fields, pixel_tag, sop_class_uid), _order(fields))


def _form(fields: Fields, pixel_tag: int, sop_class_uid: str) -> dict[str, Any]:
    """Fields of an image's header that do not tell it from its neighbours."""
    integer = pixel_tag == 0x7FE00010
    allocated = fields.whole("BitsAllocated", {0x7FE00008: 32, 0x7FE00009: 64}.get(pixel_tag, 16))
    stored = fields.whole("BitsStored", allocated)
    stored = 0 if not integer else stored if 0 < stored <= allocated else allocated  # no stored bits: floating point
    signed = fields.whole("PixelRepresentation", 0) == 1
    return {
        "rows": fields.whole("Rows", 0),
        "columns": fields.whole("Columns", 0),
        "frames": max(1, fields.whole("NumberOfFrames", 1, "IS")),
        "samples": fields.whole("SamplesPerPixel", 1),
        "bits_allocated": allocated,
        "bits_stored": stored,
        "high_bit": fields.whole("HighBit", stored - 1),
        "signed": signed,
        "photometric": fields.text("PhotometricInterpretation") or "MONOCHROME2",
        "planar": fields.whole("PlanarConfiguration", 0),
        "orientation": cast(_Directions | None, fields.vector("ImageOrientationPatient", 6)),
        "spacing": _spacing(fields, "PixelSpacing"),
        "imager_spacing": _spacing(fields, "ImagerPixelSpacing"),
        "rescale_type": fields.text("RescaleType", "LO"),
        "units": _units(fields, sop_class_uid),
        "voi_function": fields.text("VOILUTFunction") or "LINEAR",
        "padding": _padding(fields, signed, allocated),
        "frame_of_reference": fields.text("FrameOfReferenceUID"),
        "matrix": _matrix(fields),
        "aspect": _aspect(fields),
        "frame_time": _frame_time(fields),
    }


def _image(fields: Fields, found: Scan, identity: Identity, alike: _Alike) -> ImageHeader:
    return ImageHeader(
        sop_instance_uid=identity.sop_instance_uid,
        position=cast(Vector | None, fields.vector("ImagePositionPatient", 3)),
        slope=_slope(fields, identity.sop_class_uid),
        intercept=fields.first("RescaleIntercept"),
        windows=_windows(fields),
        transfer_syntax=identity.transfer_syntax,
        pixel_offset=found.pixel_offset,
        pixel_length=found.pixel_length,
        sequences=tuple(keyword for keyword in SEQUENCES if TAGS[keyword] in found.elements),
        order=alike.order | _stated(fields, OWN_NUMBERS, OWN_TEXTS),
        **alike.image,
    )


def _slope(fields: Fields, sop_class_uid: str) -> float | None:
    """Of stored values; Dose Grid Scaling where they are doses, which has to be above 0 (PS3.3 §C.8.8.3)."""
    if sop_class_uid != doses.SOP_CLASS:
        return fields.first("RescaleSlope")
    scaling = fields.first("DoseGridScaling")
    return float(scaling) if scaling is not None and scaling > 0 else None


def _units(fields: Fields, sop_class_uid: str) -> str:
    if sop_class_uid != doses.SOP_CLASS:
        return fields.text("Units")
    stated = fields.text("DoseUnits")
    return doses.UNITS.get(stated, stated.lower())


def _spacing(fields: Fields, keyword: str) -> tuple[float, float] | None:
    found = fields.vector(keyword, 2)
    return (found[0], found[1]) if found and min(found) > 0 else None


def _matrix(fields: Fields) -> tuple[int, int] | None:
    rows, columns = (fields.whole(f"TotalPixelMatrix{side}", 0, "UL") for side in ("Rows", "Columns"))
    return (rows, columns) if rows > 0 and columns > 0 else None


def _aspect(fields: Fields) -> tuple[int, int] | None:
    found = fields.numbers("PixelAspectRatio", "IS")
    return (int(found[0]), int(found[1])) if len(found) == 2 and min(found) > 0 else None


def _frame_time(fields: Fields) -> float | None:
    time, rate = fields.first("FrameTime"), fields.first("CineRate", "IS")
    if time and time > 0:
        return float(time)
    return 1000.0 / rate if rate and rate > 0 else None


def _windows(fields: Fields) -> tuple[tuple[float, float, str], ...]:
    centres, widths = fields.numbers("WindowCenter"), fields.numbers("WindowWidth")
    names = fields.text("WindowCenterWidthExplanation", "LO").split("\\")
    names += [""] * len(centres)
    triples = zip(centres, widths, names, strict=False)
    return tuple((float(centre), float(width), name) for centre, width, name in triples if width > 0)


def _padding(fields: Fields, signed: bool, bits: int) -> tuple[int, int] | None:
    """Pixel Padding Value and Range Limit; files may state them as US where pixels are signed, and the reverse."""
    vr = "SS" if signed else "US"
    value = fields.first("PixelPaddingValue", vr)
    if value is None:
        return None
    limit = fields.first("PixelPaddingRangeLimit", vr)
    half = 1 << (min(bits, 16) - 1)
    low, high = (-half, half) if signed else (0, 2 * half)
    ends = [int(value), int(value if limit is None else limit)]
    ends = [end if low <= end < high or bits > 16 else (end - low) % (2 * half) + low for end in ends]
    return min(ends), max(ends)


def _stated(fields: Fields, numbers: Mapping[str, str], texts: Iterable[str]) -> dict[str, float | str]:
    order: dict[str, float | str] = {}
    for keyword, vr in numbers.items():
        if (number := fields.first(keyword, vr)) is not None:
            order[keyword] = float(number)
    for keyword in texts:
        if value := fields.text(keyword):
            order[keyword] = value
    return order


def _order(fields: Fields) -> dict[str, float | str]:
    order = _stated(fields, ORDER_VR, ORDER_TEXTS)
    ge = _ge_vector(fields)
    if "DiffusionBValue" not in order and (b := _private_b(fields.elements, fields.little)) is not None:
        order["DiffusionBValue"] = b if ge is None else gems.b_value(b, ge)
    direction = _direction(fields)
    if direction is None and ge is not None and order.get("DiffusionBValue"):
        where = fields.vector("ImageOrientationPatient", 6)
        told = (fields.text(keyword) for keyword in ("InPlanePhaseEncodingDirection", "PatientPosition"))
        direction = gems.gradient(ge, where, *told)
    if direction is not None:
        order["DiffusionGradientOrientation"] = "\\".join(f"{number:.9g}" for number in direction)
    return order


def _ge_vector(fields: Fields) -> Vector | None:
    """A diffusion gradient along the axes of a GE scan; ``None`` where there is none, or a vector of no length."""
    elements = fields.elements
    if values.text(elements.get(gems.CREATOR_TAG, (b"", b"")), "LO") != gems.CREATOR:
        return None
    found = [number for tag in gems.TAGS if tag in elements for number in values.numbers(elements[tag], "DS")[:1]]
    x, y, z = map(float, found) if len(found) == 3 else (0.0, 0.0, 0.0)
    return (x, y, z) if x or y or z else None


def _direction(fields: Fields) -> Vector | None:
    """Diffusion gradient direction in LPS; ``None`` where there is none, or a vector of no length."""
    elements, little = fields.elements, fields.little
    found = fields.numbers("DiffusionGradientOrientation", "FD")
    for creator_tag, creator, tags, vr in PRIVATE_DIRECTIONS:
        if not found and values.text(elements.get(creator_tag, (b"", b"")), "LO") == creator:
            found = [number for tag in tags if tag in elements for number in values.numbers(elements[tag], vr, little)]
    x, y, z = found if len(found) == 3 else (0, 0, 0)
    return (float(x), float(y), float(z)) if x or y or z else None


def _private_b(elements: Mapping[int, Raw], little: bool) -> float | None:
    for creator_tag, creator, tag, vr in PRIVATE_B:
        if tag in elements and values.text(elements.get(creator_tag, (b"", b"")), "LO") == creator:
            found = values.numbers(elements[tag], vr, little)
            if found:
                return float(found[0] % 100_000 if vr == "IS" else found[0])  # GE adds multiples of 1e5 as flags
    return None
