"""The files say what the truth says: values by pydicom's decoder, places by each file's own header."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian, RLELossless

from pacs_panel.testing import (
    Grid,
    PhantomSeries,
    Sphere,
    cr,
    ct_missing_slice,
    ct_phantom,
    ct_tilted,
    encode,
    mr_4d,
    mr_oblique,
    pet_varying_slopes,
    turned,
    us_cine,
)

VOLUMES: list[Callable[..., PhantomSeries]] = [
    ct_phantom, ct_tilted, ct_missing_slice, mr_oblique, mr_4d, pet_varying_slopes,
]  # fmt: skip
SMALL: dict[str, Any] = {"rows": 20, "columns": 16, "slices": 7}


def reread(dataset: Dataset, syntax: str = "1.2.840.10008.1.2.1") -> Dataset:
    return dcmread(BytesIO(encode(dataset, syntax)))


def values_of(file: Dataset) -> NDArray[np.float64]:
    return file.pixel_array * float(file.get("RescaleSlope", 1)) + float(file.get("RescaleIntercept", 0))


def places_of(file: Dataset) -> NDArray[np.float64]:
    """LPS mm of the pixels' centres, by PS3.3 §C.7.6.2.1.1."""
    along_row, along_column = np.array(file.ImageOrientationPatient, float).reshape(2, 3)
    between_rows, between_columns = map(float, file.PixelSpacing)
    r, c = np.mgrid[0 : file.Rows, 0 : file.Columns]
    position = np.array(file.ImagePositionPatient, float)
    return position + (between_columns * c)[..., None] * along_row + (between_rows * r)[..., None] * along_column


@pytest.mark.parametrize("make", VOLUMES)
def test_files_hold_the_true_values_at_the_true_places(make: Callable[..., PhantomSeries]) -> None:
    series = make(**SMALL)
    truth = series.truth
    assert truth is not None
    assert truth.field is not None
    files = [reread(d) for d in series.datasets]
    shape = (len(truth.times), len(truth.slices), SMALL["rows"], SMALL["columns"])
    values = np.stack([values_of(f) for f in files]).reshape(shape)
    assert np.array_equal(values, truth.physical().reshape(shape))

    for number, file in enumerate(files):
        time, place = divmod(number, len(truth.slices))
        points = places_of(file)
        np.testing.assert_allclose(points, truth.points()[place], atol=1e-9)
        wanted = truth.field(points, truth.times[time])
        half_step = 0.5 * float(file.get("RescaleSlope", 1)) + 1e-9
        clipped = np.abs(values[time, place]) >= 32767 * 0.25
        assert (np.abs(values[time, place] - wanted) <= half_step)[~clipped].all()


@pytest.mark.parametrize("make", VOLUMES)
def test_each_sphere_is_where_and_what_it_claims(make: Callable[..., PhantomSeries]) -> None:
    series = make(**SMALL)
    truth = series.truth
    assert truth is not None
    assert truth.affine is not None
    assert len(truth.spheres) == 3
    index = np.linalg.inv(truth.affine)
    for sphere in truth.spheres:
        column, row, slice_ = np.rint((index @ (*sphere.centre_lps_mm, 1))[:3]).astype(int)
        np.testing.assert_allclose(truth.lps(slice_, row, column), sphere.centre_lps_mm, atol=1e-9)
        if slice_ in truth.slices:
            found = truth.physical()[..., truth.slices.index(slice_), row, column].flat[0]
            assert found == pytest.approx(sphere.value, abs=0.3)


def test_voxels_of_a_sphere_fill_its_volume() -> None:
    sphere = Sphere((3.0, -5.0, 11.0), 20.0, 500.0)
    truth = ct_phantom(rows=64, columns=64, slices=64, spacing=(1.0, 1.0, 1.0), spheres=(sphere,)).truth
    assert truth is not None
    counted = np.count_nonzero(truth.physical() == 500)
    assert counted / 1000 == pytest.approx(sphere.volume_ml, rel=0.01)


def test_verdicts_and_shapes_are_those_of_their_kind() -> None:
    tilted, missing, dynamic = ct_tilted(**SMALL, tilt=20).truth, ct_missing_slice(**SMALL).truth, mr_4d(**SMALL).truth
    assert tilted is not None
    assert missing is not None
    assert dynamic is not None
    assert tilted.affine is not None
    step, normal = tilted.affine[:3, 2], np.cross(tilted.affine[:3, 0], tilted.affine[:3, 1])
    cosine = step @ normal / np.linalg.norm(step) / np.linalg.norm(normal)
    assert np.degrees(np.arccos(cosine)) == pytest.approx(20)
    assert np.allclose(step, (0, 0, tilted.spacing[0]))
    upright = ct_tilted(**SMALL, tilt=0).truth
    assert upright is not None
    assert upright.verdict == "regular"
    assert (tilted.verdict, missing.verdict, dynamic.verdict) == ("sheared", "irregular", "regular")
    assert missing.slices == (0, 1, 2, 4, 5, 6)
    assert missing.stored.shape[0] == len(ct_missing_slice(**SMALL).datasets) == 6
    assert dynamic.stored.shape == (4, 7, 20, 16)
    with pytest.raises(ValueError, match="no gap would show"):
        ct_missing_slice(**SMALL, missing=0)


