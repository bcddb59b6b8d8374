"""The frames of one object: opened once, walked once, read in any order, from several threads."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from pacs_panel.errors import BadPixels, TooLarge
from pacs_panel.pixels import decode
from pacs_panel.pixels import frames as module
from pacs_panel.settings import Settings
from tests.pixels import encoding
from tests.pixels.encoding import file_of, image

VALUES = np.random.default_rng(0).integers(-2000, 2000, (40, 16, 12), dtype=np.int16)
RGB = np.random.default_rng(1).integers(0, 256, (3, 6, 8, 3), dtype=np.uint8)
SYNTAXES = [*encoding.NATIVE, encoding.RLE, encoding.JPEG_LS, encoding.LOSSLESS_1]


class Counted(io.BytesIO):
    """A file that knows how often it was read."""

    reads = 0

    def read(self, size: int | None = -1) -> bytes:
        self.reads += 1
        return super().read(size)


def signed(syntax: str) -> bytes:
    return file_of(VALUES.view(np.uint16), syntax, bits=16, signed=True)


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("kind", ["bytes", "file", "descriptor", "opener"])
def test_any_order_from_any_source(tmp_path: Path, syntax: str, kind: str) -> None:
    content = signed(syntax)
    path = tmp_path / "pack"
    path.write_bytes(b"x" * 333 + content + b"y" * 99)
    with path.open("rb") as file:
        sources = {"bytes": path.read_bytes(), "file": file, "descriptor": file.fileno(), "opener": lambda: file}
        with decode.Frames(image(content), sources[kind], Settings(), 333) as frames:
            assert len(frames) == 40
            out = np.zeros((3, 16, 12), np.int16)
            for index in (39, 0, 17):
                np.testing.assert_array_equal(frames.read(index), VALUES[index])
                frames.read_into(index, out[1])
                np.testing.assert_array_equal(out[1], VALUES[index])
            assert not out[::2].any()
        assert file.closed == (kind == "opener")
        with pytest.raises(BadPixels, match="closed"):
            frames.read(0)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_from_several_threads(syntax: str) -> None:
    content = signed(syntax)
    with decode.Frames(image(content), io.BytesIO(content)) as frames, ThreadPoolExecutor(4) as pool:
        found = list(pool.map(frames.read, range(40)))
    np.testing.assert_array_equal(np.stack(found), VALUES)


@pytest.mark.parametrize("syntax", [encoding.RLE, encoding.JPEG_LS, encoding.EXPLICIT])
def test_reading_all_frames_walks_once(syntax: str) -> None:
    content = signed(syntax)
    source = Counted(content)
    assert len(list(decode.frames(image(content), source))) == 40
    assert source.reads < 3 * 40 + 10


def test_a_deflated_data_set_is_inflated_once(monkeypatch: pytest.MonkeyPatch) -> None:
    content = signed(encoding.DEFLATED)
    found = image(content)
    opened = []
    inflate = zlib.decompressobj
    monkeypatch.setattr(module.zlib, "decompressobj", lambda *args: opened.append(1) or inflate(*args))
    assert len(list(decode.frames(found, content))) == 40
    assert len(opened) == 1


def test_nothing_is_opened_before_it_is_needed() -> None:
    content = signed(encoding.RLE)
    opened: list[io.BytesIO] = []

    def opener() -> io.BytesIO:
        opened.append(io.BytesIO(content))
        return opened[-1]

    frames = decode.Frames(image(content), opener)
    assert not opened
    frames.read(3)
    frames.read(4)
    frames.close()
    assert len(opened) == 1
    assert opened[0].closed


def test_frames_straight_into_an_array(monkeypatch: pytest.MonkeyPatch) -> None:
    """Uncompressed little endian frames, grey or RGB, are read where they are wanted, without `read`."""
    monkeypatch.setattr(decode.Frames, "read", lambda *_: pytest.fail("a copy was made"))
    for values in (VALUES.view(np.uint16), RGB):
        content = file_of(values, encoding.EXPLICIT, bits=8 * values.dtype.itemsize)
        frames = decode.Frames(image(content), content)
        out = np.zeros_like(values)
        for index in range(len(values)):
            frames.read_into(index, out[index])
        np.testing.assert_array_equal(out, values)


@pytest.mark.parametrize("kind", ["length", "file"])
@pytest.mark.parametrize("syntax", [encoding.EXPLICIT, encoding.BIG, encoding.IMPLICIT])
def test_uncompressed_frames_before_the_end_are_read(syntax: str, kind: str) -> None:
    """Pixel data that are too short, or a file that ends: whole frames before that are good, the others say why."""
    missing = 16 * 12 * 2 * 2 + 50
    if kind == "length":
        value = encoding.native(VALUES.view(np.uint16), syntax)[:-missing]
        content = file_of(VALUES.view(np.uint16), syntax, bits=16, signed=True, value=value)
    else:
        content = signed(syntax)
    found_image = image(content)
    content = content if kind == "length" else content[:-missing]
    found = list(decode.frames(found_image, content))
    np.testing.assert_array_equal(np.stack(found[:37]), VALUES[:37])  # type: ignore[arg-type]
    assert all(isinstance(one, BadPixels) for one in found[37:])
    assert "needed for frame 38" in str(found[37]) or "the file ends 50 bytes" in str(found[37])
    with pytest.raises(BadPixels):
        decode.Frames(found_image, content).read_into(37, np.zeros((16, 12), np.int16))


def test_a_deflated_data_set_cut_short() -> None:
    content = signed(encoding.DEFLATED)
    found = list(decode.frames(image(content), content[: len(content) // 2]))
    good = [one for one in found if isinstance(one, np.ndarray)]
    assert 5 < len(good) < 35
    np.testing.assert_array_equal(np.stack(good), VALUES[: len(good)])


def test_impossible_targets_and_frames() -> None:
    content = signed(encoding.EXPLICIT)
    frames = decode.Frames(image(content), content)
    with pytest.raises(BadPixels, match=r"the target has shape \(16, 13\)"):
        frames.read_into(0, np.zeros((16, 13), np.int16))
    for index in (-1, 40):
        with pytest.raises(BadPixels, match="the object has 40"):
            frames.read(index)
    with pytest.raises(TooLarge):
        decode.Frames(image(content), content, Settings(max_frame_bytes=100))


# -- many frames at once -----------------------------------------------------------------------------------------------


def planes_of(contents: list[bytes], opener: Callable[[bytes], object]) -> list[decode.Plane]:
    out = []
    for content in contents:
        source = opener(content)
        out += [decode.Plane(image(content), source, n) for n in range(image(content).frames)]  # type: ignore[arg-type]
    return out


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("syntax", SYNTAXES)
def test_planes_of_several_objects(syntax: str, threads: int) -> None:
    contents = [file_of(part.view(np.uint16), syntax, bits=16, signed=True) for part in (VALUES[:1], VALUES[1:])]
    opened: list[io.BytesIO] = []

    def opener(content: bytes) -> Callable[[], io.BytesIO]:
        return lambda: opened.append(io.BytesIO(content)) or opened[-1]

    out = np.full(VALUES.shape, -1, np.int16)
    assert decode.read_planes(planes_of(contents, opener), out, threads=threads) == {}
    np.testing.assert_array_equal(out, VALUES)
    assert len(opened) == 2
    assert all(file.closed for file in opened)


def test_planes_of_objects_that_alternate() -> None:
    contents = [
        file_of(part.view(np.uint16), encoding.RLE, bits=16, signed=True) for part in (VALUES[:9], VALUES[9:18])
    ]
    opened: list[io.BytesIO] = []
    sources = [lambda content=content: opened.append(io.BytesIO(content)) or opened[-1] for content in contents]
    planes = [decode.Plane(image(contents[n % 2]), sources[n % 2], n // 2) for n in range(18)]
    out = np.zeros((18, 16, 12), np.int16)
    assert decode.read_planes(planes, out, threads=2) == {}
    np.testing.assert_array_equal(out, VALUES[[n % 2 * 9 + n // 2 for n in range(18)]])
    assert len(opened) == 2


@pytest.mark.parametrize("threads", [1, 2])
def test_planes_that_fail_are_told_and_blank(threads: int) -> None:
    streams = [encoding.ENCODERS[encoding.JPEG_LS](one, 16) for one in VALUES[:4].view(np.uint16)]
    streams[1] = streams[1][:30]
    bad = file_of(VALUES[:4].view(np.uint16), encoding.JPEG_LS, bits=16, signed=True, frames=streams)
    good = file_of(VALUES[4:6].view(np.uint16), encoding.JPEG_LS, bits=16, signed=True)
    planes = planes_of([bad, good], lambda content: content)
    too_large = [decode.Plane(image(file_of(np.zeros((1, 40, 40), np.uint8), encoding.EXPLICIT, bits=8)), b"")]
    out = np.full((7, 16, 12), -1, np.int16)
    failed = decode.read_planes(planes + too_large, out, Settings(max_frame_bytes=500), threads)
    assert sorted(failed) == [1, 6]
    assert isinstance(failed[1], BadPixels)
    assert isinstance(failed[6], TooLarge)
    np.testing.assert_array_equal(out[[0, 2, 3, 4, 5]], VALUES[[0, 2, 3, 4, 5]])
    assert not out[[1, 6]].any()


def test_a_source_that_cannot_be_opened_is_an_error() -> None:
    content = signed(encoding.RLE)
    opened = io.BytesIO(content)

    def missing() -> io.BytesIO:
        raise FileNotFoundError("pack")

    planes = [decode.Plane(image(content), lambda: opened, 0), decode.Plane(image(content), missing, 1)]
    planes[0] = decode.Plane(image(content), (first := lambda: opened), 0)
    planes += [decode.Plane(image(content), first, 2)]
    with pytest.raises(FileNotFoundError):
        decode.read_planes(planes, np.zeros((3, 16, 12), np.int16), threads=2)
    assert opened.closed
