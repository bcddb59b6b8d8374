"""The application: pages, frames, and what goes on behind them, in one process on one port."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from functools import partial
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
from pacs_panel.serve.dicomweb.intake import Intake
from pacs_panel.serve.dicomweb.routes import dicomweb_routes
from pacs_panel.serve.dicomweb.stow import stow_routes
from pacs_panel.serve.dimse.listener import Listening
from pacs_panel.serve.documents import document_routes
from pacs_panel.serve.download import download_routes
from pacs_panel.serve.frames import frame_routes
from pacs_panel.serve.live import Live
from pacs_panel.serve.loopback import Guard, check_host
from pacs_panel.serve.manifests import manifest_routes
from pacs_panel.serve.metrics import Counted, Requests, watching_routes
from pacs_panel.serve.pulls import Pulls
from pacs_panel.serve.selections import Selections
from pacs_panel.serve.settling import building
from pacs_panel.serve.upload_routes import upload_routes
from pacs_panel.serve.uploads import Uploads
from pacs_panel.serve.volumes import volume_routes
from pacs_panel.view.activity.page import activity_page
from pacs_panel.view.browse.pages import browse_page, view_page
from pacs_panel.view.charts.pages import charts_page
from pacs_panel.view.cohorts.page import cohorts_page
from pacs_panel.view.compare.page import compare_page
from pacs_panel.view.page import navigated
from pacs_panel.view.patient.page import patient_page
from pacs_panel.view.pull.page import Ways, pull_page


def make_app(archive: Archive, *, settle: bool = True, listen: Listening | None = None) -> FastAPI:
    """The application over an archive.

    Parameters
    ----------
    archive : Archive
        Stays open for as long as the application runs.
    settle : bool
        Whether to build what other processes leave unbuilt.
    listen : Listening, optional
        How peers are called from a page, and where what they move is listened for.

    Returns
    -------
    FastAPI
        The pages, such as ``/browse`` and ``/view``; the routes of `pacs_panel.serve.frames`, `.documents`, `.volumes`,
        `.dicomweb` and `.metrics`; those of `.download` and `.upload_routes`, not for a published archive;
        ``/liveness``; ``/`` leads to Browse. See `pacs_panel.serve.loopback` for whom it answers.
    """
    local = archive.as_(LOCAL)  # until there is sign-in, everyone on this machine
    live = Live(archive.change, archive.settings.poll_seconds)
    selections = Selections()
    changing = not archive.read_only
    uploads = Uploads(archive.root, build=not settle, hand_over=selections.put) if changing else None
    pulls = Pulls(archive.settings.peers if changing else (), hand_over=selections.put, listen=listen)
    intake = Intake(lambda: archive.receiving(kind="stow"))
    beside = _beside(archive, live, uploads, pulls, intake, settle and changing)
    app = FastAPI(title="pacs_panel", version=__version__, docs_url=None, redoc_url=None, lifespan=beside)
    app.state.live = live
    app.state.selections = selections
    app.state.requests = Counted()
    errors.install(app)
    app.include_router(frame_routes(lambda: local))
    app.include_router(document_routes(lambda: local))
    app.include_router(manifest_routes(lambda: local))
    app.include_router(volume_routes(lambda: local))
    app.include_router(dicomweb_routes(lambda: local))
    if uploads is not None:
        app.include_router(download_routes(lambda: local, selections))
        app.include_router(upload_routes(lambda: local, uploads))
        app.include_router(stow_routes(lambda: local, intake))

    @app.get("/", include_in_schema=False)
    def root(request: Request) -> RedirectResponse:
        return RedirectResponse(f"{request.scope.get('root_path', '')}/browse")

    pages = _pages(local, live, selections, pulls)
    titles = {name: f"{name.capitalize()} – pacs_panel" for name in pages}
    with_ways: dict[str, Any] = {name: _with_ways(make, name, tuple(pages)) for name, make in pages.items()}
    add_applications(with_ways, app=app, title=titles, liveness=True)
    app.include_router(watching_routes(local, live))
    app.add_middleware(Requests, counted=app.state.requests)
    app.add_middleware(Guard, token=archive.settings.token)
    return app


def _pages(archive: Archive, live: Live, selections: Selections, pulls: Pulls) -> dict[str, Callable[[], Any]]:
    """What makes a session's page, by its name in the address."""
    tell, put, get = live.subscribe, selections.put, selections.get
    pages: dict[str, Callable[[], Any]] = {
        "browse": lambda: browse_page(
            archive, tell, hand_over=None if archive.read_only else put, taken=get, pages=tuple(pages)
        ),
        "view": lambda: view_page(archive, tell),
        "charts": lambda: charts_page(archive, tell, hand_over=put, taken=get),
        "compare": lambda: compare_page(archive, tell),
        "patient": lambda: patient_page(archive, tell),
        "cohorts": lambda: cohorts_page(archive, tell, put),
    }
    if pulls.peers:
        pages["pull"] = lambda: pull_page(_ways(archive, pulls), tell)
    if not archive.read_only:
        pages["activity"] = lambda: activity_page(archive, tell)
    return pages


def _ways(archive: Archive, pulls: Pulls) -> Ways:
    """To the peers, as whoever opened a page may ask them."""
    return Ways(
        tuple(peer.name for peer in pulls.peers),
        find=partial(pulls.find, archive),
        here=partial(pulls.here, archive),
        begin=partial(pulls.begin, archive),
        told=partial(pulls.told, archive),
        stop=partial(pulls.stop, archive),
    )


def _with_ways(make: Callable[[], Any], name: str, pages: tuple[str, ...]) -> Callable[[], Any]:
    """A page that leads to the others; a plain function, since Panel shows any other callable as it is."""
    return lambda: navigated(make(), name, pages)


def serve(
    archive: Archive,
    host: str = "127.0.0.1",
    port: int = 5006,
    on_ready: Callable[[str], None] = lambda _address: None,
    listen: Listening | None = None,
) -> None:
    """Serve an archive until the process is interrupted.

    Parameters
    ----------
    host : str
        A loopback address; any, where the settings have a token.
    port : int
        0 takes a free one.
    on_ready : callable
        Told the address once it answers.
    listen : Listening, optional
        See `make_app`.

    Raises
    ------
    ArchiveError
        The host is no loopback address, and there is no token; or the port is taken.
    """
    listening = _listen(check_host(host, archive.settings.token), port)
    name = f"[{host}]" if ":" in host else host
    address = f"http://{name}:{listening.getsockname()[1]}"
    config = uvicorn.Config(
        make_app(archive, listen=listen),
        log_level="warning",
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=2,
        proxy_headers=False,  # whether a connection is from here must not be for its other end to say
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
    # The protocol is named since asyncio sets TCP_NODELAY only where it is: without, small answers wait 40 ms.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host.strip("[]"), port))
        return listening
    except OSError as error:
        listening.close()
        raise ArchiveError(f"cannot listen on port {port} ({error.strerror}): give another one by --port") from None


def _beside(
    archive: Archive, live: Live, uploads: Uploads | None, pulls: Pulls, intake: Intake, settle: bool
) -> Callable[[FastAPI], Any]:
    """What runs as long as the application does: the poller, the builder, and what comes by uploads and pulls."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        with ExitStack() as stack:
            stack.enter_context(live)
            if settle:
                stack.enter_context(building(archive, live))
            stack.callback(intake.close)
            stack.callback(pulls.close)
            if uploads is not None:
                uploads.sweep()
                stack.callback(uploads.close)
            yield

    return lifespan
