"""Stored values: round trips through every encoding, the real files, and what cannot be decoded."""

from __future__ import annotations

import io
import os
import struct
import tracemalloc
from dataclasses import replace
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pydicom import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from pacs_panel.dicom import header
from pacs_panel.errors import BadPixels, TooLarge
from pacs_panel.model import ImageHeader
from pacs_panel.pixels import decode
from pacs_panel.settings import Settings
from tests.dicom.objects import with_pixels, written

SETTINGS = Settings()
NATIVE = [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
ENCODED = [RLELossless, JPEGLSLossless, JPEG2000Lossless]


def image(data: bytes) -> ImageHeader:
    found = header.image(io.BytesIO(data), len(data), SETTINGS)
    assert found is not None
    return found


def encode(ds: Dataset, patterns: np.ndarray, syntax: str) -> bytes:
    """A file of these bit patterns (unsigned, rows x columns)."""
    if syntax == ExplicitVRBigEndian:
        ds.PixelData = patterns.astype(patterns.dtype.newbyteorder(">")).tobytes()
        if patterns.dtype.itemsize == 1:  # 16-bit words, swapped
            even = ds.PixelData + b"\0" * (len(ds.PixelData) % 2)
            ds.PixelData = np.frombuffer(even, "u2").byteswap().tobytes()
        ds["PixelData"].VR = "OW"
    elif syntax == RLELossless:
        encapsulated(ds, run_lengths(patterns))
    elif syntax in (JPEGLSLossless, JPEG2000Lossless):
        codec = imagecodecs.jpegls_encode if syntax == JPEGLSLossless else imagecodecs.jpeg2k_encode
        extra = {} if syntax == JPEGLSLossless else {"codecformat": "j2k", "level": 0, "reversible": True}
        encapsulated(ds, bytes(codec(patterns, **extra)))
    else:
        ds.PixelData = patterns.tobytes() + b"\0" * (patterns.nbytes % 2)
    return written(ds, syntax)


def encapsulated(ds: Dataset, frame: bytes) -> None:
    ds.PixelData = encapsulate([frame])
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True


def run_lengths(patterns: np.ndarray) -> bytes:
    """One frame by PS3.5 Annex G: a segment for each byte of a pixel, the highest first, in PackBits."""
    width = patterns.dtype.itemsize
    planes = [np.ascontiguousarray(patterns.view(np.uint8)[:, byte::width]) for byte in reversed(range(width))]
    segments = [bytes(imagecodecs.packbits_encode(plane)) for plane in planes]
    segments = [segment + b"\0" * (len(segment) % 2) for segment in segments]
    offsets = [64 + sum(map(len, segments[:n])) for n in range(width)]
    return struct.pack("<16I", width, *offsets, *[0] * (15 - width)) + b"".join(segments)


@st.composite
def stored_values(draw: st.DrawFn) -> tuple[np.ndarray, int]:
    """Values, and the bits that hold them."""
    allocated = draw(st.sampled_from([8, 16]))
    bits = draw(st.integers(2, allocated))
    signed = draw(st.booleans())
    shape = draw(st.tuples(st.integers(2, 9), st.integers(2, 9)))
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    dtype = f"{'i' if signed else 'u'}{allocated // 8}"
    return draw(arrays(dtype, shape, elements=st.integers(low, high))), bits


@pytest.mark.slow
@given(stored_values(), st.sampled_from([*NATIVE, *ENCODED]), st.integers(0, 1 << 16))
@settings(max_examples=150)
def test_round_trip(drawn: tuple[np.ndarray, int], syntax: str, junk: int) -> None:
    """Whatever the bits, the sign, the encoding, and the junk above Bits Stored: the stored values come back."""
    values, bits = drawn
    patterns = values.view(f"u{values.dtype.itemsize}")
    patterns = patterns & patterns.dtype.type((1 << bits) - 1)
    if syntax in (*NATIVE, RLELossless):
        patterns = patterns | patterns.dtype.type((junk << bits) & ((1 << 8 * values.dtype.itemsize) - 1))
    data = encode(with_pixels(values, BitsStored=bits, HighBit=bits - 1), patterns, syntax)
    found = decode.frame(image(data), data)
    assert found.dtype == values.dtype
    np.testing.assert_array_equal(found, values)
    out = np.zeros(values.shape, values.dtype)
    decode.read_into(image(data), data, 0, out)
    np.testing.assert_array_equal(out, values)


@pytest.mark.parametrize("signed", [False, True])
def test_high_bit_above_bits_stored(signed: bool) -> None:
    values = np.arange(-6, 6, dtype=np.int16).reshape(3, 4) if signed else np.arange(12, dtype=np.uint16).reshape(3, 4)
    data = encode(
        with_pixels(values, BitsStored=12, HighBit=15), (values << 4).view(np.uint16) | np.uint16(9), NATIVE[1]
    )
    np.testing.assert_array_equal(decode.frame(image(data), data), values)
    out = np.empty_like(values)
    decode.read_into(image(data), data, 0, out)
    np.testing.assert_array_equal(out, values)


@pytest.mark.parametrize("kind", ["bytes", "file", "descriptor"])
@pytest.mark.parametrize("syntax", [*NATIVE, *ENCODED])
def test_inside_a_pack(tmp_path: Path, kind: str, syntax: str) -> None:
    """The file may begin anywhere in what holds it."""
    values = np.random.default_rng(1).integers(-2000, 2000, (20, 30), dtype=np.int16)
    data = encode(with_pixels(values), values.view(np.uint16), syntax)
    path = tmp_path / "pack.tar"
    path.write_bytes(b"x" * 777 + data + b"y" * 999)
    volume = np.zeros((3, 20, 30), np.int16)
    with path.open("rb") as file:
        source = {"bytes": path.read_bytes(), "file": file, "descriptor": file.fileno()}[kind]
        decode.read_into(image(data), source, 777, volume[1])
        np.testing.assert_array_equal(decode.frame(image(data), source, 0, SETTINGS, 777), values)
    np.testing.assert_array_equal(volume[1], values)
    assert not volume[::2].any()


def test_nine_transfer_syntaxes_give_the_same_pixels(data: Path) -> None:
    files = sorted((data / "transfer_syntaxes_mr").rglob("*.dcm"))
    contents = [path.read_bytes() for path in files]
    frames = [decode.frame(image(content), content) for content in contents]
    assert len(frames) == 9
    assert len({image(content).transfer_syntax for content in contents}) == 7
    assert (frames[0].dtype, int(frames[0].sum())) == (np.uint16, 38036663)
    for found in frames[1:]:
        np.testing.assert_array_equal(found, frames[0])


def test_frames_in_many_fragments(data: Path) -> None:
    """JPEG lossless, each frame split; a slice's neighbours are like it, so it was put together in order."""
    files = sorted(path for path in (data / "mr_t1_jpeg_fragmented").rglob("*") if path.is_file())
    slices = []
    for path in files:
        content = path.read_bytes()
        slices.append(decode.frame(image(content), content).astype(float))
    assert len(slices) == 96
    assert slices[50].shape == (128, 128)
    assert max(found.max() for found in slices) == 2712
    neighbours = np.corrcoef(slices[50].ravel(), slices[51].ravel())[0, 1]
    assert neighbours > 0.9


def test_mammogram(data: Path) -> None:
    path = next(path for path in (data / "mg_mammogram_ge").rglob("*") if path.is_file())
    with path.open("rb") as file:
        found = header.read(file, path.stat().st_size, SETTINGS).image
        assert found is not None
        pixels = decode.frame(found, file)
    assert (pixels.shape, int(pixels.max()), int(pixels.sum())) == ((3062, 2394), 3471, 5497827292)


# -- what cannot be decoded --------------------------------------------------------------------------------------------

VALUES = np.arange(12, dtype=np.uint16).reshape(3, 4)
PLAIN = written(with_pixels(VALUES))


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"rows": 65535, "columns": 65535}, TooLarge, "8589672450 bytes"),
        ({"rows": 4}, BadPixels, "has 24 bytes, 32 are needed"),
        ({"rows": 0}, BadPixels, "no image"),
        ({"bits_allocated": 10}, BadPixels, "10 allocated"),
        ({"bits_allocated": 16, "bits_stored": 0}, BadPixels, "0 bits stored in 16"),
        ({"samples": 7}, BadPixels, "7 samples"),
        ({"pixel_length": 0}, BadPixels, "no pixel data"),
        ({"transfer_syntax": RLELossless}, BadPixels, "fixed length"),
        ({"pixel_length": -1, "transfer_syntax": RLELossless}, BadPixels, "fragment"),
        ({"pixel_offset": 10**6}, BadPixels, "the file ends 24 bytes"),
    ],
)
def test_impossible_headers(change: dict[str, object], error: type[Exception], words: str) -> None:
    hostile = replace(image(PLAIN), **change)  # type: ignore[arg-type]
    tracemalloc.start()
    for source in (PLAIN, io.BytesIO(PLAIN)):
        with pytest.raises(error, match=words):
            decode.frame(hostile, source)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_a_truncated_file_says_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "short.dcm"
    path.write_bytes(PLAIN[:-6])
    with path.open("rb") as file:
        for source in (path.read_bytes(), file, file.fileno()):
            with pytest.raises(BadPixels, match="the file ends 6 bytes"):
                decode.read_into(image(PLAIN), source, 0, np.zeros((3, 4), np.uint16))


