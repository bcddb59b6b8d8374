from __future__ import annotations

import hashlib
import io
import tracemalloc
from dataclasses import replace

import pytest

from pacs_panel.dicom import digest
from pacs_panel.dicom.kind import kind
from pacs_panel.errors import Unreadable
from pacs_panel.model import ImageHeader

EXPLICIT = "1.2.840.10008.1.2.1"

IMAGE = ImageHeader("1", 4, 4, transfer_syntax=EXPLICIT)


@pytest.mark.parametrize("chunk", [1, 7, 1 << 20])
@pytest.mark.parametrize("offset", [0, 5, 20])
def test_digests(chunk: int, offset: int) -> None:
    data = b"a file of twenty bytes"[:20]
    source = io.BytesIO(data + b"and what follows")
    source.seek(9)
    found = digest.file_and_dataset(source, 20, offset, chunk)
    assert found.file == hashlib.sha256(data).hexdigest()
    assert found.dataset == hashlib.sha256(data[offset:]).hexdigest()


def test_a_source_that_ends_early() -> None:
    with pytest.raises(Unreadable, match="3 bytes early"):
        digest.file_and_dataset(io.BytesIO(b"short"), 8, 0)


def test_digest_takes_little_memory() -> None:
    class Zeros(io.RawIOBase):
        def seek(self, offset: int, whence: int = 0) -> int:
            return offset

        def read(self, size: int = -1) -> bytes:
            return bytes(size)

    tracemalloc.start()
    digest.file_and_dataset(Zeros(), 1 << 26, 100, 1 << 16)  # type: ignore[arg-type]
    assert tracemalloc.get_traced_memory()[1] < 1 << 18
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("sop_class", "modality", "name", "volume"),
    [
        ("2", "CT", "CT image", True),
        ("4", "MR", "MR image", True),
        ("1", "CR", "CR image", True),
        ("1.1", "DX", "DX image", True),
        ("1.2", "MG", "mammogram", True),
        ("128", "PT", "PET image", True),
        ("2.1", "CT", "enhanced CT", True),
        ("4.1", "MR", "enhanced MR", True),
        ("6.1", "US", "ultrasound", True),
        ("7", "OT", "secondary capture", True),
        ("66.4", "SEG", "segmentation", False),
        ("481.2", "RTDOSE", "RT dose", False),
        ("481.3", "RTSTRUCT", "RT structure set", False),
        ("88.33", "SR", "structured report", False),
        ("9.1.1", "ECG", "waveform", False),
        ("999", "XX", "XX image", True),
    ],
)
def test_kinds(sop_class: str, modality: str, name: str, volume: bool) -> None:
    found = kind(f"1.2.840.10008.5.1.4.1.1.{sop_class}", modality, IMAGE)
    assert (found.name, found.volume) == (name, volume)
    assert bool(found.note) != volume


def test_a_dose_has_a_volume_where_its_scaling_is_stated() -> None:
    sop_class = "1.2.840.10008.5.1.4.1.1.481.2"
    found = kind(sop_class, "RTDOSE", replace(IMAGE, slope=1e-6))
    assert (found.volume, found.speaks, found.note) == (True, True, "")
    assert not kind("1.2.840.10008.5.1.4.1.1.2", "CT", IMAGE).speaks
    assert "Dose Grid Scaling" in kind(sop_class, "RTDOSE", IMAGE).note
    assert "no pixel data" in kind(sop_class, "RTDOSE", None).note


@pytest.mark.parametrize(
    "image",
    [
        None,
        ImageHeader("1", 4, 4, transfer_syntax=EXPLICIT, samples=4, photometric="CMYK"),
        ImageHeader("1", 0, 4, transfer_syntax=EXPLICIT),
    ],
)
def test_mr_objects_without_a_volume(image: ImageHeader | None) -> None:
    found = kind("1.2.840.10008.5.1.4.1.1.4", "MR", image)
    assert found.name == "MR image"
    assert not found.volume
    assert found.note.startswith("kept; ")


def test_video_is_kept_and_explained() -> None:
    image = ImageHeader("1", 4, 4, transfer_syntax="1.2.840.10008.1.2.4.102")
    found = kind("1.2.840.10008.5.1.4.1.1.77.1.1", "ES", image)
    assert (found.name, found.volume) == ("endoscopy", False)
    assert found.note.startswith("video (MPEG-4")


def test_private_classes_and_directories() -> None:
    assert kind("1.3.12.2.1107.5.9.1", "MR", None).name == "MR object"
    assert kind("1.2.840.10008.1.3.10", "", None).name == "media directory"
