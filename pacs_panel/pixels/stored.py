"""Bit patterns to stored values: shifted, masked to Bits Stored, sign extended (PS3.5 §8.1.1)."""

from __future__ import annotations

import numpy as np

from pacs_panel.errors import BadPixels, TooLarge
from pacs_panel.model import ImageHeader
from pacs_panel.settings import Settings

Array = np.ndarray
INTEGERS = (8, 16, 32, 64)
PACKED = (12, 24)  # 12 is of the standard's early editions; neither fills a number of the machine's
FLOATS = (32, 64)


def dtype(image: ImageHeader) -> np.dtype:
    """Type of the stored values in the machine's byte order; floating point where Bits Stored is 0."""
    if image.bits_stored == 0:
        return np.dtype(f"f{image.bits_allocated // 8}")
    size = next(size for size in INTEGERS if size >= image.bits_allocated)
    return np.dtype(f"{'i' if image.signed else 'u'}{size // 8}")


def shape(image: ImageHeader) -> tuple[int, ...]:
    """Shape of one frame: ``(rows, columns)``, or ``(rows, columns, samples)``."""
    return (image.rows, image.columns) if image.samples == 1 else (image.rows, image.columns, image.samples)


def check(image: ImageHeader, settings: Settings) -> None:
    """Refuse what cannot be, before anything is allocated.

    Raises
    ------
    BadPixels, TooLarge
    """
    if image.rows < 1 or image.columns < 1 or image.samples not in (1, 3, 4):
        raise BadPixels(f"{image.rows} x {image.columns} pixels with {image.samples} samples are no image")
    allocated = (1, *PACKED, *INTEGERS) if image.bits_stored else FLOATS
    if image.bits_allocated not in allocated or not 0 <= image.bits_stored <= image.bits_allocated:
        raise BadPixels(f"{image.bits_stored} bits stored in {image.bits_allocated} allocated cannot be decoded")
    if image.pixel_length == 0:
        raise BadPixels("there is no pixel data")
    size = image.rows * image.columns * image.samples * dtype(image).itemsize
    if size > settings.max_frame_bytes:
        raise TooLarge(f"a frame needs {size} bytes, the limit is {settings.max_frame_bytes}")


def stored(image: ImageHeader, array: Array) -> Array:
    """Bit patterns as a codec or file gives them, to stored values of `dtype`."""
    wanted = dtype(image)
    if array.dtype.kind == "f" or wanted.kind == "f":
        return array.view(wanted) if array.dtype.kind != "f" else array.astype(wanted, copy=False)
    unsigned = np.dtype(f"u{wanted.itemsize}")
    if array.dtype.newbyteorder("=") != unsigned:
        array = array.astype(unsigned)  # of a signed or narrower codestream, modulo 2**n
    bits = shift(image)
    clean = not bits and image.bits_stored == 8 * wanted.itemsize
    array = array.astype(unsigned, copy=not clean)
    if bits:
        array >>= unsigned.type(bits)
    array = array.view(wanted)
    return array if clean else extend(image, array)


def extend(image: ImageHeader, array: Array) -> Array:
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


def shift(image: ImageHeader) -> int:
    """Bits below the stored ones; where High Bit makes no sense they are taken to be none."""
    bits = image.high_bit + 1 - image.bits_stored
    return bits if image.bits_stored and 0 < bits <= image.bits_allocated - image.bits_stored else 0
