"""Whether two encodings tell the same, and if not, what differs."""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Iterator
from typing import Any, cast

import numpy as np
from pydicom import DataElement, Dataset
from pydicom.datadict import keyword_for_tag
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset, read_sequence
from pydicom.filewriter import write_data_element
from pydicom.sequence import Sequence

from pacs_panel.dicom import header
from pacs_panel.dicom.dataset import load, quiet
from pacs_panel.dicom.scan import DEFLATED, Scan, inflated
from pacs_panel.errors import PacsPanelError, Rejected, TooLarge
from pacs_panel.model import ImageHeader
from pacs_panel.pixels import decode
from pacs_panel.settings import Settings

Difference = tuple[str, str, str]

# What only the encoding needs: length to end, charset, photometric interpretation, planar configuration, padding.
ENCODING = frozenset({0x00080001, 0x00080005, 0x00280004, 0x00280006, 0xFFFCFFFC})
PIXEL_GROUP, PIXELS_END, PADDING = 0x7FE0, 0x7FE0FFFF, 0xFFFCFFFC
COLOURS = frozenset({"RGB", "YBR_FULL", "YBR_FULL_422", "YBR_RCT", "YBR_ICT", "YBR_PARTIAL_420"})
BINARY = {"OB": 1, "OW": 2, "OF": 4, "OL": 4, "OD": 8, "OV": 8, "UN": 1}
MAX_TEXT = 200


def same_meaning(a: bytes, b: bytes, settings: Settings) -> bool:
    """Whether two files hold the same object: equal attributes and equal decoded pixels, however encoded.

    Group 2, transfer syntax, character set, padding, and what only describes the encoding of colour, don't count.
    Where pixels can't be decoded they are equal only byte for byte, under one transfer syntax.

    Parameters
    ----------
    a, b : bytes
        Whole files.

    Raises
    ------
    NotDicom, Unreadable, TooLarge
        One of them can't be read.
    """
    with quiet():
        return next(_differences(a, b, settings), None) is None


def difference(a: bytes, b: bytes, settings: Settings) -> list[Difference]:
    """What differs in meaning, as ``(keyword, old value, new value)``, absent ones as empty text.

    Keywords inside sequences read ``"Sequence[0].Keyword"``; private elements are named by their tag. Pixels are the
    last, under ``"PixelData"``. Raises as `same_meaning`.
    """
    with quiet():
        return list(_differences(a, b, settings))


def _differences(a: bytes, b: bytes, settings: Settings) -> Iterator[Difference]:
    (old, old_scan), (new, new_scan) = load(a, settings), load(b, settings)
    try:
        yield from _datasets(old, new, (old_scan.little, new_scan.little), "", settings.max_depth)
    except RecursionError:
        raise TooLarge("sequences are nested too deep") from None
    yield from _pixels(a, b, settings)
    if _following(a, old_scan, settings) != _following(b, new_scan, settings):
        yield "DigitalSignaturesSequence", "", "what follows the pixel data differs"


def _following(data: bytes, found: Scan, settings: Settings) -> list[tuple[int, str]]:
    """Elements after the pixel data, such as signatures; where they can't be read, the whole stands for them."""
    if not found.pixel_tag:
        return []
    try:
        if found.transfer_syntax == DEFLATED:
            source = io.BytesIO(inflated(io.BytesIO(data), len(data), found.dataset_offset, settings))
        else:
            source = io.BytesIO(data)
            source.seek(found.dataset_offset)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom says more of damaged bytes than whoever imports can use
            dataset = read_dataset(source, found.implicit, found.little)
        return [(tag, str(dataset[tag].value)) for tag in sorted(dataset.keys()) if tag > PIXELS_END and tag != PADDING]
    except Exception:  # pydicom fails in many ways on damaged bytes; the object is then kept as it is
        return [(-1, hashlib.sha256(data).hexdigest())]


def _datasets(old: Dataset, new: Dataset, little: tuple[bool, bool], path: str, depth: int) -> Iterator[Difference]:
    if depth < 0:
        raise TooLarge("sequences are nested too deep")
    for tag in sorted(set(old.keys()) | set(new.keys())):
        if tag in ENCODING or tag & 0xFFFF == 0 or tag >> 16 == PIXEL_GROUP:
            continue
        name = path + (keyword_for_tag(tag) or f"({tag >> 16:04X},{tag & 0xFFFF:04X})")
        yield from _elements(_get(old, tag), _get(new, tag), little, name, depth)


def _get(dataset: Dataset, tag: int) -> DataElement | None:
    """An element; one with an unreadable value as bytes, an absent one as ``None``."""
    if tag not in dataset:
        return None
    try:
        return dataset[tag]
    except RecursionError:
        raise
    except Exception:
        value = dataset.get_item(tag).value
        return DataElement(tag, "UN", value if isinstance(value, bytes) else b"")


