"""One frame as bytes: as it is stored where it is compressed, or native in little endian (PS3.18 §8.7.3.3.1)."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np

from pacs_panel.errors import NotFound
from pacs_panel.model import ImageHeader
from pacs_panel.pixels import fragments, native, reencode
from pacs_panel.pixels.frames import ENCAPSULATED, Frames
from pacs_panel.pixels.source import need
from pacs_panel.settings import Settings


def check_frame(image: ImageHeader, index: int) -> None:
    """`NotFound` where an object has no such frame; the message counts from 1."""
    if not 0 <= index < image.frames:
        raise NotFound(f"there is no frame {index + 1}: the object has {image.frames}")


def compressed(image: ImageHeader, source: BinaryIO, index: int) -> bytes:
    """The codestream of a frame, as stored."""
    found = fragments.frames(source, image.pixel_offset, image.frames, image.transfer_syntax)
    return fragments.frame(source, found[index]) if index < len(found) else b""


def uncompressed(image: ImageHeader, source: BinaryIO, index: int, settings: Settings) -> bytes:
    """A frame without compression: bit by bit as stored where it is not compressed, else what the decoder gives.

    Raises
    ------
    BadPixels, TooLarge
    """
    bits = native.frame_bits(image) if image.pixel_length > 0 else 0
    if bits and bits % 8 == 0 and (index * bits) % 8 == 0 and image.pixel_length != ENCAPSULATED:
        native.enough(image, index)
        raw = bytes(need(source, image.pixel_offset + index * bits // 8, bits // 8))
        big = image.transfer_syntax in native.BIG_ENDIAN and image.bits_allocated in (16, 32, 64)
        if big or image.transfer_syntax not in native.BIG_ENDIAN:
            return reencode.swapped(raw, image.bits_allocated // 8 if big else 1)
    with Frames(image, source, settings) as frames:
        array = frames.read(index)
    if image.bits_allocated == 1:
        return np.packbits(array.reshape(-1).astype(np.uint8), bitorder="little").tobytes()
    return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
