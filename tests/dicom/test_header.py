"""Headers: against pydicom on every file at hand, and against crafted files."""

from __future__ import annotations

import contextlib
import io
import struct
import tracemalloc
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.filereader import read_partial
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian

from pacs_panel.attributes import ATTRIBUTES
from pacs_panel.dicom import header
from pacs_panel.errors import NotDicom, Rejected, TooLarge, Unidentified, Unreadable
from pacs_panel.model import Header, ImageHeader
from pacs_panel.settings import Settings
from tests.dicom.objects import CT, dataset, element, raw_file, with_pixels, written

SETTINGS = Settings()
WHEEL = Path(pydicom.__file__).parent / "data"
REFUSED = {  # of the real files: the ones that lack what every object must have, or end too early
    "empty_charset_LEI.dcm": Unidentified,
    "meta_missing_tsyntax.dcm": Unidentified,
    "nested_priv_SQ.dcm": Unidentified,
    "JLSL_RGB_ILV0.dcm": Unidentified,
    "JLSL_RGB_ILV1.dcm": Unidentified,
    "JLSL_RGB_ILV2.dcm": Unidentified,
    "JLSN_RGB_ILV0.dcm": Unidentified,
    "rtplan_truncated.dcm": Unreadable,
    "no_meta.dcm": NotDicom,
    "zipMR.gz": NotDicom,
}


def read(data: bytes, settings: Settings = SETTINGS) -> Header:
    return header.read(io.BytesIO(data), len(data), settings)


def image(data: bytes) -> ImageHeader:
    found = read(data).image
    assert found is not None
    return found


def dicom_files(root: Path) -> Iterator[Path]:
    for path in sorted(root.rglob("*")):
        if path.is_file() and "LICENSES" not in path.parts:
            with path.open("rb") as file:
                if path.suffix == ".dcm" or file.read(132)[128:] == b"DICM":
                    yield path


def expected(ds: pydicom.Dataset, keyword: str, number: bool) -> object:
    """What pydicom makes of one attribute; `...` where it raises."""
    try:
        value = ds.get(keyword)
    except Exception:
        return ...
    several = value if isinstance(value, (list, pydicom.multival.MultiValue)) else [value]
    if value is None or not len(several) or several[0] is None or str(several[0]).strip(" \0") == "":
        return None
    if number:
        try:
            return float(several[0])
        except ValueError:
            return None  # left out
    return "\\".join(str(v).strip(" \0") for v in several)


def differences(path: Path) -> Iterator[str]:
    """How the header that `header.read` gives differs from pydicom's."""
    with path.open("rb") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = header.read(file, path.stat().st_size, SETTINGS)
        ds, pixels = by_pydicom(path)
        for attribute in ATTRIBUTES:
            if attribute.ours or attribute.keyword in ("SOPInstanceUID", "SOPClassUID", "TransferSyntaxUID"):
                continue
            want = expected(ds, attribute.keyword, attribute.number)
            have = found.values.get(attribute.keyword)
            if want is not ... and want != have:
                yield f"{path.name} {attribute.keyword}: {have!r}, pydicom {want!r}"
        if (pixels is None) != (found.image is None):
            yield f"{path.name}: one of the two finds no pixels"
        elif pixels and found.image and found.image.pixel_length != -2 and place(found.image) != pixels:
            yield f"{path.name}: pixels at {place(found.image)}, pydicom {pixels}"


def place(found: ImageHeader) -> tuple[int, int]:
    return found.pixel_offset, found.pixel_length


def by_pydicom(path: Path) -> tuple[pydicom.Dataset, tuple[int, int] | None]:
    """Header, and place of the pixels, as pydicom finds them."""
    places: list[tuple[int, int]] = []

    def at_pixels(tag: int, vr: str | None, length: int) -> bool:
        if tag in (0x7FE00008, 0x7FE00009, 0x7FE00010):
            places.append((file.tell(), -1 if length == 0xFFFFFFFF else length))
        return bool(places)

    with path.open("rb") as file:
        return read_partial(file, at_pixels, force=True), places[0] if places else None


def test_wheel_files_read_as_pydicom_reads_them() -> None:
    paths = [path for path in dicom_files(WHEEL) if path.name not in REFUSED]
    assert len(paths) > 120
    assert [line for path in paths for line in differences(path)] == []


