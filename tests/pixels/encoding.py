"""Objects in every transfer syntax, made by encoders that are not the package's own."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Sequence
from functools import partial

import imagecodecs
import numpy as np
from pydicom.encaps import encapsulate, encapsulate_extended

from pacs_panel.dicom import header
from pacs_panel.model import ImageHeader
from pacs_panel.settings import Settings
from tests.dicom.objects import dataset, written

UID = "1.2.840.10008.1.2."
JPEG, EXTENDED, LOSSLESS, LOSSLESS_1 = (UID + f"4.{n}" for n in (50, 51, 57, 70))
JPEG_LS, JPEG_LS_NEAR, J2K, J2K_ANY, J2K_PART2 = (UID + f"4.{n}" for n in (80, 81, 90, 91, 92))
HTJ2K, HTJ2K_RPCL, HTJ2K_ANY = (UID + f"4.{n}" for n in (201, 202, 203))
JPEG_XL, JPEG_XL_JPEG, JPEG_XL_ANY = (UID + f"4.{n}" for n in (110, 111, 112))
RLE, RAW_FRAMES, DEFLATED_FRAMES = UID + "5", UID + "1.98", UID + "8.1"
IMPLICIT, EXPLICIT, DEFLATED, BIG = "1.2.840.10008.1.2", UID + "1", UID + "1.99", UID + "2"
NATIVE = (IMPLICIT, EXPLICIT, DEFLATED, BIG)


def image(data: bytes) -> ImageHeader:
    found = header.image(io.BytesIO(data), len(data), Settings())
    assert found is not None
    return found


def rle(patterns: np.ndarray) -> bytes:
    """One frame by PS3.5 Annex G: a segment for each byte of a sample, the highest first, sample after sample."""
    width = patterns.dtype.itemsize
    samples = np.atleast_3d(patterns)
    planes = [
        np.ascontiguousarray(samples[..., n]).view(np.uint8).reshape(-1, width)[:, byte]
        for n in range(samples.shape[2])
        for byte in reversed(range(width))
    ]
    segments = [bytes(imagecodecs.packbits_encode(np.ascontiguousarray(plane))) for plane in planes]
    segments = [segment + b"\0" * (len(segment) % 2) for segment in segments]
    offsets = [64 + sum(map(len, segments[:n])) for n in range(len(segments))]
    return struct.pack("<16I", len(segments), *offsets, *[0] * (15 - len(segments))) + b"".join(segments)


def deflate(data: bytes) -> bytes:
    engine = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return engine.compress(data) + engine.flush()


def narrow(patterns: np.ndarray, bits: int) -> np.ndarray:
    """Encoders want 8-bit samples in bytes, even where DICOM allocates more."""
    return patterns.astype(np.uint8) if bits <= 8 else patterns


def jpeg_lossless(patterns: np.ndarray, bits: int, predictor: int = 1) -> bytes:
    space = {"colorspace": "RGB", "outcolorspace": "RGB"} if patterns.ndim == 3 else {}
    options = {"lossless": True, "predictor": predictor, "bitspersample": max(2, bits), **space}
    return bytes(imagecodecs.jpeg8_encode(narrow(patterns, bits), **options))


def jpeg_ls(patterns: np.ndarray, bits: int) -> bytes:
    return bytes(imagecodecs.jpegls_encode(narrow(patterns, bits), bitspersample=max(2, bits)))


def jpeg_2000(patterns: np.ndarray, bits: int) -> bytes:
    options = {"level": 0, "reversible": True, "codecformat": "j2k", "bitspersample": bits}
    return bytes(imagecodecs.jpeg2k_encode(narrow(patterns, bits), **options))


def htj2k(patterns: np.ndarray, bits: int) -> bytes:
    return bytes(imagecodecs.htj2k_encode(narrow(patterns, bits), bitspersample=bits))


def jpeg_xl(patterns: np.ndarray, bits: int) -> bytes:
    return bytes(imagecodecs.jpegxl_encode(narrow(patterns, bits), lossless=True, bitspersample=bits))


ENCODERS: dict[str, Callable[[np.ndarray, int], bytes]] = {
    LOSSLESS: partial(jpeg_lossless, predictor=6),
    LOSSLESS_1: jpeg_lossless,
    JPEG_LS: jpeg_ls,
    JPEG_LS_NEAR: jpeg_ls,
    J2K: jpeg_2000,
    J2K_ANY: jpeg_2000,
    J2K_PART2: jpeg_2000,
    HTJ2K: htj2k,
    HTJ2K_RPCL: htj2k,
    HTJ2K_ANY: htj2k,
    JPEG_XL: jpeg_xl,
    JPEG_XL_ANY: jpeg_xl,
    RLE: lambda patterns, bits: rle(patterns),
    RAW_FRAMES: lambda patterns, bits: patterns.tobytes(),
    DEFLATED_FRAMES: lambda patterns, bits: deflate(patterns.tobytes()),
}


def file_of(
    patterns: np.ndarray,
    syntax: str,
    *,
    bits: int,
    signed: bool = False,
    photometric: str = "",
    frames: Sequence[bytes] | None = None,
    value: bytes | None = None,
    **values: object,
) -> bytes:
    """An object of these bit patterns (unsigned).

    Parameters
    ----------
    patterns : ndarray
        ``(frames, rows, columns[, samples])``.
    frames : sequence of bytes, optional
        Codestreams, where they are not to be encoded here.
    value : bytes, optional
        The whole value of Pixel Data.
    """
    samples = patterns.shape[3] if patterns.ndim == 4 else 1
    width = 8 * patterns.dtype.itemsize
    ds = dataset(
        NumberOfFrames=len(patterns),
        Rows=patterns.shape[1],
        Columns=patterns.shape[2],
        SamplesPerPixel=samples,
        PhotometricInterpretation=photometric or ("MONOCHROME2" if samples == 1 else "RGB"),
        BitsAllocated=width,
        BitsStored=bits,
        HighBit=bits - 1,
        PixelRepresentation=int(signed),
    )
    if samples > 1:
        ds.PlanarConfiguration = 0
    for keyword, given in values.items():
        setattr(ds, keyword, given)
    if syntax in NATIVE:
        value = value if value is not None else native(patterns, syntax)
        ds.PixelData = value + b"\0" * (len(value) % 2)
        ds["PixelData"].VR = "OW" if width > 8 or syntax in (IMPLICIT, BIG) else "OB"
        return written(ds, syntax)
    streams = frames if frames is not None else [ENCODERS[syntax](one, bits) for one in patterns]
    ds.PixelData = value if value is not None else encapsulate([bytes(stream) for stream in streams])
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    return relabelled(written(ds, RLE), syntax)


def relabelled(data: bytes, syntax: str) -> bytes:
    """An RLE file under another transfer syntax, such as those of later editions than pydicom knows."""
    old = b"\x02\0\x10\0UI\x14\0" + RLE.encode() + b"\0"
    uid = syntax.encode() + b"\0" * (len(syntax) % 2)
    new = b"\x02\0\x10\0UI" + struct.pack("<H", len(uid)) + uid
    assert old in data
    length = struct.unpack("<I", data[140:144])[0] + len(new) - len(old)
    return (data[:140] + struct.pack("<I", length) + data[144:]).replace(old, new, 1)


def native(patterns: np.ndarray, syntax: str) -> bytes:
    if syntax != BIG:
        return patterns.tobytes()
    if patterns.dtype.itemsize > 1:
        return patterns.astype(patterns.dtype.newbyteorder(">")).tobytes()
    data = patterns.tobytes() + b"\0" * (patterns.size % 2)
    return np.frombuffer(data, "u2").byteswap().tobytes()


def with_extended_table(patterns: np.ndarray, syntax: str, bits: int) -> bytes:
    """An object whose Basic Offset Table is empty and which has an Extended one."""
    streams = [ENCODERS[syntax](one, bits) for one in patterns]
    value, table, lengths = encapsulate_extended(streams)
    return file_of(
        patterns, syntax, bits=bits, value=value, ExtendedOffsetTable=table, ExtendedOffsetTableLengths=lengths
    )
