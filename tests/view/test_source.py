from __future__ import annotations

import json

import numpy as np
import pytest

from pacs_panel.errors import BadPixels, NotFound
from pacs_panel.model import Passport
from pacs_panel.view.arrays import ArrayFrames, halve, pyramid
from pacs_panel.view.source import FrameSource, StackFrames, encode, meta_of
from tests.view import scene


def test_planes_are_cut_across_each_axis() -> None:
    source = scene.ct()
    array = scene.ct_values()
    assert isinstance(source, FrameSource)
    np.testing.assert_array_equal(source.plane(0, 0, 5), array[5])
    np.testing.assert_array_equal(source.plane(0, 1, 6), array[:, 6])
    np.testing.assert_array_equal(source.plane(0, 2, 7), array[:, :, 7])
    np.testing.assert_array_equal(source.volume(0), array)


def test_a_coarser_level_is_the_mean_of_blocks() -> None:
    source = scene.ct()
    blocks = scene.ct_values().reshape(12, 2, 32, 2, 40, 2).mean(axis=(1, 3, 5))
    np.testing.assert_array_equal(source.volume(1), np.rint(blocks).astype(np.int16))
    assert scene.shapes(source.meta().levels) == [(24, 64, 80), (12, 32, 40)]
    assert source.meta().levels[1].factors == (2, 2, 2)


def test_halving_leaves_padding_out_and_keeps_odd_ends() -> None:
    array = np.array([[[-2000, 10, 30], [-2000, -2000, -2000]]], np.int16)
    np.testing.assert_array_equal(halve(array, (-2000, -2000)), [[[10, 30]]])
    np.testing.assert_array_equal(halve(np.full((1, 3, 3), -2000, np.int16), (-2000, -2000)), np.full((1, 2, 2), -2000))
    np.testing.assert_array_equal(halve(np.float32([[[1, 2]]])), np.float32([[[1.5]]]))


def test_a_single_slice_is_halved_within_itself_only() -> None:
    levels = pyramid((1, 300, 200))
    assert scene.shapes(levels) == [(1, 300, 200), (1, 150, 100), (1, 75, 50), (1, 38, 25)]
    assert levels[-1].factors == (1, 8, 8)


@pytest.mark.parametrize(
    ("level", "axis", "index", "extra"),
    [(2, 0, 0, ()), (-1, 0, 0, ()), (0, 3, 0, ()), (0, 0, 24, ()), (0, 0, -1, ()), (1, 2, 40, ()), (0, 0, 0, (0,))],
)
def test_what_is_not_there_is_not_found(level: int, axis: int, index: int, extra: tuple[int, ...]) -> None:
    with pytest.raises(NotFound):
        scene.ct().plane(level, axis, index, extra)


def test_extra_dimensions_come_first() -> None:
    source = scene.over_time()
    assert source.plane(0, 0, 6, (3,)).max() == 306
    assert source.volume(0, (4,)).shape == (8, 32, 32)
    with pytest.raises(NotFound):
        source.volume(0, (5,))


def test_a_level_affine_meets_the_centres_of_its_blocks() -> None:
    meta = scene.ct().meta()
    first = np.asarray(meta.level_affine(1)) @ (0, 0, 0, 1)
    corners = [np.asarray(meta.affine) @ (c, r, s, 1) for c in (0, 1) for r in (0, 1) for s in (0, 1)]
    np.testing.assert_allclose(first, np.mean(corners, axis=0))


def test_the_views_say_what_may_be_drawn() -> None:
    assert [view.name for view in scene.ct().meta().views] == ["axial", "coronal", "sagittal"]
    assert [view.name for view in scene.ct(verdict="sheared", shear=0.5).meta().views] == [
        "axial",
        "coronal",
        "sagittal",
    ]
    places = tuple((-30.0, -20.0, 10.0 + 3 * n + (6 if n > 5 else 0)) for n in range(24))
    irregular = scene.ct(verdict="irregular", positions=places).meta()
    assert [view.name for view in irregular.views] == ["axial"]
    assert irregular.positions == places
    assert scene.flat(np.zeros((1, 8, 8), np.uint8)).meta().views == ()
    assert scene.ct(positions=places).meta().positions == ()


def test_the_description_is_plain_json() -> None:
    data = json.loads(json.dumps(scene.over_time().meta().to_dict()))
    assert data["shape"] == [8, 32, 32]
    assert data["dimensions"][0]["values"] == [0, 1, 2, 3, 4]
    assert data["views"][0]["labels"] == {"left": "R", "right": "L", "top": "A", "bottom": "P"}
    assert len(data["levels"][0]["affine"]) == 4


def test_a_stored_stack_is_described_by_its_store() -> None:
    array = scene.ct()
    facts = array.meta().to_dict()
    passport = Passport("regular", "even", (24, 64, 80), affine=array.meta().affine, spacing=scene.SPACING)
    kept = {name: facts[name] for name in ("dtype", "slope", "intercept", "unit", "photometric", "voi_function")}
    kept |= {"samples": 1, "windows": [list(window) for window in scene.WINDOWS], "padding": [-5, -4], "uniform": True}
    kept |= {"levels": [{"shape": [24, 64, 80], "factors": [1, 1, 1]}], "passport": passport.to_dict()}
    meta = meta_of(json.loads(json.dumps(kept)), "series", "rev1", 2, ("CT", "Head"))
    assert (meta.windows, meta.padding, meta.stack, meta.title) == (scene.WINDOWS, (-5, -4), 2, ("CT", "Head"))
    assert [view.name for view in meta.views] == ["axial", "coronal", "sagittal"]
    frames = StackFrames(array, meta)  # type: ignore[arg-type]
    assert isinstance(frames, FrameSource)
    assert frames.meta() is meta
    np.testing.assert_array_equal(frames.plane(0, 1, 3), scene.ct_values()[:, 3])


def test_colour_has_samples_last() -> None:
    array = np.zeros((2, 4, 5, 3), np.uint8)
    source = scene.flat(array, samples=3)
    assert source.meta().shape == (2, 4, 5)
    assert source.plane(0, 0, 1).shape == (4, 5, 3)


def test_an_array_must_have_three_space_dimensions() -> None:
    with pytest.raises(ValueError, match="3 space dimensions"):
        ArrayFrames(np.zeros((4, 5), np.int16), scene.ct().meta())


def test_encoding_is_little_endian_in_c_order() -> None:
    array = np.array([[1, 256], [3, 4]], ">i2")
    assert encode(array.T) == np.array([[1, 3], [256, 4]], "<i2").tobytes()
    assert encode(np.array([[True, False]])) == b"\x01\x00"
    with pytest.raises(BadPixels, match="int64"):
        encode(np.zeros((2, 2), np.int64))
