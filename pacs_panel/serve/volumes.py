"""Volumes in place: the OME-Zarr of each stack, as files that readers ask for piece by piece (RFC 9110 §14).

A revision never changes, so whoever has a piece of one may keep it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import FileResponse, JSONResponse

from pacs_panel.archive import Archive
from pacs_panel.errors import NotFound
from pacs_panel.serve.errors import NO_STORE
from pacs_panel.storage import layout

KEEP = {"Cache-Control": "private, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}
BYTES = "application/octet-stream"

Asking = Callable[..., Archive]


def volume_routes(asking: Asking) -> APIRouter:
    """The routes that give volumes.

    Parameters
    ----------
    asking : callable
        A dependency of FastAPI that gives the archive as whoever sent a request may see it.

    Returns
    -------
    APIRouter
        ``/volumes/{series}`` tells ``{"series", "revision", "stacks"}``: the addresses of the OME-Zarr of the stacks of
        a series, by UID or key. ``/volumes/{series}/{revision}/{stack}/…`` are their files, of which ranges may be
        asked for; nothing else is.
    """
    routes = APIRouter(prefix="/volumes")
    as_asking: Any = Depends(asking)

    @routes.get("/{series}")
    def addresses(request: Request, series: str, archive: Archive = as_asking) -> Response:
        found = archive.revision(series)
        base = f"{str(request.base_url).rstrip('/')}/volumes/{found.series_key}/{found.revision}"
        stacks = [f"{base}/{number}" for number in range(len(found.stacks))]
        told = {"series": found.series_key, "revision": found.revision, "stacks": stacks}
        return JSONResponse(told, headers=NO_STORE)

    @routes.api_route("/{series}/{revision}/{stack}/{path:path}", methods=["GET", "HEAD"])
    def file(
        request: Request, series: str, revision: str, stack: int, path: str, archive: Archive = as_asking
    ) -> Response:
        found = _inside(archive.stack_path(series, stack, revision), path)
        headers = KEEP | {"ETag": f'"{layout.key(request.url.path)}"'}
        if headers["ETag"] in request.headers.get("if-none-match", "").replace("W/", ""):
            return Response(status_code=304, headers=headers)
        return FileResponse(found, headers=headers, media_type="application/json" if found.suffix == ".json" else BYTES)

    return routes


def _inside(folder: Path, path: str) -> Path:
    """A file of a folder.

    Raises
    ------
    NotFound
        There is none, or the path leads out of the folder.
    """
    parts = path.split("/")
    if not any(part in ("", ".", "..") or "\0" in part or "\\" in part for part in parts):
        found = folder.joinpath(*parts)
        if found.is_file() and found.resolve().is_relative_to(folder.resolve()):
            return found
    raise NotFound("this volume has no such file")
