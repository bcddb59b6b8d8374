"""What a codestream shows of its damage, where its decoder would give wrong values without a word."""

from __future__ import annotations

import io
import re

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from pacs_panel.errors import BadPixels
from pacs_panel.pixels import codecs, codestream, decode
from tests.pixels import encoding
from tests.pixels.encoding import file_of, image

NOISE = np.random.default_rng(1)
VALUES = (1000 + 40 * np.indices((90, 100)).sum(0) % 700 + NOISE.integers(0, 60, (90, 100))).astype(np.uint16)
GREYS = (VALUES >> 4).astype(np.uint8)
STREAMS = {
    encoding.JPEG: bytes(imagecodecs.jpeg8_encode(GREYS, level=97)),
    encoding.EXTENDED: bytes(imagecodecs.jpeg8_encode(VALUES, level=97, bitspersample=12)),
    encoding.LOSSLESS_1: encoding.jpeg_lossless(VALUES, 12),
    encoding.JPEG_LS: encoding.jpeg_ls(VALUES, 12),
    encoding.J2K: encoding.jpeg_2000(VALUES, 12),
    encoding.HTJ2K: encoding.htj2k(VALUES, 12),
}


def decoded(stream: bytes, syntax: str) -> np.ndarray:
    eight = syntax == encoding.JPEG
    content = file_of((GREYS if eight else VALUES)[None], syntax, bits=8 if eight else 12, frames=[stream])
    return decode.frame(image(content), content)


@pytest.mark.parametrize("syntax", sorted(STREAMS))
@pytest.mark.parametrize("seed", range(4))
def test_bytes_that_belong_elsewhere(syntax: str, seed: int) -> None:
    """As when a sector of the disk was lost."""
    stream = STREAMS[syntax]
    middle = len(stream) // 2
    foreign = np.random.default_rng(seed).bytes(min(2048, middle - 100))
    damaged = stream[:middle] + foreign + stream[middle + len(foreign) :]
    with pytest.raises(BadPixels, match="damaged"):
        decoded(damaged, syntax)


@pytest.mark.parametrize("syntax", sorted(STREAMS))
def test_a_frame_that_ends_in_another(syntax: str) -> None:
    stream = STREAMS[syntax]
    middle = len(stream) // 2
    with pytest.raises(BadPixels):
        decoded(stream[:middle] + stream, syntax)


@pytest.mark.parametrize("syntax", [encoding.JPEG_LS, encoding.LOSSLESS_1, encoding.J2K])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("bits", [7, 11])
@pytest.mark.parametrize("target", [np.uint8, np.uint16, np.int16, np.int32])
def test_decoding_into_any_array(syntax: str, signed: bool, bits: int, target: type) -> None:
    """Straight into it where its type is that of codestream and image, and by a copy where not."""
    patterns = (VALUES >> 11 - bits)[None]
    content = file_of(patterns, syntax, bits=bits, signed=signed)
    wanted = decode.frame(image(content), content)
    assert (wanted < 0).any() == signed
    arrays: list[np.ndarray] = [np.full((90, 100), 7, target), np.full((90, 200), 7, target)[:, ::2]]
    for out in arrays:
        decode.read_into(image(content), content, 0, out)
        np.testing.assert_array_equal(out, wanted.astype(target))


@pytest.mark.parametrize("syntax", [encoding.JPEG_LS, encoding.LOSSLESS_1])
def test_decoding_makes_no_copy(syntax: str) -> None:
    stream, out = STREAMS[syntax], np.zeros(VALUES.shape, np.uint16)
    found = image(file_of(VALUES[None], syntax, bits=12, frames=[stream]))
    assert codecs.decode(found, stream, out) is out
    assert codecs.decode(found, stream, np.zeros(VALUES.shape, np.uint8)).dtype == np.uint16
    np.testing.assert_array_equal(out, VALUES)


def test_deflated_frames_that_end_elsewhere() -> None:
    longer = encoding.deflate(VALUES.tobytes() + bytes(100))
    with pytest.raises(BadPixels, match="damaged: its end"):
        decoded(longer, encoding.DEFLATED_FRAMES)
    for pad in (b"", b"\0"):
        padded = encoding.deflate(VALUES.tobytes() + pad) + pad
        np.testing.assert_array_equal(decoded(padded, encoding.DEFLATED_FRAMES), VALUES)


@pytest.mark.parametrize("syntax", [encoding.JPEG, encoding.LOSSLESS_1])
def test_fill_bytes_before_a_mark_are_no_damage(syntax: str) -> None:
    stream = STREAMS[syntax]
    table, end = stream.find(b"\xff\xc4"), stream.rfind(b"\xff\xd9")
    filled = stream[:table] + b"\xff\xff" + stream[table:end] + b"\xff" + stream[end:] + b"\0"
    np.testing.assert_array_equal(decoded(filled, syntax), decoded(stream, syntax))


def with_restarts() -> bytes:
    out = io.BytesIO()
    Image.fromarray(GREYS).save(out, "JPEG", quality=95, restart_marker_blocks=3)
    return out.getvalue()


def test_restarts() -> None:
    stream = with_restarts()
    assert stream.count(b"\xff\xd3") > 3
    assert decoded(stream, encoding.JPEG).shape == GREYS.shape
    filled = stream.replace(b"\xff\xd3", b"\xff\xff\xd3", 1)
    np.testing.assert_array_equal(decoded(filled, encoding.JPEG), decoded(stream, encoding.JPEG))


def test_a_missing_restart() -> None:
    lost = re.sub(rb"(?s)\xff\xd2.*?(?=\xff\xd3)", b"", with_restarts(), count=1)
    with pytest.raises(BadPixels, match="damaged: a restart is missing"):
        decoded(lost, encoding.JPEG)


def test_restarts_that_were_not_announced() -> None:
    quiet = re.sub(rb"(?s)\xff\xdd\0\x04..", b"", with_restarts(), count=1)
    with pytest.raises(BadPixels, match="damaged: its data hold a mark"):
        decoded(quiet, encoding.JPEG)


@pytest.mark.parametrize("syntax", [encoding.JPEG, encoding.LOSSLESS_1, encoding.J2K, encoding.HTJ2K])
def test_a_segment_of_a_wrong_length(syntax: str) -> None:
    stream = STREAMS[syntax]
    mark = b"\xff\x52" if syntax in (encoding.J2K, encoding.HTJ2K) else b"\xff\xc4"  # COD, DHT
    at = stream.find(mark) + 3
    wrong = stream[:at] + bytes([stream[at] + 3]) + stream[at + 1 :]
    assert codestream.damage(wrong) == "its segments do not follow each other"
    with pytest.raises(BadPixels):
        decoded(wrong, syntax)


@pytest.mark.parametrize("stated", [True, False])
def test_the_last_part_of_jpeg_2000_may_not_state_its_length(stated: bool) -> None:
    stream = STREAMS[encoding.J2K]
    part = stream.find(b"\xff\x90\0\x0a")
    open_end = stream if stated else stream[: part + 6] + bytes(4) + stream[part + 10 :]
    assert codestream.damage(open_end) == ""
    assert codestream.damage(open_end[: part + 12]) != ""
    np.testing.assert_array_equal(decoded(open_end, encoding.J2K), VALUES)
