"""Uptake factors by hand, from headers as vendors write them; and what is refused."""

import json
import math
from pathlib import Path
from typing import Any

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset

from pacs_panel.errors import PacsPanelError
from pacs_panel.pixels.suv import NoSUV, factors, wanted
from pacs_panel.testing import pet_varying_slopes

HALF_LIFE = 6586.2
HEADER: dict[str, Any] = {
    "Units": "BQML",
    "CorrectedImage": "DECY\\ATTN\\SCAT",
    "DecayCorrection": "START",
    "PatientWeight": 70.0,
    "PatientSize": 1.75,
    "PatientSex": "M",
    "SeriesDate": "20240115",
    "SeriesTime": "093000",
    "AcquisitionDate": "20240115",
    "AcquisitionTime": "093000.00",
    "Radiopharmaceuticals": 1,
    "RadionuclideTotalDose": 350e6,
    "RadionuclideHalfLife": HALF_LIFE,
    "RadiopharmaceuticalStartTime": "083000",
}


def header(**changes: Any) -> dict[str, Any]:
    """The header above with some values changed, or left out where ``None``."""
    return {key: value for key, value in (HEADER | changes).items() if value is not None}


def expected(seconds: float, body: float = 70e3) -> float:
    return body / (350e6 * 0.5 ** (seconds / HALF_LIFE))


def test_by_hand():
    found = factors(HEADER)
    assert found.factor == pytest.approx(70e3 / (350e6 * math.exp(-math.log(2) * 3600 / 6586.2)), rel=1e-12)
    assert found.unit == "g/ml"
    names = {name: (value, where) for name, value, where in found.sources}
    assert names["RadionuclideTotalDose"] == ("3.5e+08 Bq", "(0018,1074)")
    assert names["start of the scan"] == ("2024-01-15 09:30:00", "SeriesTime (0008,0021), (0008,0031)")
    assert names["RadiopharmaceuticalStartTime"][0] == "2024-01-15 08:30:00"
    assert names["decay since administration"][0] == "3600 s"
    assert names["PatientWeight"] == ("70 kg", "(0010,1030)")


@pytest.mark.parametrize(
    ("changes", "seconds"),
    [
        ({"DecayCorrection": "ADMIN"}, 0),
        ({"RadiopharmaceuticalStartDateTime": "20240115082000"}, 4200),
        ({"RadiopharmaceuticalStartDateTime": "20240115082000.500000"}, 4199.5),
        # Administered before midnight, scanned after.
        ({"SeriesTime": "003000", "AcquisitionTime": "003500", "RadiopharmaceuticalStartTime": "233000"}, 3600),
        # The series was made after the scan: its time is not the scan's.
        ({"SeriesTime": "110000", "GEScanDateTime": "20240115092500.00"}, 3300),
        ({"SeriesTime": "110000", "SiemensDecayCorrectionDateTime": "20240115092000.000000 "}, 3000),
        ({"SeriesTime": "110000", "EarliestAcquisitionTime": "091500.000000"}, 2700),
        # What a vendor states outright comes first; but not where dates were altered.
        ({"SiemensDecayCorrectionDateTime": "20240115092900"}, 3540),
        ({"SiemensDecayCorrectionDateTime": "20190115092900"}, 3600),
        # Series Time before the image's acquisition, but after that of the first bed position.
        ({"AcquisitionTime": "095000", "EarliestAcquisitionTime": "092000", "SeriesTime": "094000"}, 3000),
        ({"SeriesTime": "092000", "AcquisitionTime": "094000", "EarliestAcquisitionTime": "092000"}, 3000),
        # Beds on both sides of midnight.
        (
            {
                "SeriesDate": "20240116", "SeriesTime": "010000", "AcquisitionDate": "20240116",
                "AcquisitionTime": "000500", "EarliestAcquisitionTime": "235000",
                "RadiopharmaceuticalStartTime": "225000",
            },
            3600,
        ),
    ],
)  # fmt: skip
def test_when_decay_counts_from(changes: dict[str, Any], seconds: float):
    assert factors(header(**changes)).factor == pytest.approx(expected(seconds), rel=1e-12)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"RadiopharmaceuticalStartDateTime": "20240115082000+0100"}, "time zone"),
        ({"RadionuclideHalfLife": 282_240.0}, "days before"),  # Zr-89, with a time of day alone
    ],
)
def test_a_moment_that_would_be_a_guess_is_refused(changes: dict[str, Any], words: str):
    with pytest.raises(NoSUV, match=words):
        factors(header(**changes))


