"""Other grids: values at their places, voxels that only change their order, and products that say what they are."""

import itertools
import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from pacs_panel.errors import PacsPanelError
from pacs_panel.model import Dimension, Passport
from pacs_panel.testing import Sphere, ct_missing_slice, ct_phantom, ct_tilted, mr_4d
from pacs_panel.volume import grids, interpolate
from pacs_panel.volume.grids import SPACE
from pacs_panel.volume.read import open_stack
from tests.volume.kept import built
from tests.volume.placed import dataset, oblique, of_phantom, places, ramp

pytestmark = pytest.mark.slow

CODES = ["".join(code) for order in itertools.permutations(("LR", "PA", "SI")) for code in itertools.product(*order)]
angles = st.tuples(*[st.floats(-180, 180)] * 3)
spacings = st.tuples(*[st.floats(0.4, 6)] * 3)
shapes = st.tuples(*[st.integers(2, 7)] * 3)


def ramped(grid: grids.Grid) -> xr.Dataset:
    return dataset(grid, ramp(grid.points()))


# -- resample ----------------------------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(shapes, angles, spacings, spacings)
def test_a_ramp_stays_a_ramp_on_any_spacing(shape, turn, spacing, wanted):
    made = ramped(oblique(shape, turn, spacing)).pacs.resample(wanted)
    assert np.allclose(made.pacs.passport.spacing, wanted)
    assert np.allclose(made.image, ramp(places(made)), atol=1e-6)
    assert not np.isnan(made.image).any(), "the grid lies within the outermost voxel centres"


@settings(max_examples=40)
@given(shapes, angles, shapes, angles, spacings)
def test_a_ramp_stays_a_ramp_on_any_other_grid(shape, turn, other, way, spacing):
    source, target = oblique(shape, turn, (2, 3, 2)), oblique(other, way, spacing)
    made = ramped(source).pacs.resample((target.affine, target.shape))
    points = target.points()
    assert np.allclose(places(made), points, atol=1e-6)
    index = np.stack(source.index(points), axis=-1)
    beyond = np.maximum(-index, index - np.subtract(shape, 1)).max(axis=-1)
    inside = ~np.isnan(made.image.values)
    assert inside[beyond < -1e-5].all()
    assert not inside[beyond > 1e-5].any()
    assert np.allclose(made.image.values[inside], ramp(points)[inside], atol=1e-4)


def test_its_own_grid_gives_the_same_values():
    grid = oblique((5, 6, 7), (20, -35, 10), (3, 0.7, 0.9))
    values = np.random.default_rng(1).normal(size=grid.shape).astype(np.float32)
    ds = dataset(grid, values)
    for order in (0, 1):
        np.testing.assert_array_equal(ds.pacs.resample(ds, order).image, values)
        np.testing.assert_array_equal(ds.pacs.resample(ds.pacs.passport, order).image, values)


def ball(ds: xr.Dataset, sphere: Sphere, background: float = 40.0) -> tuple[np.ndarray, float]:
    """Centre, LPS mm, and volume, ml, of a sphere as the values show it."""
    points = places(ds)
    near = np.linalg.norm(points - sphere.centre_lps_mm, axis=-1) < sphere.radius_mm + 3
    share = np.clip((ds.image.fillna(background).values - background) / (sphere.value - background), 0, 1) * near
    volume = share.sum() * abs(np.linalg.det(ds.pacs.affine[:3, :3])) / 1000
    return (points * share[..., None]).sum(axis=(0, 1, 2)) / share.sum(), float(volume)


def test_spheres_keep_their_centre_and_volume():
    series = ct_phantom(rows=72, columns=72, slices=48, spacing=(2.0, 2.0, 2.0))
    ds = of_phantom(series)
    made = ds.pacs.resample((1.6, 1.3, 1.1))
    clear = [sphere for sphere in series.truth.spheres if abs(sphere.value - 40) > 200]
    assert len(clear) >= 3
    for sphere in clear:
        (before, volume), (after, product) = ball(ds, sphere), ball(made, sphere)
        assert np.linalg.norm(after - before) < 0.1
        assert np.linalg.norm(after - sphere.centre_lps_mm) < 0.3
        assert product == pytest.approx(volume, rel=0.02)


