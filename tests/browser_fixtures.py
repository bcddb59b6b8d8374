"""A real Chromium for tests, and applications served to it on a port of their own.

A test that takes `page` fails on any console error, any error of a page, any failed request, and any request that would
leave this machine.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
LOCAL = ("http://127.0.0.1:", "ws://127.0.0.1:", "blob:http://127.0.0.1:", "data:", "about:")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """One Chromium for all tests of a worker."""
    from playwright.sync_api import sync_playwright

    from tests.conftest import find_peer

    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=str(find_peer("chromium")), args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def allow_errors() -> list[str]:
    """Parts of console errors that a test means to cause: append to it."""
    return []


@pytest.fixture(scope="module")
def browser_context(browser: Any) -> Iterator[Any]:
    """A fresh profile for each module, so that its tests load the same scripts from the cache."""
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    context.set_default_timeout(60_000)
    yield context
    context.close()


@pytest.fixture
def page(browser_context: Any, allow_errors: list[str]) -> Iterator[Any]:
    """A page, 1400 x 900, under guard; its cookies go with it."""
    troubles: list[str] = []
    made = browser_context.new_page()
    made.on("console", lambda said: troubles.append(f"console: {said.text}") if said.type == "error" else None)
    made.on("pageerror", lambda error: troubles.append(f"page error: {error}"))
    made.on("request", lambda asked: None if asked.url.startswith(LOCAL) else troubles.append(f"asked for {asked.url}"))
    yield made
    made.close()
    browser_context.clear_cookies()
    left = [trouble for trouble in troubles if not any(part in trouble for part in allow_errors)]
    assert not left, "\n".join(left)


@pytest.fixture(scope="module")
def serve_app() -> Iterator[Callable[..., str]]:
    """``serve_app({"viewer": make}, app=None)``: serve Panel applications, with an app's own routes; gives the address.

    Each application is a function without arguments, called once a session. It is served until the module's tests end:
    a page under the same address finds its scripts in the cache, which saves most of its time.
    """
    stops: list[Callable[[], None]] = []

    def serve(applications: Mapping[str, Callable[[], Any]], app: Any = None, **options: Any) -> str:
        from fastapi import FastAPI
        from panel.io.fastapi import add_applications

        app = app or FastAPI()
        add_applications(dict(applications), app=app, **options)
        address, stop = run(app)
        stops.append(stop)
        return address

    yield serve
    for stop in stops:
        stop()


def run(app: Any) -> tuple[str, Callable[[], None]]:
    """Serve an ASGI app on a free port of loopback, in a thread; its address, and what ends it."""
    import uvicorn

    listening = socket.socket(proto=socket.IPPROTO_TCP)  # asyncio lets small answers wait where it is not named
    listening.bind(("127.0.0.1", 0))
    ready = threading.Event()

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            ready.set()

    settings = uvicorn.Config(app, log_level="warning", ws_per_message_deflate=False, timeout_graceful_shutdown=1)
    server = Server(settings)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    assert ready.wait(20), "the server did not start"

    def stop() -> None:
        server.should_exit = True
        thread.join(20)
        listening.close()

    return f"http://127.0.0.1:{listening.getsockname()[1]}", stop
