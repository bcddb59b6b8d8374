"""The application: pages, frames, and what goes on behind them, in one process on one port."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import RedirectResponse
from panel.io.fastapi import add_applications

from pacs_panel import __version__
from pacs_panel.archive import Archive
from pacs_panel.errors import ArchiveError
from pacs_panel.model import LOCAL
from pacs_panel.serve import errors
from pacs_panel.serve.documents import document_routes
from pacs_panel.serve.frames import frame_routes
from pacs_panel.serve.live import Live
from pacs_panel.serve.loopback import OnlyLoopback, check_host
from pacs_panel.serve.settling import Settling
from pacs_panel.view.browse.pages import browse_page, view_page


def make_app(archive: Archive, *, settle: bool = True) -> FastAPI:
    """The application over an archive.

    Parameters
    ----------
    archive : Archive
        Stays open for as long as the application runs.
    settle : bool
        Whether to build what other processes leave unbuilt.

    Returns
    -------
    FastAPI
        ``/browse`` and ``/view`` (pages), the routes of `pacs_panel.serve.frames` and
        `pacs_panel.serve.documents`, ``/liveness``; ``/`` leads to
        Browse. It answers under loopback names only.
    """
    local = archive.as_(LOCAL)  # until there is sign-in, everyone on this machine
    live = Live(archive.change, archive.settings.poll_seconds)
    app = FastAPI(
        title="pacs_panel", version=__version__, docs_url=None, redoc_url=None, lifespan=_beside(archive, live, settle)
    )
    app.state.live = live
    errors.install(app)
    app.include_router(frame_routes(lambda: local))
    app.include_router(document_routes(lambda: local))

    @app.get("/", include_in_schema=False)
    def root(request: Request) -> RedirectResponse:
        return RedirectResponse(f"{request.scope.get('root_path', '')}/browse")

    pages: dict[str, Any] = {
        "browse": lambda: browse_page(local, live.subscribe),
        "view": lambda: view_page(local, live.subscribe),
    }
    titles = {"browse": "Browse – pacs_panel", "view": "View – pacs_panel"}
    add_applications(pages, app=app, title=titles, liveness=True)
    app.add_middleware(OnlyLoopback)
    return app


def serve(
    archive: Archive,
    host: str = "127.0.0.1",
    port: int = 5006,
    on_ready: Callable[[str], None] = lambda _address: None,
) -> None:
    """Serve an archive until the process is interrupted.

    Parameters
    ----------
    host : str
        A loopback address.
    port : int
        0 takes a free one.
    on_ready : callable
        Told the address once it answers.

    Raises
    ------
    ArchiveError
        The host is no loopback address, or the port is taken.
    """
    listening = _listen(check_host(host), port)
    name = f"[{host}]" if ":" in host else host
    address = f"http://{name}:{listening.getsockname()[1]}"
    config = uvicorn.Config(
        make_app(archive), log_level="warning", ws_per_message_deflate=False, timeout_graceful_shutdown=2
    )
    with listening:
        _Server(config, lambda: on_ready(address)).run(sockets=[listening])


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host.strip("[]"), port))
        return listening
    except OSError as error:
        listening.close()
        raise ArchiveError(f"cannot listen on port {port} ({error.strerror}): give another one by --port") from None


def _beside(archive: Archive, live: Live, settle: bool) -> Callable[[FastAPI], Any]:
    """What runs as long as the application does: the poller, and the builder."""

    def work() -> Iterable[object]:
        archive.recover()
        return archive.settle()

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        settling = Settling(work, quiet=2 * archive.settings.poll_seconds)
        if settle:
            live.subscribe(settling.wake)
            settling.start()
        live.start()
        try:
            yield
        finally:
            settling.close()
            live.close()

    return lifespan
