"""Bounded reading: a byte range of a file as a file, and decompression that stops where the limits are."""

from __future__ import annotations

import bz2
import io
import lzma
import os
import stat
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from pacs_panel.errors import Rejected, TooLarge, Unreadable
from pacs_panel.settings import MIB

FEED = 16 << 10  # compressed bytes at a time: small, so that the ratio is known closely
PIECE = 256 << 10  # bytes at a time of what comes out
FLOOR = 10 * MIB  # whatever the ratio, one member may give this much
XZ_MEMORY = 256 * MIB  # what a decoder of xz may allocate for its dictionary


class Readable(Protocol):
    """What is read from front to back."""

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes; none at the end."""
        ...

    def tell(self) -> int:
        """Bytes read so far."""
        ...


@dataclass(frozen=True, slots=True)
class Extent:
    """``length`` bytes at ``offset`` of the file ``path``."""

    path: Path
    offset: int
    length: int

    def open(self) -> BinaryIO:
        """The bytes as a seekable file of their own."""
        return io.BufferedReader(Window(open_regular(self.path, buffering=0), self.offset, self.length))


def open_regular(path: Path, buffering: int = io.DEFAULT_BUFFER_SIZE) -> BinaryIO:
    """Open a file that must be one: never waits for a pipe's other end, never reads a device."""
    return os.fdopen(_handle(path), "rb", buffering)


def first_bytes(path: str | Path, size: int) -> bytes:
    """The first ``size`` bytes of a file that must be one, or all that it has; quicker than by a file object."""
    handle = _handle(path)
    try:
        return os.read(handle, size)
    finally:
        os.close(handle)


def _handle(path: str | Path) -> int:
    # O_NONBLOCK: what was a file when the folder was read may be a pipe by now.
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise Rejected("a pipe, socket or device", reason="not a file")
    return handle


class Window(io.RawIOBase):
    """A byte range of a file; closing it closes the file, unless that is only ``borrowed``."""

    def __init__(self, file: BinaryIO, start: int, length: int, borrowed: bool = False) -> None:
        self._file, self._start, self._length, self._position = file, start, length, 0
        self._borrowed = borrowed

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill ``buffer`` as far as the range goes."""
        count = max(0, min(len(buffer), self._length - self._position))
        self._file.seek(self._start + self._position)
        data = self._file.read(count)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move, also beyond the end, where nothing is read."""
        position = (0, self._position, self._length)[whence] + offset
        if position < 0:
            raise ValueError("negative seek position")
        self._position = position
        return position

    def tell(self) -> int:
        """Bytes from the range's start."""
        return self._position

    def close(self) -> None:
        """Close the range, and the file if it is owned."""
        if not self._borrowed:
            self._file.close()
        super().close()


