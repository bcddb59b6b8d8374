"""Compressed frames to arrays, one function a transfer syntax (PS3.5 §8.2, §A.4), and why some have none."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import replace

import imagecodecs
import numpy as np

from pacs_panel.errors import BadPixels
from pacs_panel.model import ImageHeader
from pacs_panel.pixels import codestream, native
from pacs_panel.pixels.stored import shape

Array = np.ndarray
Codec = Callable[..., Array]
"""Takes an `ImageHeader` and the codestream; those of `INTO` also where to decode to."""
UID = "1.2.840.10008.1.2."
MAX_J2K_BITS = 24  # OpenJPEG gives wrong values for more
UNCOMPRESSED = ("1.2.840.10008.1.2", UID + "1", UID + "1.99", *native.BIG_ENDIAN)


def decode(image: ImageHeader, data: bytes, out: Array | None = None) -> Array:
    """One compressed frame as its codec gives it: ``(rows, columns)`` or ``(rows, columns, samples)``.

    Colour comes as the codec's own transform leaves it; see `converts_colour`. What the codestream states of its size
    is compared with the header before it is decoded, so that damaged data cannot claim more memory than the header.

    Parameters
    ----------
    out : ndarray, optional
        Unsigned and contiguous, of the frame's shape. It is decoded into, and given back, if the codec can do so and
        gives this type; otherwise what is given back is another array.

    Raises
    ------
    BadPixels
        No codec, damaged data or data cut short, or a codestream of another size than the header says.
    """
    codec = CODECS.get(image.transfer_syntax)
    if codec is None:
        raise BadPixels(why_not(image.transfer_syntax))
    size = codestream.Size(0, 0)
    if codec not in (_rle, _deflated, _uncompressed):
        size = _fitting(image, codestream.size(data))
    if codec in UNCHECKED and not codestream.ended(data):
        raise BadPixels("the compressed frame is cut short: its codestream has no end mark")
    if codec in UNNOTICED and (reason := codestream.damage(data)):
        raise BadPixels(f"the compressed frame is damaged: {reason}")
    try:
        array = codec(image, data, out) if _goes_into(codec, size, out) else codec(image, data)
    except BadPixels:
        raise
    except Exception as error:  # codecs raise classes of their own
        raise BadPixels(f"the compressed frame is damaged ({type(error).__name__})") from None
    if array.shape != shape(image):
        raise BadPixels(f"the decoded frame has shape {array.shape}, the header says {shape(image)}")
    return array


def converts_colour(image: ImageHeader) -> bool:
    """Whether the codec of the image's transfer syntax gives RGB out of what the photometric interpretation says."""
    own = image.transfer_syntax in (UID + "4.50", UID + "4.51", UID + "4.111", UID + "4.112")
    return own or image.photometric in ("RGB", "YBR_RCT", "YBR_ICT")


def why_not(transfer_syntax: str) -> str:
    """In words, why frames of this transfer syntax are not decoded; empty where they are.

    Every object is kept as it was received, whether or not its frames can be shown.
    """
    if transfer_syntax in CODECS or transfer_syntax in UNCOMPRESSED:
        return ""
    known = VIDEO.get(transfer_syntax)
    if known:
        return f"video ({known}) is kept; it is not shown as images yet"
    if transfer_syntax in ELSEWHERE:
        return "the pixel data lie on another server (JPIP); the object is kept, but there are no pixels to show"
    if transfer_syntax in RETIRED:
        return (
            f"{RETIRED[transfer_syntax]} is a retired compression; the object is kept, but its pixels cannot be shown"
        )
    name = transfer_syntax or "(none stated)"
    return f"there is no decoder for transfer syntax {name}; the object is kept, but its pixels cannot be shown"


def _fitting(image: ImageHeader, size: codestream.Size | None) -> codestream.Size:
    if size is None:
        raise BadPixels("the compressed frame is damaged: there is no codestream header")
    if (size.rows, size.columns) != (image.rows, image.columns):
        found, said = f"{size.rows} x {size.columns}", f"{image.rows} x {image.columns}"
        raise BadPixels(f"the codestream has {found} pixels, the header {said}")
    if size.samples not in (0, image.samples):
        raise BadPixels(f"the codestream has {size.samples} samples a pixel, the header {image.samples}")
    if size.bits > MAX_J2K_BITS and CODECS[image.transfer_syntax] is _jpeg_2000:
        raise BadPixels(f"JPEG 2000 of {size.bits} bits a sample cannot be decoded exactly")
    return size


def _goes_into(codec: Codec, size: codestream.Size, out: Array | None) -> bool:
    return out is not None and codec in INTO and out.dtype == (np.uint8 if size.bits <= 8 else np.uint16)


def _jpeg(image: ImageHeader, data: bytes) -> Array:
    """Baseline and extended JPEG (8 and 12 bit), colour as RGB."""
    if image.samples != 3:
        return imagecodecs.jpeg8_decode(data)
    if image.photometric.startswith("YBR"):
        return imagecodecs.jpeg8_decode(data, colorspace="YCBCR", outcolorspace="RGB")
    if b"JFIF" in data[:64] or b"Adobe" in data[:512]:  # then the codestream itself says what its colours are
        return imagecodecs.jpeg8_decode(data, outcolorspace="RGB")
    return imagecodecs.jpeg8_decode(data, colorspace="RGB", outcolorspace="RGB")


