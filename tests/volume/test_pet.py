"""What a stack of PET images says of uptake values: enhanced objects, and images that disagree."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.uid import ImplicitVRLittleEndian

from pacs_panel.dicom.dataset import load
from pacs_panel.pixels.suv import NoSUV
from pacs_panel.testing import PhantomSeries, encode, pet_varying_slopes
from pacs_panel.testing.headers import dataset as as_dataset
from pacs_panel.testing.headers import instance
from pacs_panel.testing.multiframe import enhanced
from pacs_panel.testing.pets import enhanced_pet
from pacs_panel.volume import pet
from pacs_panel.volume.pet import CONVERTED, factors
from pacs_panel.volume.pet import facts as facts_of
from pacs_panel.volume.read import open_stack
from tests.volume.kept import SETTINGS, Objects, image_of

SMALL = {"rows": 16, "columns": 16, "slices": 6}
HALF_LIFE, DOSE, KILOGRAMS = 6586.2, 350e6, 70.0
SERIES = pet_varying_slopes(**SMALL)


def opened(target: Path, *datasets: Dataset) -> Any:
    Objects(datasets).build(target)
    return open_stack(target / "0")


def weight() -> float:
    return float(SERIES.datasets[0].PatientWeight)


# -- enhanced objects --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hours", [0.0, 1.0, 2.5])
def test_activities_of_an_enhanced_pet_in_uptake_values(tmp_path: Path, hours: float):
    volume = opened(tmp_path / "r", *enhanced_pet(SERIES, hours=hours).datasets)
    assert volume["image"].attrs["units"] == "Bq/ml"
    made = volume.pacs.suv()
    expected = weight() * 1000 / (DOSE * 0.5 ** (3600 * hours / HALF_LIFE))
    assert made.attrs["suv"]["factor"] == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(made["image"], SERIES.truth.physical() * expected, rtol=1e-6)
    assert made["image"].attrs["units"] == "g/ml"
    told = {name: (value, where) for name, value, where in made.attrs["suv"]["sources"]}
    assert told["Unit"] == ("Bq/ml", "Measurement Units Code Sequence (0040,08EA)")
    assert told["DecayCorrectionDateTime"][1] == "Decay Correction DateTime (0018,9701)"
    assert told["decay since administration"][0] == f"{3600 * hours:g} s"
    assert told["RadionuclideTotalDose"][0] == "3.5e+08 Bq"
    assert "PatientWeight" in told
    assert not {"Units", "DecayCorrection", "CorrectedImage"} & told.keys()
    json.dumps(made.attrs)


def test_other_kinds_are_those_of_the_classic_series(tmp_path: Path):
    """One hour before the scan, as in the classic series: both must tell the same."""
    classic = opened(tmp_path / "classic", *SERIES.datasets)
    whole = opened(tmp_path / "enhanced", *enhanced_pet(SERIES, hours=hours_of_classic()).datasets)
    for kind in ("bw", "lbm", "lbm_james", "bsa"):
        one, other = (volume.pacs.suv(kind) for volume in (classic, whole))
        assert one.attrs["suv"]["factor"] == pytest.approx(other.attrs["suv"]["factor"], rel=1e-9)
        assert one.attrs["suv"]["unit"] == other.attrs["suv"]["unit"]
        np.testing.assert_allclose(one["image"], other["image"], rtol=1e-6)


def hours_of_classic() -> float:
    time = SERIES.datasets[0].SeriesTime
    return int(time[:2]) + int(time[2:4]) / 60 + int(time[4:6]) / 3600 - 8.5


@pytest.mark.parametrize(("unit", "scale"), [("kBq/ml", 1000.0), ("Bq/mL", 1.0)])
def test_units_of_activity(tmp_path: Path, unit: str, scale: float):
    volume = opened(tmp_path / "r", *enhanced_pet(SERIES, unit=unit, hours=0).datasets)
    assert volume.pacs.suv().attrs["suv"]["factor"] == pytest.approx(scale * weight() * 1000 / DOSE)


@pytest.mark.parametrize("unit", ["g/ml{SUVbw}", "{SUVbw}g/ml"])
def test_what_is_uptake_already_stays_as_it_is(tmp_path: Path, unit: str):
    volume = opened(tmp_path / "r", *enhanced_pet(SERIES, unit=unit).datasets)
    made = volume.pacs.suv()
    assert made.attrs["suv"]["factor"] == 1
    assert [source[:2] for source in made.attrs["suv"]["sources"]] == [["Unit", unit]]
    assert volume.pacs.suv("bsa").attrs["suv"]["factor"] != 1


def without(*keywords: str) -> Callable[[Dataset], None]:
    def change(whole: Dataset) -> None:
        for keyword in keywords:
            holder = whole if keyword in whole else whole.RadiopharmaceuticalInformationSequence[0]
            delattr(holder, keyword)

    return change


def stating(**values: Any) -> Callable[[Dataset], None]:
    return lambda whole: [setattr(whole, key, value) for key, value in values.items()] and None


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (without("DecayCorrected"), r"Decay Corrected \(0018,9758\) is missing"),
        (without("AttenuationCorrected"), r"Attenuation Corrected \(0018,9759\) is missing"),
        (without("DecayCorrectionDateTime"), r"Decay Correction DateTime \(0018,9701\) is missing"),
        (without("RadionuclideTotalDose"), r"Total Dose \(0018,1074\) is missing"),
        (without("RadionuclideHalfLife"), r"Half Life \(0018,1075\) is missing"),
        (without("RadiopharmaceuticalStartDateTime"), r"Start DateTime \(0018,1078\) is missing"),
        (without("RadiopharmaceuticalInformationSequence"), r"0 radiopharmaceuticals"),
        (without("PatientWeight"), r"PatientWeight \(0010,1030\) is missing"),
        (stating(DecayCorrected="NO"), "Decay Corrected .* is NO"),
        (stating(AttenuationCorrected="NO"), "Attenuation Corrected .* is NO"),
        (stating(DecayCorrectionDateTime="20000101093000"), "cannot be"),
        (stating(DecayCorrectionDateTime="20000101"), "no date with a time"),
        (stating(DecayCorrectionDateTime="20001301093000"), "no date with a time"),
        (stating(DecayCorrectionDateTime="20240115093000+0100"), "time zone"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, change: Callable[[Dataset], None], why: str):
    (whole,) = enhanced_pet(SERIES).datasets
    change(whole)
    with pytest.raises(NoSUV, match=why):
        opened(tmp_path / "r", whole).pacs.suv()


def test_a_unit_that_is_not_stated(tmp_path: Path):
    volume = opened(tmp_path / "r", *enhanced_pet(SERIES, unit="").datasets)
    with pytest.raises(NoSUV, match="unit of the values is not stated"):
        volume.pacs.suv()
    counts = opened(tmp_path / "counts", *enhanced_pet(SERIES, unit="{counts}/s").datasets)
    with pytest.raises(NoSUV, match="counts"):
        counts.pacs.suv()


def test_a_time_zone_of_the_data_set_is_that_of_both_times(tmp_path: Path):
    (whole,) = enhanced_pet(SERIES, hours=1).datasets
    whole.TimezoneOffsetFromUTC = "+0100"
    whole.DecayCorrectionDateTime = f"{whole.StudyDate}083000+0000"  # half past nine there
    expected = weight() * 1000 / (DOSE * 0.5 ** (3600 / HALF_LIFE))
    assert opened(tmp_path / "r", whole).pacs.suv().attrs["suv"]["factor"] == pytest.approx(expected)


def converted(series: PhantomSeries) -> Dataset:
    """A legacy converted object, which keeps what its images said apart from its own attributes."""
    (whole,) = enhanced(series).datasets
    shared = {key: whole[key].value for key in ("Units", "CorrectedImage", "DecayCorrection")}
    for keyword in (*shared, "AcquisitionDate", "AcquisitionTime"):
        if keyword in whole:
            delattr(whole, keyword)
    (groups,) = whole.SharedFunctionalGroupsSequence
    groups.UnassignedSharedConvertedAttributesSequence = [as_dataset(shared)]
    for frame, image in zip(whole.PerFrameFunctionalGroupsSequence, series.datasets, strict=True):
        told = {key: image[key].value for key in ("AcquisitionDate", "AcquisitionTime", "PatientWeight")}
        frame.UnassignedPerFrameConvertedAttributesSequence = [as_dataset(told)]
    return instance(whole, {"SOPClassUID": CONVERTED})


def test_a_legacy_converted_pet_says_what_its_images_said(tmp_path: Path):
    classic = opened(tmp_path / "classic", *SERIES.datasets).pacs.suv()
    made = opened(tmp_path / "converted", converted(SERIES)).pacs.suv()
    assert made.attrs["suv"]["factor"] == pytest.approx(classic.attrs["suv"]["factor"])
    whole = converted(SERIES)
    frame = whole.PerFrameFunctionalGroupsSequence[2]
    frame.UnassignedPerFrameConvertedAttributesSequence[0].PatientWeight = "71"
    with pytest.raises(NoSUV, match="PatientWeight"):
        opened(tmp_path / "mixed", whole).pacs.suv()


# -- images that disagree ----------------------------------------------------------------------------------------------


def disagreeing(number: int = 3, **values: Any) -> list[Dataset]:
    """The phantom, with one image that says something else; what is ``None`` it does not say."""
    made = [instance(image, {}) for image in SERIES.datasets]
    for keyword, value in values.items():
        tracer = made[number].RadiopharmaceuticalInformationSequence[0]
        holder = tracer if keyword in tracer else made[number]
        if value is None:
            delattr(holder, keyword)
        else:
            setattr(holder, keyword, value)
    return made


@pytest.mark.parametrize("number", [0, 3])
@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("DecayCorrection", "ADMIN"),
        ("DecayCorrection", "NONE"),
        ("PatientWeight", "80"),
        ("PatientWeight", None),
        ("RadionuclideTotalDose", "351000000"),
        ("RadionuclideHalfLife", "6586.8"),
        ("RadiopharmaceuticalStartTime", "083100"),
        ("SeriesTime", "090000"),
        ("CorrectedImage", ["DECY", "SCAT"]),
        ("RadiopharmaceuticalInformationSequence", []),
    ],
)
def test_images_that_disagree_have_no_factor(tmp_path: Path, keyword: str, value: Any, number: int):
    volume = opened(tmp_path / "r", *disagreeing(number, **{keyword: value}))
    with pytest.raises(NoSUV, match=f"images of this stack disagree in .*{keyword[:17]}"):
        volume.pacs.suv()
    json.dumps(volume.attrs["pet"])


def test_a_disagreement_counts_where_it_matters(tmp_path: Path):
    volume = opened(tmp_path / "r", *disagreeing(PatientSize="1.9"))
    plain = opened(tmp_path / "plain", *SERIES.datasets)
    assert volume.pacs.suv().attrs["suv"] == plain.pacs.suv().attrs["suv"]
    for kind in ("lbm", "bsa"):
        with pytest.raises(NoSUV, match="disagree in PatientSize"):
            volume.pacs.suv(kind)


def test_images_of_other_units_are_another_stack(tmp_path: Path):
    revision = Objects(disagreeing(Units="CNTS")).build(tmp_path / "r")
    assert [len(stack.members) for stack in revision.stacks] == [5, 1]


def test_beds_that_follow_each_other_agree(tmp_path: Path):
    """What differs from bed to bed is when it was acquired, not to which moment its activities are corrected."""
    made = [instance(image, {}) for image in SERIES.datasets]
    for number, image in enumerate(made):
        image.AcquisitionTime = f"09{40 + number // 2 * 3:02}00"
        image.FrameReferenceTime = str(1000 * number)
    volume = opened(tmp_path / "r", *made)
    plain = opened(tmp_path / "plain", *SERIES.datasets)
    assert "Differing" not in volume.attrs["pet"]
    assert volume.pacs.suv().attrs["suv"]["factor"] == pytest.approx(plain.pacs.suv().attrs["suv"]["factor"])


@pytest.mark.parametrize("advanced", [False, True])
def test_a_scan_that_passes_midnight(tmp_path: Path, advanced: bool):
    """Whether or not scanners write the next day's date into what they acquire after it."""
    made = [instance(image, {}) for image in SERIES.datasets]
    for number, image in enumerate(made):
        image.SeriesDate = image.AcquisitionDate = "20240131"
        image.SeriesTime = "235500"
        image.AcquisitionTime = "235500" if number < 3 else "000100"
        if number >= 3 and advanced:
            image.AcquisitionDate = "20240201"
        image.RadiopharmaceuticalInformationSequence[0].RadiopharmaceuticalStartDateTime = "20240131225500"
    factor = opened(tmp_path / "r", *made).pacs.suv().attrs["suv"]["factor"]
    assert factor == pytest.approx(weight() * 1000 / (DOSE * 0.5 ** (3600 / HALF_LIFE)))
    backwards = opened(tmp_path / "b", *made[::-1]).pacs.suv().attrs["suv"]["factor"]
    assert backwards == pytest.approx(factor)


