"""Volumes in real-world units, against maps applied by hand."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
import xarray as xr
from pydicom import Dataset
from pydicom.uid import ImplicitVRLittleEndian

from pacs_panel.dicom import header
from pacs_panel.dicom.planes import planes
from pacs_panel.errors import NotFound, PacsPanelError
from pacs_panel.model import ImageHeader, RealWorldMap
from pacs_panel.pixels.real_world import named, of_images
from pacs_panel.settings import Settings
from pacs_panel.testing import ct_phantom, encode, mr_oblique
from pacs_panel.testing.headers import code, instance
from pacs_panel.testing.headers import dataset as made_of
from pacs_panel.testing.multiframe import enhanced
from tests.volume.placed import of_phantom

SMALL = {"rows": 20, "columns": 18, "slices": 6, "spacing": (4.0, 6.0, 6.0)}
SETTINGS = Settings()


def stored_of(series, maps, mask: np.ndarray | None = None) -> tuple[xr.Dataset, np.ndarray]:
    """A phantom in stored values, as an archive opens it, with these maps."""
    ds = of_phantom(series).assign_attrs(real_world=maps)
    stored = series.truth.stored
    ds = ds.assign(image=(ds.image.dims, stored, {"long_name": "stored values"})).chunk(slice=2)
    return (ds if mask is None else ds.assign(mask=(ds.image.dims, mask))), stored


def of_files(*datasets: Dataset, syntax: str = "1.2.840.10008.1.2.1") -> list[ImageHeader]:
    found: list[ImageHeader] = []
    for one in datasets:
        data = encode(one, syntax)
        image = header.image(BytesIO(data), len(data), SETTINGS)
        assert image is not None
        found += planes(image, BytesIO(data), SETTINGS)
    return found


def item(label: str, first: int, last: int, signed: bool = False, **rule) -> Dataset:
    made = made_of(
        {
            "LUTLabel": label, "LUTExplanation": f"about {label}", **rule,
            "MeasurementUnitsCodeSequence": [code("mm2/s", "UCUM", "mm2/s")],
            "RealWorldValueFirstValueMapped": first, "RealWorldValueLastValueMapped": last,
        }
    )  # fmt: skip
    for keyword in ("RealWorldValueFirstValueMapped", "RealWorldValueLastValueMapped"):
        made[keyword].VR = "SS" if signed else "US"
    return made


LINEAR = {"RealWorldValueSlope": 0.5, "RealWorldValueIntercept": -3.0}


def with_maps(dataset: Dataset, *items: Dataset) -> Dataset:
    made = instance(dataset, {})
    made.RealWorldValueMappingSequence = list(items)
    return made


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1", ImplicitVRLittleEndian])
@pytest.mark.parametrize("lazy", [True, False])
def test_a_map_in_every_header(syntax, lazy):
    series = mr_oblique(**SMALL)
    files = [with_maps(d, item("ADC", 100, 500, **LINEAR), item("T", 7, 8, RealWorldValueLUTData=[1.5, 2.5]))
             for d in series.datasets]  # fmt: skip
    images = of_files(*files, syntax=syntax)
    ds, stored = stored_of(series, of_images(images))
    ds = ds if lazy else ds.compute()
    assert list(ds.attrs["real_world"]) == ["ADC", "T"]
    made = ds.pacs.real_world("ADC")
    inside = (stored >= 100) & (stored <= 500)
    assert 0 < inside.mean() < 1
    np.testing.assert_array_equal(made, np.where(inside, stored * 0.5 - 3, np.nan).astype(np.float32))
    assert (made.dtype, made.name, made.chunks is None) == (np.float32, "real_world", not lazy)
    assert made.attrs == {"units": "mm2/s", "long_name": "about ADC", "label": "ADC"}
    table = np.select([stored == 7, stored == 8], [1.5, 2.5], np.nan)
    np.testing.assert_array_equal(ds.pacs.real_world("T"), table.astype(np.float32))
    with pytest.raises(PacsPanelError, match="'ADC', 'T'"):
        ds.pacs.real_world()
    with pytest.raises(NotFound, match="no map to the real world 'x'"):
        ds.pacs.real_world("x")


def test_what_is_never_kept_is_not_in_the_index():
    (image,) = of_files(with_maps(mr_oblique(**SMALL).datasets[0], item("ADC", 0, 9, **LINEAR)))
    assert len(image.real_world) == 1
    assert ImageHeader.from_json(image.to_json()).real_world == ()


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1", ImplicitVRLittleEndian])
@pytest.mark.parametrize(("signed", "bounds"), [(True, (-8, 40000 - 65536)), (False, (65528, 40000))])
def test_bounds_in_the_representation_of_the_pixels(syntax, signed, bounds):
    dataset = instance(ct_phantom(**SMALL).datasets[0], {"PixelRepresentation": int(signed)})
    for stated, numbers in ((True, (-8, 40000 - 65536)), (False, (65528, 40000))):
        (image,) = of_files(with_maps(dataset, item("a", *numbers, signed=stated, **LINEAR)), syntax=syntax)
        (one,) = image.real_world
        assert (one.first, one.last) == bounds


def test_maps_of_frames_follow_slices_wherever_they_go():
    series = mr_oblique(**SMALL)
    whole = enhanced(series).datasets[0]
    for number, group in enumerate(whole.PerFrameFunctionalGroupsSequence):
        group.RealWorldValueMappingSequence = [
            item("ADC", 0, 60000, RealWorldValueSlope=1.0 + number, RealWorldValueIntercept=0.0)
        ]
    images = of_files(whole)
    maps = of_images(images)
    ds, stored = stored_of(series, maps)
    frames = ("slice", np.arange(6) + 1)
    ds = ds.assign_coords(sop_instance_uid=("slice", [images[0].sop_instance_uid] * 6), frame_number=frames)
    expected = (stored * (1.0 + np.arange(6))[:, None, None]).astype(np.float32)
    np.testing.assert_array_equal(ds.pacs.real_world(), expected)
    np.testing.assert_array_equal(ds.isel(slice=slice(None, None, -2)).pacs.real_world(), expected[::-2])
    np.testing.assert_array_equal(ds.isel(slice=3, row=2).pacs.real_world(), expected[3, 2])
    with pytest.raises(PacsPanelError, match="open level 0"):
        ds.drop_vars("sop_instance_uid").pacs.real_world()


@pytest.mark.parametrize("shared", [True, False])
def test_a_map_lends_its_unit_only_to_values_that_are_its_own(shared):
    """Its rule holds where frames have no transform of their own; where they have another, their unit is not its."""
    for transform, expected in (
        (None, (0.5, -3.0, "mm2/s")),
        ({"RescaleSlope": "0.5", "RescaleIntercept": "-3", "RescaleType": "US"}, (0.5, -3.0, "mm2/s")),
        ({"RescaleSlope": "2", "RescaleIntercept": "0", "RescaleType": "US"}, (2.0, 0.0, "")),
    ):
        whole = enhanced(mr_oblique(**SMALL)).datasets[0]
        (common,) = whole.SharedFunctionalGroupsSequence
        for group in whole.PerFrameFunctionalGroupsSequence:
            group.RealWorldValueMappingSequence = [item("ADC", 0, 9, **LINEAR)]
            group.pop("PixelValueTransformationSequence", None)
            if transform and not shared:
                group.PixelValueTransformationSequence = [made_of(transform)]
        if transform and shared:
            common.PixelValueTransformationSequence = [made_of(transform)]
        assert {(one.slope, one.intercept, one.units) for one in of_files(whole)} == {expected}


def test_a_slice_without_a_map_has_no_values():
    series = mr_oblique(**SMALL)
    one = RealWorldMap("a", slope=2.0, intercept=1.0)
    table = RealWorldMap("b", first=0, last=1, table=(4.0, 5.0))
    maps = named([(one, (("1.0", 0), ("1.2", 1))), (table, (("1.1", 0),))])
    ds, stored = stored_of(series, maps)
    expected = np.full(stored.shape, np.nan, np.float32)
    expected[[0, 2]] = stored[[0, 2]] * 2.0 + 1
    np.testing.assert_array_equal(ds.pacs.real_world("a"), expected)
    through = np.full(stored.shape, np.nan, np.float32)
    through[1] = np.select([stored[1] == 0, stored[1] == 1], [4, 5], np.nan)
    np.testing.assert_array_equal(ds.pacs.real_world("b"), through)


def test_masked_values_are_none():
    series = mr_oblique(**SMALL)
    mask = np.random.default_rng(1).random(series.truth.stored.shape) > 0.5
    ds, stored = stored_of(series, named([(RealWorldMap("a", slope=1.0, intercept=0.0), ())]), mask)
    np.testing.assert_array_equal(ds.pacs.real_world(), np.where(mask, np.nan, stored).astype(np.float32))


def test_from_physical_values_where_stored_ones_follow():
    series = ct_phantom(**SMALL)
    truth = series.truth
    ds = of_phantom(series).assign_attrs(real_world=named([(RealWorldMap("a", slope=2.0, intercept=0.5), ())]))
    ds.image.attrs["rescale"] = {"dtype": "uint16", "slope": truth.slopes[0], "intercept": truth.intercepts[0]}
    np.testing.assert_array_equal(ds.pacs.real_world(), (truth.stored * 2.0 + 0.5).astype(np.float32))
    ds.image.attrs.pop("rescale")
    with pytest.raises(PacsPanelError, match="physical=False"):
        ds.pacs.real_world()


def test_refusals_tell_why():
    ds, _ = stored_of(mr_oblique(**SMALL), {})
    with pytest.raises(NotFound, match="no map to the real world"):
        ds.pacs.real_world()
    table = named([(RealWorldMap("b", first=0, last=1, table=(4.0, 5.0)), ())])
    with pytest.raises(PacsPanelError, match="open level 0"):
        ds.assign_attrs(real_world=table, level=1).pacs.real_world()
    table["b"][0]["table"] = []
    with pytest.raises(PacsPanelError, match="too large"):
        ds.assign_attrs(real_world=table).pacs.real_world()
