"""DICOMweb's services under one prefix (PS3.18 §10); each module has its routes."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter

from pacs_panel.archive import Archive
from pacs_panel.serve.dicomweb.capabilities import capability_routes
from pacs_panel.serve.dicomweb.frames import frame_routes
from pacs_panel.serve.dicomweb.qido import search_routes
from pacs_panel.serve.dicomweb.retrieve import retrieve_routes
from pacs_panel.serve.dicomweb.uri import uri_routes


def dicomweb_routes(archive: Callable[[], Archive]) -> APIRouter:
    """All routes under ``/dicomweb``.

    Parameters
    ----------
    archive : callable
        A dependency of FastAPI that gives the archive as whoever sent a request may see it.
    """
    routes = APIRouter(prefix="/dicomweb")
    routes.include_router(capability_routes())
    routes.include_router(uri_routes(archive))
    routes.include_router(search_routes(archive))
    routes.include_router(retrieve_routes(archive))
    routes.include_router(frame_routes(archive))
    return routes
