"""Who is calling: a caller may do what the table of peers grants, and nothing else."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import dataclass

from pacs_panel.errors import ArchiveError, Denied
from pacs_panel.peer import Operation, Peer
from pacs_panel.serve.loopback import is_loopback


@dataclass(frozen=True, slots=True)
class Callers:
    """The peers that may call.

    Attributes
    ----------
    peers : tuple of Peer
    anyone : frozenset of str
        What callers may do who are in no table; by default, nothing.
    """

    peers: tuple[Peer, ...] = ()
    anyone: frozenset[Operation] = frozenset()

    def who(self, ae_title: str, address: str) -> Peer | None:
        """The peer who calls itself ``ae_title`` from an address; ``None`` for whoever may do nothing here."""
        same = [peer for peer in self.peers if peer.ae_title and peer.ae_title == ae_title.strip()]
        if not same and self.anyone:
            return Peer("", ae_title.strip(), may=self.anyone)
        return next((peer for peer in same if not peer.host or address in _addresses(peer.host)), None)

    def check_listening(self, host: str) -> str:
        """The address to listen on.

        Raises
        ------
        ArchiveError
            It can be reached from other machines, and it is not a table that says who may call.
        """
        if not is_loopback(host) and (self.anyone or not any(peer.ae_title for peer in self.peers)):
            raise ArchiveError(f"{host} can be reached by others: name in the settings' [peers] all who may call")
        return host


def allow(peer: Peer | None, operation: Operation) -> Peer:
    """The peer, provided that it may do this.

    Raises
    ------
    Denied
    """
    if peer is None or operation not in peer.may:
        raise Denied(f"this caller may not {operation} here; the table of peers in the settings grants it")
    return peer


def _addresses(host: str) -> Iterable[str]:
    """Addresses of a name, asked for at each association, as they may change."""
    try:
        return {str(info[4][0]) for info in socket.getaddrinfo(host, None)}
    except OSError:
        return ()
