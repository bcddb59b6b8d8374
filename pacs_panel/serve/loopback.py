"""Only this machine: which addresses are bound, and which names a request may call the server by.

Until there is sign-in, whoever reaches the server may do everything. So it listens on loopback, and refuses requests
that a foreign page sends: under a name that was made to point here (DNS rebinding), or over a WebSocket of its own.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from pacs_panel.errors import ArchiveError

REFUSED = {"what": "this server answers to loopback names only", "hint": "open it as http://127.0.0.1 or localhost"}


def is_loopback(host: str) -> bool:
    """Whether a host name, or an address with or without brackets, is this machine's loopback."""
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def check_host(host: str) -> str:
    """``host``, where it may be bound.

    Raises
    ------
    ArchiveError
        It is no loopback address.
    """
    if not is_loopback(host):
        raise ArchiveError(
            f"will not serve on {host!r}: without sign-in only this machine may look in; use 127.0.0.1, and a tunnel "
            "(ssh -L) from elsewhere"
        )
    return host


class OnlyLoopback:
    """ASGI middleware that refuses requests under foreign names, and WebSockets and writes from foreign pages."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] not in ("http", "websocket") or _allowed(scope):
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            await JSONResponse(REFUSED, 421)(scope, receive, send)


def _allowed(scope: Scope) -> bool:
    headers = {name: value.decode("latin-1") for name, value in scope["headers"] if name in (b"host", b"origin")}
    host = headers.get(b"host", "")
    if not is_loopback(_hostname(f"//{host}")):
        return False
    origin = headers.get(b"origin")
    return origin is None or urlsplit(origin).netloc == host


def _hostname(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""
