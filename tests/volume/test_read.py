"""Stacks as xarray: values, places, and what stays true after selecting."""

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pacs_panel.errors import NotFound, PacsPanelError
from pacs_panel.testing import ct_missing_slice, ct_phantom, ct_tilted, mr_4d, mr_oblique, pet_varying_slopes, turned
from pacs_panel.volume import ome
from pacs_panel.volume.read import open_stack
from pacs_panel.volume.values import Values
from tests.volume.kept import Objects, built

SMALL = {"rows": 40, "columns": 36, "slices": 9}


@pytest.mark.parametrize("make", [ct_phantom, ct_tilted, ct_missing_slice, mr_oblique])
def test_values_and_places_are_exact(tmp_path: Path, make: object) -> None:
    series = make(**SMALL)  # type: ignore[operator]
    built(series, tmp_path)
    ds = open_stack(tmp_path / "0")
    assert ds.image.dims == ("slice", "row", "column")
    assert ds.image.dtype == np.float32
    assert ds.image.chunks is not None, "must be lazy"
    np.testing.assert_array_equal(ds.image.values, series.truth.physical())
    k, i, j = np.indices(ds.image.shape)
    np.testing.assert_allclose(ds.pacs.lps(k, i, j), series.truth.points(), atol=1e-4)
    back = ds.pacs.voxel(*np.moveaxis(series.truth.points(), -1, 0))
    np.testing.assert_allclose(back, (k, i, j), atol=1e-4)
    assert [variable.encoding for variable in ds.variables.values()] == [{}] * len(ds.variables)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=12)
