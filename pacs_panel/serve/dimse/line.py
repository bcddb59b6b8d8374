"""The line of an association that we open or accept."""

from __future__ import annotations

import socket
from typing import Any

from pynetdicom import evt


def hurry(event: Any) -> None:
    """Let small packets wait for nothing: one that waits for an acknowledgement costs each object 40 ms."""
    event.assoc.dul.socket.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


HURRY = (evt.EVT_CONN_OPEN, hurry)
