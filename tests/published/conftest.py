"""A small archive, published, and servers for it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from pacs_panel.archive import Archive, open_archive
from pacs_panel.settings import Settings
from pacs_panel.testing import PhantomSeries, Study, Subject, ct_phantom, mr_4d, seg_on, write


@dataclass
class Server:
    """A running server, and what it was asked for."""

    url: str
    asked: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def ct() -> PhantomSeries:
    """Larger than a chunk along every axis."""
    return ct_phantom(slices=40, rows=96, columns=160, spacing=(3.0, 1.0, 1.0))


@pytest.fixture(scope="session")
def source_folder(ct: PhantomSeries, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of a CT with a segmentation, and of an MR with times; to be left as it is."""
    base = tmp_path_factory.mktemp("source")
    write(ct, base / "in" / "ct")
    write(seg_on(ct, spheres=1), base / "in" / "seg")
    other = Study(Subject("Müller^Änne", "P2"), "20240303", "101010", "Other study")
    mr = mr_4d(study=other, times=3, slices=4, rows=24, columns=20)
    mr.datasets[0].RepetitionTime = "700.25"  # it differs within the series
    write(mr, base / "in" / "mr")
    with open_archive(base / "archive", settings=Settings(workers=0)) as archive:
        archive.ingest(base / "in", collection="phantoms")
    return base / "archive"


@pytest.fixture(scope="session")
def source(source_folder: Path) -> Iterator[Archive]:
    with open_archive(source_folder, create=False, settings=Settings(workers=0)) as archive:
        yield archive


@pytest.fixture(scope="session")
def folder(source_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of it published, with originals; to be left as it is."""
    target = tmp_path_factory.mktemp("published") / "site"
    with open_archive(source_folder, create=False) as archive:
        archive.publish(target, originals=True)
    return target


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(workers=0, cache=str(tmp_path / "cache"))


@pytest.fixture(scope="session")
def serve() -> Iterator[Callable[..., Server]]:
    """``serve(folder)``: a server that knows byte ranges, and counts what it is asked for."""
    ends: list[Callable[[], None]] = []

    def start(folder: Path) -> Server:
        server = Server("")
        files = Starlette(routes=[Mount("/", StaticFiles(directory=folder))])

        async def counted(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                server.asked.append(scope["path"].lstrip("/"))
            await files(scope, receive, send)

        config = uvicorn.Config(counted, port=0, log_level="error", lifespan="off", ws="none")
        running = uvicorn.Server(config)
        ready = threading.Event()
        running.startup = _told(running.startup, ready)  # type: ignore[method-assign]
        thread = threading.Thread(target=running.run, daemon=True)
        thread.start()
        assert ready.wait(20)
        server.url = f"http://127.0.0.1:{running.servers[0].sockets[0].getsockname()[1]}"

        def end() -> None:
            running.should_exit = True
            thread.join()

        ends.append(end)
        return server

    yield start
    for end in ends:
        end()


def _told(startup: Any, ready: threading.Event) -> Any:
    async def started(sockets: Any = None) -> None:
        await startup(sockets=sockets)
        ready.set()

    return started


class Plain(SimpleHTTPRequestHandler):
    """Sends whole files whatever is asked for, and says nothing."""

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


@contextmanager
def plain_server(folder: Path, handler: Any = Plain, secure: Any = None) -> Iterator[str]:
    """Address of a server without byte ranges; with an `ssl.SSLContext`, of one with a certificate."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder))) as server:
        if secure is not None:
            server.socket = secure.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        name = "localhost" if secure else "127.0.0.1"
        try:
            yield f"{'https' if secure else 'http'}://{name}:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