@pytest.mark.parametrize("syntax", ENCODED)
def test_codestream_of_another_size(syntax: str) -> None:
    data = encode(with_pixels(VALUES), VALUES, syntax)
    with pytest.raises(BadPixels):
        decode.frame(replace(image(data), rows=4), data)


@pytest.mark.parametrize("syntax", ENCODED)
@given(st.integers(0, 10_000), st.integers(0, 255))
@settings(max_examples=40)
def test_damaged_codestreams(syntax: str, position: int, value: int) -> None:
    data = bytearray(encode(with_pixels(VALUES), VALUES, syntax))
    found = image(bytes(data))
    first = found.pixel_offset + 8
    data[first + position % (len(data) - first)] = value
    try:
        assert decode.frame(found, bytes(data)).shape == (3, 4)
    except BadPixels as error:
        assert len(str(error)) > 10  # noqa: PT017


def test_no_such_frame() -> None:
    with pytest.raises(BadPixels, match="no frame 1"):
        decode.frame(image(PLAIN), PLAIN, 1)


def test_deflated_bomb() -> None:
    ds = with_pixels(np.zeros((2000, 2000), np.uint16))
    data = written(ds, DeflatedExplicitVRLittleEndian)
    with pytest.raises(TooLarge):
        decode.frame(image(data), data, settings=replace(SETTINGS, max_expansion=2))
    assert not decode.frame(image(data), data, settings=replace(SETTINGS, max_expansion=2000)).any()


def test_reading_by_descriptor_moves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "one.dcm"
    path.write_bytes(PLAIN)
    with path.open("rb") as file:
        os.lseek(file.fileno(), 3, os.SEEK_SET)
        decode.read_into(image(PLAIN), file.fileno(), 0, np.zeros((3, 4), np.uint16))
        assert os.lseek(file.fileno(), 0, os.SEEK_CUR) == 3
