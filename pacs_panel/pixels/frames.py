"""The frames of one object, opened once and read in any order, from any thread."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from threading import Lock
from typing import BinaryIO, cast

import numpy as np
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.pixels.processing import convert_color_space

from pacs_panel.errors import BadPixels, TooLarge
from pacs_panel.model import ImageHeader
from pacs_panel.pixels import codecs, fragments, native
from pacs_panel.pixels.source import Source, fill, take
from pacs_panel.pixels.stored import INTEGERS, check, dtype, extend, shape, shift, stored
from pacs_panel.settings import Settings

Array = np.ndarray
EXPLICIT_LE = "1.2.840.10008.1.2.1"
ENCAPSULATED, INSIDE_DEFLATED = -1, -2  # pixel_length's special values
PIXEL_TAGS = (0x7FE00008, 0x7FE00009, 0x7FE00010)


class Frames:
    """Random access to the frames of one object.

    Nothing is read before the first frame is wanted; then fragments are walked, or a deflated data set is inflated,
    once. Reading from the source is serialised, decoding is not: several threads decode at once.

    Parameters
    ----------
    image : ImageHeader
        As `pacs_panel.dicom.header.read` gives it.
    source : binary file, bytes, file descriptor, or a callable that opens a binary file
        What holds the object's whole file. What a callable opens is closed by `close`.
    settings : Settings, optional
        Bounds the frame's size, and inflation.
    base_offset : int
        Where the object's file begins in ``source``, in bytes.

    Raises
    ------
    BadPixels, TooLarge
        By header, the pixels cannot be decoded.
    """

    def __init__(
        self,
        image: ImageHeader,
        source: Source | Callable[[], BinaryIO],
        settings: Settings | None = None,
        base_offset: int = 0,
    ) -> None:
        self.settings = settings or Settings()
        check(image, self.settings)
        self.image = image
        self._base = base_offset
        self._opener = source if callable(source) else None
        self._opened: BinaryIO | None = None
        self._source: Source = b"" if callable(source) else source
        self._lock = Lock()
        self._here: ImageHeader | None = None
        self._failed: BadPixels | TooLarge | None = None
        self._groups: list[list[fragments.Fragment]] = []

    def __len__(self) -> int:
        return self.image.frames

    def __enter__(self) -> Frames:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Array | BadPixels]:
        """Every frame in order; for one that cannot be decoded, the error."""
        for index in range(len(self)):
            try:
                yield self.read(index)
            except BadPixels as error:
                yield error

    def close(self) -> None:
        """Close what was opened here, and forget what was read; no frame can be read any more."""
        with self._lock:
            self._release()
            self._here, self._source = None, b""
            self._failed = BadPixels("the frames are closed")

    def _release(self) -> None:
        if self._opened is not None:
            self._opened.close()
        self._opened = None

    def read(self, index: int) -> Array:
        """Stored values of one frame, from 0: ``(rows, columns)`` or ``(rows, columns, samples)``; may be read-only.

        Raises
        ------
        BadPixels, TooLarge
        """
        return self._read(index, None)

    def _read(self, index: int, out: Array | None) -> Array:
        """As `read`; ``out`` itself where it was decoded into, as `codecs.decode` wants it, but of the stored type."""
        with self._lock:
            image, start = self._prepared(index)
            if image.pixel_length != ENCAPSULATED:
                array = native.frame(image, self._source, start, index)
            else:
                data = fragments.frame(self._source, self._fragments(index))
        if image.pixel_length != ENCAPSULATED:
            converted = image.photometric == "RGB"
            return _rgb(image, stored(image, array), converted)
        room = None if out is None else out.view(f"u{out.itemsize}")
        array = codecs.decode(image, data, room)
        if out is not None and array is room:
            return extend(image, out)
        return _rgb(image, stored(replace(image, high_bit=image.bits_stored - 1), array), codecs.converts_colour(image))

    def read_into(self, index: int, out: Array) -> None:
        """As `read`, into an array of the frame's shape; without a copy where file or codec give the pixels as there.

        Raises
        ------
        BadPixels, TooLarge
            ``out`` then holds nothing of use.
        """
        if out.shape != shape(self.image):
            raise BadPixels(f"the target has shape {out.shape}, the image {shape(self.image)}")
        same = out.flags.c_contiguous and out.dtype == dtype(self.image)
        if not (is_direct(self.image) and same):
            array = self._read(index, out if same and out.dtype.kind in "iu" and self.image.samples == 1 else None)
            if array is not out:
                out[...] = array
            return
        with self._lock:
            image, start = self._prepared(index)
            native.enough(image, index)
            target = memoryview(out).cast("B")
            fill(self._source, start + index * len(target), target)
        extend(image, out)

    def _prepared(self, index: int) -> tuple[ImageHeader, int]:
        """The image as it lies in the source, and where its pixel data begin there; the lock is held."""
        if not 0 <= index < self.image.frames:
            raise BadPixels(f"there is no frame {index}: the object has {self.image.frames}")
        if self._failed is not None:
            raise self._failed.with_traceback(None)
        if self._here is None:
            try:
                self._here = self._open()
            except (BadPixels, TooLarge) as error:
                self._failed = error
                raise
        return self._here, self._base + self._here.pixel_offset

    def _open(self) -> ImageHeader:
        image = self.image
        if reason := codecs.why_not(image.transfer_syntax):
            raise BadPixels(reason)
        if self._opener is not None:
            self._source = self._opened = self._opener()
        if image.pixel_length == INSIDE_DEFLATED:
            image, self._source = _inflated(image, self._source, self._base, self.settings)
            self._base = 0
            self._release()
        elif image.pixel_length == ENCAPSULATED:
            self._walk()
        elif image.transfer_syntax in codecs.CODECS:
            raise BadPixels("pixel data has a fixed length although the transfer syntax is a compressed one")
        return image

    def _walk(self) -> None:
        if self.image.transfer_syntax in codecs.UNCOMPRESSED:
            raise BadPixels("pixel data comes in fragments although the transfer syntax is an uncompressed one")
        start, syntax = self._base + self.image.pixel_offset, self.image.transfer_syntax
        self._groups = fragments.frames(self._source, start, self.image.frames, syntax)

    def _fragments(self, index: int) -> list[fragments.Fragment]:
        if index >= len(self._groups):
            raise BadPixels(f"the pixel data end after {len(self._groups)} of {len(self)} frames")
        return self._groups[index]


def is_direct(image: ImageHeader) -> bool:
    """Whether the pixels lie in the file as they do in memory."""
    lies = image.pixel_length >= 0 and image.transfer_syntax not in native.BIG_ENDIAN
    plain = image.samples == 1 or (image.planar == 0 and image.photometric == "RGB")
    return lies and plain and image.bits_allocated in INTEGERS and shift(image) == 0


def _rgb(image: ImageHeader, array: Array, converted: bool) -> Array:
    """Luminance and chrominance to RGB (PS3.3 §C.7.6.3.1.2)."""
    if image.samples != 3 or converted or not image.photometric.startswith("YBR"):
        return array
    if image.photometric not in ("YBR_FULL", "YBR_FULL_422") or array.dtype != np.uint8:
        raise BadPixels(f"{image.photometric} of {image.bits_allocated} bits cannot be converted to RGB")
    return convert_color_space(array, "YBR_FULL", "RGB")


def _inflated(image: ImageHeader, source: Source, base_offset: int, settings: Settings) -> tuple[ImageHeader, bytes]:
    """Data set out of its deflated stream (PS3.5 §A.5), and the image as it lies in it."""
    packed = take(source, base_offset + image.pixel_offset, settings.max_object_bytes)
    limit = min(settings.max_object_bytes, len(packed) * settings.max_expansion)
    engine = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        data = engine.decompress(packed, limit)
        whole = engine.eof or not engine.decompress(engine.unconsumed_tail, 1)
        file = DicomBytesIO(data)
        read_dataset(cast(BinaryIO, file), False, True, stop_when=lambda tag, vr, length: tag in PIXEL_TAGS)
        head = file.read(12)
        length = struct.unpack("<I", head[8:])[0]
    except (zlib.error, struct.error, RecursionError, ValueError, OSError):
        raise BadPixels("the deflated data set is damaged") from None
    if not whole:
        raise TooLarge(f"the deflated data set holds more than {limit} bytes")
    return replace(image, transfer_syntax=EXPLICIT_LE, pixel_offset=file.tell(), pixel_length=length), data
