"""WADO-URI: one object, as a file or a picture, by query parameters (PS3.18 §9)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from pacs_panel.archive import Archive
from pacs_panel.errors import BadQuery
from pacs_panel.serve.dicomweb import asked
from pacs_panel.serve.dicomweb.accept import Range, not_acceptable
from pacs_panel.serve.dicomweb.frames import PICTURES, indices, view_of
from pacs_panel.serve.dicomweb.retrieve import DICOM, opened, pieces, syntax_for
from pacs_panel.serve.pieces import Pieces

NEEDED = ("studyUID", "seriesUID", "objectUID")


def uri_routes(asking: Callable[..., Archive]) -> APIRouter:
    """``/wado?requestType=WADO&studyUID=…&seriesUID=…&objectUID=…``."""
    routes = APIRouter()
    as_asking: Any = Depends(asking)

    @routes.get("/wado")
    def wado(request: Request, archive: Archive = as_asking) -> Response:
        query = request.query_params
        if query.get("requestType") != "WADO" or any(not query.get(name) for name in NEEDED):
            raise BadQuery(f"WADO-URI: requestType=WADO, {', '.join(NEEDED)}")
        found = asked.instance(archive, *(query[name] for name in NEEDED))
        wanted = (query.get("contentType") or ("image/jpeg" if found.kept.image else DICOM)).split(",")
        media = next((one for each in wanted if (one := each.partition(";")[0].strip()) in (DICOM, *PICTURES)), None)
        if media is None:
            raise not_acceptable(f"contentType is {DICOM} or {' or '.join(PICTURES)}")
        if media == DICOM:
            syntax = syntax_for(found, [Range(DICOM, "", query.get("transferSyntax", ""))])
            return Pieces(pieces(opened(archive, found, syntax)), media_type=DICOM)
        (index,) = indices(found, query.get("frameNumber", "1"))[:1]
        view = view_of(_as_rendered(request), PICTURES[media])
        return Response(archive.decoding.picture(found.kept, index, found.modality, view), media_type=media)

    return routes


def _as_rendered(request: Request) -> dict[str, str]:
    """The parameters of WADO-URI under the names of WADO-RS."""
    query = request.query_params
    out = {}
    if "windowCenter" in query or "windowWidth" in query:
        out["window"] = f"{query.get('windowCenter', '')},{query.get('windowWidth', '')}"
    if "rows" in query or "columns" in query:
        rows, columns = query.get("rows") or query["columns"], query.get("columns") or query["rows"]
        out["viewport"] = f"{columns},{rows}"
    if "imageQuality" in query:
        out["quality"] = query["imageQuality"]
    return out
