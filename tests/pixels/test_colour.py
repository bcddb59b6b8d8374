"""Colour as RGB, planes, and packed bits."""

from __future__ import annotations

import io

import imagecodecs
import numpy as np
import pytest
from pydicom.encaps import encapsulate

from pacs_panel.dicom import header
from pacs_panel.model import ImageHeader
from pacs_panel.pixels import decode
from pacs_panel.settings import Settings
from tests.dicom.objects import dataset, written

RGB = np.random.default_rng(3).integers(0, 256, (6, 8, 3), dtype=np.uint8)


def coloured(data: bytes, photometric: str = "RGB", planar: int = 0, syntax: str = "1.2.840.10008.1.2.1") -> bytes:
    ds = dataset(
        Rows=6, Columns=8, SamplesPerPixel=3, PhotometricInterpretation=photometric, PlanarConfiguration=planar
    )
    ds.BitsAllocated = ds.BitsStored = 8
    ds.HighBit, ds.PixelRepresentation, ds.PixelData = 7, 0, data
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = syntax != "1.2.840.10008.1.2.1"
    return written(ds, syntax)


def image(data: bytes) -> ImageHeader:
    found = header.image(io.BytesIO(data), len(data), Settings())
    assert found is not None
    return found


def test_pixel_by_pixel_and_plane_by_plane() -> None:
    by_pixel = coloured(RGB.tobytes())
    by_plane = coloured(np.moveaxis(RGB, -1, 0).tobytes(), planar=1)
    np.testing.assert_array_equal(decode.frame(image(by_pixel), by_pixel), RGB)
    np.testing.assert_array_equal(decode.frame(image(by_plane), by_plane), RGB)


def test_luminance_and_chrominance() -> None:
    """PS3.3 §C.7.6.3.1.2: pure red is Y 76, Cb 85, Cr 255; grey has both chrominances at 128."""
    ybr = np.full((6, 8, 3), 128, np.uint8)
    ybr[0] = (76, 85, 255)
    data = coloured(ybr.tobytes(), "YBR_FULL")
    found = decode.frame(image(data), data)
    np.testing.assert_allclose(found[0].astype(int), np.broadcast_to((254, 0, 0), (8, 3)), atol=1)
    assert (found[1:] == 128).all()


def test_subsampled_chrominance() -> None:
    data = coloured(np.full(6 * 8 * 2, 128, np.uint8).tobytes(), "YBR_FULL_422")
    assert (decode.frame(image(data), data) == 128).all()


@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL_422"])
def test_jpeg(photometric: str) -> None:
    """Lossy, so near; a wrong colour space would be far off."""
    flat = np.zeros((6, 8, 3), np.uint8) + np.array((200, 60, 20), np.uint8)
    space = {"colorspace": "RGB", "outcolorspace": "RGB" if photometric == "RGB" else "YCBCR"}
    stream = imagecodecs.jpeg8_encode(flat, level=95, **space)
    data = coloured(encapsulate([bytes(stream)]), photometric, syntax="1.2.840.10008.1.2.4.50")
    np.testing.assert_allclose(decode.frame(image(data), data).astype(int), flat, atol=4)


def test_jpeg_ls_colour() -> None:
    data = coloured(encapsulate([bytes(imagecodecs.jpegls_encode(RGB))]), syntax="1.2.840.10008.1.2.4.80")
    np.testing.assert_array_equal(decode.frame(image(data), data), RGB)


def test_frames_of_single_bits_are_not_aligned() -> None:
    bits = np.random.default_rng(5).integers(0, 2, (3, 5, 5), dtype=np.uint8)
    packed = np.packbits(bits.ravel(), bitorder="little").tobytes()
    ds = dataset(Rows=5, Columns=5, SamplesPerPixel=1, PhotometricInterpretation="MONOCHROME2", NumberOfFrames=3)
    ds.BitsAllocated = ds.BitsStored = 1
    ds.HighBit, ds.PixelRepresentation, ds.PixelData = 0, 0, packed
    ds["PixelData"].VR = "OB"
    data = written(ds)
    for index in range(3):
        np.testing.assert_array_equal(decode.frame(image(data), data, index), bits[index])
