"""The routes by which a browser sends files; see `pacs_panel.serve.uploads`."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from pacs_panel.archive import Archive
from pacs_panel.errors import NotFound, PacsPanelError
from pacs_panel.serve.errors import NO_STORE, Refused
from pacs_panel.serve.spool import Writing, arrived
from pacs_panel.serve.uploads import MOST_FILES, Beginning, Ending, Session, Uploads
from pacs_panel.settings import MIB

log = logging.getLogger(__name__)

PIECE = MIB  # bytes that are written at once
DRAINED = 64 * MIB  # bytes of a refused request that are still read, so that its sender hears why

Asking = Callable[..., Archive]


def upload_routes(asking: Asking, uploads: Uploads) -> APIRouter:
    """The routes by which a browser sends files.

    Parameters
    ----------
    asking : callable
        A dependency of FastAPI that gives the archive as whoever sent a request may see it.
    uploads : Uploads

    Returns
    -------
    APIRouter
        ``POST /upload`` (``{"bytes", "collection"}``) gives ``{"session", "most"}``, where ``most`` is the size of the
        largest file that is no archive.
        ``PUT /upload/{session}/{first}`` has in its body the bytes of the file of that number, from ``Upload-Offset``
        on, or of several that follow it; ``Upload-Lengths`` are their whole lengths. It gives ``{"offset"}``, the
        bytes that are there of a file that is not whole yet; ``GET`` of it ``{"offset", "whole"}``.
        ``POST /upload/{session}/finish`` (``{"files", "without"}``) begins the import; ``GET /upload/{session}`` tells
        of it. ``DELETE /upload/{session}`` cancels. Pages of other sites are refused.
    """
    routes = APIRouter(prefix="/upload", dependencies=[Depends(same_origin)])
    as_asking: Any = Depends(asking)

    @routes.post("", status_code=201)
    def begin(coming: Beginning, archive: Archive = as_asking) -> dict[str, Any]:
        return {"session": uploads.begin(archive, coming).token, "most": archive.settings.max_object_bytes}

    @routes.put("/{session}/{first}")
    async def put(
        request: Request, session: str, first: int, upload_lengths: Annotated[str, Header(max_length=100_000)],
        upload_offset: Annotated[int, Header(ge=0)] = 0, archive: Archive = as_asking,
    ) -> Response:  # fmt: skip
        stream = request.stream()
        try:
            found = uploads.find(archive, session)
            numbers, lengths = _announced(first, upload_lengths)
            uploads.claim(found, numbers)
            try:
                return await _received(stream, found, numbers, lengths, upload_offset)
            finally:
                uploads.release(found, numbers)
        except FileNotFoundError:  # it was cancelled a moment ago
            await _drain(stream)
            raise NotFound("this upload is not known any more: begin it again") from None
        except PacsPanelError:
            await _drain(stream)
            raise

    @routes.get("/{session}/{number}")
    def there(session: str, number: int, archive: Archive = as_asking) -> Response:
        offset, whole = arrived(uploads.find(archive, session).folder, number)
        return JSONResponse({"offset": offset, "whole": whole}, headers=NO_STORE)

    @routes.post("/{session}/finish", status_code=202)
    def finish(session: str, ending: Ending, archive: Archive = as_asking) -> dict[str, Any]:
        found = uploads.find(archive, session)
        uploads.finish(found, ending)
        return found.told()

    @routes.get("/{session}")
    def state(session: str, archive: Archive = as_asking) -> Response:
        return JSONResponse(uploads.find(archive, session).told(), headers=NO_STORE)

    @routes.delete("/{session}", status_code=204)
    def cancel(session: str, archive: Archive = as_asking) -> None:
        uploads.cancel(uploads.find(archive, session))

    return routes


def same_origin(request: Request) -> None:
    """Refuse what a page of another site sends: browsers tell where a request comes from.

    Raises
    ------
    Refused
    """
    origin = request.headers.get("origin")
    foreign = origin is not None and urlsplit(origin).netloc != request.headers.get("host")
    if foreign or request.headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        raise Refused(403, "a page of another site may not send files here", "use the archive's own pages")


def _announced(first: int, lengths: str) -> tuple[range, list[int]]:
    """The numbers and lengths of the files of one request."""
    parts = [part.strip() for part in lengths.split(",")]
    numbers = range(first, first + len(parts))
    if not all(part.isascii() and part.isdecimal() for part in parts) or first < 0 or numbers.stop > MOST_FILES:
        raise Refused(400, "the numbers and lengths of the files make no sense", "send the files again")
    return numbers, [int(part) for part in parts]


async def _received(
    stream: AsyncIterator[bytes], session: Session, numbers: range, lengths: list[int], offset: int
) -> Response:
    """Write a request's body; what has arrived of one that breaks off stays, and can be gone on from."""
    there, whole = await run_in_threadpool(arrived, session.folder, numbers[0])
    if offset and (whole or offset != there or offset >= lengths[0]):
        raise Refused(409, "the bytes before these are not there", "go on from what is there", offset=there)
    most = session.archive.settings.max_object_bytes
    with await run_in_threadpool(Writing, session.folder, numbers[0], lengths, offset, most) as writing:
        waiting, size = [], 0
        try:
            async for part in stream:
                waiting.append(part)
                size += len(part)
                if size >= PIECE:
                    await run_in_threadpool(writing.write, b"".join(waiting))
                    waiting, size = [], 0
        except ClientDisconnect:
            log.info("upload %s: a connection was lost", session.token)
        await run_in_threadpool(writing.write, b"".join(waiting))
        return JSONResponse({"offset": writing.offset}, headers=NO_STORE)


async def _drain(stream: AsyncIterator[bytes]) -> None:
    """Read what is still being sent of a refused request: a browser listens only when it has sent it."""
    left = DRAINED
    try:
        async for part in stream:
            left -= len(part)
            if left < 0:
                return
    except (ClientDisconnect, RuntimeError):  # there is nobody any more, or nothing is left
        return