def test_the_scan_start_from_the_reference_time_of_a_frame():
    """A frame of 3 minutes, 10 minutes into the scan: its mean activity is a little before its middle."""
    rate = math.log(2) / HALF_LIFE
    middle = math.log(rate * 180 / (1 - math.exp(-rate * 180))) / rate
    assert 89 < middle < 90
    changes = {
        "SeriesTime": "110000", "AcquisitionTime": "094000", "FrameReferenceTime": (600 + middle) * 1000,
        "ActualFrameDuration": 180000.0,
    }  # fmt: skip
    assert factors(header(**changes)).factor == pytest.approx(expected(3600), rel=1e-9)


def test_bodies_by_hand():
    """70 kg, 1.75 m, male: 1.848 m² (Du Bois); 56.5 kg (James, 128); 55.9 kg (Janmahasatian)."""
    assert factors(HEADER, "bsa").factor / expected(3600, 1) == pytest.approx(1.8481e4, rel=1e-4)
    assert factors(HEADER, "bsa").unit == "cm2/ml"
    assert factors(HEADER, "lbm_james").factor / expected(3600, 1) == pytest.approx(56.52e3, rel=1e-4)
    assert factors(HEADER, "lbm").factor / expected(3600, 1) == pytest.approx(55.857e3, rel=1e-4)
    women = factors(header(PatientSex="F"), "lbm").factor / expected(3600, 1)
    assert women == pytest.approx(9270 * 70 / (8780 + 244 * 70 / 1.75**2) * 1e3)
    assert any("Janmahasatian" in where for _, _, where in factors(HEADER, "lbm").sources)
    assert any("Du Bois" in where for _, _, where in factors(HEADER, "bsa").sources)


def test_values_that_are_uptake_already():
    assert factors(header(Units="GML")).factor == 1
    assert factors({"Units": "GML"}).factor == 1, "nothing else is needed"
    assert factors({"Units": "GML", "SUVType": "LBMJANMA"}, "lbm").factor == 1
    assert factors({"Units": "CM2ML"}, "bsa").factor == 1
    assert factors(header(Units="GML", SUVType="BW"), "bsa").factor == pytest.approx(18481 / 70e3, rel=1e-4)
    assert factors(header(Units="GML", SUVType="LBMJAMES128")).factor == pytest.approx(70 / 56.52, rel=1e-4)
    for vague in ("LBM", "IBW"):
        with pytest.raises(NoSUV, match=f"of type {vague}"):
            factors(header(Units="GML", SUVType=vague))


def test_counts_of_philips():
    assert factors({"Units": "CNTS", "PhilipsSUVScaleFactor": 0.000551}).factor == 0.000551
    by_activity = factors(header(Units="CNTS", PhilipsActivityConcentrationScaleFactor=1.7))
    assert by_activity.factor == pytest.approx(1.7 * expected(3600))
    zero = header(Units="CNTS", PhilipsSUVScaleFactor=0.0, PhilipsActivityConcentrationScaleFactor=1.7)
    assert factors(zero).factor == by_activity.factor


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"Units": None}, "not stated"),
        ({"Units": "CNTS"}, "CNTS"),
        ({"Units": "PROPCPS"}, "PROPCPS"),
        ({"PatientWeight": None}, "PatientWeight"),
        ({"PatientWeight": 0.0}, "PatientWeight"),
        ({"PatientWeight": 70000.0}, "another unit"),
        ({"RadionuclideTotalDose": None}, "RadionuclideTotalDose"),
        ({"RadionuclideTotalDose": 350.0}, "another unit"),
        ({"RadionuclideHalfLife": None}, "RadionuclideHalfLife"),
        ({"DecayCorrection": "NONE"}, "NONE"),
        ({"DecayCorrection": None}, "not stated"),
        ({"CorrectedImage": "DECY"}, "ATTN"),
        ({"CorrectedImage": None}, "ATTN and DECY"),
        ({"Radiopharmaceuticals": 2}, "2 radiopharmaceuticals"),
        ({"Radiopharmaceuticals": 0}, "0 radiopharmaceuticals"),
        ({"RadiopharmaceuticalStartTime": None}, "Start Time"),
        ({"RadiopharmaceuticalStartTime": "093500"}, "after the scan"),
        ({"RadiopharmaceuticalStartDateTime": "20240115100000"}, "cannot be"),
        ({"RadiopharmaceuticalStartDateTime": "20230115083000"}, "cannot be"),
        ({"SeriesTime": "110000"}, "not clear"),
        ({"SeriesTime": None, "AcquisitionTime": None}, "not clear"),
    ],
)
def test_refusals_say_why(changes: dict[str, Any], why: str):
    with pytest.raises(NoSUV, match=why) as caught:
        factors(header(**changes))
    assert isinstance(caught.value, PacsPanelError)


