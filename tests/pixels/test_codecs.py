"""Every codec: what was encoded comes back, whatever the depth and sign; and what is not decoded says why."""

from __future__ import annotations

import struct
import tracemalloc
from dataclasses import replace

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pacs_panel.errors import BadPixels
from pacs_panel.model import ImageHeader
from pacs_panel.pixels import codecs, codestream, decode
from tests.pixels import encoding
from tests.pixels.encoding import UID, file_of, image

# The most bits a sample that codec and encoder have.
DEPTHS = dict.fromkeys(encoding.ENCODERS, 16) | dict.fromkeys(
    (encoding.RLE, encoding.RAW_FRAMES, encoding.DEFLATED_FRAMES, *encoding.NATIVE), 64
)


@st.composite
def stored_values(draw: st.DrawFn, deepest: int) -> tuple[np.ndarray, int]:
    """Frames of stored values, and the bits that hold them."""
    allocated = draw(st.sampled_from([n for n in (8, 16, 32, 64) if n <= deepest]))
    bits = draw(st.integers(1, allocated))
    signed = draw(st.booleans()) and bits > 1
    shape = draw(st.tuples(st.integers(1, 3), st.integers(2, 9), st.integers(2, 9)))
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    dtype = f"{'i' if signed else 'u'}{allocated // 8}"
    return draw(arrays(dtype, shape, elements=st.integers(low, high))), bits


@pytest.mark.parametrize("syntax", sorted(DEPTHS))
@given(st.data())
@settings(max_examples=12)
def test_what_was_encoded_comes_back(syntax: str, data: st.DataObject) -> None:
    values, bits = data.draw(stored_values(DEPTHS[syntax]))
    patterns = values.view(f"u{values.dtype.itemsize}")
    patterns = patterns & patterns.dtype.type((1 << bits) - 1)
    signed = values.dtype.kind == "i"
    found = decoded(patterns, syntax, bits, signed)
    assert found.dtype == values.dtype
    np.testing.assert_array_equal(found, values)
    again = found.view(patterns.dtype) & patterns.dtype.type((1 << bits) - 1)
    np.testing.assert_array_equal(decoded(again, syntax, bits, signed), found)


def decoded(patterns: np.ndarray, syntax: str, bits: int, signed: bool) -> np.ndarray:
    content = file_of(patterns, syntax, bits=bits, signed=signed)
    found = list(decode.frames(image(content), content))
    return np.stack([one for one in found if isinstance(one, np.ndarray)])


@pytest.mark.parametrize("syntax", [encoding.J2K, encoding.HTJ2K])
def test_codestreams_may_be_signed_themselves(syntax: str) -> None:
    values = np.random.default_rng(2).integers(-2000, 2000, (1, 9, 7), dtype=np.int16)
    encoder = imagecodecs.jpeg2k_encode if syntax == encoding.J2K else imagecodecs.htj2k_encode
    extra = {"level": 0, "codecformat": "j2k"} if syntax == encoding.J2K else {}
    stream = bytes(encoder(values[0], reversible=True, **extra))
    content = file_of(values.view(np.uint16), syntax, bits=12, signed=True, frames=[stream])
    np.testing.assert_array_equal(decode.frame(image(content), content), values[0])


@pytest.mark.parametrize(("syntax", "bits"), [(encoding.J2K, 20), (encoding.J2K, 24), (encoding.HTJ2K, 31)])
def test_deep_samples(syntax: str, bits: int) -> None:
    values = np.random.default_rng(bits).integers(0, 1 << bits, (1, 30, 20)).astype(np.uint32)
    np.testing.assert_array_equal(decoded(values, syntax, bits, False), values)


def test_what_would_be_decoded_wrongly_is_refused() -> None:
    content = file_of(np.zeros((1, 30, 20), np.uint32), encoding.J2K, bits=26)
    with pytest.raises(BadPixels, match="26 bits a sample cannot be decoded exactly"):
        decode.frame(image(content), content)


@pytest.mark.parametrize("predictor", range(1, 8))
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_predictors_of_lossless_jpeg(predictor: int, bits: int) -> None:
    dtype = np.uint8 if bits == 8 else np.uint16
    values = np.random.default_rng(predictor).integers(0, 1 << bits, (1, 13, 11)).astype(dtype)
    stream = bytes(imagecodecs.jpeg8_encode(values[0], lossless=True, predictor=predictor, bitspersample=bits))
    content = file_of(values, encoding.LOSSLESS, bits=bits, frames=[stream])
    np.testing.assert_array_equal(decode.frame(image(content), content), values[0])