def _jpeg_lossless(image: ImageHeader, data: bytes, out: Array | None = None) -> Array:
    """Lossless JPEG without any colour transform; libjpeg-turbo is the fastest of three, but the strictest."""
    try:
        if image.samples == 1:
            return imagecodecs.jpeg8_decode(data, out=out)
    except Exception:  # the more lenient decoder has the last word, and raises where it cannot either
        pass
    return np.ascontiguousarray(imagecodecs.jpegsof3_decode(data))


def _jpeg_ls(image: ImageHeader, data: bytes, out: Array | None = None) -> Array:
    return imagecodecs.jpegls_decode(data, out=out)


def _jpeg_2000(image: ImageHeader, data: bytes) -> Array:
    return imagecodecs.jpeg2k_decode(data, planar=False)


def _htj2k(image: ImageHeader, data: bytes) -> Array:
    return imagecodecs.htj2k_decode(data, planar=False)


def _jpeg_xl(image: ImageHeader, data: bytes) -> Array:
    array = imagecodecs.jpegxl_decode(data, numthreads=1)
    if array.ndim == 3 and image.samples == 1 and (array.shape[2] == 1 or (array == array[..., :1]).all()):
        return np.ascontiguousarray(array[..., 0])
    return array


def _rle(image: ImageHeader, data: bytes) -> Array:
    """RLE (PS3.5 Annex G): one segment a byte plane; samples are planes of their own."""
    width = max(1, image.bits_allocated // 8)
    planes = image.samples
    count = -(-image.rows * image.columns * min(8, image.bits_allocated) // 8)  # 1-bit pixels are packed
    if len(data) < 64 or struct.unpack("<I", data[:4])[0] != planes * width:
        raise BadPixels("the RLE header does not fit the image")
    room = bytearray((planes * count + planes) * width)  # segments may be padded to an even length
    decoded = np.frombuffer(imagecodecs.dicomrle_decode(data, np.dtype(f"<u{width}"), out=room), f"<u{width}")
    if decoded.size < planes * count:
        raise BadPixels(f"the RLE frame gives {decoded.size} samples, {planes * count} are needed")
    if image.bits_allocated == 1:
        return native.unpacked(image, decoded)
    array = decoded[: planes * count].reshape(planes, image.rows, image.columns)
    return array[0] if planes == 1 else np.ascontiguousarray(np.moveaxis(array, 0, -1))


def _deflated(image: ImageHeader, data: bytes) -> Array:
    """Deflated image frame compression (PS3.5 §A.4.13): the native frame, deflated."""
    size = -(-image.rows * image.columns * image.samples * image.bits_allocated // 8)
    engine = zlib.decompressobj(-zlib.MAX_WBITS)
    native_frame = engine.decompress(data, size + 2)
    if not engine.eof:
        raise BadPixels("the compressed frame is damaged: its end is not where it should be")
    return _uncompressed(image, native_frame)


def _uncompressed(image: ImageHeader, data: bytes) -> Array:
    """Encapsulated uncompressed (PS3.5 §A.4.11): each frame begins a byte of its own."""
    return native.frame(replace(image, frames=1, pixel_length=len(data)), data, 0, 0)


CODECS: dict[str, Codec] = {
    UID + "4.50": _jpeg,
    UID + "4.51": _jpeg,
    UID + "4.57": _jpeg_lossless,
    UID + "4.70": _jpeg_lossless,
    UID + "4.80": _jpeg_ls,
    UID + "4.81": _jpeg_ls,
    UID + "4.90": _jpeg_2000,
    UID + "4.91": _jpeg_2000,
    UID + "4.92": _jpeg_2000,  # of part 2, whatever keeps to what part 1 has
    UID + "4.93": _jpeg_2000,
    UID + "4.110": _jpeg_xl,
    UID + "4.111": _jpeg_xl,
    UID + "4.112": _jpeg_xl,
    UID + "4.201": _htj2k,
    UID + "4.202": _htj2k,
    UID + "4.203": _jpeg_2000,  # OpenJPH's lossy results are 0.2 grey values off on average
    UID + "5": _rle,
    UID + "1.98": _uncompressed,
    UID + "8.1": _deflated,
}
# Without an end mark the first three fill in what is missing, without a word; the fourth takes seconds to see it.
UNCHECKED = (_jpeg, _jpeg_lossless, _htj2k, _jpeg_ls)
UNNOTICED = (_jpeg, _jpeg_lossless, _jpeg_2000, _htj2k)  # they give some values, whatever the data
INTO = (_jpeg_lossless, _jpeg_ls)  # to decode into an array saves the others little of their time
VIDEO = {
    **dict.fromkeys((UID + "4.100", UID + "4.100.1", UID + "4.101", UID + "4.101.1"), "MPEG-2"),
    **{f"{UID}4.{n}{part}": "MPEG-4 AVC" for n in range(102, 107) for part in ("", ".1")},
    UID + "4.107": "HEVC",
    UID + "4.108": "HEVC",
    UID + "7.1": "SMPTE ST 2110-20",
    UID + "7.2": "SMPTE ST 2110-20",
    UID + "7.3": "SMPTE ST 2110-30",
}
ELSEWHERE = (UID + "4.94", UID + "4.95", UID + "4.204", UID + "4.205")
RETIRED = {
    **{f"{UID}4.{n}": "JPEG Extended (spectral selection, progressive or hierarchical)" for n in (52, 53, 54, 55, 56)},
    UID + "4.58": "JPEG Lossless with arithmetic coding",
    **{f"{UID}4.{n}": "hierarchical JPEG" for n in range(59, 67)},
    UID + "6.1": "RFC 2557 MIME encapsulation",
    UID + "6.2": "XML encoding",
}
