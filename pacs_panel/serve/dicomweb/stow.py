"""Storing over HTTP: STOW-RS (PS3.18 §10.5)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from pacs_panel.archive import Archive
from pacs_panel.serve.dicomweb.intake import Intake
from pacs_panel.serve.dicomweb.stow_answer import JSON, answer
from pacs_panel.serve.dicomweb.stow_coming import DICOM, Coming, Outcome
from pacs_panel.serve.dicomweb.stow_parts import Multipart, malformed, media_type
from pacs_panel.serve.errors import Refused
from pacs_panel.serve.spool import network
from pacs_panel.settings import MIB

PIECE = MIB  # bytes that are dealt with at once
PREFIX = "/dicomweb"
TYPES = (DICOM, JSON)

Asking = Callable[..., Archive]


def stow_routes(asking: Asking, intake: Intake) -> APIRouter:
    """The routes that store.

    Parameters
    ----------
    asking : callable
        A dependency of FastAPI that gives the archive as whoever sent a request may see it.
    intake : Intake

    Returns
    -------
    APIRouter
        ``POST /dicomweb/studies`` and ``…/studies/{study}``: ``multipart/related`` of ``application/dicom``, or of
        ``application/dicom+json`` with uncompressed bulk data; or one ``application/dicom``. What is answered as stored
        is durable and can be found. A new version is a success, of which the header ``Warning`` tells.
    """
    routes = APIRouter(prefix=PREFIX)
    as_asking: Any = Depends(asking)

    @routes.post("/studies")
    async def store(request: Request, archive: Archive = as_asking) -> Response:
        return await _store(request, archive, intake, "")

    @routes.post("/studies/{study}")
    async def store_in(request: Request, study: str, archive: Archive = as_asking) -> Response:
        return await _store(request, archive, intake, study)

    return routes


async def _store(request: Request, archive: Archive, intake: Intake, study: str) -> Response:
    archive.may("write")
    kind, parameters = media_type(request.headers.get("content-type", ""))
    inner = parameters.get("type", DICOM).strip().lower() if kind == "multipart/related" else kind
    if (kind != "multipart/related" and kind != DICOM) or inner not in TYPES:
        raise Refused(
            415, f"objects come as {DICOM} or as multipart/related of {' or '.join(TYPES)}", "see PS3.18 §10.5"
        )
    split = Multipart(parameters.get("boundary", "")) if kind != DICOM else None
    spool = await run_in_threadpool(network, archive.root)
    coming = await run_in_threadpool(Coming, intake, spool, archive.settings, study)
    try:
        if split is None:
            coming.begin(DICOM)
        whole = await _read(request.stream(), coming, split)
        outcomes = await run_in_threadpool(_finish, coming, split, whole)
    finally:
        await run_in_threadpool(coming.__exit__, None, None, None)
    base = f"{str(request.base_url).rstrip('/')}{PREFIX}"
    return await run_in_threadpool(answer, outcomes, base)


def _finish(coming: Coming, split: Multipart | None, whole: bool) -> list[Outcome]:
    if split is None and whole:
        coming.end()
    outcomes = coming.finish(whole and (split is None or split.ended))
    if split is not None and not split.ended and len(outcomes) <= 1:
        raise malformed("it ends before its last boundary")
    if not outcomes:
        raise malformed("it has no parts")
    return outcomes


async def _read(stream: AsyncIterator[bytes], coming: Coming, split: Multipart | None) -> bool:
    """Deal with a body piece by piece; whether all of it came."""
    waiting, size = [], 0
    try:
        async for part in stream:
            waiting.append(part)
            size += len(part)
            if size >= PIECE:
                await run_in_threadpool(_feed, coming, split, b"".join(waiting))
                waiting, size = [], 0
    except ClientDisconnect:
        return False
    await run_in_threadpool(_feed, coming, split, b"".join(waiting))
    return True


def _feed(coming: Coming, split: Multipart | None, data: bytes) -> None:
    if split is None:
        coming.write(data)
        return
    for event in split.feed(data):
        coming.take(event)
