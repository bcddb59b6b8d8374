"""What the service can do, for programs to read (PS3.18 §8.9)."""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from pacs_panel.serve.dicomweb import asked
from pacs_panel.serve.dicomweb.accept import choose

WADL, JSON = "application/vnd.sun.wadl+xml", "application/json"
INSTANCE = "studies/{study}/series/{series}/instances/{instance}"
LEVELS = ("studies/{study}", "studies/{study}/series/{series}", INSTANCE)
OBJECTS = 'multipart/related; type="application/dicom"'
FRAMES = 'multipart/related; type="application/octet-stream"'
# Resource -> the media types of its representations.
RESOURCES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("studies", "series", "instances"), ("application/dicom+json",)),
    "studies/{study}/series": ("application/dicom+json",),
    "studies/{study}/instances": ("application/dicom+json",),
    "studies/{study}/series/{series}/instances": ("application/dicom+json",),
    **dict.fromkeys(LEVELS, (OBJECTS,)),
    **{f"{level}/metadata": ("application/dicom+json",) for level in LEVELS},
    **{f"{level}/{what}": ("image/jpeg", "image/png") for level in LEVELS for what in ("rendered", "thumbnail")},
    f"{INSTANCE}/bulkdata/{{path}}": ("application/octet-stream", FRAMES),
    f"{INSTANCE}/frames/{{numbers}}": (FRAMES, "application/octet-stream"),
    f"{INSTANCE}/frames/{{numbers}}/rendered": ("image/jpeg", "image/png"),
    "wado": ("application/dicom", "image/jpeg", "image/png"),
}


def capability_routes() -> APIRouter:
    """``GET`` and ``OPTIONS`` of the service itself: WADL, or the same as JSON."""
    routes = APIRouter()

    @routes.api_route("/", methods=["GET", "OPTIONS"])
    def capabilities(request: Request) -> Response:
        base = asked.base(request)
        if choose(request, (WADL, JSON, "application/dicom+json")) == WADL:
            return Response(wadl(base), media_type=WADL)
        told = [{"path": path, "methods": ["GET"], "mediaTypes": list(types)} for path, types in RESOURCES.items()]
        return JSONResponse({"base": base, "resources": told})

    return routes


def wadl(base: str) -> str:
    """The service in the Web Application Description Language."""
    parts = []
    for path, types in RESOURCES.items():
        media = "".join(f"<representation mediaType={quoteattr(one)}/>" for one in types)
        method = f'<method name="GET"><response status="200">{media}</response></method>'
        parts.append(f"<resource path={quoteattr(path)}>{method}</resource>")
    return (
        '<?xml version="1.0" encoding="UTF-8"?><application xmlns="http://wadl.dev.java.net/2009/02">'
        f"<resources base={quoteattr(base)}>{''.join(parts)}</resources></application>"
    )
