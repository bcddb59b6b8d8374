"""Windows against values computed by hand from PS3.3 §C.11.2.1.2, and the rest of the way to pictures."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pacs_panel.model import ImageHeader
from pacs_panel.pixels import intensity, render
from pacs_panel.pixels.intensity import Window

IMAGE = ImageHeader("1.2", 2, 2, slope=1.0)


@pytest.mark.parametrize(
    ("window", "x", "y"),
    [
        # PS3.3 §C.11.2.1.2.1's own examples: centre 2048, width 4096 shows 0 to 4095; centre 2048, width 1 is a step
        (Window(2048, 4096), 0, 0),
        (Window(2048, 4096), 4095, 255),
        (Window(2048, 4096), 2047.5, 127.5),
        (Window(2048, 1), 2047, 0),
        (Window(2048, 1), 2048, 255),
        (Window(0, 100), -50, 0),
        (Window(0, 100), -49, 255 / 99),
        (Window(0, 100), 49, 255),
        (Window(0, 100), 0, ((0 + 0.5) / 99 + 0.5) * 255),
        (Window(0, 2), -1, 0),
        (Window(0, 2), 0, 255),
        (Window(0, 2), -0.75, 63.75),
        # §C.11.2.1.3.2
        (Window(0, 100, "", "LINEAR_EXACT"), -50, 0),
        (Window(0, 100, "", "LINEAR_EXACT"), 50, 255),
        (Window(0, 100, "", "LINEAR_EXACT"), 25, 191.25),
        (Window(0, 0.5, "", "LINEAR_EXACT"), 0.125, 191.25),
        # §C.11.2.1.3.1
        (Window(40, 400, "", "SIGMOID"), 40, 127.5),
        (Window(40, 400, "", "SIGMOID"), 140, 255 / (1 + math.exp(-1))),
        (Window(40, 400, "", "SIGMOID"), -1e6, 0),
    ],
)
def test_windows_by_hand(window: Window, x: float, y: float) -> None:
    assert intensity.apply(np.array([x]), window, 0, 255)[0] == pytest.approx(y, abs=1e-3)


@given(st.floats(-1000, 1000), st.floats(1, 4000), st.sampled_from(intensity.FUNCTIONS))
def test_windows_rise_and_stay_in_range(centre: float, width: float, function: str) -> None:
    grey = intensity.apply(np.linspace(-5000, 5000, 500), Window(centre, width, "", function), 10, 20)
    assert (np.diff(grey) >= 0).all()
    assert grey.min() >= 10
    assert grey.max() <= 20.00001


@pytest.mark.parametrize("width", [0, -1, float("nan")])
def test_no_width(width: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        intensity.apply(np.zeros(1), Window(0, width))


def test_unknown_function() -> None:
    with pytest.raises(ValueError, match="LINEAR_EXACT"):
        intensity.apply(np.zeros(1), Window(0, 1, "", "CUBIC"))


def test_physical() -> None:
    found = intensity.physical(np.array([[0, 24], [1024, 65535]], np.uint16), 2, -1024)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, [[-1024, -976], [1024, 130046]])
    np.testing.assert_array_equal(intensity.physical(np.array([-3], np.int16), None, None), [-3])


@pytest.mark.parametrize(
    ("modality", "header", "unit"),
    [
        ("CT", {"slope": 1.0}, "HU"),
        ("CT", {"rescale_type": "HU"}, "HU"),
        ("CT", {"rescale_type": "US", "slope": 2.0}, "HU"),
        ("CT", {}, ""),  # stored values that nothing gives a meaning
        ("CT", {"rescale_type": "mgml"}, "mgml"),
        ("CT", {"order": {"ImageType": "ORIGINAL\\PRIMARY\\LOCALIZER"}}, ""),
        ("PT", {"units": "BQML"}, "BQML"),
        ("MR", {"rescale_type": "US"}, ""),
        ("MR", {}, ""),
    ],
)
def test_units(modality: str, header: dict[str, object], unit: str) -> None:
    image = ImageHeader("1", 2, 2, **header)  # type: ignore[arg-type]
    assert intensity.unit(image, modality) == unit


def test_the_files_windows_come_first() -> None:
    image = ImageHeader("1", 2, 2, slope=1.0, windows=((10, 20, ""), (1, 2, "mine")), voi_function="SIGMOID")
    found = intensity.windows(image, "CT", "CHEST")
    assert found[:3] == (Window(10, 20, "file 1", "SIGMOID"), Window(1, 2, "mine", "SIGMOID"), intensity.CT[4])
    assert {window.name for window in found} >= {"brain", "lung", "bone", "abdomen"}
    assert intensity.windows(IMAGE, "MR") == ()
    assert intensity.windows(IMAGE, "CT", "BRAIN")[0].name == "brain"


def test_automatic_window() -> None:
    values = np.concatenate([np.linspace(0, 100, 1001), [-3000.0, np.nan]])
    found = intensity.automatic(values, values == -3000)
    assert found.centre == pytest.approx(50, abs=0.1)
    assert found.width == pytest.approx(99, abs=0.2)
    assert intensity.automatic(np.full((3, 3), 7.0)) == Window(7, 1, "automatic", "LINEAR_EXACT")
    assert intensity.automatic(np.zeros(0)).width == 1
    assert intensity.automatic(np.array([np.nan])).width == 1
    one_bright = np.zeros(100_000)
    one_bright[5] = 9
    assert intensity.automatic(one_bright) == Window(4.5, 9, "automatic", "LINEAR_EXACT")


def test_padding() -> None:
    stored = np.array([[-2000, -1999], [0, 5]], np.int16)
    single, both = ImageHeader("1", 2, 2, padding=(-2000, -2000)), ImageHeader("1", 2, 2, padding=(-2000, -1000))
    np.testing.assert_array_equal(intensity.padding_mask(single, stored), [[True, False], [False, False]])
    np.testing.assert_array_equal(intensity.padding_mask(both, stored), [[True, True], [False, False]])
    assert intensity.padding_mask(IMAGE, stored) is None
    assert intensity.padding_mask(single, stored + np.int16(5)) is None


def test_greys() -> None:
    values = np.array([[0.0, 50, 100, np.nan]])
    window = Window(50, 100, "", "LINEAR_EXACT")
    np.testing.assert_array_equal(render.greys(values, window), [[0, 128, 255, 0]])
    np.testing.assert_array_equal(render.greys(values[:, :3], window, invert=True), [[255, 127, 0]])
    mask = np.array([[False, False, True]])
    np.testing.assert_array_equal(render.greys(values[:, :3], window, mask=mask), [[0, 128, 0]])
    assert intensity.inverted(ImageHeader("1", 1, 1, photometric="MONOCHROME1"))
    colour = np.zeros((2, 2, 3), np.uint8)
    assert render.greys(colour) is colour
    assert render.greys(np.array([[[65535, 0, 32768]]], np.uint16)).tolist() == [[[255, 0, 128]]]


@pytest.mark.parametrize("shape", [(4, 6), (4, 6, 3)])
def test_png_keeps_every_grey(shape: tuple[int, ...]) -> None:
    picture = np.random.default_rng(2).integers(0, 256, shape, dtype=np.uint8)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(render.encode(picture)))), picture)
    jpeg = Image.open(io.BytesIO(render.encode(picture, "jpeg")))
    assert (jpeg.format, jpeg.size) == ("JPEG", (6, 4))


@pytest.mark.parametrize(
    ("shape", "spacing", "size"),
    [((512, 512), (1.0, 1.0), (128, 128)), ((30, 256), (5.0, 0.5), (109, 128)), ((2, 900), (1.0, 1.0), (128, 1))],
)
def test_thumbnails_have_the_right_proportions(
    shape: tuple[int, int], spacing: tuple[float, float], size: tuple[int, int]
) -> None:
    picture = Image.open(io.BytesIO(render.thumbnail(np.zeros(shape), spacing)))
    assert (picture.size, picture.mode) == (size, "L")


def test_thumbnail_shows_the_slice() -> None:
    values = np.zeros((256, 256))
    values[:, 128:] = 1000
    found = np.asarray(Image.open(io.BytesIO(render.thumbnail(values))))
    assert found[:, :60].max() == 0
    assert found[:, 68:].min() == 255


def test_a_table_shows_each_value_as_its_grey_and_its_ends_beyond() -> None:
    table = intensity.Table(-1, bytes([10, 20, 200]), "SOFTER")
    values = np.array([[-5.0, -1, 0, 0.6, 1, 9, np.nan]])
    np.testing.assert_array_equal(render.greys(values, table), [[10, 10, 20, 200, 200, 200, 20]])
    np.testing.assert_array_equal(render.greys(values[:, :2], table, invert=True), [[245, 245]])
