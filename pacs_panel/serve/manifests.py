"""What a cohort holds, exactly as it was frozen, as a table to fetch."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from fastapi import APIRouter, Depends, Response

from pacs_panel.archive import Archive

MEDIA = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}


def manifest_routes(asking: Callable[..., Archive]) -> APIRouter:
    """The routes that give manifests.

    Parameters
    ----------
    asking : callable
        A dependency of FastAPI that gives the archive as whoever sent a request may see it.

    Returns
    -------
    APIRouter
        ``GET /manifests/cohort.csv?name=…``, and ``cohort.parquet``: UIDs, revisions and digests, nothing of a patient.
    """
    router = APIRouter()
    asked = Depends(asking)

    @router.get("/manifests/cohort.{form}", response_class=Response)
    def manifest(form: Literal["csv", "parquet"], name: str, archive: Archive = asked) -> Response:
        with tempfile.TemporaryDirectory() as folder:
            (path,) = archive.cohort(name).export(folder, form).paths
            content = Path(path).read_bytes()
        headers = {"content-disposition": f'attachment; filename="cohort.{form}"', "cache-control": "private, no-store"}
        return Response(content, media_type=MEDIA[form], headers=headers)

    return router
