"""Palettes: tables of 8 and 16 bits, segmented ones, and colours amid greys."""

from __future__ import annotations

import contextlib
import struct
import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.pixels.processing import apply_color_lut

from pacs_panel.errors import BadPixels
from pacs_panel.pixels import palette

RAMP = bytes(range(256))


def words(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}H", *values)


def test_bytes_words_and_the_ends() -> None:
    eight = palette.palette([(4, 10, 8)] * 3, [b"\1\2\3\4", b"\5\6\7\x08", b"\0\0\0\xff"])
    found = palette.rgb(np.array([[0, 10, 12], [13, 14, 200]], np.uint16), eight)
    assert found.dtype == np.uint8
    assert found.tolist() == [[[1, 5, 0], [1, 5, 0], [3, 7, 0]], [[4, 8, 255]] * 3]
    sixteen = palette.palette([(3, 0, 16)] * 3, [words(0, 0x8000, 0xFFFF)] * 3)
    assert sixteen.colours[:, 0].tolist() == [0, 128, 255]
    narrow = palette.palette([(3, 0, 16)] * 3, [words(0, 128, 255)] * 3)  # 8-bit values in words
    assert narrow.colours[:, 0].tolist() == [0, 128, 255]


def test_signed_first_value_and_65536_entries() -> None:
    low = palette.palette([(256, 0xFF80, 8)] * 3, [RAMP] * 3, signed=True)
    assert low.first == -128
    assert palette.rgb(np.array([-128, 0, 127], np.int16), low)[:, 0].tolist() == [0, 128, 255]
    full = palette.palette([(0, 0, 16)] * 3, [words(*range(65536))] * 3)
    assert palette.rgb(np.array([0, 256, 65535], np.uint16), full)[:, 1].tolist() == [0, 1, 255]


def test_segments() -> None:
    """PS3.3 §C.7.9.2: values as they are, a line to a value, and segments again."""
    data = words(0, 2, 100, 200) + words(1, 4, 240) + words(2, 2, 0, 0)
    found = palette.expand(data, 12, 16)
    assert found.tolist() == [100, 200, 210, 220, 230, 240, 100, 200, 210, 220, 230, 240]
    bytewise = bytes([0, 1, 7, 1, 3, 1, 0])
    assert palette.expand(bytewise, 4, 8).tolist() == [7, 5, 3, 1]
    table = palette.palette([(12, 0, 16)] * 3, [data] * 3, segmented=True)
    assert table.colours.shape == (12, 3)


@given(st.lists(st.integers(0, 65535), min_size=1, max_size=9))
def test_lines_are_those_of_pydicom(values: list[int]) -> None:
    from pydicom.pixels.processing import _expand_segmented_lut

    data = [0, 1, values[0]] + [word for n, value in enumerate(values[1:], 1) for word in (1, n, value)]
    wanted = _expand_segmented_lut(tuple(data), "<H")
    assert palette.expand(words(*data), len(wanted), 16).tolist() == wanted


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (words(1, 3, 9), "damaged"),
        (words(0, 9, 1, 2), "damaged"),
        (words(7, 1, 1), "damaged"),
        (words(0, 0), "empty"),
        (words(0, 1, 5) + words(2, 1, 600, 0), "not before it"),
        (words(0, 1, 5) + words(2, 2, 0, 0), "damaged"),
        (words(0, 2, 5, 6), "gives 2 entries"),
        (words(0, 1, 5) + words(1, 65535, 9), "more than the 4"),
    ],
)
def test_damaged_segments(data: bytes, reason: str) -> None:
    with pytest.raises(BadPixels, match=reason):
        palette.expand(data, 4, 16)


@given(st.binary(max_size=60))
def test_any_segments_end(data: bytes) -> None:
    with contextlib.suppress(BadPixels):
        assert len(palette.expand(data, 50, 8)) == 50


@pytest.mark.parametrize(
    ("descriptors", "tables", "reason"),
    [
        ([(4, 0, 8)] * 2, [b"abcd"] * 3, "three"),
        ([(4, 0, 8), (4, 0, 8), (5, 0, 8)], [b"abcde"] * 3, "differ"),
        ([(4, 0, 16)] * 3, [b"abcdef"] * 3, "6 bytes"),
    ],
)
def test_palettes_that_contradict_themselves(
    descriptors: list[tuple[int, int, int]], tables: list[bytes], reason: str
) -> None:
    with pytest.raises(BadPixels, match=reason):
        palette.palette(descriptors, tables)


def test_colours_amid_greys() -> None:
    colours = palette.palette([(2, 100, 8)] * 3, [b"\xff\0", b"\0\xff", b"\0\0"])
    stored, greys = np.array([[5, 100], [101, 99]]), np.array([[1, 2], [3, 4]], np.uint8)
    assert palette.supplemental(stored, greys, colours).tolist() == [[[1] * 3, [255, 0, 0]], [[0, 255, 0], [4] * 3]]


def test_real_palettes_give_pydicoms_colours(data: Path) -> None:
    compared = 0
    for path in sorted([*data.glob("syntaxes_multiframe_small/*"), *data.glob("pydicom_test_files/*palette*")]):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ds = pydicom.dcmread(path, force=True)
            if ds.get("PhotometricInterpretation") != "PALETTE COLOR" or "RedPaletteColorLookupTableData" not in ds:
                continue
            stored = ds.pixel_array
            wanted = apply_color_lut(stored, ds)
        names = ("Red", "Green", "Blue")
        found = palette.palette(
            [ds[f"{name}PaletteColorLookupTableDescriptor"].value for name in names],
            [ds[f"{name}PaletteColorLookupTableData"].value for name in names],
            order="<" if ds.original_encoding[1] else ">",
        )
        wanted = wanted >> 8 if wanted.dtype == np.uint16 and wanted.max() > 255 else wanted
        np.testing.assert_array_equal(palette.rgb(stored, found), wanted, err_msg=path.name)
        compared += 1
    assert compared >= 5
