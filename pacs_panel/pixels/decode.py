"""One frame's stored values, out of any transfer syntax.

Stored values are those after masking to Bits Stored and sign extension (PS3.5 §8.1.1), before any modality transform.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace
from typing import BinaryIO, cast

import numpy as np
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.pixels.processing import convert_color_space
from pydicom.pixels.utils import expand_ybr422

from pacs_panel.errors import BadPixels, TooLarge
from pacs_panel.model import ImageHeader
from pacs_panel.pixels import codecs, fragments
from pacs_panel.pixels.source import Source, fill, need, take
from pacs_panel.settings import Settings

Array = np.ndarray
EXPLICIT_LE = "1.2.840.10008.1.2.1"
BIG_ENDIAN = ("1.2.840.10008.1.2.2", "1.2.840.113619.5.2")  # the second, GE's own, has only its pixels so
ENCAPSULATED, INSIDE_DEFLATED = -1, -2  # pixel_length's special values
PIXEL_TAGS = (0x7FE00008, 0x7FE00009, 0x7FE00010)
INTEGERS = (8, 16, 32, 64)


def dtype(image: ImageHeader) -> np.dtype:
    """Type of the stored values in the machine's byte order; floating point where Bits Stored is 0."""
    if image.bits_stored == 0:
        return np.dtype(f"f{image.bits_allocated // 8}")
    return np.dtype(f"{'i' if image.signed else 'u'}{max(8, image.bits_allocated) // 8}")


def frame(
    image: ImageHeader, source: Source, index: int = 0, settings: Settings | None = None, base_offset: int = 0
) -> Array:
    """Stored values of one frame.

    Parameters
    ----------
    image : ImageHeader
        As `pacs_panel.dicom.header.read` gives it.
    source : binary file, bytes, or file descriptor
        What holds the object's whole file. A descriptor is read by position and may be shared between threads.
    index : int
        Frame, from 0.
    settings : Settings, optional
        Bounds the frame's size.
    base_offset : int
        Where the object's file begins in ``source``, in bytes.

    Returns
    -------
    ndarray
        ``(rows, columns)``, or ``(rows, columns, 3)`` RGB. ``PALETTE COLOR`` stays indices. May be read-only.

    Raises
    ------
    TooLarge
        The frame exceeds ``settings.max_frame_bytes``, by header; nothing was allocated.
    BadPixels
        Anything else that hinders decoding, in words.
    """
    settings = settings or Settings()
    check(image, settings)
    if not 0 <= index < image.frames:
        raise BadPixels(f"there is no frame {index}: the object has {image.frames}")
    if image.pixel_length == INSIDE_DEFLATED:
        image, source, base_offset = *_inflated(image, source, base_offset, settings), 0
    start = base_offset + image.pixel_offset
    if image.pixel_length == ENCAPSULATED:
        array = codecs.decode(image, fragments.frame(source, start, image.frames, index))
        return _rgb(image, stored(replace(image, high_bit=image.bits_stored - 1), array), codecs.converts_colour(image))
    return _rgb(image, stored(image, _native(image, source, start, index)), image.photometric == "RGB")


def read_into(
    image: ImageHeader, source: Source, base_offset: int, out: Array, settings: Settings | None = None
) -> None:
    """Stored values of a single-frame grey image, read straight into ``out``.

    Uncompressed little endian pixels go from the file into the array without a copy; all else is decoded by `frame`.

    Parameters
    ----------
    out : ndarray
        ``(rows, columns)``, C-contiguous, of `dtype(image)`: a slice of a volume.
    source, base_offset
        As for `frame`.

    Raises
    ------
    BadPixels, TooLarge
        As `frame`; ``out`` then holds nothing of use.
    """
    if out.shape != (image.rows, image.columns):
        raise BadPixels(f"the target has shape {out.shape}, the image ({image.rows}, {image.columns})")
    if not (is_direct(image) and out.flags.c_contiguous and out.dtype == dtype(image)):
        out[...] = frame(image, source, 0, settings, base_offset)
        return
    check(image, settings or Settings())
    _enough(image)
    fill(source, base_offset + image.pixel_offset, memoryview(out).cast("B"))
    _extend(image, out)


def is_direct(image: ImageHeader) -> bool:
    """Whether the pixels lie in the file as they do in memory."""
    native = image.pixel_length >= 0 and image.transfer_syntax not in BIG_ENDIAN
    return native and image.samples == 1 and image.bits_allocated in INTEGERS and _shift(image) == 0


def check(image: ImageHeader, settings: Settings) -> None:
    """Refuse what cannot be, before anything is allocated."""
    if image.rows < 1 or image.columns < 1 or image.samples not in (1, 3, 4):
        raise BadPixels(f"{image.rows} x {image.columns} pixels with {image.samples} samples are no image")
    if image.bits_allocated not in (1, *INTEGERS) or not 0 <= image.bits_stored <= image.bits_allocated:
        raise BadPixels(f"{image.bits_stored} bits stored in {image.bits_allocated} allocated cannot be decoded")
    if image.pixel_length == 0:
        raise BadPixels("there is no pixel data")
    size = image.rows * image.columns * image.samples * dtype(image).itemsize
    if size > settings.max_frame_bytes:
        raise TooLarge(f"a frame needs {size} bytes, the limit is {settings.max_frame_bytes}")