# -- colour ------------------------------------------------------------------------------------------------------------

RGB = np.random.default_rng(3).integers(0, 256, (2, 6, 8, 3), dtype=np.uint8)
COLOUR = sorted(set(encoding.ENCODERS) - {encoding.JPEG_XL_ANY})


@pytest.mark.parametrize("syntax", COLOUR)
def test_colour(syntax: str) -> None:
    content = file_of(RGB, syntax, bits=8)
    found = list(decode.frames(image(content), content))
    np.testing.assert_array_equal(np.stack(found), RGB)  # type: ignore[arg-type]


@pytest.mark.parametrize("syntax", [encoding.J2K, encoding.HTJ2K])
def test_the_codestreams_own_colour_transform(syntax: str) -> None:
    content = file_of(RGB, syntax, bits=8, photometric="YBR_RCT")
    np.testing.assert_array_equal(decode.frame(image(content), content), RGB[0])


@pytest.mark.parametrize("syntax", [encoding.RLE, encoding.JPEG_LS, encoding.RAW_FRAMES, encoding.EXPLICIT])
def test_luminance_and_chrominance(syntax: str) -> None:
    """PS3.3 §C.7.6.3.1.2: pure red is Y 76, Cb 85, Cr 255."""
    red = np.zeros((1, 6, 8, 3), np.uint8) + np.array((76, 85, 255), np.uint8)
    content = file_of(red, syntax, bits=8, photometric="YBR_FULL")
    found = decode.frame(image(content), content).astype(int)
    np.testing.assert_allclose(found, np.broadcast_to((254, 0, 0), (6, 8, 3)), atol=1)


def test_subsampled_in_name_only() -> None:
    """Some writers say 4:2:2 of data that have all their chrominance."""
    grey = np.full((2, 6, 8, 3), 128, np.uint8)
    grey[1, ..., 0] = 50
    content = file_of(grey, encoding.EXPLICIT, bits=8, photometric="YBR_FULL_422")
    assert (decode.frame(image(content), content, 1) == 50).all()


def test_jpeg_recompressed_as_jpeg_xl() -> None:
    """Both decode to RGB out of what is called YBR; the two decoders differ by little."""
    smooth = np.clip(np.indices((16, 16)).sum(0)[..., None] * (6, 3, 1) + (20, 60, 90), 0, 255).astype(np.uint8)
    jpeg = bytes(imagecodecs.jpeg8_encode(smooth, level=98))
    as_jpeg = file_of(smooth[None], encoding.JPEG, bits=8, photometric="YBR_FULL_422", frames=[jpeg])
    stream = bytes(imagecodecs.jpegxl_encode(smooth, distance=0.1))
    as_xl = file_of(smooth[None], encoding.JPEG_XL_JPEG, bits=8, photometric="YBR_FULL_422", frames=[stream])
    for content in (as_jpeg, as_xl):
        found = decode.frame(image(content), content).astype(int)
        np.testing.assert_allclose(found, smooth, atol=6)


@pytest.mark.parametrize(("syntax", "bits"), [(encoding.JPEG, 8), (encoding.EXTENDED, 12)])
def test_lossy_grey(syntax: str, bits: int) -> None:
    smooth = (np.indices((16, 24)).sum(0) * (1 << bits - 6)).astype(np.uint8 if bits == 8 else np.uint16)
    stream = bytes(imagecodecs.jpeg8_encode(smooth, level=98, bitspersample=bits))
    content = file_of(smooth[None], syntax, bits=bits, frames=[stream])
    found = decode.frame(image(content), content)
    assert found.dtype == smooth.dtype
    np.testing.assert_allclose(found.astype(int), smooth, atol=3 << bits - 8)


