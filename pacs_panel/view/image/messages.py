"""Answers to a viewer's messages: the transport where no server runs, as in a notebook's kernel.

A request names a plane or a volume and a range of its bytes. Jupyter drops messages beyond 3 MB between two idle states
of the kernel, so an answer carries at most `MAX_PART` bytes, and the viewer asks for the next part.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pacs_panel.errors import PacsPanelError
from pacs_panel.view.source import FrameSource, encode

MAX_PART = 2 << 20


@dataclass
class Answers:
    """Answers requests for the frames of one source.

    The bytes asked for last are held, for what is large is asked for part by part.
    """

    source: FrameSource
    _held: tuple[tuple[Any, ...], bytes] = field(default=((), b""), repr=False)

    def __call__(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to one request: ``id``, and ``bytes`` with ``total``, or ``error`` in words."""
        try:
            what, offset = _parse(request)
            content = self._content(what)
        except (PacsPanelError, KeyError, TypeError, ValueError) as error:
            words = str(error) if isinstance(error, PacsPanelError) else "not a request for frames"
            return {"id": request.get("id"), "error": words}
        return {"id": request.get("id"), "total": len(content), "bytes": content[offset : offset + MAX_PART]}

    def _content(self, what: tuple[Any, ...]) -> bytes:
        held, content = self._held
        if held != what:
            kind, level, axis, index, extra = what
            source = self.source
            array = source.volume(level, extra) if kind == "volume" else source.plane(level, axis, index, extra)
            content = encode(array)
            self._held = (what, content)
        return content


def _parse(request: Mapping[str, Any]) -> tuple[tuple[Any, ...], int]:
    kind = request["kind"]
    if kind not in ("slice", "volume"):
        raise ValueError(kind)
    numbers = [int(request[name]) if kind == "slice" else 0 for name in ("axis", "index")]
    extra = tuple(int(i) for i in request.get("extra") or ())
    offset = int(request.get("offset", 0))
    if offset < 0:
        raise ValueError(offset)
    return (kind, int(request["level"]), *numbers, extra), offset
