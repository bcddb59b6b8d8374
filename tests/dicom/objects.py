"""Small DICOM files, made by pydicom or byte by byte."""

from __future__ import annotations

import io
import struct

import numpy as np
from pydicom import Dataset, FileMetaDataset, dcmwrite
from pydicom.uid import ExplicitVRLittleEndian

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"


def dataset(**values: object) -> Dataset:
    """A CT header without pixels."""
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = CT, "1.2.3.4"
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.Modality = "1.2.3", "1.2.3.1", "CT"
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds


def with_pixels(array: np.ndarray, **values: object) -> Dataset:
    """A CT image of the stored values ``(rows, columns)``."""
    ds = dataset(
        Rows=array.shape[0],
        Columns=array.shape[1],
        SamplesPerPixel=1,
        PhotometricInterpretation="MONOCHROME2",
        BitsAllocated=8 * array.dtype.itemsize,
        BitsStored=8 * array.dtype.itemsize,
        HighBit=8 * array.dtype.itemsize - 1,
        PixelRepresentation=int(array.dtype.kind == "i"),
    )
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    ds.PixelData = array.tobytes() + b"\0" * (array.nbytes % 2)
    ds["PixelData"].VR = "OW" if array.dtype.itemsize > 1 else "OB"
    return ds


def written(ds: Dataset, syntax: str = ExplicitVRLittleEndian) -> bytes:
    """The bytes of a file."""
    out = io.BytesIO()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    ds.file_meta.MediaStorageSOPClassUID = ds.get("SOPClassUID", "1.2")
    ds.file_meta.MediaStorageSOPInstanceUID = ds.get("SOPInstanceUID", "1.2")
    dcmwrite(out, ds, enforce_file_format=True)
    return out.getvalue()


def element(tag: int, vr: str, value: bytes, length: int | None = None) -> bytes:
    """One explicit VR little endian element, whose length may be a lie."""
    size = len(value) if length is None else length
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr.encode()
    if vr in ("OB", "OW", "SQ", "UN", "UT"):
        return head + struct.pack("<HI", 0, size) + value
    return head + struct.pack("<H", size) + value


def raw_file(*elements: bytes, syntax: str = EXPLICIT, meta: bytes = b"") -> bytes:
    """A file of hand-made elements, after the identity of a CT image."""
    uid = syntax.encode() + b"\0" * (len(syntax) % 2)
    head = bytes(128) + b"DICM" + element(0x00020010, "UI", uid) + meta
    identity = element(0x00080016, "UI", CT.encode() + b"\0") + element(0x00080018, "UI", b"1.2.3.4\0")
    return head + identity + b"".join(elements)