def test_nearest_keeps_labels_and_reaches_to_the_outer_faces():
    labels = np.random.default_rng(2).integers(0, 9, (4, 5, 6)).astype(np.uint8)
    ds = dataset(oblique((4, 5, 6), (0, 0, 0), (2, 2, 2)), labels)
    affine = ds.pacs.affine @ np.diag([0.5, 0.5, 0.5, 1])
    affine[:3, 3] -= 0.5
    fine = ds.pacs.resample((affine, (8, 10, 12)), order=0)
    np.testing.assert_array_equal(fine.image, labels.repeat(2, 0).repeat(2, 1).repeat(2, 2))
    affine[:3, 3] -= 1
    assert np.isnan(ds.pacs.resample((affine, (8, 10, 12)), order=0).image[0]).all()


def test_padding_has_no_share():
    grid = oblique((3, 4, 5), (0, 0, 0), (2, 2, 2))
    mask = np.zeros(grid.shape, bool)
    mask[1, 2, 3] = True
    values = np.where(mask, -32768, ramp(grid.points()))
    made = dataset(grid, values, mask=mask).pacs.resample(1.0)
    expected = np.zeros(made.image.shape, bool)
    expected[1:4, 3:6, 5:8] = True
    np.testing.assert_array_equal(made.mask, expected)
    np.testing.assert_array_equal(np.isnan(made.image), expected)
    assert np.allclose(made.image.values[~expected], ramp(places(made))[~expected])
    assert made.mask.dtype == bool


def test_uneven_slices_are_interpolated_where_they_are():
    grid = oblique((5, 6, 7), (15, 25, -40), (2, 2, 2))
    positions = grid.origins()[[0, 1, 2, 4]] + 0.3 * grid.affine[:3, 0] * np.arange(4)[:, None]
    ds = ramped(grids.made(grid.affine, (4, 6, 7), positions))
    assert ds.pacs.passport.verdict == "irregular"
    made = ds.pacs.resample(1.5)
    assert made.pacs.passport.verdict == "regular"
    known = ~np.isnan(made.image.values)
    assert known.mean() > 0.5
    assert np.allclose(made.image.values[known], ramp(places(made))[known])
    back = ds.pacs.resample(ds)
    np.testing.assert_allclose(back.image, ds.image)
    assert back.pacs.passport.verdict == "irregular"
    np.testing.assert_allclose(places(back), places(ds), atol=1e-9)


def test_a_missing_slice_is_filled_only_on_request(tmp_path: Path):
    series = ct_missing_slice(rows=32, columns=32, slices=9, spacing=(2.0, 2.0, 2.0))
    built(series, tmp_path)
    ds = open_stack(tmp_path / "0")
    made = ds.pacs.resample(2.0)
    assert made.sizes["slice"] == 9
    there = list(series.truth.slices)
    np.testing.assert_allclose(made.image[there], series.truth.physical(), atol=1e-3)
    gap = next(k for k in range(9) if k not in there)
    between = (made.image[gap - 1] + made.image[gap + 1]) / 2
    np.testing.assert_allclose(made.image[gap], between, atol=1e-3)
    assert "missing" in made.pacs.passport.reason


def test_further_dimensions_and_laziness_stay(tmp_path: Path):
    series = mr_4d(rows=24, columns=20, slices=6)
    built(series, tmp_path)
    ds = open_stack(tmp_path / "0")
    made = ds.isel(time=slice(1, 3)).pacs.resample((3.0, 1.5, 1.5))
    assert made.image.dims == ("time", *SPACE)
    assert made.image.chunks is not None
    assert made.image.dtype == np.float32
    assert made.pacs.passport.dimensions[0].values == ds.pacs.passport.dimensions[0].values[1:3]
    alone = ds.isel(time=2).pacs.resample((3.0, 1.5, 1.5))
    assert alone.pacs.passport.dimensions == ()
    np.testing.assert_array_equal(made.image[1], alone.image)


