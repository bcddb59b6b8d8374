"""Stored values of frames, out of any transfer syntax.

Stored values are those after masking to Bits Stored and sign extension (PS3.5 §8.1.1), before any modality transform.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pacs_panel.errors import BadPixels
from pacs_panel.model import ImageHeader
from pacs_panel.pixels.codecs import CODECS, why_not
from pacs_panel.pixels.frames import Frames, is_direct
from pacs_panel.pixels.planes import Plane, read_planes
from pacs_panel.pixels.source import Source
from pacs_panel.pixels.stored import check, dtype
from pacs_panel.settings import Settings

Array = np.ndarray
__all__ = [
    "Frames",
    "Plane",
    "check",
    "dtype",
    "frame",
    "frames",
    "is_compressed",
    "is_direct",
    "read_into",
    "read_planes",
    "why_not",
]


def is_compressed(image: ImageHeader) -> bool:
    """Whether a codec decodes the frames: work for a process that may die of damaged data."""
    return image.transfer_syntax in CODECS


def frame(
    image: ImageHeader, source: Source, index: int = 0, settings: Settings | None = None, base_offset: int = 0
) -> Array:
    """Stored values of one frame; whoever wants several takes `Frames` or `frames`.

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
    return Frames(image, source, settings, base_offset).read(index)


def frames(
    image: ImageHeader, source: Source, settings: Settings | None = None, base_offset: int = 0
) -> Iterator[Array | BadPixels]:
    """Every frame of an object in order; for one that cannot be decoded, the error that says why.

    Fragments are walked, and a deflated data set is inflated, once. Parameters as for `frame`.

    Raises
    ------
    BadPixels, TooLarge
        By header, no frame can be decoded.
    """
    return iter(Frames(image, source, settings, base_offset))


def read_into(
    image: ImageHeader, source: Source, base_offset: int, out: Array, settings: Settings | None = None, index: int = 0
) -> None:
    """Stored values of one frame, read straight into ``out``.

    Uncompressed little endian pixels go from the file into the array without a copy; all else is decoded by `frame`.

    Parameters
    ----------
    out : ndarray
        Of the frame's shape, C-contiguous, of `dtype(image)`: a slice of a volume.
    source, base_offset
        As for `frame`.

    Raises
    ------
    BadPixels, TooLarge
        As `frame`; ``out`` then holds nothing of use.
    """
    Frames(image, source, settings, base_offset).read_into(index, out)
