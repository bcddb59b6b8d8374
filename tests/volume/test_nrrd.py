"""Stacks as NRRD, read by the format's own reader in Python."""

from pathlib import Path

import nrrd
import numpy as np
import pytest

from pacs_panel.errors import PacsPanelError
from pacs_panel.testing import (
    PhantomSeries,
    cr,
    ct_missing_slice,
    ct_phantom,
    ct_tilted,
    mr_4d,
    mr_oblique,
    pet_varying_slopes,
    us_cine,
)
from pacs_panel.volume.export import to_nrrd
from tests.volume.kept import built

SMALL = {"rows": 40, "columns": 36, "slices": 9}


def exported(series: PhantomSeries, folder: Path) -> tuple[np.ndarray, dict]:
    built(series, folder)
    return nrrd.read(str(to_nrrd(folder / "0", folder / "out.nrrd")))


@pytest.mark.parametrize("make", [ct_phantom, ct_tilted, mr_oblique])
def test_values_and_affine_are_exact(tmp_path: Path, make):
    series = make(**SMALL)
    data, header = exported(series, tmp_path)
    np.testing.assert_array_equal(data.T, series.truth.physical())
    assert data.dtype.kind in "iu"
    assert header["space"] == "left-posterior-superior"
    np.testing.assert_allclose(header["space directions"].T, series.truth.affine[:3, :3], atol=1e-6)
    np.testing.assert_allclose(header["space origin"], series.truth.affine[:3, 3], atol=1e-6)
    assert header["kinds"] == ["domain"] * 3
    assert ("geometry" in header) == (make is ct_tilted)


def test_hounsfield_units_take_two_bytes(tmp_path: Path):
    data, header = exported(ct_phantom(**SMALL), tmp_path)
    assert data.dtype == np.int16
    assert header["unit"] == "HU"


def test_varying_slopes_are_physical(tmp_path: Path):
    series = pet_varying_slopes(**SMALL)
    data, header = exported(series, tmp_path)
    assert data.dtype == np.float32
    np.testing.assert_allclose(data.T, series.truth.physical(), rtol=1e-6)
    assert header["unit"] == "BQML"


def test_time_is_the_last_axis(tmp_path: Path):
    series = mr_4d(**SMALL)
    data, header = exported(series, tmp_path)
    np.testing.assert_array_equal(data.T, series.truth.physical())
    assert header["kinds"] == ["domain", "domain", "domain", "list"]
    np.testing.assert_allclose(header["space directions"][:3].T, series.truth.affine[:3, :3], atol=1e-6)
    assert np.isnan(header["space directions"][3]).all()
    assert header["dimension time"].split()


def test_without_a_place(tmp_path: Path):
    series = cr(rows=60, columns=50)
    data, header = exported(series, tmp_path)
    assert "space" not in header
    assert len(header["spacings"]) == 3
    np.testing.assert_array_equal(data.T.squeeze(), series.truth.physical().squeeze())


def test_colour_comes_first(tmp_path: Path):
    series = us_cine(rows=40, columns=48, frames=3)
    data, header = exported(series, tmp_path)
    assert header["kinds"][0] == "RGB-color"
    assert data.shape[:3] == (3, 48, 40)
    np.testing.assert_array_equal(data.T.reshape(3, 40, 48, 3), series.truth.stored)


def test_refusals(tmp_path: Path):
    with pytest.raises(PacsPanelError, match="NRRD cannot hold"):
        exported(ct_missing_slice(**SMALL), tmp_path)
    built(ct_phantom(**SMALL), tmp_path / "other")
    to_nrrd(tmp_path / "other" / "0", tmp_path / "a.nrrd")
    with pytest.raises(FileExistsError):
        to_nrrd(tmp_path / "other" / "0", tmp_path / "a.nrrd")