def test_a_selection_keeps_its_diffusion_weighting():
    grid = oblique((3, 4, 5), (0, 0, 0), (1, 1, 1))
    directions = (None, (1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
    weighted = Dimension("b_value", "DiffusionBValue", (0.0, 1.0, 2.0), (0.0, 500.0, 1000.0), directions)
    ds = dataset(grid, np.zeros((3, 3, 4, 5)), (weighted,))
    (kept,) = ds.isel(b_value=[2, 0]).pacs.resample(0.5).pacs.passport.dimensions
    assert kept.values == (2.0, 0.0)
    assert kept.b_values == (1000.0, 0.0)
    assert kept.directions == ((0, 1, 0), None)


def test_a_coarse_level_lies_where_it_should(tmp_path: Path):
    built(ct_phantom(rows=260, columns=280, slices=9, spacing=(2.0, 0.8, 0.9)), tmp_path)
    fine, coarse = open_stack(tmp_path / "0"), open_stack(tmp_path / "0", level=1)
    made = coarse.pacs.resample(fine)
    inner = made.image[2:-2, 100:150, 100:150]
    assert float(abs(inner - fine.image[2:-2, 100:150, 100:150]).mean()) < 30
    np.testing.assert_allclose(places(made)[3, 5], places(fine)[3, 5], atol=1e-9)
    np.testing.assert_array_equal(made.column, fine.column)
    part = coarse.pacs.resample(fine.isel(slice=slice(2, 5), row=slice(40, 44)))
    np.testing.assert_array_equal(part.image, made.image[2:5, 40:44])
    np.testing.assert_allclose(places(part), places(made)[2:5, 40:44], atol=1e-9)
    own = coarse.pacs.resample(coarse)
    np.testing.assert_array_equal(own.image, coarse.image)
    np.testing.assert_allclose(own.pacs.affine, coarse.pacs.affine, atol=1e-9)


def test_a_product_says_what_it_is():
    ds = ramped(oblique((4, 4, 4), (0, 0, 0), (2, 2, 2))).assign_attrs(revision="abc")
    made = ds.pacs.resample(1.0, order=0).pacs.resample(2.0)
    first, second = made.attrs["provenance"]
    assert first["method"] == "nearest neighbour"
    assert second["method"] == "linear interpolation"
    assert first["source"]["revision"] == "abc"
    assert first["source"]["shape"] == [4, 4, 4]
    assert first["software"].startswith("pacs_panel ")
    assert made.pacs.passport.reason.startswith("Resampled by linear interpolation; was: Resampled by nearest")
    assert made.pacs.words
    assert "rescale" not in made.image.attrs
    assert "sop_instance_uid" not in made.coords
    assert Passport.from_dict(json.loads(json.dumps(made.attrs))["passport"]) == made.pacs.passport


@pytest.mark.parametrize("to", ["2", (1.0, 2.0), -1.0, (1.0, 0.0, 1.0), (np.eye(3), (2, 2, 2)), (np.eye(4), (0, 2, 2))])
def test_what_is_no_grid(to):
    with pytest.raises(PacsPanelError):
        ramped(oblique((3, 3, 3), (0, 0, 0), (1, 1, 1))).pacs.resample(to)


def test_refusals():
    ds = ramped(oblique((3, 3, 3), (0, 0, 0), (1, 1, 1)))
    with pytest.raises(PacsPanelError, match="order"):
        ds.pacs.resample(1.0, order=3)
    with pytest.raises(PacsPanelError, match="slice was dropped"):
        ds.isel(slice=0).pacs.resample(1.0)
    with pytest.raises(PacsPanelError, match="too large"):
        ds.pacs.resample(1e-4)
    other = ds.assign_attrs(passport={**ds.attrs["passport"], "frame_of_reference": "1.2.4"})
    with pytest.raises(PacsPanelError, match="frame of reference"):
        ds.pacs.resample(other)
    assert ds.pacs.resample((other.pacs.affine, (3, 3, 3))).sizes == ds.sizes
    nowhere = ds.assign_attrs(passport={**ds.attrs["passport"], "affine": None, "verdict": "stack"})
    for ask in ("deskew", "reorient"):
        with pytest.raises(PacsPanelError, match="no place"):
            getattr(nowhere.pacs, ask)()


def test_one_slice_is_as_thick_as_its_step():
    ds = ramped(oblique((3, 4, 4), (0, 0, 0), (4, 1, 1))).isel(slice=[1])
    affine = ds.pacs.affine @ np.diag([1, 1, 0.25, 1])
    affine[:3, 3] -= affine[:3, 2] * 3
    known = ~np.isnan(ds.pacs.resample((affine, (7, 4, 4))).image.values[:, 0, 0])
    assert known.tolist() == [False, True, True, True, True, True, False]


# -- deskew ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tilt", [15.0, -20.0])
def test_a_tilted_phantom_upright(tilt: float):
    series = ct_tilted(tilt=tilt, rows=80, columns=72, slices=40, spacing=(2.0, 2.0, 2.0))
    ds = of_phantom(series)
    assert ds.pacs.passport.verdict == "sheared"
    made = ds.pacs.deskew()
    passport = made.pacs.passport
    assert (passport.verdict, passport.tilt) == ("regular", pytest.approx(0, abs=1e-9))
    assert passport.spacing[0] == pytest.approx(2.0 * np.cos(np.radians(tilt)))
    points, values = places(made), made.image.fillna(-1000).values
    for sphere in series.truth.spheres:
        if abs(sphere.value - 40) < 100:
            continue
        near = np.linalg.norm(points - sphere.centre_lps_mm, axis=-1)
        core = values[near < 0.6 * sphere.radius_mm]
        assert len(core) > 30
        np.testing.assert_allclose(core, sphere.value, atol=1e-3)
        (before, volume), (after, product) = ball(ds, sphere), ball(made, sphere)
        assert np.linalg.norm(after - sphere.centre_lps_mm) < 0.4
        assert np.linalg.norm(after - before) < 0.1
        assert product == pytest.approx(volume, rel=0.02)


@settings(max_examples=30)
@given(angles, st.floats(-40, 40), st.floats(-30, 30))
def test_deskewing_a_ramp_is_exact_and_keeps_all(turn, down, across):
    grid = oblique((5, 6, 7), turn, (3, 2, 1.5))
    affine = grid.affine.copy()
    affine[:3, 2] += np.tan(np.radians(down)) * affine[:3, 1] + np.tan(np.radians(across)) * affine[:3, 0]
    ds = ramped(grids.made(affine, grid.shape))
    made = ds.pacs.deskew()
    if ds.pacs.passport.verdict == "regular":
        assert made is ds
        return
    known = ~np.isnan(made.image.values)
    assert np.allclose(made.image.values[known], ramp(places(made))[known], atol=1e-5)
    assert made.pacs.passport.verdict == "regular"
    assert known.reshape(5, -1).sum(axis=1).min() >= 5 * 6, "all but a fraction of a pixel at each side"
    corners = places(ds)[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    index = np.stack(made.pacs.voxel(*np.moveaxis(corners, -1, 0)), axis=-1)
    assert index.min() > -1e-6
    assert (index < np.array(made.image.shape) - 1 + 1e-6).all(), "the grid is wide enough for all slices"


def test_deskew_shifts_within_slices_only():
    ds = of_phantom(ct_tilted(rows=24, columns=24, slices=8))
    made = ds.pacs.deskew()
    np.testing.assert_allclose(made.pacs.affine[:3, :2], ds.pacs.affine[:3, :2])
    start = np.rint(made.pacs.voxel(*ds.pacs.lps(0, 0, 0))).astype(int)
    np.testing.assert_array_equal(made.image[0, start[1] : start[1] + 24, start[2] : start[2] + 24], ds.image[0])


def test_uneven_slices_are_not_deskewed():
    grid = oblique((3, 4, 4), (0, 0, 0), (2, 2, 2))
    ds = ramped(grids.made(grid.affine, (3, 4, 4), grid.origins() * [1, 1, 1.001]))
    with pytest.raises(PacsPanelError, match=r"resample\(to="):
        ds.pacs.deskew()


# -- reorient ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("sheared", [False, True])
def test_every_code_moves_no_voxel(code: str, sheared: bool):
    grid = oblique((3, 4, 5), (20, -10, 35), (3.0, 1.5, 0.75))
    affine = grid.affine.copy()
    affine[:3, 2] += 0.5 * affine[:3, 1] * sheared
    ds = dataset(grids.made(affine, grid.shape), np.arange(60.0).reshape(3, 4, 5), mask=np.zeros((3, 4, 5), bool))
    made = ds.pacs.reorient(code)
    assert made.image.dims == made.mask.dims == SPACE
    before = dict(zip(ds.image.values.ravel().tolist(), places(ds).reshape(-1, 3), strict=True))
    for value, place in zip(made.image.values.ravel().tolist(), places(made).reshape(-1, 3), strict=True):
        np.testing.assert_allclose(place, before[value], atol=1e-9)
    ras = np.diag([-1, -1, 1, 1]) @ made.pacs.affine
    assert "".join(nibabel.aff2axcodes(ras)) == code
    assert made.pacs.passport.verdict == ds.pacs.passport.verdict
    assert made.image.dtype == ds.image.dtype
    back = made.pacs.reorient("".join(nibabel.aff2axcodes(np.diag([-1, -1, 1, 1]) @ ds.pacs.affine)))
    np.testing.assert_array_equal(back.image, ds.image)
    np.testing.assert_allclose(back.pacs.affine, ds.pacs.affine, atol=1e-9)


def test_objects_follow_their_slices():
    ds = dataset(oblique((3, 4, 5), (0, 0, 0), (1, 1, 1)), np.zeros((3, 4, 5)))
    assert ds.pacs.reorient("RAI").pacs.members == ("1.2", "1.1", "1.0")
    across = ds.pacs.reorient("SLP")
    assert across.sop_instance_uid.dims == ("column",)
    with pytest.raises(PacsPanelError, match="run across"):
        across.pacs.members  # noqa: B018


def test_uneven_slices_may_be_reversed_but_stay_slices():
    grid = oblique((4, 4, 5), (5, 5, 5), (2, 2, 2))
    positions = grid.origins() + np.array([0, 0, 0.7, 0])[:, None] * grid.affine[:3, 2]
    ds = dataset(grids.made(grid.affine, grid.shape, positions), np.arange(80.0).reshape(4, 4, 5))
    made = ds.pacs.reorient("RAI")
    np.testing.assert_array_equal(made.image, ds.image[::-1, ::-1, ::-1])
    np.testing.assert_allclose(places(made), places(ds)[::-1, ::-1, ::-1], atol=1e-9)
    index = made.pacs.voxel(*np.moveaxis(places(made), -1, 0))
    np.testing.assert_allclose(index, np.indices(made.image.shape), atol=1e-9)
    with pytest.raises(PacsPanelError, match="stay slices"):
        ds.pacs.reorient("SLP")


def test_reorient_keeps_time_first():
    times = Dimension("time", "TriggerTime", (0.0, 10.0))
    grid = oblique((3, 4, 5), (0, 0, 0), (1, 1, 1))
    made = dataset(grid, np.random.default_rng(3).normal(size=(2, 3, 4, 5)), (times,)).pacs.reorient("SAR")
    assert made.image.dims == ("time", *SPACE)
    assert made.image.shape == (2, 5, 4, 3)
    assert made.pacs.passport.dimensions == (times,)


@pytest.mark.parametrize("code", ["", "RA", "RAA", "RAX", "LRS", "RASL"])
def test_what_is_no_code(code: str):
    with pytest.raises(PacsPanelError, match="three letters"):
        dataset(oblique((3, 3, 3), (0, 0, 0), (1, 1, 1)), np.zeros((3, 3, 3))).pacs.reorient(code)


# -- arithmetic --------------------------------------------------------------------------------------------------------


@settings(max_examples=30)
@given(shapes, shapes, spacings, st.tuples(*[st.floats(-2, 2)] * 3), st.sampled_from([0, 1]), st.booleans())
def test_axis_by_axis_is_as_point_by_point(shape, other, spacing, start, order, padded):
    random = np.random.default_rng(shape)
    source = oblique(shape, (10, 20, 30), (2, 2, 2))
    target = oblique(other, (10, 20, 30), spacing)
    target.affine[:3, 3] += start
    values = random.normal(size=(2, *shape)).astype(np.float32)
    mask = random.random((2, *shape)) < 0.1 if padded else None
    assert interpolate._lines(source, target) is not None
    quick = interpolate.volumes(values, mask, source=source, target=target, order=order)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(interpolate, "_lines", lambda *_: None)
        plain = interpolate.volumes(values, mask, source=source, target=target, order=order)
    np.testing.assert_allclose(quick, plain, atol=1e-5)


def test_a_grid_beside_the_volume_has_no_values():
    ds = ramped(oblique((3, 4, 5), (0, 0, 0), (2, 2, 2)))
    affine = ds.pacs.affine
    affine[2, 3] += 100
    assert ds.pacs.resample((affine, (3, 4, 5))).image.isnull().all()
    grid = oblique((3, 4, 5), (0, 0, 0), (2, 2, 2))
    uneven = ramped(grids.made(grid.affine, (3, 4, 5), np.add(grid.origins(), [[0, 0, 0], [0, 0, 0.5], [0, 0, 0]])))
    assert uneven.pacs.passport.verdict == "irregular"
    assert uneven.pacs.resample((affine, (3, 4, 5))).image.isnull().all()
    affine[2, 3] -= 97
    assert uneven.pacs.resample((affine, (3, 4, 5))).image.isnull().any(dim=("row", "column")).values.tolist() == [
        False, True, True,
    ]  # fmt: skip
