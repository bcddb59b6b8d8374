"""Frames over HTTP: stored values of planes and volumes, what lies over them, and thumbnails.

The revision stands in every address, so what is behind the address of a frame never changes, and a browser keeps it.
Overlays come, go and are replaced while the images stay: a browser asks for them each time, and is told where what it
has still holds.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from threading import Lock
from typing import Any, cast

import numpy as np
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse

from pacs_panel.archive import Archive
from pacs_panel.errors import BadPixels, Damaged, NotFound, NotYetShown
from pacs_panel.storage import layout
from pacs_panel.view.colour import in_colour
from pacs_panel.view.overlay.source import encode_contours, encode_plane, encode_told
from pacs_panel.view.overlay.stored import HasOverlays, StackOverlays
from pacs_panel.view.presentation import StackPresentations, encode_presentations
from pacs_panel.view.source import StoredFrames, encode
from pacs_panel.view.stack import stack_frames

AT_HAND = 64  # stacks that stay open
LOOK_AGAIN = {"Cache-Control": "private, no-cache", "X-Content-Type-Options": "nosniff"}
KEEP = {"Cache-Control": "private, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}
NAME = re.compile(r"[a-z2-7]{26}")
NO_UID = "planes"
STACK = "/frames/{series}/{revision}/{stack}"

Asking = Callable[..., Archive]


class OpenStacks:
    """Stacks that were opened lately. Threads may share it."""

    def __init__(self, most: int = AT_HAND) -> None:
        self.most = most
        self._held: OrderedDict[tuple[str, str, int], StoredFrames] = OrderedDict()
        self._lock = Lock()

    def get(self, archive: Archive, series: str, revision: str, stack: int) -> StoredFrames:
        """The frames of a stack, which ``archive`` is asked for each time, as its principal.

        Raises
        ------
        NotFound, NotYetShown
        """
        name = (str(archive.find(series)["key"]), revision, stack)
        with self._lock:
            if name in self._held:
                self._held.move_to_end(name)
                return self._held[name]
        frames = in_colour(archive.open_frames(series, stack, revision))
        with self._lock:
            self._held[name] = frames
            while len(self._held) > self.most:
                self._held.popitem(last=False)
        return frames


def frame_routes(asking: Asking) -> APIRouter:
    """The routes by which the viewer asks for frames.

    Parameters
    ----------
    asking : callable
        A dependency of FastAPI that gives the archive as whoever sent a request may see it.

    Returns
    -------
    APIRouter
        ``/frames/{series}/{revision}/{stack}/meta.json``, ``…/{level}/{axis}/{index}``, ``…/{level}/volume`` (both
        with ``?extra=0,1``; raw little-endian values in C order), and ``/thumbnails/{series}/{revision}.png``;
        ``/thumbnails/{series}/received.png`` is the first received image, and empty where that cannot be shown.
    """
    routes, opened = APIRouter(), OpenStacks()
    routes.include_router(overlay_routes(asking))
    as_asking: Any = Depends(asking)

    @routes.get(f"{STACK}/meta.json")
    def meta(request: Request, series: str, revision: str, stack: int, archive: Archive = as_asking) -> Response:
        found = stack_frames(archive, series, stack).meta()
        if found.revision != revision:
            raise NotFound(f"series {found.series_key} is of another revision by now")
        return _unchanged(request) or JSONResponse(found.to_dict(), headers=_headers(request))

    @routes.get(f"{STACK}/{{level}}/volume")
    def volume(
        request: Request, series: str, revision: str, stack: int, level: int, extra: str = "",
        archive: Archive = as_asking,
    ) -> Response:  # fmt: skip
        frames = opened.get(archive, series, revision, stack)
        return _unchanged(request) or _values(request, frames.volume(level, numbers(extra)))

    @routes.get(f"{STACK}/{{level}}/{{axis}}/{{index}}")
    def plane(
        request: Request, series: str, revision: str, stack: int, level: int, axis: int, index: int, extra: str = "",
        archive: Archive = as_asking,
    ) -> Response:  # fmt: skip
        frames = opened.get(archive, series, revision, stack)
        return _unchanged(request) or _values(request, frames.plane(level, axis, index, numbers(extra)))

    @routes.get("/thumbnails/{series}/received.png")
    def arriving(request: Request, series: str, archive: Archive = as_asking) -> Response:
        try:
            image = archive.first_image(series)
            headers = LOOK_AGAIN | {"ETag": f'"{image.digests.file[:32]}"'}
            if headers["ETag"] in _had(request):
                return Response(status_code=304, headers=headers)
            return Response(archive.first_picture(series, image), media_type="image/png", headers=headers)
        except (NotYetShown, BadPixels, Damaged):  # a row without a picture is nothing that went wrong
            return Response(status_code=204, headers=LOOK_AGAIN)

    @routes.get("/thumbnails/{series}/{revision}.png")
    def thumbnail(request: Request, series: str, revision: str, archive: Archive = as_asking) -> Response:
        key = str(archive.find(series)["key"])
        try:
            picture = (archive.root / layout.thumbnail(key, _name(revision))).read_bytes()
        except FileNotFoundError:
            raise NotFound(f"series {key} has no such revision with images") from None
        return _unchanged(request) or Response(picture, media_type="image/png", headers=_headers(request))

    return routes


def _name(revision: str) -> str:
    """A revision as it may stand in a path."""
    if not NAME.fullmatch(revision):
        raise NotFound("a revision has 26 letters and digits")
    return revision


def overlay_routes(asking: Asking) -> APIRouter:
    """The routes by which the viewer asks for what lies over a stack.

    Parameters
    ----------
    asking : callable
        As for `frame_routes`.

    Returns
    -------
    APIRouter
        ``/frames/{series}/{revision}/{stack}/overlays.json``, ``…/presentations.json``,
        ``…/overlay/{sop}/{layer}/{axis}/{index}`` (raw little-endian uint8, uint16 or float32, told apart by their
        size; empty where all are 0), and ``…/contours/{sop}/{index}.json``; ``planes`` stands for an overlay without a
        UID.
    """
    routes = APIRouter()
    as_asking: Any = Depends(asking)

    @routes.get(f"{STACK}/overlays.json")
    def overlays(request: Request, series: str, revision: str, stack: int, archive: Archive = as_asking) -> Response:
        return _newest(request, encode_told(_over(archive, series, revision, stack)), "application/json")

    @routes.get(f"{STACK}/presentations.json")
    def presentations(
        request: Request, series: str, revision: str, stack: int, archive: Archive = as_asking
    ) -> Response:
        states = StackPresentations(archive, _current(archive, series, revision), stack, revision)
        return _newest(request, encode_presentations(states), "application/json")

    @routes.get(f"{STACK}/contours/{{sop}}/{{index}}.json")
    def contours(
        request: Request, series: str, revision: str, stack: int, sop: str, index: int, archive: Archive = as_asking
    ) -> Response:
        found = _over(archive, series, revision, stack).contours(_uid(sop), index)
        return _newest(request, encode_contours(found), "application/json")

    @routes.get(f"{STACK}/overlay/{{sop}}/{{layer}}/{{axis}}/{{index}}")
    def plane(
        request: Request, series: str, revision: str, stack: int, sop: str, layer: int, axis: int, index: int,
        archive: Archive = as_asking,
    ) -> Response:  # fmt: skip
        found = _over(archive, series, revision, stack).plane(_uid(sop), layer, axis, index)
        return _newest(request, encode_plane(found), "application/octet-stream")

    return routes


def _over(archive: Archive, series: str, revision: str, stack: int) -> StackOverlays:
    return StackOverlays(cast(HasOverlays, archive), _current(archive, series, revision), stack)


def _current(archive: Archive, series: str, revision: str) -> str:
    """Key of a series, whose revision is still this."""
    key = str(archive.find(series)["key"])
    if archive.revision(key).revision != revision:
        raise NotFound(f"series {key} is of another revision by now")
    return key


def _uid(sop: str) -> str:
    """The overlay planes of the images themselves are an overlay without a UID."""
    return "" if sop == NO_UID else sop


def _newest(request: Request, content: bytes, media_type: str) -> Response:
    """An answer that a browser may keep, but asks after each time: its tag is of what it holds."""
    tag = f'"{sha256(content).hexdigest()[:32]}"'
    headers = LOOK_AGAIN | {"ETag": tag}
    if tag in _had(request):
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=media_type, headers=headers)


def numbers(text: str) -> tuple[int, ...]:
    """An index along extra dimensions, from ``"0,3"``.

    Raises
    ------
    NotFound
        It is not made of numbers.
    """
    try:
        return tuple(int(part) for part in text.split(",") if part)
    except ValueError:
        raise NotFound("extra: numbers with commas between them") from None


def _values(request: Request, array: np.ndarray) -> Response:
    return Response(encode(array), media_type="application/octet-stream", headers=_headers(request))


def _headers(request: Request) -> dict[str, str]:
    return KEEP | {"ETag": _tag(request)}


def _unchanged(request: Request) -> Response | None:
    """The short answer to a browser that has it already; the address says all, and it has been looked up by now."""
    return Response(status_code=304, headers=_headers(request)) if _tag(request) in _had(request) else None


def _had(request: Request) -> set[str]:
    return {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}


def _tag(request: Request) -> str:
    return f'"{layout.key(request.url.path, request.url.query)}"'