class _Decoder(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _Inflate:
    """zlib's decoder with the interface of those of bz2 and lzma."""

    def __init__(self, wbits: int) -> None:
        self._decoder = zlib.decompressobj(wbits)
        self._tail = b""
        self.needs_input = True

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        out = self._decoder.decompress(self._tail + data, max_length)
        self._tail = self._decoder.unconsumed_tail
        # A full answer may leave more inside zlib, even where all input was taken.
        self.needs_input = not self._tail and len(out) < max_length
        return out

    @property
    def eof(self) -> bool:
        return self._decoder.eof

    @property
    def unused_data(self) -> bytes:
        return self._decoder.unused_data


@dataclass(frozen=True, slots=True)
class _Method:
    start: Callable[[], _Decoder]
    magic: bytes = b""  # of a further stream in the same file, where a format allows several


METHODS: dict[str, _Method] = {
    "deflate": _Method(lambda: _Inflate(-zlib.MAX_WBITS)),
    "gzip": _Method(lambda: _Inflate(zlib.MAX_WBITS | 16), b"\x1f\x8b"),
    "bzip2": _Method(bz2.BZ2Decompressor, b"BZh"),
    "xz": _Method(lambda: lzma.LZMADecompressor(memlimit=XZ_MEMORY), b"\xfd7zXZ\x00"),
}


class Expanded:
    """What compressed bytes hold, read from front to back, as long as they do not swell beyond ``ratio``.

    Parameters
    ----------
    source : BinaryIO
        Compressed bytes; the reader owns and closes it.
    method : str
        One of `METHODS`.
    ratio : int
        Most bytes out for each byte in, since the last `mark`; `FLOOR` bytes are always allowed.

    Raises
    ------
    TooLarge
        From `read`, beyond the ratio.
    Rejected
        From `read`, where the compressed bytes end too early (``truncated``) or are damaged (``unreadable``).
    """

    def __init__(self, source: BinaryIO, method: str, ratio: int) -> None:
        self._source, self._method, self._ratio = source, METHODS[method], ratio
        self._decoder = self._method.start()
        self._pending = b""
        self._fed = self._out = self._marked_fed = self._marked_out = 0

    def __enter__(self) -> Expanded:
        return self

    def __exit__(self, *_: object) -> None:
        self._source.close()

    def tell(self) -> int:
        """Bytes that came out so far."""
        return self._out

    @property
    def consumed(self) -> int:
        """Compressed bytes that were used, once the end has been read."""
        return self._fed - len(self._decoder.unused_data)

    def mark(self) -> None:
        """A new member begins here: the ratio counts afresh."""
        self._marked_fed, self._marked_out = self._fed, self._out

    def read(self, size: int, /) -> bytes:
        """The next ``size`` bytes, fewer only at the end."""
        parts = []
        while size > 0 and (piece := self._piece(min(size, PIECE))):
            parts.append(piece)
            size -= len(piece)
        return b"".join(parts)

    def _piece(self, size: int) -> bytes:
        while not self._decoder.eof or self._next_stream():
            data = self._feed() if self._decoder.needs_input else b""
            try:
                out = self._decoder.decompress(data, size)
            except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError):
                raise Unreadable("compressed data is damaged, or needs too much memory") from None
            if out:
                self._count(len(out))
                return out
        return b""

    def _feed(self) -> bytes:
        data, self._pending = self._pending or self._source.read(FEED), b""
        if not data:
            raise truncated("compressed data ends too early")
        self._fed += len(data)
        return data

    def _next_stream(self) -> bool:
        """Start on a further stream, if one follows; padding between is skipped, anything else ends the reading."""
        if not self._method.magic:
            return False
        data = self._decoder.unused_data
        self._fed -= len(data)
        while not (data := data.lstrip(b"\0")) or len(data) < len(self._method.magic):
            if not (more := self._source.read(FEED)):
                return False
            data += more
        if not data.startswith(self._method.magic):
            return False
        self._decoder, self._pending = self._method.start(), data
        return True

    def _count(self, size: int) -> None:
        self._out += size
        fed = self._fed - self._marked_fed + FEED  # one feed may already have been taken in before the mark
        if self._out - self._marked_out > max(FLOOR, self._ratio * fed):
            raise TooLarge(f"expands to more than {self._ratio} times its size")


def truncated(detail: str) -> Rejected:
    """The refusal of what is missing at the end of an archive."""
    return Rejected(detail, reason="truncated archive")


def pieces(source: Readable, size: int | None, limit: int, head: bytes = b"") -> Iterator[bytes]:
    """``head``, then the rest of ``size`` bytes of ``source`` (to its end, where ``None``), at most ``limit`` in all.

    Raises
    ------
    TooLarge
        Beyond ``limit`` bytes.
    Rejected
        Where ``source`` ends before ``size``.
    """
    if head:
        yield head
    done = len(head)
    while size is None or done < size:
        piece = source.read(PIECE if size is None else min(PIECE, size - done))
        if not piece and size is None:
            return
        if not piece:
            raise truncated(f"ends after {done} of {size} bytes")
        done += len(piece)
        if done > limit:
            raise TooLarge(f"more than {limit} bytes")
        yield piece