def test_lean_mass_needs_sex_and_size():
    for changes, why in [
        ({"PatientSex": "O"}, "sex"),
        ({"PatientSize": None}, "Size"),
        ({"PatientSize": 175.0}, "unit"),
    ]:
        with pytest.raises(NoSUV, match=why):
            factors(header(**changes), "lbm")
        factors(header(**changes), "bw")
    with pytest.raises(NoSUV, match="kind"):
        factors(HEADER, "ibw")  # type: ignore[arg-type]


values = st.none() | st.text(max_size=20) | st.floats() | st.integers(-5, 10**10)


@given(st.dictionaries(st.sampled_from([*HEADER, "SUVType", "FrameReferenceTime", "ActualFrameDuration"]), values))
def test_any_header_gives_a_factor_or_a_reason(changes: dict[str, Any]):
    for kind in ("bw", "lbm", "bsa"):
        try:
            found = factors(header(**changes), kind)  # type: ignore[arg-type]
        except NoSUV:
            continue
        assert math.isfinite(found.factor)
        assert found.factor > 0


# -- from data sets ----------------------------------------------------------------------------------------------------


def test_the_phantom():
    dataset = pet_varying_slopes(rows=8, columns=8, slices=3).datasets[0]
    found = wanted(dataset)
    assert json.loads(json.dumps(found)) == found
    assert not {"PatientName", "PatientID", "PatientBirthDate"} & set(found)
    assert str(dataset.PatientName) not in json.dumps(found)
    assert found["RadionuclideTotalDose"] == 350e6
    start = dataset.SeriesTime
    seconds = int(start[:2]) * 3600 + int(start[2:4]) * 60 + int(start[4:6]) - (8 * 3600 + 30 * 60)
    assert factors(found).factor == pytest.approx(expected(seconds, 1000 * float(dataset.PatientWeight)))


def test_private_elements_count_only_under_their_creator():
    dataset = Dataset()
    dataset.private_block(0x0009, "GEMS_PETD_01", create=True).add_new(0x0D, "DT", "20240115092500.00")
    dataset.private_block(0x0071, "SIEMENS MED PT", create=True).add_new(0x22, "DT", "20240115092000")
    philips = dataset.private_block(0x7053, "Philips PET Private Group", create=True)
    philips.add_new(0x00, "DS", "0.00055")
    philips.add_new(0x09, "DS", "1.7")
    found = wanted(dataset)
    assert found["GEScanDateTime"] == "20240115092500.00"
    assert found["SiemensDecayCorrectionDateTime"] == "20240115092000"
    assert (found["PhilipsSUVScaleFactor"], found["PhilipsActivityConcentrationScaleFactor"]) == (0.00055, 1.7)
    other = Dataset()
    other.private_block(0x7053, "SOMEBODY ELSE", create=True).add_new(0x00, "DS", "3")
    assert wanted(other) == {"Radiopharmaceuticals": 0}


def test_unknown_private_values_are_read_as_text():
    dataset = Dataset()
    dataset.private_block(0x0009, "GEMS_PETD_01", create=True).add_new(0x0D, "UN", b"20240115092500.00 ")
    dataset.private_block(0x7053, "Philips PET Private Group", create=True).add_new(0x00, "UN", b"0.00055 ")
    found = wanted(dataset)
    assert found["GEScanDateTime"] == "20240115092500.00"
    assert found["PhilipsSUVScaleFactor"] == 0.00055


def test_the_first_of_all_acquisition_times():
    assert wanted(Dataset(), ["101500", "100000.5", "103000"])["EarliestAcquisitionTime"] == "100000.500000"
    assert wanted(Dataset(), ["000500", "235000", "001500"])["EarliestAcquisitionTime"] == "235000.000000"
    assert "EarliestAcquisitionTime" not in wanted(Dataset(), ["", "noon"])


@pytest.mark.parametrize("patient", ["STS_001", "STS_002"])
def test_real_uptake_values(data: Path, patient: str):
    """Both series are in g/ml, by body weight, as they came: the factor is 1."""
    folder = data / "ct_mr_pet_rtstruct_sts" / patient
    headers = (pydicom.dcmread(path, stop_before_pixels=True) for path in sorted(folder.rglob("*")) if path.is_file())
    dataset = next(header for header in headers if header.Modality == "PT")
    found = factors(wanted(dataset))
    assert found.factor == 1
    assert ("SUVType", "BW", "(0054,1006)") in found.sources
    assert ("Units", "GML", "(0054,1001)") in found.sources
    lean = factors(wanted(dataset), "lbm")
    assert 0.6 < lean.factor < 0.95
