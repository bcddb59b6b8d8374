"""The listener: associations are accepted, and their objects stored (PS3.4 Annexes A and B, PS3.8)."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pynetdicom import AE, _config, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    PatientRootQueryRetrieveInformationModelFind,
    PatientRootQueryRetrieveInformationModelGet,
    PatientRootQueryRetrieveInformationModelMove,
    StorageCommitmentPushModel,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
)

from pacs_panel.archive import Archive
from pacs_panel.errors import ArchiveError, Denied, PacsPanelError
from pacs_panel.peer import Operation, Peer
from pacs_panel.serve.dimse.coming import bound, discard
from pacs_panel.serve.dimse.committing import Committing
from pacs_panel.serve.dimse.finding import find
from pacs_panel.serve.dimse.line import hurry
from pacs_panel.serve.dimse.peers import Callers, allow
from pacs_panel.serve.dimse.retrieving import get, move, refuse
from pacs_panel.serve.dimse.status import PROCESSING_FAILURE, SUCCESS, status
from pacs_panel.serve.dimse.storing import Storing

log = logging.getLogger(__name__)
COMMIT_SECONDS = 0.3
QUERIES = (
    PatientRootQueryRetrieveInformationModelFind,
    PatientRootQueryRetrieveInformationModelGet,
    PatientRootQueryRetrieveInformationModelMove,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)
PDU = 128 << 10  # bytes at once, as many as dcmtk sends; each one costs some work of its own
LINES = 4  # for each association that may be open, before lines are cut without an answer
ENOUGH = 10.0  # seconds for an association to end that was told to

# Switches of the library, for the whole process: any class and syntax is taken as it is sent, data sets go to a file
# while they come, and none of their values goes to a log.
_config.UNRESTRICTED_STORAGE_SERVICE = True
_config.STORE_RECV_CHUNKED_DATASET = True
_config.LOG_REQUEST_IDENTIFIERS = _config.LOG_RESPONSE_IDENTIFIERS = False
_config.LOG_HANDLER_LEVEL = "none"
logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)  # its errors quote what they could not read


@dataclass(frozen=True, slots=True)
class Listening:
    """Where and how to listen.

    Attributes
    ----------
    host : str
        An address of this machine; others than loopback ones need a table of peers.
    port : int
        0 takes a free one.
    ae_title : str
        By which we want to be called.
    associations : int
        Most at once; others are told to come again.
    timeout : float
        Seconds without a word after which an association is ended.
    retry : float
        Seconds after which a peer that could not be told of storage commitment is called again, and then rarer.
    """

    host: str = "127.0.0.1"
    port: int = 11112
    ae_title: str = "PACS_PANEL"
    associations: int = 16
    timeout: float = 60.0
    retry: float = 10.0


@contextmanager
def listening(archive: Archive, callers: Callers, how: Listening) -> Iterator[tuple[str, int]]:
    """Listen while the block runs; gives address and port. Raises as `Listener`."""
    listener = Listener(archive, callers, how)
    archive.recover()  # what came to a listener that was killed is known before anything new comes
    address = listener.start()
    try:
        yield address
    finally:
        listener.close()


class Listener:
    """Takes in what peers send, each association in a thread of its own.

    Memory is bounded: a sender is answered, and so sends its next object, only when the one before is on disk.

    Parameters
    ----------
    archive : Archive
    callers : Callers
    how : Listening

    Raises
    ------
    ArchiveError
        The address can be reached by others, and nobody is named who may call.
    """

    def __init__(self, archive: Archive, callers: Callers, how: Listening | None = None) -> None:
        self.how = how or Listening()
        callers.check_listening(self.how.host)
        self._archive, self._callers = archive, callers
        self._open: dict[int, _Association] = {}
        self._server: Any = None
        self._end, self._arriving = threading.Event(), threading.Lock()
        self._committing = Committing(archive, callers.peers, self.how.ae_title, self.how.retry, self._arrived)
        self._thread = threading.Thread(target=self._commit, name="arrivals", daemon=True)

    def start(self) -> tuple[str, int]:
        """Begin to listen; gives address and port.

        Raises
        ------
        ArchiveError
            The port is taken.
        """
        how = self.how
        entity = AE(how.ae_title)
        for supported in (Verification, StorageCommitmentPushModel, *QUERIES):
            entity.add_supported_context(supported)
        entity.require_called_aet = True
        entity.maximum_associations, entity.maximum_pdu_size = how.associations, PDU
        entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = how.timeout
        try:
            self._server = entity.start_server((how.host, how.port), block=False, evt_handlers=self._handlers())
        except OSError as error:
            raise ArchiveError(f"cannot listen on port {how.port} ({error.strerror}): give another one") from None
        self._thread.start()
        self._committing.start()
        host, port = self._server.server_address[:2]
        return str(host), int(port)

    def close(self) -> None:
        """Listen no more, and end all associations; what was answered with success is kept."""
        if (server := self._server) is None:
            return
        self._server = None
        server.shutdown()
        accepted = [association.of for association in list(self._open.values())]
        for association in server.active_associations:
            association.abort()
        for association in accepted:  # the library lets the others wait for a word until their time is over
            association.join(ENOUGH)
        self._end.set()
        self._thread.join()
        self._committing.close()
        for left in list(self._open):
            self._end_of(left)

    def _commit(self) -> None:
        """Many objects are committed at once: that takes longer than to make one durable."""
        while not self._end.wait(COMMIT_SECONDS):
            for number, association in list(self._open.items()):
                if not association.of.is_alive():  # the library gave it up without a word, as on a full disk
                    log.info("an association has ended; what came of it until then is kept")
                    self._end_of(number)
                    continue
                try:
                    with self._arriving:
                        association.storing.commit()
                except Exception as error:  # it is tried again, and nothing is lost
                    log.warning("what came is not in the index yet: %s", type(error).__name__)

    def _arrived(self) -> None:
        """Let the index know at once of what came; also of what associations brought that are being closed."""
        for association in list(self._open.values()):
            with self._arriving:
                association.storing.arrived()

    def _handlers(self) -> list[Any]:
        return [
            (evt.EVT_CONN_OPEN, self._opened),
            (evt.EVT_ACCEPTED, self._accepted),
            (evt.EVT_CONN_CLOSE, self._closed),
            (evt.EVT_C_ECHO, self._echo),
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_C_FIND, self._find),
            (evt.EVT_C_GET, self._get),
            (evt.EVT_C_MOVE, self._move),
            (evt.EVT_N_ACTION, self._action),
        ]

    def _opened(self, event: Any) -> None:
        hurry(event)
        bound(event.assoc)
        if (server := self._server) is not None and len(server.active_associations) > LINES * self.how.associations:
            event.assoc.dul.socket.socket.shutdown(
                socket.SHUT_RDWR
            )  # each line takes threads, also where nothing is ever said on it

    def _accepted(self, event: Any) -> None:
        requestor = event.assoc.requestor
        peer = self._callers.who(requestor.ae_title, requestor.address)
        self._open[id(event.assoc)] = _Association(event.assoc, peer, self._archive)
        if peer is None:
            log.warning("a caller that is in no table was refused")
            event.assoc.abort()

    def _closed(self, event: Any) -> None:
        self._end_of(id(event.assoc))

    def _end_of(self, number: int) -> None:
        if (association := self._open.get(number)) is None:
            return
        association.cut()
        try:
            association.storing.close()
        except Exception as error:  # `recover` finds it
            log.warning("what came is sealed later: %s", type(error).__name__)
        self._open.pop(number, None)  # not before: whoever closes the listener waits for it

    def _echo(self, event: Any) -> int:
        return self._answer(event, "echo", lambda _: SUCCESS)

    def _store(self, event: Any) -> int:
        uid = str(event.request.AffectedSOPInstanceUID)
        return self._answer(event, "store", lambda of: of.storing.store(event.dataset_path, uid))

    def _find(self, event: Any) -> Iterator[tuple[int, Any]]:
        association = self._open.get(id(event.assoc))
        try:
            allow(association.peer if association else None, "find")
            identifier = event.identifier
        except Denied as error:
            yield status(error), None
            return
        yield from find(self._archive, identifier, self.how.ae_title, lambda: event.is_cancelled)

    def _get(self, event: Any) -> Iterator[Any]:
        try:
            self._allow(event, "retrieve")
        except Denied as error:
            refuse(event.assoc, error)
            yield 0
            return
        yield from get(self._archive, event)

    def _move(self, event: Any) -> Iterator[Any]:
        try:
            self._allow(event, "retrieve")
        except Denied as error:
            refuse(event.assoc, error)
            yield None, None
            return
        yield from move(self._archive, event, self._callers.peers)

    def _action(self, event: Any) -> tuple[int, None]:
        try:
            return self._committing.request(event, self._allow(event, "commit")), None
        except PacsPanelError as error:
            return status(error), None

    def _allow(self, event: Any, operation: Operation) -> Peer:
        association = self._open.get(id(event.assoc))
        return allow(association.peer if association else None, operation)

    def _answer(self, event: Any, operation: Operation, act: Callable[[_Association], int]) -> int:
        association = self._open.get(id(event.assoc))
        try:
            allow(association.peer if association else None, operation)
            return act(association) if association else PROCESSING_FAILURE
        except Denied as error:
            return status(error)


class _Association:
    """One that is open: who calls, and what it stores."""

    def __init__(self, of: Any, peer: Peer | None, archive: Archive) -> None:
        self.of, self.peer = of, peer
        collection, title = (peer.collection, peer.ae_title) if peer else ("", "")
        self.storing = Storing(lambda: archive.receiving(collection=collection, peer=title), title)

    def cut(self) -> None:
        """Close the line where the library did not, and remove what came half."""
        if (line := self.of.dul.socket) is not None and not self.of.is_alive():
            line._shutdown_socket()
        discard(self.of)
