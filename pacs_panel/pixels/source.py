"""Bytes at an offset, from whatever holds a file: bytes in memory, an open file, or a file descriptor."""

from __future__ import annotations

import os
from typing import BinaryIO

from pacs_panel.errors import BadPixels

Source = BinaryIO | bytes | bytearray | memoryview | int


def take(source: Source, offset: int, count: int) -> bytes | memoryview:
    """``count`` bytes at ``offset``, fewer where the source ends; a descriptor (int) is read without moving it."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        return memoryview(source).cast("B")[offset : offset + count]
    if isinstance(source, int):
        return os.pread(source, min(count, max(0, os.fstat(source).st_size - offset)), offset)
    end = source.seek(0, os.SEEK_END)
    source.seek(offset)
    return source.read(min(count, max(0, end - offset)))


def need(source: Source, offset: int, count: int) -> bytes | memoryview:
    """As `take`, but `BadPixels` where the source ends."""
    data = take(source, offset, count)
    if len(data) < count:
        raise BadPixels(f"the file ends {count - len(data)} bytes before the end of the frame")
    return data


def fill(source: Source, offset: int, target: memoryview) -> None:
    """Read into ``target`` without a copy; `BadPixels` where the source ends."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        target[:] = need(source, offset, len(target))
        return
    if not isinstance(source, int):
        source.seek(offset)
    while target:
        if isinstance(source, int):
            done = os.preadv(source, [target], offset)
            offset += done
        else:
            done = source.readinto(target)  # type: ignore[attr-defined]
        if not done:
            raise BadPixels(f"the file ends {len(target)} bytes before the end of the frame")
        target = target[done:]
