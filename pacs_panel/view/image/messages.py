"""Answers to a viewer's messages: the transport where no server runs, as in a notebook's kernel.

A request names a plane, a volume or something of an overlay, and a range of its bytes. Jupyter drops messages beyond
3 MB between two idle states of the kernel, so an answer carries at most `MAX_PART` bytes, and the viewer asks for the
next part.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pacs_panel.errors import NotFound, PacsPanelError
from pacs_panel.view.overlay.source import OverlaySource, encode_contours, encode_plane, encode_told
from pacs_panel.view.presentation import PresentationSource, encode_presentations
from pacs_panel.view.source import FrameSource, encode

MAX_PART = 2 << 20

# What a request of each kind must name, beside its offset.
NUMBERS: dict[str, tuple[str, ...]] = {
    "slice": ("level", "axis", "index"),
    "volume": ("level",),
    "overlays": (),
    "presentations": (),
    "overlay": ("layer", "axis", "index"),
    "contours": ("index",),
}


@dataclass
class Answers:
    """Answers requests for the frames of one source, and for what lies over them.

    The bytes asked for last are held, for what is large is asked for part by part.
    """

    source: FrameSource
    overlays: OverlaySource | None = None
    presentations: PresentationSource | None = None
    _held: tuple[tuple[Any, ...], bytes] = field(default=((), b""), repr=False)

    def __call__(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to one request: ``id``, and ``bytes`` with ``total``, or ``error`` in words."""
        try:
            what, offset = _parse(request)
            content = self._content(what, offset)
        except (PacsPanelError, KeyError, TypeError, ValueError) as error:
            words = str(error) if isinstance(error, PacsPanelError) else "not a request for frames"
            return {"id": request.get("id"), "error": words}
        return {"id": request.get("id"), "total": len(content), "bytes": content[offset : offset + MAX_PART]}

    def _content(self, what: tuple[Any, ...], offset: int) -> bytes:
        held, content = self._held
        if held != what or not offset:  # the first part is always read anew: overlays come and go
            kind, numbers, extra, sop = what
            content = self._makers()[kind](numbers, extra, sop)
            self._held = (what, content)
        return content

    def _makers(self) -> dict[str, Callable[[tuple[int, ...], tuple[int, ...], str], bytes]]:
        return {
            "slice": lambda numbers, extra, _: self._plane(numbers, extra),
            "volume": lambda numbers, extra, _: self._volume(numbers, extra),
            "overlays": lambda *_: encode_told(self._over()),
            "presentations": lambda *_: encode_presentations(self.presentations),
            "overlay": lambda numbers, _, sop: encode_plane(self._over().plane(sop, *numbers)),
            "contours": lambda numbers, _, sop: encode_contours(self._over().contours(sop, *numbers)),
        }

    def _plane(self, numbers: tuple[int, ...], extra: tuple[int, ...]) -> bytes:
        level, axis, index = numbers
        return encode(self.source.plane(level, axis, index, extra))

    def _volume(self, numbers: tuple[int, ...], extra: tuple[int, ...]) -> bytes:
        (level,) = numbers
        return encode(self.source.volume(level, extra))

    def _over(self) -> OverlaySource:
        if self.overlays is None:
            raise NotFound("nothing lies over these images")
        return self.overlays


def _parse(request: Mapping[str, Any]) -> tuple[tuple[Any, ...], int]:
    kind = str(request["kind"])
    numbers = tuple(int(request[name]) for name in NUMBERS[kind])
    extra = tuple(int(i) for i in request.get("extra") or ())
    offset = int(request.get("offset", 0))
    if offset < 0:
        raise ValueError(offset)
    return (kind, numbers, extra, str(request.get("sop", ""))), offset
