from __future__ import annotations

import io
import json
import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from pacs_panel.dicom import header
from pacs_panel.dicom.equal import same_meaning
from pacs_panel.errors import Rejected
from pacs_panel.settings import Settings
from tests.dicom.objects import element, raw_file, with_pixels, written

SETTINGS = Settings()
WHEEL = Path(pydicom.__file__).parent / "data" / "test_files"


def sample() -> Dataset:
    ds = with_pixels(np.ones((4, 4), np.uint16), PatientName="Äneas^R=山", SpecificCharacterSet="ISO_IR 192")
    code = Dataset()
    code.CodeValue, code.CodeMeaning = "T-1", "Liver"
    ds.AnatomicRegionSequence = [code, Dataset()]
    ds.RedPaletteColorLookupTableData = bytes(5000)
    ds.add_new(0x00189073, "FD", float("nan"))
    return ds


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
)
def test_json_model(syntax: str) -> None:
    ds = sample()
    if syntax == ExplicitVRBigEndian:
        del ds.RedPaletteColorLookupTableData
        ds.RedPaletteColorLookupTableData = bytes(5000)
    out = header.full(io.BytesIO(written(ds, syntax)), SETTINGS)
    assert out["00100010"] == {"vr": "PN", "Value": [{"Alphabetic": "Äneas^R", "Ideographic": "山"}]}
    assert out["00082218"]["Value"][0]["00080104"] == {"vr": "LO", "Value": ["Liver"]}
    assert out["00281201"] == {"vr": "OW", "omitted": 5000}
    assert out["00189073"]["Value"] == ["nan"]
    assert out["7FE00010"] == {"vr": "OW", "omitted": -2 if syntax == DeflatedExplicitVRLittleEndian else 32}
    assert not any(tag.startswith("0002") for tag in out)
    json.dumps(out, allow_nan=False)


def test_rows() -> None:
    rows = header.rows(header.full(written(sample()), SETTINGS))
    assert ("(0010,0010)", "PatientName", "PN", "Äneas^R=山", 0) in rows
    assert ("(0028,1201)", "RedPaletteColorLookupTableData", "OW", "5000 bytes", 0) in rows
    at = rows.index(("(0008,2218)", "AnatomicRegionSequence", "SQ", "2 items", 0))
    assert rows[at + 1 : at + 5] == [
        ("", "item 1", "", "", 1),
        ("(0008,0100)", "CodeValue", "SH", "T-1", 1),
        ("(0008,0104)", "CodeMeaning", "LO", "Liver", 1),
        ("", "item 2", "", "", 1),
    ]


def test_a_bad_value_is_shown_as_text() -> None:
    out = header.full(raw_file(element(0x00280008, "IS", b"1A"), element(0x00280010, "US", b"\1\2\3")), SETTINGS)
    assert out["00280008"] == {"vr": "IS", "Value": ["1A"]}
    assert out["00280010"]["vr"] == "US"


def test_every_wheel_file_is_readable_json() -> None:
    done = 0
    for path in sorted(WHEEL.rglob("*.dcm")):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                out = header.full(path.read_bytes(), SETTINGS)
            except Rejected:
                continue
        json.dumps(out, allow_nan=False)
        assert len(header.rows(out)) >= len(out)
        done += 1
    assert done > 70


def test_bad_values_reach_no_log(caplog: pytest.LogCaptureFixture) -> None:
    data = raw_file(element(0x00100030, "DA", b"SECRET-BIRTH"), element(0x0020000D, "UI", b"SECRET-UID"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert header.full(data, SETTINGS)["00100030"] == {"vr": "DA", "Value": ["SECRET-BIRTH"]}
        assert same_meaning(data, data, SETTINGS)
    assert "SECRET" not in caplog.text
