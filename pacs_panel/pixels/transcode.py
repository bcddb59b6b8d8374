"""Objects re-encoded in Explicit VR Little Endian with native pixels (PS3.5 §A.2, §8.2).

For whoever does not take what was received: WADO-RS without ``transfer-syntax=*``, peers that know no compression.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

import numpy as np
from pydicom import Dataset, config
from pydicom.dataelem import RawDataElement
from pydicom.dataset import FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_file_meta_info
from pydicom.tag import Tag
from pydicom.uid import UID

from pacs_panel.errors import BadPixels, PacsPanelError, TooLarge
from pacs_panel.model import ImageHeader, Kept
from pacs_panel.pixels import fragments, native, reencode
from pacs_panel.pixels.frames import ENCAPSULATED, EXPLICIT_LE, INSIDE_DEFLATED, PIXEL_TAGS, Frames
from pacs_panel.pixels.source import take
from pacs_panel.pixels.stored import INTEGERS, dtype
from pacs_panel.settings import Settings

Array = np.ndarray
IMPLICIT_LE, DEFLATED, BIG_ENDIAN = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"
GE_BIG_ENDIAN = "1.2.840.113619.5.2"  # implicit little endian, but for its pixels
ALWAYS_LOSSY = ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51")
OFFSETS = (0x7FE00001, 0x7FE00002, 0x7FE00003)  # extended offset tables, of encapsulated pixels only
PIECE = 1 << 20
MOST = 0xFFFFFFFE


def transcode(source: BinaryIO, kept: Kept, target: BinaryIO, settings: Settings) -> None:
    """Write an object's file anew, with its data set in Explicit VR Little Endian and uncompressed pixels.

    Pixels that are not compressed are taken bit by bit (swapped, where they are big endian). Compressed ones are what
    the decoder gives: RGB by pixel where there is colour, otherwise stored values with High Bit right above them.
    That an image was lossily compressed stays said. Compressed icons are left out.

    Parameters
    ----------
    source : binary file
        The object's whole file.
    kept : Kept
        As the archive knows it.
    target : binary file
        Written from its position on. After an error, what is there is of no use.

    Raises
    ------
    BadPixels
        A frame cannot be decoded.
    TooLarge
        Sequences are nested too deep, or there are more bytes than the settings, or a native pixel data element, allow.
    """
    stream, image = source, kept.image
    if kept.transfer_syntax == DEFLATED:
        stream = cast(BinaryIO, DicomBytesIO(_inflated(source, kept.dataset_offset, settings)))
    else:
        stream.seek(kept.dataset_offset)
    found = _read(stream, kept.transfer_syntax)
    target.write(_meta(kept))
    if image is not None and image.pixel_length == ENCAPSULATED:
        _describe(found, image)
    _write(found, stream, target, settings)
    if image is None:
        return
    tag, vr, start, length = _pixel_element(stream, image)
    if image.pixel_length == ENCAPSULATED:
        with Frames(image, source, settings) as frames:
            target.writelines(_decoded(image, frames))
        end = _end(source, image)
    else:
        length = min(length, stream.seek(0, io.SEEK_END) - start)
        target.writelines(_native(image, stream, tag, vr, start, length))
        end = start + length
    stream.seek(end)
    _write(_read(stream, kept.transfer_syntax), stream, target, settings)


def _write(found: Dataset, stream: BinaryIO, target: BinaryIO, settings: Settings) -> None:
    """All but the pixels, and what only tells where frames lie among fragments."""

    def deferred(item: RawDataElement) -> bytes:
        return bytes(take(stream, item.value_tell, item.length))

    for tag in OFFSETS:
        found.pop(tag, None)
    target.write(reencode.dataset(found, deferred, settings.max_depth))


def _pixel_element(stream: BinaryIO, image: ImageHeader) -> tuple[int, str, int, int]:
    """Tag and VR of the pixel data, and where the value begins and how long it is; the stream stands before it."""
    start = stream.tell()
    head = stream.read(12)
    tag = int.from_bytes(head[:2], "little") << 16 | int.from_bytes(head[2:4], "little")
    if image.transfer_syntax == BIG_ENDIAN:
        tag = int.from_bytes(head[:4], "big")
    vr = head[4:6].decode("latin-1")
    vr = vr if vr in ("OB", "OW", "OF", "OD", "UN") else ""
    if image.pixel_length == INSIDE_DEFLATED:
        return tag, vr, start + 12, int.from_bytes(head[8:12], "little")
    return tag, vr, image.pixel_offset, image.pixel_length


def _is_pixels(tag: int, _vr: str | None, _length: int) -> bool:
    return tag in PIXEL_TAGS


def _end(source: BinaryIO, image: ImageHeader) -> int:
    """First byte after encapsulated pixel data."""
    start, length = fragments.items(source, image.pixel_offset, image.frames).fragments[-1]
    return start + length + 8


def _read(stream: BinaryIO, syntax: str) -> Dataset:
    """The data set from here up to its pixels, or to its end; long values stay in the file."""
    implicit = syntax in (IMPLICIT_LE, GE_BIG_ENDIAN)
    try:
        return read_dataset(
            stream,
            implicit,
            syntax != BIG_ENDIAN,
            defer_size=PIECE,
            stop_when=lambda tag, vr, length: tag in PIXEL_TAGS,
        )
    except RecursionError:
        raise TooLarge("sequences are nested too deep") from None
    except PacsPanelError:
        raise
    except Exception as error:  # pydicom raises whatever a damaged end of the file provokes
        raise BadPixels(f"the data set cannot be read to its end ({type(error).__name__})") from None


def _inflated(source: BinaryIO, offset: int, settings: Settings) -> bytes:
    packed = take(source, offset, settings.max_object_bytes)
    limit = min(settings.max_object_bytes, len(packed) * settings.max_expansion)
    engine = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        data = engine.decompress(packed, limit)
    except zlib.error:
        raise BadPixels("the deflated data set is damaged") from None
    if engine.unconsumed_tail:
        raise TooLarge(f"the deflated data set holds more than {limit} bytes")
    return data


def _meta(kept: Kept) -> bytes:
    meta = FileMetaDataset()
    with config.disable_value_validation():
        meta.MediaStorageSOPClassUID = UID(kept.sop_class_uid)
        meta.MediaStorageSOPInstanceUID = UID(kept.sop_instance_uid)
        meta.TransferSyntaxUID = UID(EXPLICIT_LE)
        out = DicomBytesIO()
        write_file_meta_info(out, meta)
    return bytes(128) + b"DICM" + out.getvalue()


# -- pixels that are not compressed ------------------------------------------------------------------------------------


def _native(image: ImageHeader, stream: BinaryIO, tag: int, stated: str, start: int, length: int) -> Iterator[bytes]:
    words = "OW" if image.bits_allocated > 8 else "OB"
    vr = {0x7FE00008: "OF", 0x7FE00009: "OD"}.get(tag) or (stated if stated == "OW" and words == "OB" else words)
    width = _width(image, stated) if image.transfer_syntax in native.BIG_ENDIAN else 1
    yield reencode.head(tag, vr, length + length % 2)
    for at in range(0, length, PIECE):
        yield reencode.swapped(bytes(take(stream, start + at, min(PIECE, length - at))), width)
    yield bytes(length % 2)


def _width(image: ImageHeader, vr: str) -> int:
    """Bytes that are swapped: those of a sample, or a word that holds several."""
    if image.bits_allocated in INTEGERS[1:]:
        return image.bits_allocated // 8
    return 2 if vr == "OW" else 1


# -- pixels that are -------------------------------------------------------------------------------------------------


def _describe(found: Dataset, image: ImageHeader) -> None:
    """Change the attributes of the image to what decoding gives."""
    _put(found, 0x00280100, "US", _allocated(image))
    if image.bits_stored:
        _put(found, 0x00280102, "US", image.bits_stored - 1)
    if image.samples > 1:
        _put(found, 0x00280006, "US", 0)
    if image.samples == 3:
        _put(found, 0x00280004, "CS", b"RGB ")
    if image.transfer_syntax in ALWAYS_LOSSY and _bytes(found, 0x00282110).strip() != b"01":
        _put(found, 0x00282110, "CS", b"01")
        if 0x00282114 not in found:
            _put(found, 0x00282114, "CS", b"ISO_10918_1 ")


def _put(found: Dataset, tag: int, vr: str, value: int | bytes) -> None:
    raw = value if isinstance(value, bytes) else value.to_bytes(2, "little")
    found[tag] = RawDataElement(Tag(tag), vr, len(raw), raw, 0, False, True)


def _bytes(found: Dataset, tag: int) -> bytes:
    item: Any = found.get_item(tag) if tag in found else None
    return item.value or b"" if isinstance(item, RawDataElement) else b""


def _allocated(image: ImageHeader) -> int:
    return 1 if image.bits_allocated == 1 else 8 * dtype(image).itemsize


def _decoded(image: ImageHeader, frames: Frames) -> Iterator[bytes]:
    bits = _allocated(image)
    total = image.frames * image.rows * image.columns * image.samples * bits
    size = -(-total // 8)
    if size + size % 2 > MOST:
        raise TooLarge(f"uncompressed, the pixels need {size} bytes, an element holds {MOST}")
    yield reencode.head(reencode.PIXEL_DATA, "OW" if bits > 8 else "OB", size + size % 2)
    left = np.zeros(0, np.uint8)
    for index in range(image.frames):
        array = frames.read(index)
        if bits > 1:
            yield array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
            continue
        flat = np.concatenate([left, array.reshape(-1).astype(np.uint8)])
        whole = len(flat) // 8 * 8
        yield np.packbits(flat[:whole], bitorder="little").tobytes()
        left = flat[whole:]
    yield np.packbits(left, bitorder="little").tobytes() + bytes(size % 2)
