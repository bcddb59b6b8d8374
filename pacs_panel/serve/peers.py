"""Peers by name, and how each is asked: over DICOMweb where it has an address there, else over the DICOM network."""

from __future__ import annotations

from collections.abc import Iterable

from pacs_panel.archive import Archive
from pacs_panel.errors import NotFound, PacsPanelError
from pacs_panel.peer import Peer
from pacs_panel.serve.dimse.listener import Listening
from pacs_panel.serve.dimse.pulling import Called
from pacs_panel.serve.pulling import Source
from pacs_panel.serve.web_peer import WebPeer


def named(peers: Iterable[Peer], name: str) -> Peer:
    """The peer of that name.

    Raises
    ------
    NotFound
    """
    found = next((peer for peer in peers if peer.name == name), None)
    if found is None:
        raise NotFound(f"the settings have no [peers.{name}]; name their file with --settings")
    return found


def calling(
    archive: Archive, peer: Peer, *, title: str = "", listen: Listening | None = None, collection: str = ""
) -> Source:
    """A peer, ready to be asked; whoever asks closes it.

    Parameters
    ----------
    archive : Archive
    peer : Peer
    title : str, optional
        Ours; that of the settings by default.
    listen : Listening, optional
        Where we listen while a peer is asked by C-MOVE.
    collection : str, optional
        For what comes then.

    Raises
    ------
    PacsPanelError
        The table of peers does not say where it can be called.
    """
    if peer.url:
        return WebPeer(peer)
    if not peer.can_be_called:
        raise PacsPanelError(f"settings, [peers.{peer.name}]: url, or host and port, say where it can be called")
    return Called(archive, peer, title or archive.settings.ae_title, listen or Listening(), collection)
