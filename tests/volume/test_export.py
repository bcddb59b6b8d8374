"""Stacks in other programs' formats, read by those programs' libraries."""

from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
import zarr
from PIL import Image

from pacs_panel.errors import NotFound, PacsPanelError
from pacs_panel.pixels.intensity import Window
from pacs_panel.testing import (
    PhantomSeries,
    cr,
    ct_missing_slice,
    ct_phantom,
    ct_tilted,
    mr_4d,
    mr_oblique,
    pet_varying_slopes,
)
from pacs_panel.volume.export import to_nifti, to_png, to_zarr
from tests.volume.kept import Objects, built

SMALL = {"rows": 40, "columns": 36, "slices": 9}


def exported(series: PhantomSeries, folder: Path) -> nibabel.Nifti1Image:
    built(series, folder)
    return nibabel.load(to_nifti(folder / "0", folder / "out.nii.gz"))


@pytest.mark.parametrize("make", [ct_phantom, mr_oblique])
def test_nifti_of_a_regular_volume(tmp_path: Path, make: object) -> None:
    series = make(**SMALL)  # type: ignore[operator]
    image = exported(series, tmp_path)
    np.testing.assert_array_equal(np.asarray(image.dataobj).T, series.truth.physical())
    np.testing.assert_array_equal(image.dataobj.get_unscaled().T, series.truth.stored)
    assert image.get_data_dtype() == series.truth.stored.dtype
    ras = np.diag([-1, -1, 1, 1]) @ series.truth.affine
    np.testing.assert_allclose(image.get_sform(), ras, atol=1e-4)
    np.testing.assert_allclose(image.get_qform(), ras, atol=1e-4)
    assert (image.header["sform_code"], image.header["qform_code"]) == (1, 1)
    assert image.header.get_xyzt_units()[0] == "mm"


def test_nifti_of_a_sheared_volume_has_the_exact_sform_only(tmp_path: Path) -> None:
    series = ct_tilted(**SMALL)
    image = exported(series, tmp_path)
    np.testing.assert_allclose(image.get_sform(), np.diag([-1, -1, 1, 1]) @ series.truth.affine, atol=1e-4)
    assert (image.header["sform_code"], image.header["qform_code"]) == (1, 0)
    assert b"sheared" in image.header["descrip"].item()
    np.testing.assert_allclose(image.affine, image.get_sform())


def test_nifti_refuses_uneven_slices(tmp_path: Path) -> None:
    with pytest.raises(PacsPanelError, match="NIfTI cannot hold"):
        exported(ct_missing_slice(**SMALL), tmp_path)


def test_nifti_of_varying_slopes_is_physical(tmp_path: Path) -> None:
    series = pet_varying_slopes(**SMALL)
    objects = Objects(series.datasets)
    objects.kept = [replace(one, sop_class_uid="1.2.840.10008.5.1.4.1.1.4") for one in objects.kept]
    objects.build(tmp_path)
    image = nibabel.load(to_nifti(tmp_path / "0", tmp_path / "out.nii"))
    assert image.get_data_dtype() == np.float32
    np.testing.assert_allclose(np.asarray(image.dataobj).T, series.truth.physical(), rtol=1e-6)


def test_nifti_puts_time_last(tmp_path: Path) -> None:
    series = mr_4d(**SMALL)
    image = exported(series, tmp_path)
    assert image.shape == (36, 40, 9, 4)
    np.testing.assert_array_equal(np.asarray(image.dataobj).T, series.truth.physical())


def test_nifti_of_an_image_without_a_place(tmp_path: Path) -> None:
    series = cr(rows=60, columns=50)
    image = exported(series, tmp_path)
    assert (image.header["sform_code"], image.header["qform_code"]) == (0, 0)
    np.testing.assert_array_equal(image.dataobj.get_unscaled().T.squeeze(), series.truth.stored.squeeze())


def test_zarr_as_it_is(tmp_path: Path) -> None:
    series = ct_phantom(**SMALL)
    built(series, tmp_path)
    to_zarr(tmp_path / "0", tmp_path / "copy.zarr")
    np.testing.assert_array_equal(zarr.open_group(tmp_path / "copy.zarr")["scale0/image"][...], series.truth.stored)
    with pytest.raises(PacsPanelError, match="already"):
        to_zarr(tmp_path / "0", tmp_path / "copy.zarr")
    with pytest.raises(NotFound):
        to_zarr(tmp_path / "7", tmp_path / "other.zarr")


def test_png_of_a_plane(tmp_path: Path) -> None:
    series = ct_phantom(rows=40, columns=36, slices=9, spacing=(4.0, 2.0, 2.0))
    built(series, tmp_path)
    physical = series.truth.physical()
    threshold = Window(0.0, 1.0, "", "LINEAR_EXACT")
    to_png(tmp_path / "0", tmp_path / "a.png", 3, window=threshold)
    picture = np.asarray(Image.open(tmp_path / "a.png"))
    assert picture.shape == (40, 36)
    np.testing.assert_array_equal(picture > 128, physical[3] > 0)
    to_png(tmp_path / "0", tmp_path / "b.png", axis=1)
    assert Image.open(tmp_path / "b.png").size == (36, 18), "of the right proportions"
    with pytest.raises(NotFound):
        to_png(tmp_path / "0", tmp_path / "c.png", 9)
    with pytest.raises(NotFound):
        to_png(tmp_path / "0", tmp_path / "c.png", axis=4)
