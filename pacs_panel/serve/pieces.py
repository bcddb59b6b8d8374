"""Answers that are made while they are sent, in threads, a piece at a time."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from pacs_panel.serve.zipped import PIECE


class Pieces(StreamingResponse):
    """Bytes as they are wanted, made in threads. When nobody listens any more, the work ends, and cleans up."""

    def __init__(self, made: Iterator[bytes], **how: Any) -> None:
        self._made = _gathered(made)
        super().__init__(self._made, **how)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._made.close()


def _gathered(made: Iterator[bytes]) -> Generator[bytes]:
    """The same bytes, in pieces of about `PIECE`: many small files cost no more than one large one."""
    waiting: list[bytes] = []
    size = 0
    for part in made:
        waiting.append(part)
        size += len(part)
        if size >= PIECE:
            yield b"".join(waiting)
            waiting, size = [], 0
    yield b"".join(waiting)
