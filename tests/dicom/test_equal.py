"""Equal meaning in other encodings, and what differs."""

from __future__ import annotations

import io
from collections.abc import Callable
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
    JPEGLSLossless,
    RLELossless,
)

from pacs_panel.dicom.equal import difference, same_meaning
from pacs_panel.settings import Settings
from tests.dicom.objects import with_pixels, written

SETTINGS = Settings()
NATIVE = [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
RNG = np.random.default_rng(7)
PIXELS = RNG.integers(-1000, 3000, (16, 12), dtype=np.int16)


def sample(pixels: np.ndarray = PIXELS, **values: object) -> Dataset:
    ds = with_pixels(pixels, PatientName="A^B", WindowCenter=[40, 300], PixelSpacing=["0.50", "0.5"], **values)
    private = ds.private_block(0x0041, "A PRIVATE CREATOR", create=True)
    private.add_new(0x01, "LO", "hidden")
    private.add_new(0x02, "US", [1, 2])
    item = Dataset()
    item.CodeValue, item.CodeMeaning = "T-1", "Liver"
    private.add_new(0x03, "SQ", [item])
    ds.AnatomicRegionSequence = [Dataset.from_json(item.to_json())]
    return ds


def encoded(syntax: str) -> bytes:
    ds = sample()
    if syntax == ExplicitVRBigEndian:
        ds.PixelData = PIXELS.astype(">i2").tobytes()
        ds["PixelData"].VR = "OW"
    if syntax in (RLELossless, JPEGLSLossless):
        ds = pydicom.dcmread(io.BytesIO(written(ds)))
        ds.compress(syntax, generate_instance_uid=False)
    return written(ds, syntax)


@pytest.mark.parametrize("syntax", [*NATIVE, RLELossless, JPEGLSLossless])
def test_the_same_in_another_transfer_syntax(syntax: str) -> None:
    plain = encoded(ExplicitVRLittleEndian)
    assert difference(plain, encoded(syntax), SETTINGS) == []
    assert same_meaning(encoded(syntax), plain, SETTINGS)


def change_pixel(ds: Dataset) -> None:
    ds.PixelData = (
        (PIXELS + (np.arange(PIXELS.size).reshape(PIXELS.shape) == 5) * np.int16(3)).astype(np.int16).tobytes()
    )


def remove(keyword: str) -> Callable[[Dataset], None]:
    return lambda ds: delattr(ds, keyword)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda ds: setattr(ds, "PatientName", "A^C"), ("PatientName", "A^B", "A^C")),
        (lambda ds: setattr(ds, "StudyDescription", "new"), ("StudyDescription", "", "new")),
        (remove("Modality"), ("Modality", "CT", "")),
        (lambda ds: setattr(ds, "WindowCenter", [40, 301]), ("WindowCenter", "40.0\\300.0", "40.0\\301.0")),
        (
            lambda ds: setattr(ds.AnatomicRegionSequence[0], "CodeMeaning", "Lung"),
            ("AnatomicRegionSequence[0].CodeMeaning", "Liver", "Lung"),
        ),
        (lambda ds: ds.AnatomicRegionSequence.append(Dataset()), ("AnatomicRegionSequence", "1 items", "2 items")),
        (lambda ds: ds[0x00411001].__setattr__("value", "other"), ("(0041,1001)", "hidden", "other")),
        (change_pixel, ("PixelData", "", "1 values differ, by at most 3")),
        (
            lambda ds: setattr(ds, "PhotometricInterpretation", "MONOCHROME1"),
            ("PhotometricInterpretation", "MONOCHROME2", "MONOCHROME1"),
        ),
    ],
)
def test_a_change_is_named(change: Callable[[Dataset], None], expected: tuple[str, str, str]) -> None:
    ds = sample()
    before = written(ds)
    change(ds)
    after = written(ds)
    assert difference(before, after, SETTINGS) == [expected]
    assert not same_meaning(before, after, SETTINGS)


def test_private_change_hidden_by_implicit_vr() -> None:
    other = sample()
    other[0x00411003].value[0].CodeMeaning = "Lung"
    found = difference(encoded(ExplicitVRLittleEndian), written(other, ImplicitVRLittleEndian), SETTINGS)
    assert found == [("(0041,1003)[0].CodeMeaning", "Liver", "Lung")]


def test_charset_is_encoding() -> None:
    a = written(sample(SpecificCharacterSet="ISO_IR 100", StudyDescription="Schädel"))
    b = written(sample(SpecificCharacterSet="ISO_IR 192", StudyDescription="Schädel"))
    assert same_meaning(a, b, SETTINGS)


def test_undecodable_pixels_are_equal_only_byte_for_byte() -> None:
    ds = sample(BitsAllocated=13)
    a = written(ds)
    change_pixel(ds)
    assert same_meaning(a, a, SETTINGS)
    assert difference(a, written(ds), SETTINGS) == [("PixelData", "", "differs in bytes, and cannot be decoded")]


def test_lost_pixels() -> None:
    ds = sample()
    a = written(ds)
    del ds.PixelData
    assert difference(a, written(ds), SETTINGS) == [("PixelData", "present", "")]


def test_one_image_in_nine_transfer_syntaxes(data: Path) -> None:
    """The files carry a number, a UID and a derivation of their own; all else, and the pixels, are equal."""
    files = sorted((data / "transfer_syntaxes_mr").rglob("*.dcm"))
    assert len(files) == 9
    contents = [path.read_bytes() for path in files]
    for content in contents[1:]:
        names = {name for name, _, _ in difference(contents[0], content, SETTINGS)}
        assert names <= ALLOWED, names
        assert "PixelData" not in names


ALLOWED = {"SOPInstanceUID", "SeriesNumber", "DerivationDescription", "DerivationCodeSequence"}


def test_what_follows_the_pixel_data_counts() -> None:
    """A signature stands behind the pixels: an object that differs there alone is another one, in any encoding."""
    from io import BytesIO

    from pydicom import Dataset, dcmread
    from pydicom.uid import ImplicitVRLittleEndian

    from pacs_panel.testing import ct_phantom, encode

    plain = encode(ct_phantom(rows=8, columns=8, slices=1).datasets[0])
    assert same_meaning(plain, encode(dcmread(BytesIO(plain)), ImplicitVRLittleEndian), Settings())
    signed = dcmread(BytesIO(plain))
    signature = Dataset()
    signature.DigitalSignatureUID = "1.2.3"
    signed.DigitalSignaturesSequence = [signature]
    for syntax in (signed.file_meta.TransferSyntaxUID, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian):
        assert not same_meaning(plain, encode(signed, syntax), Settings())
        assert same_meaning(encode(signed), encode(signed, syntax), Settings())
    other = dcmread(BytesIO(encode(signed)))
    other.DigitalSignaturesSequence[0].DigitalSignatureUID = "1.2.4"
    deflated = [encode(dataset, DeflatedExplicitVRLittleEndian) for dataset in (signed, other)]
    assert not same_meaning(*deflated, Settings())


def test_nothing_is_said_of_damaged_bytes_beside_the_answer(recwarn: pytest.WarningsRecorder) -> None:
    data = encoded(RLELossless)
    list(difference(data[:-8], data[:-8], SETTINGS))  # without the end of the last sequence of fragments
    assert not recwarn.list
