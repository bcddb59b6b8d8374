"""Uncompressed frames: bits, words, planes and byte order (PS3.5 §8.1, §A.1-§A.3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from pydicom.pixels.utils import expand_ybr422

from pacs_panel.errors import BadPixels
from pacs_panel.model import ImageHeader
from pacs_panel.pixels.source import Source, need, take
from pacs_panel.pixels.stored import INTEGERS, PACKED, shape

Array = np.ndarray
BIG_ENDIAN = ("1.2.840.10008.1.2.2", "1.2.840.113619.5.2")  # the second, GE's own, has only its pixels so


def is_subsampled(image: ImageHeader) -> bool:
    """Whether chrominance has half the columns; some writers say so of data that have all of them."""
    full = image.rows * image.columns * 3 * image.bits_allocated // 8 * image.frames
    return image.photometric == "YBR_FULL_422" and image.samples == 3 and image.pixel_length < full


def frame_bits(image: ImageHeader) -> int:
    """Length of one frame in the file."""
    samples = 2 if is_subsampled(image) else image.samples
    return image.rows * image.columns * samples * image.bits_allocated


def enough(image: ImageHeader, index: int) -> None:
    """`BadPixels` where the pixel data end before the frame does."""
    end = -(-frame_bits(image) * (index + 1) // 8)
    if image.pixel_length < end:
        raise BadPixels(f"pixel data has {image.pixel_length} bytes, {end} are needed for frame {index + 1}")


def frame(image: ImageHeader, source: Source, start: int, index: int) -> Array:
    """Bit patterns of one frame, unsigned, ``(rows, columns[, samples])``.

    Parameters
    ----------
    start : int
        Where the value of Pixel Data begins in ``source``.
    """
    enough(image, index)
    bits = frame_bits(image)
    first, last = index * bits, (index + 1) * bits
    big = image.transfer_syntax in BIG_ENDIAN
    words = big and image.bits_allocated not in INTEGERS[1:] and bytes(take(source, start - 8, 2)) == b"OW"
    read: Callable[[Source, int, int], bytes | memoryview] = _unswapped(start) if words else need
    data = read(source, start + first // 8, -(-last // 8) - first // 8)
    if image.bits_allocated == 1:  # frames are not aligned to bytes
        return unpacked(image, np.frombuffer(data, np.uint8), first % 8)
    if image.bits_allocated in PACKED:
        return _packed(image, np.frombuffer(data, np.uint8), first % 8)
    if is_subsampled(image):
        return whole(replace(image, planar=0), expand_ybr422(bytes(data), image.bits_allocated))
    return whole(image, data, ">" if big and not words else "<")


def whole(image: ImageHeader, data: bytes | memoryview, order: str = "<") -> Array:
    """As `frame`, of a frame's own bytes, 8 bits a sample or more."""
    patterns = np.dtype(f"{order}u{image.bits_allocated // 8}")
    count = image.rows * image.columns * image.samples
    if len(data) < count * patterns.itemsize:
        raise BadPixels(f"the frame has {len(data)} bytes, {count * patterns.itemsize} are needed")
    return _arranged(image, np.frombuffer(data, patterns, count))


def unpacked(image: ImageHeader, data: Array, skipped: int = 0) -> Array:
    """Pixels of one bit each, the first in the lowest bit, after some that are not wanted."""
    count = image.rows * image.columns * image.samples
    if 8 * len(data) < skipped + count:
        raise BadPixels(f"the frame has {8 * len(data) - skipped} bits, {count} are needed")
    return _arranged(image, np.unpackbits(data, count=skipped + count, bitorder="little")[skipped:])


def _packed(image: ImageHeader, data: Array, skipped: int) -> Array:
    """Pixels that follow each other without regard to bytes, the first in the lowest bits."""
    width, count = image.bits_allocated, image.rows * image.columns * image.samples
    size = next(size for size in INTEGERS if size >= width)
    bits = np.unpackbits(data, count=skipped + count * width, bitorder="little")[skipped:].reshape(count, width)
    padded = np.zeros((count, size), np.uint8)
    padded[:, :width] = bits
    return _arranged(image, np.packbits(padded, axis=1, bitorder="little").view(f"<u{size // 8}").reshape(-1))


def _arranged(image: ImageHeader, flat: Array) -> Array:
    """Samples in the order of the file to ``(rows, columns[, samples])``."""
    if image.samples > 1 and image.planar == 1:
        return np.ascontiguousarray(np.moveaxis(flat.reshape(image.samples, image.rows, image.columns), 0, -1))
    return flat.reshape(shape(image))


def _unswapped(start: int) -> Callable[[Source, int, int], bytes]:
    """Bytes out of big endian 16-bit words (PS3.5 §A.3), which an odd frame may share with its neighbour."""

    def read(source: Source, offset: int, count: int) -> bytes:
        first = (offset - start) // 2 * 2
        words = need(source, start + first, -(-(offset - start + count - first) // 2) * 2)
        return np.frombuffer(words, "u2").byteswap().tobytes()[offset - start - first :][:count]

    return read
