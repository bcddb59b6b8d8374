"""Documents over HTTP: what an object encapsulates, and the samples of its waveforms.

An object's address may come to mean a newer version of it, so a browser asks each time and is told where what it has
still holds.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import numpy as np
from fastapi import APIRouter, Depends, Request, Response

from pacs_panel.archive import Archive
from pacs_panel.errors import NotFound
from pacs_panel.view.document.samples import span

PDF = "application/pdf"
NAMES = {
    PDF: "pdf",
    "text/xml": "xml",
    "application/xml": "xml",
    "model/stl": "stl",
    "model/obj": "obj",
    "model/mtl": "mtl",
}
HEADERS = {"Cache-Control": "private, no-cache", "X-Content-Type-Options": "nosniff"}
# Nothing in it may load, run or send anything. `sandbox` is not among them: it keeps viewers of PDF from running.
NOTHING = "default-src 'none'; style-src 'unsafe-inline'; object-src 'self'; frame-ancestors 'self'; form-action 'none'"

Asking = Callable[..., Archive]


def document_routes(asking: Asking) -> APIRouter:
    """The routes by which a page asks for the contents of a document.

    Parameters
    ----------
    asking : callable
        A dependency of FastAPI that gives the archive as whoever sent a request may see it.

    Returns
    -------
    APIRouter
        ``/documents/{uid}/content`` (a PDF to be shown in place; anything else, or with ``?download=1``, to be saved)
        and ``/documents/{uid}/waveform/{group}?first=0&last=1000&parts=800`` (little-endian float32, channel by
        channel; see `pacs_panel.view.document.samples.span`). ``uid`` is a SOP Instance UID.
    """
    routes = APIRouter(prefix="/documents/{uid}")
    as_asking: Any = Depends(asking)

    @routes.get("/content")
    def content(request: Request, uid: str, download: bool = False, archive: Archive = as_asking) -> Response:
        found = archive.document(uid)
        data = getattr(found, "data", b"")
        if not isinstance(data, bytes) or not data:
            raise NotFound("there is no document in this object")
        media = str(getattr(found, "media_type", ""))
        uid = re.sub(r"[^0-9.]", "", found.head.sop_instance_uid)  # it comes from a file, and stands in a header here
        name = f"{uid}.{NAMES.get(media, 'bin')}"
        inline = media == PDF and not download
        how = {
            "Content-Disposition": f'{"inline" if inline else "attachment"}; filename="{name}"',
            "Content-Security-Policy": NOTHING if inline else f"{NOTHING}; sandbox",
        }
        return _answer(request, data, PDF if inline else "application/octet-stream", how)

    @routes.get("/waveform/{group}")
    def waveform(
        request: Request, uid: str, group: int, first: int = 0, last: int = 2**31, parts: int = 1000,
        archive: Archive = as_asking,
    ) -> Response:  # fmt: skip
        groups = archive.waveforms(uid)
        if not 0 <= group < len(groups):
            raise NotFound(f"there is no multiplex group {group}: this object has {len(groups)}")
        values = np.asarray(groups[group]["waveform"].values).T
        return _answer(request, span(values, first, last, parts).tobytes(), "application/octet-stream", {})

    return routes


def _answer(request: Request, data: bytes, media_type: str, how: dict[str, str]) -> Response:
    tag = f'"{sha256(data).hexdigest()[:32]}"'
    headers = HEADERS | how | {"ETag": tag}
    if tag in {one.strip() for one in request.headers.get("if-none-match", "").split(",")}:
        return Response(status_code=304, headers=headers)
    return Response(data, media_type=media_type, headers=headers)