def stored(image: ImageHeader, array: Array) -> Array:
    """Bit patterns as a codec or file gives them, to stored values: shifted, masked, sign extended."""
    wanted = dtype(image)
    if array.dtype.kind == "f" or wanted.kind == "f":
        return array.view(wanted) if array.dtype.kind != "f" else array.astype(wanted, copy=False)
    unsigned = np.dtype(f"u{wanted.itemsize}")
    if array.dtype.newbyteorder("=") != unsigned:
        array = array.astype(unsigned)  # of a signed or narrower codestream, modulo 2**n
    shift = _shift(image)
    clean = not shift and image.bits_stored == 8 * wanted.itemsize
    array = array.astype(unsigned, copy=not clean)
    if shift:
        array >>= unsigned.type(shift)
    array = array.view(wanted)
    return array if clean else _extend(image, array)


def _extend(image: ImageHeader, array: Array) -> Array:
    """Mask to Bits Stored and extend the sign, in place."""
    spare = 8 * array.dtype.itemsize - image.bits_stored
    if spare == 0 or image.bits_stored == 0:
        return array
    if not image.signed:
        array &= array.dtype.type((1 << image.bits_stored) - 1)
        return array
    array <<= array.dtype.type(spare)
    array >>= array.dtype.type(spare)
    return array


def _shift(image: ImageHeader) -> int:
    """Bits below the stored ones; where High Bit makes no sense they are taken to be none."""
    shift = image.high_bit + 1 - image.bits_stored
    return shift if image.bits_stored and 0 < shift <= image.bits_allocated - image.bits_stored else 0


def _frame_bits(image: ImageHeader) -> int:
    samples = 2 if image.photometric == "YBR_FULL_422" and image.samples == 3 else image.samples
    return image.rows * image.columns * samples * image.bits_allocated


def _enough(image: ImageHeader) -> None:
    total = -(-_frame_bits(image) * image.frames // 8)
    if image.pixel_length < total:
        raise BadPixels(f"pixel data has {image.pixel_length} bytes, {total} are needed")


def _native(image: ImageHeader, source: Source, start: int, index: int) -> Array:
    """Bit patterns of an uncompressed frame."""
    if image.transfer_syntax in codecs.CODECS:
        raise BadPixels("pixel data has a fixed length although the transfer syntax is a compressed one")
    _enough(image)
    bits = _frame_bits(image)
    if image.bits_allocated == 1:  # frames are not aligned to bytes (PS3.5 §8.1.1)
        first, last = index * bits, (index + 1) * bits
        packed = np.frombuffer(need(source, start + first // 8, -(-last // 8) - first // 8), np.uint8)
        return np.unpackbits(packed, bitorder="little")[first % 8 :][:bits].reshape(image.rows, image.columns)
    offset, length = start + index * (bits // 8), bits // 8
    big = image.transfer_syntax in BIG_ENDIAN
    if big and image.bits_allocated == 8 and bytes(take(source, start - 8, 2)) == b"OW":
        return codecs.native_frame(image, _unswapped(source, start, offset, length))
    data = need(source, offset, length)
    if image.photometric == "YBR_FULL_422" and image.samples == 3:
        return codecs.native_frame(replace(image, planar=0), expand_ybr422(bytes(data), image.bits_allocated))
    return codecs.native_frame(image, data, ">" if big else "<")


def _unswapped(source: Source, start: int, offset: int, length: int) -> bytes:
    """8-bit pixels out of big endian 16-bit words (PS3.5 §A.3), which an odd frame may share with its neighbour."""
    first = (offset - start) // 2 * 2
    words = need(source, start + first, -(-(offset - start + length - first) // 2) * 2)
    return np.frombuffer(words, "u2").byteswap().tobytes()[offset - start - first :][:length]


def _rgb(image: ImageHeader, array: Array, converted: bool) -> Array:
    """Luminance and chrominance to RGB (PS3.3 §C.7.6.3.1.2)."""
    if image.samples != 3 or converted or not image.photometric.startswith("YBR"):
        return array
    if image.photometric not in ("YBR_FULL", "YBR_FULL_422") or array.dtype != np.uint8:
        raise BadPixels(f"{image.photometric} of {image.bits_allocated} bits cannot be converted to RGB")
    return convert_color_space(array, "YBR_FULL", "RGB")


def _inflated(image: ImageHeader, source: Source, base_offset: int, settings: Settings) -> tuple[ImageHeader, bytes]:
    """Data set out of its deflated stream (PS3.5 §A.5), and the image as it lies in it."""
    packed = take(source, base_offset + image.pixel_offset, settings.max_object_bytes)
    limit = min(settings.max_object_bytes, len(packed) * settings.max_expansion)
    engine = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        data = engine.decompress(packed, limit)
        whole = engine.eof or not engine.decompress(engine.unconsumed_tail, 1)
        file = DicomBytesIO(data)
        read_dataset(cast(BinaryIO, file), False, True, stop_when=lambda tag, vr, length: tag in PIXEL_TAGS)
        head = file.read(12)
        length = struct.unpack("<I", head[8:])[0]
    except (zlib.error, struct.error, RecursionError, ValueError, OSError):
        raise BadPixels("the deflated data set is damaged") from None
    if not whole:
        raise TooLarge(f"the deflated data set holds more than {limit} bytes")
    return replace(image, transfer_syntax=EXPLICIT_LE, pixel_offset=file.tell(), pixel_length=length), data
