"""Compressed frames to arrays, one function a transfer syntax (PS3.5 §8.2, §A.4)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

import imagecodecs
import numpy as np

from pacs_panel.errors import BadPixels
from pacs_panel.model import ImageHeader

Array = np.ndarray
UID = "1.2.840.10008.1.2."
MAX_JPEG_HEADER = 1 << 20


def decode(image: ImageHeader, data: bytes) -> Array:
    """One compressed frame as its codec gives it: ``(rows, columns)`` or ``(rows, columns, samples)``.

    Colour comes as the codec's own transform leaves it; see `converts_colour`.

    Raises
    ------
    BadPixels
        No codec, damaged data, or a codestream of another size than the header says.
    """
    codec = CODECS.get(image.transfer_syntax)
    if codec is None:
        raise BadPixels(f"no decoder for transfer syntax {image.transfer_syntax}")
    size = codestream_size(data)
    if size is not None and size[:2] != (image.rows, image.columns):
        raise BadPixels(f"the codestream has {size[0]} x {size[1]} pixels, the header {image.rows} x {image.columns}")
    if size is not None and size[2] != image.samples:
        raise BadPixels(f"the codestream has {size[2]} samples a pixel, the header {image.samples}")
    try:
        array = codec(image, data)
    except BadPixels:
        raise
    except Exception as error:  # codecs raise classes of their own
        raise BadPixels(f"the compressed frame is damaged ({type(error).__name__})") from None
    return _shaped(image, array)


def converts_colour(image: ImageHeader) -> bool:
    """Whether the codec of the image's transfer syntax gives RGB out of what the photometric interpretation says."""
    lossy_jpeg = image.transfer_syntax in (UID + "4.50", UID + "4.51")
    return lossy_jpeg or image.photometric in ("RGB", "YBR_RCT", "YBR_ICT")


def codestream_size(data: bytes) -> tuple[int, int, int] | None:
    """Rows, columns and components that a JPEG, JPEG-LS or JPEG 2000 codestream states; ``None`` for others."""
    if data[:2] == b"\xff\xd8":
        return _jpeg_size(data)
    siz = data.find(b"\xff\x4f\xff\x51", 0, 4096) if data[:4] in (b"\xff\x4f\xff\x51", b"\x00\x00\x00\x0c") else -1
    if siz < 0 or len(data) < siz + 42:
        return None
    right, bottom, left, top = struct.unpack(">IIII", data[siz + 8 : siz + 24])
    return bottom - top, right - left, int.from_bytes(data[siz + 40 : siz + 42], "big")


def _jpeg_size(data: bytes) -> tuple[int, int, int] | None:
    position = 2
    while position + 10 <= min(len(data), MAX_JPEG_HEADER) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF:  # a fill byte
            position += 1
        elif marker == 0xF7 or (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)):
            rows, columns, components = struct.unpack(">HHB", data[position + 5 : position + 10])
            return rows, columns, components
        else:
            position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return None


def _shaped(image: ImageHeader, array: Array) -> Array:
    wanted = (image.rows, image.columns) if image.samples == 1 else (image.rows, image.columns, image.samples)
    if array.shape != wanted:
        raise BadPixels(f"the decoded frame has shape {array.shape}, the header says {wanted}")
    return array


def _jpeg(image: ImageHeader, data: bytes) -> Array:
    """Baseline and extended JPEG (8 and 12 bit), colour as RGB."""
    if image.samples != 3:
        return imagecodecs.jpeg8_decode(data)
    if image.photometric.startswith("YBR"):
        return imagecodecs.jpeg8_decode(data, colorspace="YCBCR", outcolorspace="RGB")
    if b"JFIF" in data[:64] or b"Adobe" in data[:512]:  # then the codestream itself says what its colours are
        return imagecodecs.jpeg8_decode(data, outcolorspace="RGB")
    return imagecodecs.jpeg8_decode(data, colorspace="RGB", outcolorspace="RGB")