def test_a_date_is_believed_where_the_series_began_before(tmp_path: Path):
    made = [instance(image, {}) for image in SERIES.datasets]
    for number, image in enumerate(made):
        image.SeriesDate = image.AcquisitionDate = "20240131"
        image.SeriesTime = "000050"
        image.AcquisitionTime = "000100" if number < 3 else "235500"
        image.RadiopharmaceuticalInformationSequence[0].RadiopharmaceuticalStartDateTime = "20240131000000"
    facts = opened(tmp_path / "r", *made).attrs["pet"]
    assert facts["AcquisitionDate"] == "20240131"


def test_each_image_is_asked_once_and_what_cannot_be_read_is_passed_over():
    objects = Objects(SERIES.datasets)
    members = [(one, image_of(one)) for one in objects.kept] * 2
    opens = []

    def opener(location: Any) -> Any:
        opens.append(location.path)
        if location.path == "0":
            raise OSError("gone")
        return objects(location)

    found = facts_of(members, opener, SETTINGS)
    assert opens == [str(number) for number in range(len(SERIES.datasets))]
    assert factors(found, "bw").factor > 0
    assert facts_of(members[:1], opener, SETTINGS) == {}


@pytest.mark.parametrize("implicit", [False, True])
def test_images_that_say_the_same_are_parsed_once(monkeypatch: pytest.MonkeyPatch, implicit: bool):
    made = [instance(image, {}) for image in SERIES.datasets]
    for number, image in enumerate(made):
        image.AcquisitionTime = f"09{30 + number // 2:02}00"
    made[5].private_block(0x0009, "GEMS_PETD_01", create=True).add_new(0x0D, "DT", f"{made[5].StudyDate}093000")
    objects = Objects([as_file(image, implicit) for image in made])
    parsed = []
    monkeypatch.setattr(pet, "load", lambda *told: parsed.append(1) or load(*told))
    members = [(one, image_of(one)) for one in objects.kept]
    found = facts_of(members, objects, SETTINGS)
    assert len(parsed) == 4  # three beds, and the last with a private element
    one_by_one = [facts_of([member], objects, SETTINGS) for member in members]
    assert {**found, "EarliestAcquisitionTime": ""} == {**one_by_one[0], "EarliestAcquisitionTime": ""}
    assert [told.get("GEScanDateTime", "") for told in one_by_one] == [""] * 5 + [f"{made[5].StudyDate}093000"]


def as_file(dataset: Dataset, implicit: bool) -> bytes:
    if not implicit:
        return encode(dataset)
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    file = BytesIO()
    dataset.save_as(file, enforce_file_format=True, implicit_vr=True, little_endian=True)
    return file.getvalue()


def test_the_phantom_is_an_enhanced_pet():
    (whole,) = enhanced_pet(SERIES).datasets
    assert whole.SOPClassUID == "1.2.840.10008.5.1.4.1.1.130"
    assert "Units" not in whole
    assert encode(whole)[128:132] == b"DICM"
