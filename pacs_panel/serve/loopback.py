"""Who may ask for what: pages on this machine only; services elsewhere, too, with the token.

Until there is sign-in, whoever reaches the pages may do everything. So they answer connections from loopback, under
loopback names, and not to foreign pages: neither under a name that was made to point here (DNS rebinding), nor over a
WebSocket. The services for programs, DICOMweb and OME-Zarr, may be asked from anywhere by who has the token.
"""

from __future__ import annotations

import hmac
import ipaddress
from urllib.parse import urlsplit

from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from pacs_panel.errors import ArchiveError
from pacs_panel.serve.errors import NO_STORE

SERVICES = ("/dicomweb", "/volumes")  # that a token opens, and all that is ever seen of this server from elsewhere
REFUSED = {"what": "this server answers to loopback names only", "hint": "open it as http://127.0.0.1 or localhost"}
NO_TOKEN = {"what": "this needs the server's token", "hint": "send it in the header Authorization: Bearer …"}
BEARER = {"WWW-Authenticate": 'Bearer realm="pacs_panel"', **NO_STORE}


def is_loopback(host: str) -> bool:
    """Whether a host name, or an address with or without brackets, is this machine's loopback."""
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def check_host(host: str, token: str = "") -> str:
    """``host``, where it may be bound: loopback, or any with a token.

    Raises
    ------
    ArchiveError
    """
    if not host or not (token or is_loopback(host)):
        raise ArchiveError(
            f"will not serve on {host!r}: without sign-in only this machine may look in; use 127.0.0.1, and a tunnel "
            "(ssh -L) from elsewhere; or set a token (PACS_PANEL_TOKEN), with which DICOMweb and OME-Zarr may be asked"
        )
    return host


class Guard:
    """ASGI middleware that lets nobody in but those who may.

    Parameters
    ----------
    app : ASGI application
    token : str
        What services ask for, from wherever the request comes; empty: they answer this machine only, as pages do.
    """

    def __init__(self, app: ASGIApp, token: str = "") -> None:
        self.app, self._token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        status = 200 if scope["type"] not in ("http", "websocket") else self._status(scope)
        if status == 200:
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        elif status == 401:
            await JSONResponse(NO_TOKEN, status, headers=BEARER)(scope, receive, send)
        else:
            await JSONResponse(REFUSED, status)(scope, receive, send)

    def _status(self, scope: Scope) -> int:
        if self._token and scope["type"] == "http" and _is_service(scope):
            return 200 if _has(scope, self._token) else 401
        return 200 if _is_here(scope) else 421


def _is_service(scope: Scope) -> bool:
    path = str(scope["path"]).removeprefix(scope.get("root_path", ""))
    return any(path == service or path.startswith(f"{service}/") for service in SERVICES)


def _has(scope: Scope, token: str) -> bool:
    """Whether a request has the token; how long this takes tells nothing of it."""
    given = [value for name, value in scope["headers"] if name == b"authorization"]
    if len(given) != 1:
        return False
    scheme, _, credentials = given[0].partition(b" ")
    return hmac.compare_digest(credentials.strip(), token.encode()) and scheme.lower() == b"bearer"


def _is_here(scope: Scope) -> bool:
    """Whether a request comes from this machine, under its own name, and not from a foreign page."""
    headers = {name: value.decode("latin-1") for name, value in scope["headers"] if name in (b"host", b"origin")}
    host = headers.get(b"host", "")
    if not is_loopback(_hostname(f"//{host}")) or not _is_near(scope):
        return False
    origin = headers.get(b"origin")
    return origin is None or urlsplit(origin).netloc == host


def _is_near(scope: Scope) -> bool:
    """Whether the other end is this machine; what has no address of the network cannot come from it."""
    client = scope.get("client")
    try:
        address = ipaddress.ip_address(client[0].partition("%")[0]) if client else None
    except ValueError:
        return True
    mapped = getattr(address, "ipv4_mapped", None)
    return address is None or (mapped or address).is_loopback


def _hostname(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""