def test_dynamic_series_change_with_time_and_say_which_time() -> None:
    series = mr_4d(**SMALL, times=3)
    truth = series.truth
    assert truth is not None
    identifiers = [int(d.TemporalPositionIdentifier) for d in series.datasets]
    assert identifiers == [1] * 7 + [2] * 7 + [3] * 7
    middle = truth.stored[:, 3, 10, 8].astype(int)
    assert (np.diff(middle) == 25).all()


def test_pet_slopes_differ_between_slices() -> None:
    series = pet_varying_slopes(**SMALL)
    assert series.truth is not None
    assert len(set(series.truth.slopes)) == 7
    assert [float(d.RescaleSlope) for d in series.datasets] == list(series.truth.slopes)


def test_projections_have_values_and_no_place() -> None:
    for series in (us_cine(frames=3, rows=21, columns=33), cr(rows=50, columns=41)):
        truth = series.truth
        assert truth is not None
        decoded = reread(series.datasets[0]).pixel_array
        assert np.array_equal(decoded, truth.stored.reshape(decoded.shape))
        assert truth.verdict == "stack"
        with pytest.raises(ValueError, match="no place"):
            truth.points()
    assert us_cine(frames=3).datasets[0].PhotometricInterpretation == "RGB"


def test_noise_is_seeded_and_as_strong_as_asked() -> None:
    one, again, other = (ct_phantom(rows=64, columns=64, slices=3, noise=10.0, seed=s) for s in (1, 1, 2))
    assert one.truth is not None
    assert again.truth is not None
    assert other.truth is not None
    assert one.truth.field is not None
    assert np.array_equal(one.truth.stored, again.truth.stored)
    assert not np.array_equal(one.truth.stored, other.truth.stored)
    clean = one.truth.field(one.truth.points(), 0.0)
    inside = (clean > -500) & (clean < 500)
    assert (one.truth.physical() - clean)[inside].std() == pytest.approx(10, rel=0.05)
    assert one.series_uid != other.series_uid


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian, RLELossless]
)
def test_every_transfer_syntax_holds_the_same_values(syntax: str) -> None:
    series = ct_phantom(rows=9, columns=7, slices=2)
    before = [encode(d) for d in series.datasets]
    for dataset, stored in zip(series.datasets, series.truth.stored if series.truth else (), strict=True):
        file = reread(dataset, syntax)
        assert file.file_meta.TransferSyntaxUID == syntax
        assert np.array_equal(file.pixel_array, stored)
        assert file.SOPInstanceUID == dataset.SOPInstanceUID
    assert before == [encode(d) for d in series.datasets]


angles = st.floats(-180, 180)
spacings = st.floats(0.1, 12)


@settings(max_examples=25)
@given(
    turn=st.tuples(angles, angles, angles),
    spacing=st.tuples(spacings, spacings, spacings),
    origin=st.tuples(*[st.floats(-900, 900)] * 3),
    backwards=st.booleans(),
)
@pytest.mark.slow
def test_any_orientation_spacing_and_origin_can_be_asked_for(
    turn: tuple[float, float, float], spacing: tuple[float, float, float], origin: tuple[float, float, float],
    backwards: bool,
) -> None:  # fmt: skip
    directions = turned(*turn) * (1, 1, -1 if backwards else 1)
    series = mr_oblique(rows=5, columns=6, slices=3, orientation=directions, spacing=spacing, origin=origin)
    truth = series.truth
    assert truth is not None
    assert truth.affine is not None
    assert np.allclose(truth.affine[:3, :3], directions * spacing[::-1])
    assert np.allclose(truth.lps(0, 0, 0), origin)
    np.testing.assert_allclose(truth.spacing, spacing)
    for k, dataset in enumerate(series.datasets):
        np.testing.assert_allclose(places_of(reread(dataset)), truth.points()[k], atol=1e-7)


def test_a_field_does_not_depend_on_the_shape_of_the_points() -> None:
    truth = mr_oblique(**SMALL).truth
    assert truth is not None
    assert truth.field is not None
    points = truth.points()
    one_by_one = [truth.field(p[None], 0.0)[0] for p in points.reshape(-1, 3)[::53]]
    assert np.array_equal(truth.field(points, 0.0).ravel()[::53], one_by_one)


def test_changing_one_data_set_leaves_the_others_alone() -> None:
    first, second, *_ = ct_phantom(**SMALL).datasets
    before = encode(second)
    first.PatientName = "Other^Name"
    first.ImagePositionPatient[2] = 999
    first.Rows = 1
    assert encode(second) == before


def test_grid_indices_and_places_agree() -> None:
    grid = Grid((3, 4, 5), np.array([[0.5, 0, 0, 1], [0, 2, 0, 2], [0, 0, 3, 3], [0, 0, 0, 1.0]]))
    assert grid.spacing == (3, 2, 0.5)
    assert grid.plane(2).shape == (4, 5, 3)
    np.testing.assert_allclose(grid.plane(2)[3, 4], (3, 8, 9))
    np.testing.assert_allclose(grid.centre, (2, 5, 6))