@pytest.mark.parametrize("width", [12, 24])
@pytest.mark.parametrize("syntax", [encoding.EXPLICIT, encoding.BIG])
@pytest.mark.parametrize("signed", [False, True])
def test_samples_that_fill_no_word(width: int, syntax: str, signed: bool) -> None:
    """Pixels follow each other, the first in the lowest bits of the first word (PS3.5 §8.1.1)."""
    values = np.random.default_rng(width).integers(0, 1 << width, (3, 5, 7))
    bits = ((values.ravel()[:, None] >> np.arange(width)) & 1).astype(np.uint8)
    packed = np.packbits(bits.ravel(), bitorder="little")
    packed = np.append(packed, np.zeros(packed.size % 2, np.uint8))
    value = packed.view("u2").byteswap().tobytes() if syntax == encoding.BIG else packed.tobytes()
    blank = np.zeros(values.shape, np.uint16)
    content = file_of(blank, syntax, bits=width, signed=signed, value=value, BitsAllocated=width)
    wanted = values - (1 << width) * (values >= 1 << width - 1) if signed else values
    found = list(decode.frames(image(content), content))
    np.testing.assert_array_equal(np.stack(found), wanted)  # type: ignore[arg-type]


@pytest.mark.parametrize("syntax", [encoding.EXPLICIT, encoding.BIG, encoding.RLE, encoding.DEFLATED_FRAMES])
def test_single_bits(syntax: str) -> None:
    bits = np.random.default_rng(5).integers(0, 2, (3, 5, 5), dtype=np.uint8)
    streams = [np.packbits(one.ravel(), bitorder="little") for one in bits]
    encoders = {encoding.RLE: lambda p: encoding.rle(p[None]), encoding.DEFLATED_FRAMES: lambda p: encoding.deflate(p)}
    if syntax in encoders:
        extra = {"frames": [encoders[syntax](stream) for stream in streams]}
    else:
        packed = np.packbits(bits.ravel(), bitorder="little")
        extra = {"value": encoding.native(packed, syntax)}  # type: ignore[dict-item]
    content = file_of(bits, syntax, bits=1, BitsAllocated=1, **extra)  # type: ignore[arg-type]
    found = list(decode.frames(image(content), content))
    np.testing.assert_array_equal(np.stack(found), bits)  # type: ignore[arg-type]


# -- what is not decoded -----------------------------------------------------------------------------------------------

REASONS = {
    UID + "4.100": "video (MPEG-2) is kept",
    UID + "4.102": "video (MPEG-4 AVC) is kept",
    UID + "4.106.1": "video (MPEG-4 AVC) is kept",
    UID + "4.108": "video (HEVC) is kept",
    UID + "7.1": "video (SMPTE ST 2110-20) is kept",
    UID + "4.55": "JPEG Extended (spectral selection, progressive or hierarchical) is a retired compression",
    UID + "4.58": "JPEG Lossless with arithmetic coding is a retired",
    UID + "4.66": "hierarchical JPEG is a retired",
    UID + "4.94": "on another server",
    "1.2.3.4": "there is no decoder for transfer syntax 1.2.3.4",
    "": "(none stated)",
}


@pytest.mark.parametrize("syntax", REASONS)
def test_why_not(syntax: str) -> None:
    assert REASONS[syntax] in codecs.why_not(syntax)
    header = ImageHeader("1.2", 4, 4, transfer_syntax=syntax, pixel_length=-1)
    with pytest.raises(BadPixels) as caught:
        decode.frame(header, bytes(100))
    assert str(caught.value) == codecs.why_not(syntax)


@pytest.mark.parametrize("syntax", [*encoding.ENCODERS, *encoding.NATIVE])
def test_what_is_decoded_needs_no_reason(syntax: str) -> None:
    assert codecs.why_not(syntax) == ""


SMOOTH = (np.indices((1, 40, 50)).sum(0) * 40 + np.random.default_rng(0).integers(0, 30, (1, 40, 50))).astype(np.uint16)
STREAMS = {syntax: encoder(SMOOTH[0], 16) for syntax, encoder in encoding.ENCODERS.items()}
STREAMS[encoding.JPEG] = bytes(imagecodecs.jpeg8_encode((SMOOTH[0] >> 8).astype(np.uint8)))
STREAMS[encoding.EXTENDED] = bytes(imagecodecs.jpeg8_encode(SMOOTH[0] >> 4, bitspersample=12))


