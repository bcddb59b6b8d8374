"""A PET in uptake values: the phantom's activities times the factor, and what says so."""

import json
from pathlib import Path

import numpy as np
import pydicom
import pytest

from pacs_panel.pixels.suv import NoSUV, factors, wanted
from pacs_panel.testing import ct_phantom, pet_varying_slopes
from pacs_panel.volume.pet import facts
from tests.volume.kept import SETTINGS, Objects, image_of
from tests.volume.placed import of_phantom


def pet():
    series = pet_varying_slopes(rows=24, columns=24, slices=8)
    ds = of_phantom(series).assign_attrs(units="BQML", pet=wanted(series.datasets[0]))
    ds.image.attrs = {"long_name": "intensity", "units": "BQML", "windows": [[3000.0, 6000.0, "file 1"]]}
    return series, ds


def test_known_activities_in_uptake_values():
    series, ds = pet()
    made = ds.pacs.suv()
    factor = factors(wanted(series.datasets[0])).factor
    assert made.image.dtype == np.float32
    np.testing.assert_allclose(made.image, series.truth.physical() * factor, rtol=1e-6)
    hot = max(series.truth.spheres, key=lambda sphere: sphere.value)
    k, i, j = np.rint(made.pacs.voxel(*hot.centre_lps_mm)).astype(int)
    assert float(made.image[k, i, j]) == pytest.approx(7500 * factor, rel=1e-3)
    assert made.attrs["units"] == made.image.attrs["units"] == "g/ml"
    assert made.image.attrs["windows"] == [[3000 * factor, 6000 * factor, "file 1"]]
    assert made.pacs.passport == ds.pacs.passport
    assert {name for name, _, _ in made.attrs["suv"]["sources"]} >= {"Units", "RadionuclideTotalDose", "PatientWeight"}
    assert made.attrs["provenance"][-1]["factor"] == factor
    json.dumps(made.attrs)


def test_kinds_and_products():
    _, ds = pet()
    assert ds.pacs.suv("bsa").attrs["units"] == "cm2/ml"
    made = ds.pacs.suv("lbm").pacs.resample(6.0)
    assert [step["made"] for step in made.attrs["provenance"]] == ["uptake values", "resampled"]
    assert made.attrs["suv"]["kind"] == "lbm"
    lazy = ds.chunk(slice=2).pacs.suv()
    assert lazy.image.chunks is not None


def test_refusals():
    _, ds = pet()
    with pytest.raises(NoSUV, match="already"):
        ds.pacs.suv().pacs.suv()
    with pytest.raises(NoSUV, match="no facts of a PET"):
        ds.assign_attrs(pet={}).pacs.suv()
    raw = ds.assign(image=ds.image.assign_attrs(long_name="stored values"))
    with pytest.raises(NoSUV, match="stored values"):
        raw.pacs.suv()
    with pytest.raises(NoSUV, match="PatientWeight"):
        ds.assign_attrs(pet={**ds.attrs["pet"], "PatientWeight": None}).pacs.suv()


def test_what_a_build_keeps():
    series = pet_varying_slopes(rows=8, columns=8, slices=3)
    for number, dataset in enumerate(series.datasets):
        dataset.AcquisitionTime = f"10{30 - number}00"
    objects = Objects(series.datasets)
    found = facts([(one, image_of(one)) for one in objects.kept], objects, SETTINGS)
    assert found == wanted(series.datasets[0], ["102800"])
    assert found["EarliestAcquisitionTime"].startswith("1028")
    other = Objects(ct_phantom(rows=8, columns=8, slices=3).datasets)
    assert facts([(one, image_of(one)) for one in other.kept], other, SETTINGS) == {}


def test_real_uptake_values(data: Path):
    """As they came, both series are uptake values by body weight: nothing changes but what is said of them."""
    for patient in ("STS_001", "STS_002"):
        folder = data / "ct_mr_pet_rtstruct_sts" / patient / "PET"
        files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        images = [path for path in files if pydicom.dcmread(path, specific_tags=["Modality"]).Modality == "PT"]
        objects = Objects([path.read_bytes() for path in images])
        found = facts([(one, image_of(one)) for one in objects.kept], objects, SETTINGS)
        _, ds = pet()
        made = ds.assign_attrs(pet=found).pacs.suv()
        assert made.attrs["suv"]["factor"] == 1
        np.testing.assert_array_equal(made.image, ds.image)
