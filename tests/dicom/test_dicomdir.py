"""What a DICOMDIR lists."""

from __future__ import annotations

import zlib
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file

from pacs_panel.dicom.dicomdir import referenced_files
from pacs_panel.errors import Rejected


def test_files_in_the_order_of_the_records(data: Path) -> None:
    listed = referenced_files((data / "dicomdir_tree" / "DICOMDIR").read_bytes())
    on_disk = {
        path.relative_to(data / "dicomdir_tree").parts
        for path in (data / "dicomdir_tree").rglob("*")
        if path.is_file() and path.name != "DICOMDIR"
    }
    assert len(listed) == 31
    assert set(listed) == on_disk
    assert listed[0] == ("77654033", "CR1", "6154")


@pytest.mark.parametrize("name", ["DICOMDIR", "DICOMDIR-bigEnd", "DICOMDIR-implicit", "DICOMDIR-reordered"])
def test_every_encoding(name: str) -> None:
    path = get_testdata_file(name)
    assert path is not None
    assert len(referenced_files(Path(path).read_bytes())) == 31


def changed(value: int) -> bytes:
    dataset = pydicom.dcmread(str(get_testdata_file("DICOMDIR")))
    record = next(record for record in dataset.DirectoryRecordSequence if "ReferencedFileID" in record)
    record.RecordInUseFlag = value
    buffer = BytesIO()
    pydicom.dcmwrite(buffer, dataset)
    return buffer.getvalue()


def test_records_out_of_use_are_left_out() -> None:
    assert len(referenced_files(changed(0xFFFF))) == 31
    assert len(referenced_files(changed(0))) == 30


@pytest.mark.parametrize("damage", [b"", b"text", bytes(128) + b"DICM", bytes(5000)])
def test_what_is_no_directory_is_refused(damage: bytes) -> None:
    with pytest.raises(Rejected):
        referenced_files(damage)


def test_a_deflated_bomb_is_refused() -> None:
    start = bytes(128) + b"DICM" + b"\x02\x00\x10\x00UI\x16\x00" + b"1.2.840.10008.1.2.1.99"
    packer = zlib.compressobj(9, wbits=-15)
    element = b"\x04\x00\x20\x12SQ\x00\x00" + (64 << 20).to_bytes(4, "little")
    bomb = packer.compress(element) + b"".join(packer.compress(bytes(1 << 20)) for _ in range(64)) + packer.flush()
    with pytest.raises(Rejected):
        referenced_files(start + bomb)


def test_sequences_without_end_are_refused() -> None:
    item = b"\xfe\xff\x00\xe0\xff\xff\xff\xff" + b"\x04\x00\x20\x12SQ\x00\x00\xff\xff\xff\xff"
    deep = bytes(128) + b"DICM" + b"\x04\x00\x20\x12SQ\x00\x00\xff\xff\xff\xff" + item * 20_000
    with pytest.raises(Rejected):
        referenced_files(deep)