def _elements(
    old: DataElement | None, new: DataElement | None, little: tuple[bool, bool], name: str, depth: int
) -> Iterator[Difference]:
    if old is None or new is None:
        yield name, _text(old), _text(new)
        return
    olds, news = _items(old, new), _items(new, old)
    if olds is None or news is None:
        if _value(old, little[0], new.VR) != _value(new, little[1], old.VR):
            yield name, _text(old), _text(new)
    elif len(olds) != len(news):
        yield name, f"{len(olds)} items", f"{len(news)} items"
    else:
        for number, (x, y) in enumerate(zip(olds, news, strict=True)):
            yield from _datasets(x, y, little, f"{name}[{number}].", depth - 1)


def _items(element: DataElement, other: DataElement) -> list[Dataset] | None:
    """Items of a sequence, also of one that implicit VR hides as UN (PS3.5 §6.2.2); else ``None``."""
    if element.VR == "SQ":
        return list(cast(Sequence, element.value))
    if element.VR == "UN" and other.VR == "SQ" and isinstance(element.value, bytes):
        try:
            data = io.BytesIO(element.value)
            return list(read_sequence(data, True, True, len(element.value), "iso8859"))
        except OSError:
            return None
    return None


def _value(element: DataElement, little: bool, other_vr: str) -> Any:
    """A value in a form that doesn't depend on its encoding."""
    vr, value = element.VR, element.value
    if vr not in BINARY and other_vr == "UN":
        return _encoded(element)
    if vr in BINARY:
        data = bytes(value or b"")
        if not little and BINARY[vr] > 1 and len(data) % BINARY[vr] == 0:
            data = np.frombuffer(data, f"u{BINARY[vr]}").byteswap().tobytes()
        return data.rstrip(b" \0")
    if value is None or value == "" or value == []:
        return ""
    values = list(value) if element.VM > 1 else [value]
    return [_comparable(v, vr) for v in values]


def _comparable(value: Any, vr: str) -> int | float | str:
    """Numbers by their value, ``1.50`` and ``1.5`` alike; what is no number although it should be, by its text."""
    try:
        return float(value) if vr in ("DS", "IS") else value if isinstance(value, (int, float)) else str(value)
    except ValueError:
        return str(value)


def _encoded(element: DataElement) -> bytes:
    """A value's bytes under implicit VR little endian, for comparison with UN."""
    out = DicomBytesIO()
    out.is_little_endian, out.is_implicit_VR = True, True
    write_data_element(out, element)
    return out.getvalue()[8:].rstrip(b" \0")


def _text(element: DataElement | None) -> str:
    if element is None:
        return ""
    if element.VR == "SQ":
        return f"{len(cast(Sequence, element.value))} items"
    if isinstance(element.value, bytes):
        return f"{len(element.value)} bytes"
    text = "\\".join(map(str, element.value)) if element.VM > 1 else str(element.value or "")
    return text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + "…"


def _image(data: bytes, settings: Settings) -> ImageHeader | None:
    return header.image(io.BytesIO(data), len(data), settings)


def _pixels(a: bytes, b: bytes, settings: Settings) -> Iterator[Difference]:
    old, new = _image(a, settings), _image(b, settings)
    if old is None or new is None:
        if old is not new:
            yield "PixelData", "present" if old else "", "present" if new else ""
        return
    before, after = _photometric(old), _photometric(new)
    if before != after:
        yield "PhotometricInterpretation", old.photometric, new.photometric
    if old.frames != new.frames:
        return  # Number of Frames has told so
    try:
        with decode.Frames(old, a, settings) as olds, decode.Frames(new, b, settings) as news:
            changed = [_changed(olds.read(index), news.read(index)) for index in range(old.frames)]
    except (PacsPanelError, Rejected):
        if old.transfer_syntax != new.transfer_syntax or _rest(a, old) != _rest(b, new):
            yield "PixelData", "", "differs in bytes, and cannot be decoded"
        return
    if (count := sum(number for number, _ in changed)) > 0:
        yield "PixelData", "", f"{count} values differ, by at most {max(most for _, most in changed):g}"


def _photometric(image: ImageHeader) -> str:
    return "colour" if image.photometric in COLOURS else image.photometric


def _changed(old: np.ndarray, new: np.ndarray) -> tuple[int, float]:
    """How many values differ, and the largest difference."""
    if old.shape != new.shape:
        return max(old.size, new.size), float("inf")
    unequal = (old != new) & ~((old != old) & (new != new))  # two NaNs are equal
    count = int(np.count_nonzero(unequal))
    if not count:
        return 0, 0.0
    return count, float(np.abs(old[unequal].astype(np.float64) - new[unequal].astype(np.float64)).max())


def _rest(data: bytes, image: ImageHeader) -> memoryview:
    """The bytes of the pixel data, and what follows."""
    return memoryview(data)[image.pixel_offset :]