def _jpeg_lossless(image: ImageHeader, data: bytes) -> Array:
    """Lossless JPEG without any colour transform; libjpeg-turbo is the fastest of three, but the strictest."""
    try:
        if image.samples == 1:
            return imagecodecs.jpeg8_decode(data)
    except Exception:
        pass
    return np.ascontiguousarray(imagecodecs.jpegsof3_decode(data))


def _jpeg_ls(image: ImageHeader, data: bytes) -> Array:
    return imagecodecs.jpegls_decode(data)


def _jpeg_2000(image: ImageHeader, data: bytes) -> Array:
    return imagecodecs.jpeg2k_decode(data, planar=False)


def _htj2k(image: ImageHeader, data: bytes) -> Array:
    return imagecodecs.htj2k_decode(data, planar=False)


def _jpeg_xl(image: ImageHeader, data: bytes) -> Array:
    array = imagecodecs.jpegxl_decode(data)
    return array[..., 0] if array.ndim == 3 and image.samples == 1 else array


def _rle(image: ImageHeader, data: bytes) -> Array:
    """RLE (PS3.5 Annex G): one segment a byte plane; samples are planes of their own."""
    width = max(1, image.bits_allocated // 8)
    planes = image.samples
    count = -(-image.rows * image.columns * min(8, image.bits_allocated) // 8)  # 1-bit pixels are packed
    if len(data) < 64 or struct.unpack("<I", data[:4])[0] != planes * width:
        raise BadPixels("the RLE header does not fit the image")
    decoded = np.frombuffer(imagecodecs.dicomrle_decode(data, np.dtype(f"<u{width}")), f"<u{width}")
    if decoded.size < planes * count:
        raise BadPixels(f"the RLE frame gives {decoded.size} samples, {planes * count} are needed")
    if image.bits_allocated == 1:
        return _bits(image, decoded)
    array = decoded[: planes * count].reshape(planes, image.rows, image.columns)
    return array[0] if planes == 1 else np.ascontiguousarray(np.moveaxis(array, 0, -1))


def _deflated(image: ImageHeader, data: bytes) -> Array:
    """Deflated image frame compression (PS3.5 §A.4.13): the native frame, deflated."""
    bits = image.rows * image.columns * image.samples * image.bits_allocated
    native = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, bits // 8 + 2)
    if len(native) * 8 < bits:
        raise BadPixels(f"the deflated frame gives {len(native)} bytes, {-(-bits // 8)} are needed")
    if image.bits_allocated == 1:
        return _bits(image, np.frombuffer(native, np.uint8))
    return native_frame(image, native)


def _uncompressed(image: ImageHeader, data: bytes) -> Array:
    """Encapsulated uncompressed (PS3.5 §A.4.11)."""
    return native_frame(image, data)


def _bits(image: ImageHeader, packed: Array) -> Array:
    return np.unpackbits(packed, count=image.rows * image.columns, bitorder="little").reshape(image.rows, image.columns)


def native_frame(image: ImageHeader, data: bytes | memoryview, order: str = "<") -> Array:
    """Uncompressed bytes of one frame, 8 bits a sample or more, as unsigned ``(rows, columns[, samples])``."""
    dtype = np.dtype(f"{order}u{image.bits_allocated // 8}")
    count = image.rows * image.columns * image.samples
    if len(data) < count * dtype.itemsize:
        raise BadPixels(f"the frame has {len(data)} bytes, {count * dtype.itemsize} are needed")
    array = np.frombuffer(data, dtype, count)
    if image.samples == 1:
        return array.reshape(image.rows, image.columns)
    if image.planar == 1:
        return np.ascontiguousarray(np.moveaxis(array.reshape(image.samples, image.rows, image.columns), 0, -1))
    return array.reshape(image.rows, image.columns, image.samples)


CODECS: dict[str, Callable[[ImageHeader, bytes], Array]] = {
    UID + "4.50": _jpeg,
    UID + "4.51": _jpeg,
    UID + "4.57": _jpeg_lossless,
    UID + "4.70": _jpeg_lossless,
    UID + "4.80": _jpeg_ls,
    UID + "4.81": _jpeg_ls,
    UID + "4.90": _jpeg_2000,
    UID + "4.91": _jpeg_2000,
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
