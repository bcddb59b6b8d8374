"""No bytes make anything but a document or an error of ours."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.tag import Tag

from pacs_panel.errors import PacsPanelError, TooLarge
from pacs_panel.overlay.documents import coordinates, document, summary, waveforms
from pacs_panel.overlay.documents import read as reading
from pacs_panel.settings import Settings
from pacs_panel.testing import ct_phantom, encode, sr_on
from pacs_panel.testing import documents as phantoms
from tests.overlay.documents.reading import SETTINGS, made, read, stream

REAL = (
    "seg_sm_ann_highdicom/sr_document.dcm",
    "seg_sm_ann_highdicom/sm_annotations.dcm",
    "pydicom_test_files/test-SR.dcm",
    "pydicom_test_files/rtplan.dcm",
)
EVERY_CLASS = [*reading.MAKERS, "88.22", "11.1", "11.4", "9.1.1", "104.1", "104.3", "66", "2", "77.77"]


def survived(content: bytes, settings: Settings = SETTINGS) -> bool:
    """Whether a document could be made of it; anything but an error of ours goes through."""
    try:
        one = document(BytesIO(content), settings)
        assert all(isinstance(part, str) for fact in summary(one) for part in fact)
        if hasattr(one, "to_frame"):
            one.to_frame()
        if hasattr(one, "remarks"):
            waveforms(BytesIO(content), settings)
        for group in getattr(one, "groups", ()) if hasattr(one, "coordinates") else ():
            coordinates(BytesIO(content), settings, group.number)
    except PacsPanelError:
        return False
    return True


def phantom_files() -> dict[str, bytes]:
    ct = ct_phantom(rows=8, columns=8, slices=3)
    makers: list[Callable] = [
        sr_on, phantoms.presentation_on, phantoms.key_objects_on, phantoms.pdf_on, phantoms.stl_on,
        phantoms.value_maps_on,
    ]  # fmt: skip
    return {maker.__name__: encode(maker(ct).datasets[0]) for maker in makers}


@pytest.mark.parametrize("code", EVERY_CLASS)
def test_an_object_of_which_everything_is_missing(code: str) -> None:
    assert survived(stream(made(code)).getvalue())


@pytest.mark.parametrize("name", REAL)
def test_real_files_that_are_cut_off(data: Path, name: str) -> None:
    content = (data / name).read_bytes()
    assert survived(content)
    for end in range(150, len(content), max(1, len(content) // 20)):
        survived(content[:end])


@pytest.mark.parametrize("name", REAL)
def test_real_files_with_wrong_bytes(data: Path, name: str) -> None:
    content = (data / name).read_bytes()
    for at in range(150, len(content), max(1, len(content) // 25)):
        survived(content[:at] + b"\xff" + content[at + 1 :])


@pytest.mark.parametrize(("name", "content"), phantom_files().items(), ids=lambda v: v if isinstance(v, str) else "")
def test_made_files_with_wrong_bytes(name: str, content: bytes) -> None:
    assert survived(content)
    for at in range(150, len(content), max(1, len(content) // 20)):
        survived(content[:at] + b"\xff" + content[at + 1 :])


SEQUENCES = (
    "ContentSequence", "WaveformSequence", "BeamSequence", "AnnotationGroupSequence", "RegistrationSequence",
    "GraphicAnnotationSequence", "DisplayedAreaSelectionSequence", "DoseReferenceSequence", "FractionGroupSequence",
    "ReferencedImageRealWorldValueMappingSequence", "CurrentRequestedProcedureEvidenceSequence",
    "ConceptNameCodeSequence", "ReferencedSeriesSequence", "SoftcopyVOILUTSequence",
)  # fmt: skip


def element(keyword: str, vr: str, value: bytes) -> bytes:
    """One element, explicit VR little endian."""
    tag = Tag(keyword)
    length = len(value).to_bytes(4, "little") if vr in ("OB", "UN") else len(value).to_bytes(2, "little")
    head = tag.group.to_bytes(2, "little") + tag.element.to_bytes(2, "little") + vr.encode()
    return head + (b"\0\0" if vr in ("OB", "UN") else b"") + length + value


@pytest.mark.parametrize("code", EVERY_CLASS)
@pytest.mark.parametrize("vr", ["LO", "US", "OB", "UN"])
def test_a_sequence_that_is_none(code: str, vr: str) -> None:
    keywords = (*SEQUENCES, "EncapsulatedDocument", "EncapsulatedDocumentLength", "ImageRotation")
    bad = b"".join(element(keyword, vr, b"word") for keyword in sorted(keywords, key=Tag))
    survived(encode(made(code)) + bad)


def test_a_sequence_where_bytes_or_numbers_belong() -> None:
    for keyword in ("EncapsulatedDocument", "EncapsulatedDocumentLength", "ImageRotation", "ContentLabel"):
        dataset = made("104.1")
        dataset.add_new(keyword, "SQ", [Dataset()])
        survived(stream(dataset).getvalue())


def nested(depth: int, tag: bytes) -> bytes:
    """A content sequence in a content sequence, and so on, all of undefined length."""
    head = encode(made("88.22", "SR"))
    begin = tag + b"SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    end = b"\xfe\xff\x0d\xe0\0\0\0\0" + b"\xfe\xff\xdd\xe0\0\0\0\0"
    return head + begin * depth + end * depth


def test_nesting_without_end() -> None:
    content_sequence = b"\x40\x00\x30\xa7"
    assert survived(nested(20, content_sequence))
    for depth in (100, 5000):
        with pytest.raises(TooLarge):
            read(nested(depth, content_sequence))


def test_nesting_hidden_in_elements_of_unknown_kind() -> None:
    """As UN a sequence is found only when it is asked for (PS3.5 §6.2.2)."""
    inner = b""
    for _ in range(300):
        item = b"\xfe\xff\x00\xe0" + len(inner).to_bytes(4, "little") + inner
        inner = b"\x40\x00\x30\xa7" + len(item).to_bytes(4, "little") + item
    value = inner[8:]
    unknown = b"\x40\x00\x30\xa7UN\0\0" + len(value).to_bytes(4, "little") + value
    content = encode(made("88.22", "SR")) + unknown
    try:
        nodes = list(read(content).root.walk())
    except PacsPanelError:
        return
    assert len(nodes) <= SETTINGS.max_depth


def test_errors_repeat_no_values() -> None:
    dataset = made("9.1.1", "ECG", PatientName="Secret^Name", PatientID="SECRET")
    dataset.add_new("WaveformSequence", "SQ", [Dataset()])
    with pytest.raises(PacsPanelError) as told:
        waveforms(stream(dataset), SETTINGS)
    assert "ecret" not in str(told.value).lower()


def test_a_summary_says_nothing_of_the_patient(data: Path) -> None:
    for name in REAL:
        one = read(data / name)
        words = " ".join(part for fact in summary(one) for part in fact)
        told = dcmread(data / name)
        for value in (told.PatientID, str(told.PatientName)):
            assert not value or value not in words
