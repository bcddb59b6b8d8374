"""Whether the server does its work: numbers in Prometheus' text format, and readiness. No UID stands in a label."""

from __future__ import annotations

import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pacs_panel.archive import Archive
from pacs_panel.errors import PacsPanelError
from pacs_panel.serve.live import Live
from pacs_panel.serve.spool import check_space

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OUTCOMES = ("accepted", "duplicates", "new_versions", "refused")
Sample = tuple[Mapping[str, str], float]


class Counted:
    """Requests that were answered, by method, route and status. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: defaultdict[tuple[str, str, str], list[float]] = defaultdict(lambda: [0, 0.0])

    def add(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one."""
        with self._lock:
            tally = self._found[method, route, str(status)]
            tally[0] += 1
            tally[1] += seconds

    def samples(self, which: int) -> list[Sample]:
        """How many (0), or how many seconds they took (1)."""
        with self._lock:
            found = [(key, tally[which]) for key, tally in sorted(self._found.items())]
        return [(dict(zip(("method", "route", "status"), key, strict=True)), value) for key, value in found]


class Requests:
    """ASGI middleware that counts requests."""

    def __init__(self, app: ASGIApp, counted: Counted) -> None:
        self.app, self.counted = app, counted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and count it when it is answered."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, sending)
        finally:
            route = str(getattr(scope.get("route"), "path", "") or "other")
            self.counted.add(scope["method"], route, status, time.perf_counter() - started)


def watching_routes(archive: Archive, live: Live) -> APIRouter:
    """``/metrics``, and ``/readiness``, which says by 503 which check fails."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/metrics")
    def metrics(request: Request) -> Response:
        counted: Counted = request.app.state.requests
        return Response("".join(_all(archive, live, counted)), media_type=TEXT, headers={"Cache-Control": "no-store"})

    @routes.get("/readiness")
    def readiness() -> JSONResponse:
        failed = failing(archive, live)
        told = {"ready": not failed, "failed": failed}
        return JSONResponse(told, 503 if failed else 200, headers={"Cache-Control": "no-store"})

    return routes


def failing(archive: Archive, live: Live) -> dict[str, str]:
    """What keeps the server from its work, by check: ``index``, ``disk``, ``poller``."""
    found: dict[str, str] = {}
    try:
        archive.change()
    except PacsPanelError as error:
        found["index"] = str(error)
    if not archive.read_only:
        try:
            with tempfile.TemporaryFile(dir=archive.root) as file:
                file.write(b"0")
            check_space(archive.root, 0)
        except PacsPanelError as error:
            found["disk"] = str(error)
        except OSError as error:
            found["disk"] = f"the archive's disk cannot be written ({error.strerror})"
    if not live.alive:
        found["poller"] = "nobody looks what other processes change"
    return found


def _all(archive: Archive, live: Live, counted: Counted) -> Iterator[str]:
    yield from written("pages_open", "gauge", "Pages that are told of changes.", [({}, live.listeners)])
    yield from written("requests_total", "counter", "Requests that were answered.", counted.samples(0))
    yield from written("request_seconds_total", "counter", "Time that their answers took.", counted.samples(1))
    yield from written("index_change", "gauge", "Number of the latest change.", [({}, archive.change())])
    yield from written("resident_bytes", "gauge", "Memory of this process.", _memory())
    if not archive.read_only:
        yield from _of_archive(archive)


def _of_archive(archive: Archive) -> Iterator[str]:
    now, came = archive.activity(), archive.came()
    objects = [({"door": door, "outcome": of}, counts[of]) for door, counts in came for of in OUTCOMES]
    yield from written("objects_total", "counter", "Objects that came.", objects)
    sizes = [({"door": door}, counts["bytes"]) for door, counts in came]
    yield from written("received_bytes_total", "counter", "Bytes that were taken in.", sizes)
    builds = [({"outcome": "waiting"}, now.unbuilt), ({"outcome": "failed"}, sum(n for _, n in now.failed))]
    yield from written("series_unbuilt", "gauge", "Series without a volume that shall have one.", builds)
    yield from written("spool_files", "gauge", "Files on their way in or out.", [({}, now.waiting)])
    yield from written("quarantined", "gauge", "Objects that lie in quarantine.", [({}, now.quarantined)])
    yield from written("disk_free_bytes", "gauge", "Room on the archive's disk.", [({}, now.free_bytes)])


def written(name: str, kind: str, words: str, samples: Iterable[tuple[Any, float]]) -> Iterator[str]:
    """One metric in Prometheus' text format."""
    yield f"# HELP pacs_panel_{name} {words}\n# TYPE pacs_panel_{name} {kind}\n"
    for labels, value in samples:
        inside = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
        yield f"pacs_panel_{name}{f'{{{inside}}}' if inside else ''} {value:.10g}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _memory() -> list[Sample]:
    """Resident memory, where the system tells it."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except OSError:
        return []
    import resource

    return [({}, pages * resource.getpagesize())]
