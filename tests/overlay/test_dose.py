"""Doses on their own grid and on the images', against a linear field that interpolation must give exactly."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from pacs_panel.errors import BadPixels, NotYetShown
from pacs_panel.testing import Grid, ct_phantom, mr_oblique
from pacs_panel.testing.overlays import dose_at, dose_on
from tests.overlay.laid import lay, phantom_stack

CT = ct_phantom(rows=24, columns=32, slices=10, spacing=(4.0, 3.0, 3.0))
STACK = phantom_stack(CT)
POINTS = CT.truth.points()


@pytest.mark.slow
@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize("downwards", [False, True])
def test_dose_on_both_grids(absolute, downwards):
    made = dose_on(CT, absolute=absolute, downwards=downwards)
    laid = lay(made.datasets[0], STACK)
    assert (laid.overlay.kind, laid.overlay.unit, laid.overlay.segments) == ("dose", "Gy", ())
    native = laid.content.native()
    assert np.allclose(native, made.truth.physical(), atol=1e-5)
    assert np.allclose(native.attrs["affine"], made.truth.affine)
    assert (native.attrs["units"], native.attrs["dose_summation_type"]) == ("Gy", "plan")
    assert_resampled(laid.volume(0), POINTS, made.truth)


def assert_resampled(found, points, truth):
    at = (points - truth.affine[:3, 3]) @ np.linalg.inv(truth.affine[:3, :3]).T
    top = np.array(truth.stored.shape[::-1]) - 1
    inside = ((at > -1e-6) & (at < top + 1e-6)).all(axis=-1)
    assert inside.any()
    assert not inside.all()
    assert np.array_equal(np.isnan(found), ~inside)
    assert np.allclose(found[inside], dose_at(points[inside]), atol=1e-4)


def test_dose_on_oblique_images():
    images = mr_oblique(rows=24, columns=20, slices=8, spacing=(6.0, 4.0, 4.0))
    made = dose_on(images)
    assert_resampled(lay(made.datasets[0], phantom_stack(images)).volume(0), images.truth.points(), made.truth)


def test_resampling_is_said():
    laid = lay(dose_on(CT).datasets[0], STACK)
    assert any("trilinear" in note for note in laid.overlay.notes)
    array = laid.to_xarray()
    assert array.attrs["units"] == "Gy"
    assert any("trilinear" in note for note in array.attrs["notes"])
    assert np.allclose(array.attrs["affine"], CT.truth.affine)
    assert np.array_equal(laid.plane(0, 0, 4), laid.volume(0)[4], equal_nan=True)


def test_uneven_planes_keep_their_places():
    dataset = dose_on(CT, shape=(4, 20, 24)).datasets[0]
    heights = np.array([0.0, 5.0, 12.0, 15.0])
    affine = np.diag([4.0, 4.0, 5.0, 1.0])
    affine[:3, 3] = dataset.ImagePositionPatient
    grid = Grid((4, 20, 24), affine)
    planes = [grid.plane(height / 5) for height in heights]
    dataset.GridFrameOffsetVector = list(heights)
    dataset.PixelData = np.rint(np.stack([dose_at(p) for p in planes]) / 1e-6).astype(np.uint32).tobytes()
    laid = lay(dataset, STACK)
    volume = laid.volume(0)
    known = ~np.isnan(volume)
    assert known.sum() > 500
    assert np.allclose(volume[known], dose_at(POINTS[known]), atol=1e-4)
    assert any("not evenly spaced" in note for note in laid.overlay.notes)
    assert laid.content.native().attrs["evenly_spaced"] is False


@pytest.mark.parametrize("offsets", [[7.0, 12, 17, 22], [0.0, 5, 10], [0.0, 5, 5, 10]])
def test_offsets_that_say_no_place_are_refused(offsets):
    dataset = dose_on(CT, shape=(4, 20, 24)).datasets[0]
    dataset.GridFrameOffsetVector = offsets
    with pytest.raises((BadPixels, NotYetShown)):
        lay(dataset, STACK)


def test_another_frame_of_reference_is_refused():
    dataset = dose_on(CT).datasets[0]
    dataset.FrameOfReferenceUID = "1.2.3"
    with pytest.raises(NotYetShown, match="frame of reference"):
        lay(dataset, STACK)
    image = Dataset()  # that it names the images does not bring it to their place
    image.ReferencedSOPClassUID, image.ReferencedSOPInstanceUID = (
        CT.datasets[0].SOPClassUID,
        CT.datasets[0].SOPInstanceUID,
    )
    dataset.ReferencedImageSequence = [image]
    with pytest.raises(NotYetShown, match="frame of reference"):
        lay(dataset, STACK)


@pytest.mark.parametrize("scaling", [None, "", "0", "-1"])
def test_without_dose_grid_scaling_there_are_no_values(scaling):
    dataset = dose_on(CT).datasets[0]
    if scaling is None:
        del dataset.DoseGridScaling
    else:
        dataset.DoseGridScaling = scaling
    with pytest.raises(NotYetShown, match="Dose Grid Scaling"):
        lay(dataset, STACK)


def test_real_dose_is_as_pydicom_reads_it(data):
    for name in ("rtdose.dcm", "rtdose_expb.dcm", "rtdose_rle.dcm", "rtdose_1frame.dcm"):
        path = data / "pydicom_test_files" / name
        dataset = dcmread(path)
        images = ct_phantom(rows=24, columns=24, slices=6, spacing=(10.0, 20.0, 20.0))
        for image in images.datasets:
            image.FrameOfReferenceUID = dataset.FrameOfReferenceUID
        laid = lay(path, phantom_stack(images))
        expected = dataset.pixel_array.reshape(-1, 10, 10) * float(dataset.DoseGridScaling)
        native = laid.content.native()
        order = np.argsort(dataset.GridFrameOffsetVector) if len(expected) > 1 else [0]
        assert np.allclose(native, expected[order], rtol=1e-6)
        assert native.attrs["units"] == laid.overlay.unit == "relative"
