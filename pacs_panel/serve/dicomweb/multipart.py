"""multipart/related, written as it is read (RFC 2387, PS3.18 §8.6.1.2)."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from fastapi import Response

from pacs_panel.serve.pieces import Pieces


@dataclass(frozen=True, slots=True)
class Part:
    """One part: its media type, where it can be had alone, and its bytes in pieces."""

    media: str
    pieces: Iterable[bytes]
    location: str = ""


def related(parts: Iterable[Part], media: str) -> Response:
    """Parts of one type as an answer; nothing waits for the last of them."""
    boundary = uuid.uuid4().hex
    plain = media.partition(";")[0]
    return Pieces(_written(parts, boundary), media_type=f'multipart/related; type="{plain}"; boundary={boundary}')


def _written(parts: Iterable[Part], boundary: str) -> Iterator[bytes]:
    for part in parts:
        where = f"Content-Location: {part.location}\r\n" if part.location else ""
        yield f"--{boundary}\r\nContent-Type: {part.media}\r\n{where}\r\n".encode()
        yield from part.pieces
        yield b"\r\n"
    yield f"--{boundary}--\r\n".encode()