def test_real_files_read_as_pydicom_reads_them(data: Path) -> None:
    paths = [path for path in dicom_files(data) if path.name not in REFUSED]
    assert len(paths) > 900
    assert [line for path in paths for line in differences(path)] == []


@pytest.mark.parametrize("name", [name for name in REFUSED if not name.startswith("JLS")])
def test_wheel_files_without_identity_are_refused(name: str) -> None:
    with pytest.raises(REFUSED[name]):
        read((WHEEL / "test_files" / name).read_bytes())


def test_dicomdir_is_identified_by_its_meta() -> None:
    found = read((WHEEL / "test_files" / "dicomdirtests" / "DICOMDIR").read_bytes())
    assert found.identity.sop_class_uid == header.DICOMDIR_CLASS
    assert found.image is None


def test_image_fields() -> None:
    ds = with_pixels(np.arange(12, dtype=np.int16).reshape(3, 4))
    ds.ImagePositionPatient, ds.ImageOrientationPatient = [1.5, -2, 3], [1, 0, 0, 0, 1, 0]
    ds.PixelSpacing, ds.RescaleSlope, ds.RescaleIntercept = [0.5, 0.25], 2, -1024
    ds.WindowCenter, ds.WindowWidth, ds.WindowCenterWidthExplanation = [40, -600], [400, 1500], ["soft", "lung"]
    ds.EchoTime, ds.InstanceNumber, ds.AcquisitionTime, ds.ImageType = 2.5, 7, "101112.5", ["ORIGINAL", "PRIMARY"]
    found = image(written(ds))
    assert (found.rows, found.columns, found.signed, found.bits_stored, found.high_bit) == (3, 4, True, 16, 15)
    assert found.position == (1.5, -2.0, 3.0)
    assert found.orientation == (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    assert found.spacing == (0.5, 0.25)
    assert (found.slope, found.intercept) == (2.0, -1024.0)
    assert found.windows == ((40.0, 400.0, "soft"), (-600.0, 1500.0, "lung"))
    assert found.order == {
        "EchoTime": 2.5,
        "InstanceNumber": 7.0,
        "AcquisitionTime": "101112.5",
        "ImageType": "ORIGINAL\\PRIMARY",
    }
    assert ImageHeader.from_json(found.to_json()) == found


@pytest.mark.parametrize(
    ("dtype", "vr", "raw", "value"),
    [(np.int16, "US", 63536, -2000), (np.uint16, "SS", -1, 65535), (np.int16, "SS", -5, -5)],
)
def test_padding_has_the_sign_of_the_pixels(dtype: type, vr: str, raw: int, value: int) -> None:
    ds = with_pixels(np.zeros((2, 2), dtype))
    ds.add_new(0x00280120, vr, raw)
    assert image(written(ds)).padding == (value, value)


def test_private_b_values() -> None:
    ds = with_pixels(np.zeros((2, 2), np.uint16))
    ds.private_block(0x0019, "SIEMENS MR HEADER", create=True).add_new(0x0C, "IS", 750)
    assert image(written(ds)).order["DiffusionBValue"] == 750.0
    ds = with_pixels(np.zeros((2, 2), np.uint16))
    ds.private_block(0x0043, "GEMS_PARM_01", create=True).add_new(0x39, "IS", [1000000800, 8, 0, 0])
    assert image(written(ds, ImplicitVRLittleEndian)).order["DiffusionBValue"] == 800.0


def test_deflated_header_is_read_without_its_pixels() -> None:
    plain = with_pixels(np.ones((4, 4), np.uint16), PatientID="P1")
    found = read(written(plain, DeflatedExplicitVRLittleEndian))
    assert found.values["PatientID"] == "P1"
    assert found.image is not None
    assert found.image.pixel_length == -2


def test_deflation_bomb_is_refused() -> None:
    data = written(dataset(TextValue="x" * 4_000_000, PatientID="P1"), DeflatedExplicitVRLittleEndian)
    with pytest.raises(TooLarge):
        read(data, replace(SETTINGS, max_expansion=20))


def test_numbers_that_are_none_are_left_out() -> None:
    found = read(
        raw_file(
            element(0x00180050, "DS", b"thin"),
            element(0x00200011, "IS", b"1_0 "),
            element(0x00200013, "IS", b"9" * 60),
            element(0x00280030, "DS", b"0.5\\nan "),
            element(0x7FE00010, "OW", bytes(8)),
        )
    )
    assert not {"SliceThickness", "SeriesNumber", "InstanceNumber"} & set(found.values)
    assert found.image is not None
    assert found.image.spacing is None


def test_hostile_uids_are_data() -> None:
    hostile = b"../../etc/passwd'; DROP TABLE\xff"
    found = read(raw_file(element(0x0020000D, "UI", hostile + b"\0" * (len(hostile) % 2))))
    assert found.identity.study_uid == "../../etc/passwd'; DROP TABLE\ufffd"


@pytest.mark.parametrize("explicit", [True, False])
def test_without_preamble(explicit: bool) -> None:
    if explicit:
        data = raw_file(element(0x00100020, "LO", b"P1"))[132 + 28 :]
    else:
        data = written(dataset(PatientID="P1"), ImplicitVRLittleEndian)
        data = data[read(data).dataset_offset :]
    found = read(data)
    assert found.dataset_offset == 0
    assert found.values["PatientID"] == "P1"
    assert found.identity.transfer_syntax == ("1.2.840.10008.1.2.1" if explicit else "1.2.840.10008.1.2")


@pytest.mark.parametrize(
    "junk", [b"", b"x", b"<html><body>not found</body></html>" * 10, b"\x08\x00" + b"text" * 100, bytes(5000)]
)
def test_junk_is_no_dicom(junk: bytes) -> None:
    with pytest.raises(NotDicom):
        read(junk)


def test_claimed_length_beyond_the_file() -> None:
    data = raw_file(element(0x00091001, "UN", b"abc", length=0xF0000000))
    tracemalloc.start()
    with pytest.raises(Unreadable, match=rf"\(0009,1001\) claims {0xF0000000} bytes, the file has {len(data)}"):
        read(data)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_pixel_data_beyond_the_file_is_kept_as_claimed() -> None:
    whole = written(with_pixels(np.ones((4, 4), np.uint16)))
    assert image(whole[:-10]).pixel_length == 32


@pytest.mark.parametrize("depth", [100, 10_000])
@pytest.mark.parametrize("settings", [SETTINGS, replace(SETTINGS, max_depth=100_000)])
def test_deep_nesting(depth: int, settings: Settings) -> None:
    nest = element(0x00400275, "SQ", b"", length=0xFFFFFFFF) + struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    closed = struct.pack("<HHIHHI", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
    data = raw_file(nest * depth + closed * depth, element(0x00400280, "ST", b"ok"), element(0x7FE00010, "OW", b"\1\2"))
    if settings.max_depth < depth:
        with pytest.raises(TooLarge):
            read(data, settings)
    else:
        assert read(data, settings).image is not None
    with pytest.raises(Rejected):
        header.full(data + b"x" * (depth < 1000 <= settings.max_depth), replace(settings, max_depth=32))


@pytest.mark.parametrize("bad", [Unidentified, Unreadable])
def test_errors_tell_no_patient(bad: type[Rejected]) -> None:
    ds = dataset(PatientName="Secret^Name", PatientID="SECRET1")
    ds.SOPInstanceUID = ds.SOPClassUID = ""
    data = raw_file(element(0x00100010, "PN", b"Secret^Name ", 999)) if bad is Unreadable else b""
    if bad is Unidentified:
        data = bytes(128) + b"DICM" + element(0x00100010, "PN", b"Secret^Name ")
    with pytest.raises(bad) as caught:
        read(data)
    assert "secret" not in str(caught.value).lower()


def test_too_large_an_object() -> None:
    with pytest.raises(TooLarge):
        read(raw_file(), replace(SETTINGS, max_object_bytes=100))


@given(st.data())
def test_damaged_files_never_raise_anything_else(draw: st.DataObject) -> None:
    data = bytearray(
        written(with_pixels(np.ones((4, 4), np.uint16), PatientName="A^B", RequestAttributesSequence=[dataset()]))
    )
    for _ in range(draw.draw(st.integers(1, 8))):
        data[draw.draw(st.integers(128, len(data) - 1))] = draw.draw(st.integers(0, 255))
    cut = bytes(data[: draw.draw(st.integers(100, len(data)))])
    for call in (read, lambda bytes_: header.full(bytes_, SETTINGS)):
        with contextlib.suppress(Rejected):
            call(cut)


def test_source_may_stand_anywhere_and_class_is_kept() -> None:
    data = raw_file()
    source = io.BytesIO(data)
    source.seek(77)
    assert header.read(source, len(data), SETTINGS).identity.sop_class_uid == CT