@given(st.data())
def test_places_for_any_grid_order_and_part(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    angle, spacing = st.floats(-180, 180), st.floats(0.4, 6)
    series = mr_oblique(
        rows=data.draw(st.integers(2, 9)),
        columns=data.draw(st.integers(2, 9)),
        slices=data.draw(st.integers(2, 7)),
        spacing=tuple(round(data.draw(spacing), 3) for _ in range(3)),
        orientation=turned(*(data.draw(angle) for _ in range(3))),
    )
    target = tmp_path_factory.mktemp("grid")
    Objects(series.datasets).build(target, data.draw(st.sampled_from([list, lambda kept: kept[::-1]])))
    ds = open_stack(target / "0")
    # Slices run along row × column; the phantom's may run against it.
    truth, points = series.truth.physical(), series.truth.points()
    if ds.pacs.members[0] != str(series.datasets[0].SOPInstanceUID):
        truth, points = truth[::-1], points[::-1]
    part = tuple(
        slice(
            start := data.draw(st.integers(0, n - 1)),
            data.draw(st.integers(start + 1, n)),
            data.draw(st.integers(1, 3)),
        )
        for n in ds.image.shape
    )
    cut = ds.isel(dict(zip(("slice", "row", "column"), part, strict=True)))
    np.testing.assert_array_equal(cut.image.values, truth[part])
    np.testing.assert_allclose(cut.pacs.lps(*np.indices(cut.image.shape)), points[part], atol=1e-3)


def test_levels_lie_where_they_should(tmp_path: Path) -> None:
    built(ct_phantom(rows=300, columns=280, slices=21, spacing=(1.0, 0.8, 0.9)), tmp_path)
    fine, coarse = open_stack(tmp_path / "0"), open_stack(tmp_path / "0", level=2)
    assert coarse.attrs["factors"] == [4, 4, 4]
    # The centre of a block of 4 voxels lies between its second and third.
    np.testing.assert_allclose(coarse.pacs.lps(2, 3, 5), fine.pacs.lps(9.5, 13.5, 21.5), atol=1e-9)
    block = fine.image[8:12, 12:16, 20:24].values
    assert abs(float(coarse.image[2, 3, 5]) - block.mean()) <= 1
    with pytest.raises(PacsPanelError, match="level 0"):
        coarse.pacs.members  # noqa: B018
    with pytest.raises(NotFound, match="no level 3"):
        open_stack(tmp_path / "0", level=3)


def test_extra_dimensions(tmp_path: Path) -> None:
    series = mr_4d(**SMALL)
    built(series, tmp_path)
    ds = open_stack(tmp_path / "0")
    assert ds.image.dims == ("time", "slice", "row", "column")
    np.testing.assert_array_equal(ds.image.values, series.truth.physical())
    assert ds.time.attrs["keyword"] == "TemporalPositionIdentifier"
    uids = [str(dataset.SOPInstanceUID) for dataset in series.datasets]
    assert ds.pacs.members == tuple(uids)
    assert ds.isel(time=2, slice=4).sop_instance_uid.item() == uids[2 * 9 + 4]


def test_dimensions_that_ome_zarr_cannot_name_come_back(tmp_path: Path) -> None:
    series = mr_4d(**SMALL, times=6)
    objects = Objects(series.datasets)
    for number, one in enumerate(objects.kept):
        assert one.image is not None
        time = number // 9
        objects.change(number, order={"EchoTime": float(time // 3), "DiffusionBValue": float(time % 3)})
    objects.build(tmp_path)
    ds = open_stack(tmp_path / "0")
    assert ds.image.dims == ("echo", "b_value", "slice", "row", "column")
    np.testing.assert_array_equal(ds.image.values.reshape(series.truth.stored.shape), series.truth.physical())


def test_padding_is_a_mask(tmp_path: Path) -> None:
    series = ct_phantom(**SMALL)
    objects = Objects(series.datasets)
    value = int(series.truth.stored[0, 0, 0])
    for number in range(9):
        objects.change(number, padding=(value, value))
    objects.build(tmp_path)
    ds = open_stack(tmp_path / "0")
    np.testing.assert_array_equal(ds.mask.values, series.truth.stored == value)
    np.testing.assert_array_equal(ds.image.values, series.truth.physical())


def test_padding_that_differs_between_slices(tmp_path: Path) -> None:
    series = ct_phantom(**SMALL)
    objects = Objects(series.datasets)
    value = int(series.truth.stored[0, 0, 0])
    objects.change(0, padding=(value, value))
    objects.build(tmp_path)
    mask = open_stack(tmp_path / "0").mask.values
    np.testing.assert_array_equal(mask[0], series.truth.stored[0] == value)
    assert not mask[1:].any()


def test_stored_values(tmp_path: Path) -> None:
    series = ct_phantom(**SMALL)
    built(series, tmp_path)
    np.testing.assert_array_equal(open_stack(tmp_path / "0").pacs.stored.values, series.truth.stored)
    raw = open_stack(tmp_path / "0", physical=False)
    assert raw.image.dtype == np.uint16
    np.testing.assert_array_equal(raw.image.values, series.truth.stored)


@pytest.fixture
def pet(tmp_path: Path) -> tuple[Path, np.ndarray, np.ndarray]:
    series = pet_varying_slopes(rows=140, columns=130, slices=9)
    objects = Objects(series.datasets)
    objects.kept = [replace(one, sop_class_uid="1.2.840.10008.5.1.4.1.1.4") for one in objects.kept]
    objects.build(tmp_path)
    return tmp_path / "0", series.truth.stored, series.truth.physical()


def test_varying_slopes(pet: tuple[Path, np.ndarray, np.ndarray]) -> None:
    path, stored, physical = pet
    ds = open_stack(path)
    np.testing.assert_allclose(ds.image.values, physical, rtol=1e-6)
    np.testing.assert_array_equal(open_stack(path, physical=False).image.values, stored)
    assert ds.attrs["units"] == "BQML"
    with pytest.raises(PacsPanelError, match="physical=False"):
        ds.pacs.stored  # noqa: B018
    with pytest.raises(NotFound, match="level 0"):
        open_stack(path, level=1, physical=False)


def test_varying_slopes_in_plain_xarray(pet: tuple[Path, np.ndarray, np.ndarray]) -> None:
    path, stored, physical = pet
    with xr.open_zarr(path, group="scale0") as plain:
        np.testing.assert_allclose(plain.image.values, physical, rtol=1e-6)
        np.testing.assert_allclose(plain.stored * plain.slope + plain.intercept, physical, rtol=1e-12)
        np.testing.assert_array_equal(plain.stored.values, stored)


def test_no_affine_for_uneven_slices(tmp_path: Path) -> None:
    built(ct_missing_slice(**SMALL), tmp_path)
    ds = open_stack(tmp_path / "0")
    with pytest.raises(PacsPanelError, match="lps"):
        ds.pacs.affine  # noqa: B018
    assert np.isnan(ds.pacs.lps(8, 0, 0)).all(), "there is nothing beyond the last slice"
    gap = int(np.argmax(np.diff(ds.slice.values)))
    middle = (ds.pacs.lps(gap, 1, 2) + ds.pacs.lps(gap + 1, 1, 2)) / 2
    np.testing.assert_allclose(ds.pacs.lps(gap + 0.5, 1, 2), middle, atol=1e-9)


def test_what_a_dataset_knows_survives_pickling_and_losing_places_is_said(tmp_path: Path) -> None:
    built(ct_phantom(**SMALL), tmp_path)
    ds = open_stack(tmp_path / "0")
    xr.testing.assert_identical(pickle.loads(pickle.dumps(ds)), ds)
    one = ds.isel(slice=4)
    np.testing.assert_allclose(one.pacs.lps(0, 1, 2), ds.pacs.lps(4, 1, 2))
    with pytest.raises(PacsPanelError, match="dropped"):
        ds.isel(slice=4, drop=True).pacs.affine  # noqa: B018
    with pytest.raises(PacsPanelError, match="unevenly"):
        ds.isel(row=[0, 1, 5]).pacs.affine  # noqa: B018
    assert any("regular" in line or "apart" in line for line in ds.pacs.words)


def test_written_back_values_do_not_wrap(tmp_path: Path) -> None:
    series = ct_phantom(**SMALL)
    built(series, tmp_path / "r")
    ds = open_stack(tmp_path / "r" / "0").drop_attrs()
    ds.to_zarr(tmp_path / "copy", consolidated=False)
    with xr.open_zarr(tmp_path / "copy", consolidated=False) as copy:
        np.testing.assert_array_equal(copy.image.values, series.truth.physical())


def test_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        open_stack(tmp_path / "0")


def test_no_place_in_the_patient(tmp_path: Path) -> None:
    objects = Objects(mr_oblique(**SMALL).datasets)
    for number in range(9):
        objects.change(number, position=None)
    objects.build(tmp_path)
    with pytest.raises(PacsPanelError, match="no place"):
        open_stack(tmp_path / "0").pacs.lps(0, 0, 0)


def test_values_tell_where_a_mask_is_needed() -> None:
    kind = np.dtype(np.int16)
    assert not Values(kind, (1.0,) * 2, (0.0,) * 2, ((1, 1),) * 2).needs_mask
    assert Values(kind, (1.0, 2.0), (0.0,) * 2, ((1, 1),) * 2).needs_mask
    assert Values(kind, (1.0,) * 2, (0.0,) * 2, ((1, 1), None)).needs_mask
    assert not Values(kind, (1.0, 2.0), (0.0,) * 2, (None,) * 2).needs_mask
    assert ome.FORMAT == 1
