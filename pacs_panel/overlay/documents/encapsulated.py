"""Documents inside DICOM: PDF, CDA, and surfaces as STL or OBJ (PS3.3 §C.24)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from pacs_panel.dicom.dataset import text_of
from pacs_panel.errors import TooLarge
from pacs_panel.model import Vector
from pacs_panel.overlay.documents.fields import (
    Code,
    Head,
    Referenced,
    code,
    data,
    head,
    integer,
    references,
)
from pacs_panel.settings import Settings

ROOT = "1.2.840.10008.5.1.4.1.1.104."
MEDIA = {"1": "application/pdf", "2": "text/xml", "3": "model/stl", "4": "model/obj", "5": "model/mtl"}
STL_HEADER, STL_TRIANGLE = 84, 50
TRIANGLE = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])


@dataclass(frozen=True, slots=True)
class Surface:
    """A surface's size.

    Attributes
    ----------
    triangles : int
        Of an OBJ: faces.
    lower, upper : tuple of 3 floats, optional
        Corners of the box around all finite points, in the model's own unit.
    note : str
        What is odd about it.
    """

    triangles: int
    lower: Vector | None
    upper: Vector | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Encapsulated:
    """A document that DICOM only wraps.

    Attributes
    ----------
    head : Head
    media_type : str
        MIME type, as the object says, else as its class does.
    title : str
    concept : Code, optional
    data : bytes
        The document, without what pads it to even length.
    sources : tuple of Referenced
    surface : Surface, optional
        Of STL and OBJ.
    unit : str
        Of a surface's coordinates; empty where unknown.
    frame_of_reference : str
    note : str
        What is odd about it.
    """

    head: Head
    media_type: str
    title: str
    concept: Code | None
    data: bytes = field(repr=False)
    sources: tuple[Referenced, ...] = ()
    surface: Surface | None = None
    unit: str = ""
    frame_of_reference: str = ""
    note: str = ""


def encapsulated(dataset: Dataset, settings: Settings) -> Encapsulated:
    """A wrapped document from its data set.

    Raises
    ------
    TooLarge
        It has more bytes than ``settings.max_frame_bytes``.
    """
    content, told = data(dataset, "EncapsulatedDocument"), integer(dataset, "EncapsulatedDocumentLength", -1)
    if len(content) > settings.max_frame_bytes:
        raise TooLarge(f"the document has {len(content)} bytes, {settings.max_frame_bytes} are allowed")
    common, note = head(dataset), "" if content else "there is no document in it"
    media = text_of(dataset, "MIMETypeOfEncapsulatedDocument").lower()
    media = media or MEDIA.get(common.sop_class_uid.removeprefix(ROOT), "application/octet-stream")
    if 0 <= told <= len(content):
        content = content[:told]
    elif told > len(content):
        note = f"it should have {told} bytes, and has {len(content)}"
    else:
        content = _unpadded(content, media)
    unit = code(dataset, "MeasurementUnitsCodeSequence")
    return Encapsulated(
        common,
        media,
        text_of(dataset, "DocumentTitle"),
        code(dataset, "ConceptNameCodeSequence"),
        content,
        references(dataset, "SourceInstanceSequence"),
        surface(content, media),
        unit.value if unit else "",
        text_of(dataset, "FrameOfReferenceUID"),
        note,
    )


def _unpadded(content: bytes, media: str) -> bytes:
    """Without the zero byte that makes a length even, where the format itself cannot end with one."""
    texts = media == "application/pdf" or "xml" in media or media in ("model/obj", "model/mtl")
    return content.removesuffix(b"\0") if texts else content


def surface(content: bytes, media: str) -> Surface | None:
    """What a surface has: ``None`` for other documents."""
    if not content:
        return None
    if "stl" in media:
        return _stl_text(content) if _is_stl_text(content) else _stl(content)
    return _obj(content) if media.endswith("obj") else None


def triangles(content: bytes) -> NDArray[np.float32]:
    """Corners of a binary STL's triangles, shape ``(triangles, 3, 3)``: triangle, corner, xyz in the model's unit."""
    number = max(0, len(content) - STL_HEADER) // STL_TRIANGLE
    told = int.from_bytes(content[80:84], "little")
    return np.frombuffer(content, TRIANGLE, min(number, told), STL_HEADER)["corners"] if number else _NONE


_NONE = np.zeros((0, 3, 3), np.float32)


def _is_stl_text(content: bytes) -> bool:
    """Some binary files begin with ``solid`` too: theirs is a length that fits."""
    told = int.from_bytes(content[80:84], "little")
    return content.lstrip()[:5].lower() == b"solid" and len(content) < STL_HEADER + told * STL_TRIANGLE


def _stl(content: bytes) -> Surface:
    told, corners = int.from_bytes(content[80:84], "little"), triangles(content)
    note = "" if told == len(corners) else f"it should have {told} triangles"
    return Surface(len(corners), *_box(corners.reshape(-1, 3)), note)


def _stl_text(content: bytes) -> Surface:
    lines = [line.split() for line in content.lower().splitlines()]
    return Surface(sum(line[:1] == [b"facet"] for line in lines), *_box(_vertices(lines, b"vertex")), "written as text")


def _obj(content: bytes) -> Surface:
    lines = [line.split() for line in content.splitlines()]
    return Surface(sum(line[:1] == [b"f"] for line in lines), *_box(_vertices(lines, b"v")))


def _vertices(lines: list[list[bytes]], name: bytes) -> NDArray[np.float64]:
    found = []
    for line in lines:
        if line[:1] == [name] and len(line) >= 4:
            try:
                found.append([float(number) for number in line[1:4]])
            except ValueError:
                continue
    return np.array(found, float).reshape(-1, 3)


def _box(points: NDArray[np.floating]) -> tuple[Vector | None, Vector | None]:
    finite = points[np.isfinite(points).all(1)]
    if not len(finite):
        return None, None
    (a, b, c), (d, e, f) = finite.min(0).tolist(), finite.max(0).tolist()
    return (a, b, c), (d, e, f)
