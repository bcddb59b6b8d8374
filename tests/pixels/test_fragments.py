"""Which fragments make which frame, in good files and in damaged ones."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.encaps import encapsulate

from pacs_panel.errors import BadPixels
from pacs_panel.pixels import decode, fragments
from tests.pixels import encoding
from tests.pixels.encoding import ENCODERS, file_of, image, with_extended_table

STREAMS = [b"\xff\xd8\xff" + bytes([n]) * (20 + n) + b"\xff\xd9" for n in range(4)]
DELIMITER = b"\xfe\xff\xdd\xe0\0\0\0\0"
VALUES = np.random.default_rng(0).integers(0, 4000, (5, 16, 12), dtype=np.uint16)
SIGNED_SYNTAXES = [encoding.LOSSLESS_1, encoding.JPEG_LS, encoding.J2K, encoding.HTJ2K, encoding.JPEG_XL, encoding.RLE]


def item(data: bytes, length: int | None = None) -> bytes:
    return b"\xfe\xff\x00\xe0" + struct.pack("<I", len(data) if length is None else length) + data


def pixel_data(parts: list[list[bytes]], table: list[int] | None = None, end: bytes = DELIMITER) -> bytes:
    """Frames, each of several fragments, with an offset table that may lie."""
    listed = item(struct.pack(f"<{len(table or [])}I", *table or []))
    return listed + b"".join(item(part) for frame in parts for part in frame) + end


def read(data: bytes, count: int, syntax: str = "") -> list[bytes]:
    return [fragments.frame(data, found) for found in fragments.frames(data, 0, count, syntax)]


@pytest.mark.parametrize("split", [1, 3])
@pytest.mark.parametrize("table", [True, False])
def test_frames_by_fragments(split: int, table: bool) -> None:
    data = b"head" + encapsulate(STREAMS, fragments_per_frame=split, has_bot=table)
    source = io.BytesIO(data)
    found = [fragments.frame(source, one).rstrip(b"\0") for one in fragments.frames(source, 4, 4)]
    assert found == STREAMS


@pytest.mark.parametrize("table", [[0, 1, 2, 3], [0, 0, 0, 0], [7], [0, 36, 5000, 6000], [40, 20, 10, 0]])
def test_an_offset_table_that_lies(table: list[int]) -> None:
    parts = [[stream[:9], stream[9:15], stream[15:]] for stream in STREAMS]
    assert read(pixel_data(parts, table), 4) == STREAMS


def test_an_offset_table_is_believed_where_nothing_else_tells() -> None:
    parts = [[b"abcd", b"ef"], [b"gh"], [b"ijkl", b"mn", b"op"]]
    assert read(pixel_data(parts, [0, 22, 32]), 3) == [b"abcdef", b"gh", b"ijklmnop"]
    with pytest.raises(BadPixels, match="6 fragments cannot be told apart into 3 frames"):
        read(pixel_data(parts, [0, 23, 32]), 3)


@pytest.mark.parametrize("syntax", SIGNED_SYNTAXES)
@given(st.data())
@settings(max_examples=10)
def test_any_split_gives_the_same_frames(syntax: str, data: st.DataObject) -> None:
    """However frames are cut into fragments, of odd lengths too: without any offset table the same frames come out."""
    streams = [ENCODERS[syntax](one, 16) for one in VALUES]
    parts = []
    for stream in streams:
        cuts = sorted(data.draw(st.lists(st.integers(12, len(stream) - 1), max_size=4, unique=True)))
        parts.append([stream[a:b] for a, b in zip([0, *cuts], [*cuts, None], strict=True)])
    end = data.draw(st.sampled_from([DELIMITER, b""]))
    content = file_of(VALUES, syntax, bits=16, value=pixel_data(parts, end=end))
    content = content if end else content[: -len(DELIMITER)]
    found = list(decode.frames(image(content), content))
    np.testing.assert_array_equal(np.stack(found), VALUES)  # type: ignore[arg-type]


@pytest.mark.parametrize("syntax", [encoding.RAW_FRAMES, encoding.JPEG_LS])
def test_extended_offset_table(syntax: str) -> None:
    content = with_extended_table(VALUES, syntax, 16)
    found = image(content)
    start = found.pixel_offset
    assert content[start - 12 : start - 8] == b"\xe0\x7f\x10\0"
    items = fragments.items(content, start, len(VALUES))
    assert items.table == tuple(at - 8 - items.fragments[0][0] + 8 for at, _ in items.fragments)
    np.testing.assert_array_equal(np.stack(list(decode.frames(found, content))), VALUES)  # type: ignore[arg-type]


def test_a_length_that_does_not_count_its_padding() -> None:
    odd = [STREAMS[1] + b"x", STREAMS[3] + b"y"]
    data = item(b"") + b"".join(item(one, len(one)) + b"\0" * (len(one) % 2) for one in odd) + DELIMITER
    assert {len(one) % 2 for one in odd} == {1}
    assert read(data, 2) == odd


@pytest.mark.parametrize("syntax", SIGNED_SYNTAXES)
@pytest.mark.parametrize("table", [True, False])
def test_a_file_cut_short_gives_the_frames_before(syntax: str, table: bool) -> None:
    streams = [ENCODERS[syntax](one, 16) for one in VALUES]
    content = file_of(VALUES, syntax, bits=16, value=encapsulate(streams, has_bot=table))
    cut = content[: content.index(streams[3]) + len(streams[3]) // 2]
    found = list(decode.frames(image(content), cut))
    np.testing.assert_array_equal(np.stack(found[:3]), VALUES[:3])  # type: ignore[arg-type]
    assert all(isinstance(one, BadPixels) for one in found[3:])
    assert "the file ends" in str(found[3])
    assert "the pixel data end after 4 of 5 frames" in str(found[4])


def test_a_damaged_frame_spoils_no_other() -> None:
    streams = [ENCODERS[encoding.JPEG_LS](one, 16) for one in VALUES]
    streams[2] = streams[2][:40] + bytes(20)
    content = file_of(VALUES, encoding.JPEG_LS, bits=16, frames=streams)
    found = list(decode.frames(image(content), content))
    assert [isinstance(one, BadPixels) for one in found] == [False, False, True, False, False]
    np.testing.assert_array_equal(found[4], VALUES[4])


def test_more_codestreams_than_frames() -> None:
    assert read(pixel_data([[stream] for stream in STREAMS]), 1) == STREAMS[:1]
    assert read(pixel_data([[stream] for stream in STREAMS]), 3) == STREAMS[:3]


def test_fragments_that_tell_no_frames() -> None:
    data = encapsulate([b"abcdefgh"], fragments_per_frame=2, has_bot=False)
    assert read(data, 1) == [b"abcdefgh"]
    with pytest.raises(BadPixels, match="2 fragments cannot be told apart into 3 frames"):
        read(data, 3)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "without any item"),
        (DELIMITER, "without any item"),
        (b"\0" * 16, "without any item"),
        (item(b"") + DELIMITER, "without any fragment"),
        (item(b"", 0xFFFFFFFF), "without any item"),
        (item(b"", 0x7FFFFFF0), "offset table for more than"),
        (item(b"", 4000) + b"abc", "the file ends"),
    ],
)
def test_no_pixel_data(data: bytes, words: str) -> None:
    with pytest.raises(BadPixels, match=words):
        fragments.frames(data, 0, 1)


@given(st.binary(max_size=120), st.integers(1, 5))
def test_any_bytes_end_in_frames_or_words(data: bytes, count: int) -> None:
    try:
        found = fragments.frames(item(b"") + item(b"\xff\xd8\xff\xe0") + data, 0, count)
    except BadPixels:
        return
    assert len(found) <= count


def test_a_fragment_that_claims_more_than_there_is() -> None:
    with pytest.raises(BadPixels, match="the file ends"):
        read(item(b"") + item(b"short", 0x7FFFFFFF), 1)