@pytest.mark.slow
@pytest.mark.parametrize("part", [0.02, 0.5, 0.9])
@pytest.mark.parametrize("syntax", sorted(STREAMS))
def test_codestreams_cut_short_are_never_filled_in(syntax: str, part: float) -> None:
    patterns = SMOOTH if syntax != encoding.JPEG else SMOOTH.astype(np.uint8)
    stream = STREAMS[syntax]
    content = file_of(patterns, syntax, bits=8 * patterns.dtype.itemsize, frames=[stream[: int(len(stream) * part)]])
    with pytest.raises(BadPixels):
        decode.frame(image(content), content)


def claims(syntax: str) -> bytes:
    """A small codestream that claims 60,000 x 60,000 pixels."""
    big, stream = struct.pack(">HH", 60_000, 60_000), STREAMS[syntax]
    if syntax in (encoding.J2K, encoding.HTJ2K):
        return stream[:8] + struct.pack(">II", 60_000, 60_000) + stream[16:]
    if syntax == encoding.JPEG_XL:
        bits = 0 | 2 << 1 | (60_000 - 1) << 3 | 1 << 21 | 1 << 24
        return b"\xff\x0a" + bits.to_bytes(8, "little") + stream[10:]
    marker = next(n for n in range(len(stream)) if stream[n] == 0xFF and stream[n + 1] in (0xC0, 0xC1, 0xC3, 0xF7))
    return stream[: marker + 5] + big + stream[marker + 9 :]


@pytest.mark.parametrize(
    "syntax", [encoding.JPEG, encoding.LOSSLESS_1, encoding.JPEG_LS, encoding.J2K, encoding.HTJ2K, encoding.JPEG_XL]
)
def test_a_codestream_may_not_claim_more_than_the_header(syntax: str) -> None:
    content = file_of(SMOOTH, syntax, bits=16, frames=[claims(syntax)])
    with pytest.raises(BadPixels, match="60000 x 60000 pixels, the header 40 x 50"):
        decode.frame(image(content), content)


def test_run_lengths_and_deflate_that_grow_without_end() -> None:
    runs = struct.pack("<16I", 2, 64, 64, *[0] * 13) + b"\x81\0" * 1_000_000
    bombs = {encoding.RLE: runs, encoding.DEFLATED_FRAMES: encoding.deflate(bytes(50_000_000))}
    for syntax, stream in bombs.items():
        content = file_of(SMOOTH, syntax, bits=16, frames=[stream])
        found = image(content)
        tracemalloc.start()
        try:
            decode.frame(found, content)
        except BadPixels as error:
            assert "damaged" in str(error)  # noqa: PT017
        assert tracemalloc.get_traced_memory()[1] < 3 * len(content) + 100_000
        tracemalloc.stop()


def test_jpeg_xl_that_is_more_than_a_picture() -> None:
    moving = bytes(imagecodecs.jpegxl_encode(np.stack([SMOOTH[0]] * 3), lossless=True, photometric="gray"))
    layers = bytes(imagecodecs.jpegxl_encode(np.stack([SMOOTH[0]] * 4, -1), lossless=True))
    for stream, words in ((moving, "animation"), (layers, "extra channels")):
        content = file_of(SMOOTH, encoding.JPEG_XL, bits=16, frames=[stream])
        with pytest.raises(BadPixels, match=words):
            decode.frame(image(content), content)


@pytest.mark.parametrize("shape", [(8, 8), (512, 512), (513, 7), (40, 30), (9, 16), (300, 3000)])
@pytest.mark.parametrize("container", [False, True])
def test_size_of_a_jpeg_xl_codestream(shape: tuple[int, int], container: bool) -> None:
    stream = bytes(imagecodecs.jpegxl_encode(np.zeros(shape, np.uint16), lossless=True, usecontainer=container))
    assert codestream.size(stream) == codestream.Size(*shape)


@given(st.binary(max_size=80), st.sampled_from([b"\xff\x0a", b"\xff\xd8\xff", b"\xff\x4f\xff\x51", b"\0\0\0\x0cJXL "]))
def test_any_bytes_have_a_size_or_none(data: bytes, start: bytes) -> None:
    assert isinstance(codestream.damage(start + data), str)
    try:
        found = codestream.size(start + data)
    except BadPixels:
        return
    assert found is None or isinstance(found.rows, int)


def test_a_target_of_another_header() -> None:
    content = file_of(SMOOTH, encoding.EXPLICIT, bits=16)
    with pytest.raises(BadPixels, match="in fragments although"):
        decode.frame(replace(image(content), pixel_length=-1), content)
