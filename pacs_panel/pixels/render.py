"""Slices to pictures: physical values and a window to greys, greys to PNG or JPEG."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

from pacs_panel.pixels.intensity import Shown, Window, apply, automatic
from pacs_panel.pixels.palette import Palette, supplemental

Array = np.ndarray


@dataclass(frozen=True, slots=True)
class View:
    """How a picture is made.

    Attributes
    ----------
    form : str
        ``jpeg`` or ``png``.
    quality : int
        Of JPEG, 1 to 100.
    window : Window, optional
        Instead of the object's own.
    size : tuple of 2 ints, optional
        Columns and rows into which it is fitted, keeping its proportions.
    region : tuple of 4 ints
        Left, top, width and height of the part that is shown, in pixels; a width or height of 0 is all the rest.
    """

    form: Literal["jpeg", "png"] = "jpeg"
    quality: int = 90
    window: Window | None = None
    size: tuple[int, int] | None = None
    region: tuple[int, int, int, int] = (0, 0, 0, 0)


def greys(values: Array, window: Shown | None = None, invert: bool = False, mask: Array | None = None) -> Array:
    """A slice as 8-bit greys.

    Parameters
    ----------
    values : ndarray
        ``(rows, columns)`` physical values; RGB of 8 bits is returned as it is.
    window : Window or Table, optional
        Automatic where absent.
    invert : bool
        Low values are white (MONOCHROME1).
    mask : ndarray of bool, optional
        True where a value is padding; it is drawn black.

    Returns
    -------
    ndarray of uint8
        ``(rows, columns)`` or ``(rows, columns, 3)``.
    """
    if values.ndim == 3:
        return values.astype(np.uint8, copy=False) if values.dtype.itemsize == 1 else _narrow(values)
    grey = np.nan_to_num(apply(values, window or automatic(values, mask), 0, 255), copy=False)
    out = np.rint(grey).astype(np.uint8)
    if invert:
        np.subtract(255, out, out=out)
    if mask is not None:
        out[mask] = 0
    return out


def _narrow(colour: Array) -> Array:
    """Colour of more than 8 bits to 8."""
    top = float(colour.max()) or 1.0
    return np.rint(np.clip(colour / top, 0, 1) * 255).astype(np.uint8)


def encode(picture: Array, form: Literal["png", "jpeg"] = "png", quality: int = 90) -> bytes:
    """A picture of uint8, grey or RGB, as the bytes of a PNG or JPEG file."""
    out = io.BytesIO()
    image = Image.fromarray(np.ascontiguousarray(picture[..., :3] if picture.ndim == 3 else picture))
    if form == "png":
        image.save(out, "PNG", compress_level=3)
    else:
        image.save(out, "JPEG", quality=quality)
    return out.getvalue()


def fitted(picture: Array, size: tuple[int, int] | None, region: tuple[int, int, int, int] = (0, 0, 0, 0)) -> Array:
    """A part of a picture, fitted into so many columns and rows without being distorted.

    Parameters
    ----------
    region : tuple of 4 ints
        Left, top, width and height in pixels; a width or height of 0 is all the rest.
    """
    left, top, width, height = region
    part = picture[top : top + height if height else None, left : left + width if width else None]
    if size is None or not part.size:
        return part if part.size else picture
    scale = min(size[0] / part.shape[1], size[1] / part.shape[0])
    shape = max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale))
    how = Image.Resampling.BOX if scale < 1 else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(np.ascontiguousarray(part)).resize(shape, how))


def thumbnail(
    array: Array,
    spacing: tuple[float, float] = (1.0, 1.0),
    size: int = 128,
    window: Shown | None = None,
    invert: bool = False,
    mask: Array | None = None,
    colours: tuple[Array, Palette] | None = None,
) -> bytes:
    """A small PNG of a slice, of the right proportions.

    Parameters
    ----------
    array : ndarray
        ``(rows, columns)`` physical values, or RGB of 8 bits.
    spacing : tuple of 2 floats
        mm between rows, then between columns.
    size : int
        Pixels of the longer side.
    window, invert, mask
        As for `greys`.
    colours : pair of array and Palette, optional
        Stored values of the slice, and the supplemental palette that shows some of them in colour.
    """
    height, width = array.shape[0] * spacing[0], array.shape[1] * spacing[1]
    scale = size / max(height, width)
    shape = max(1, round(width * scale)), max(1, round(height * scale))
    picture = greys(array, window, invert, mask)
    if colours is not None:
        picture = supplemental(colours[0], picture, colours[1])
    image = Image.fromarray(np.ascontiguousarray(picture))
    return encode(np.asarray(image.resize(shape, Image.Resampling.BOX if scale < 1 else Image.Resampling.BILINEAR)))
