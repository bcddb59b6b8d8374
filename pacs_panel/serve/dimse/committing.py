"""Storage commitment: whoever deletes what it sent learns first whether it is kept safely (PS3.4 Annex J).

A request is written down before it is answered. The report goes over an association of its own, with roles reversed,
as often as is needed; a restart forgets nothing.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from pynetdicom import AE, build_role
from pynetdicom.sop_class import StorageCommitmentPushModel  # type: ignore[attr-defined]

from pacs_panel.archive import Archive
from pacs_panel.dicom.answer import committed, referenced
from pacs_panel.model import Commitment
from pacs_panel.peer import Peer
from pacs_panel.serve.dimse.status import CLASS_CONFLICT, NO_SUCH_OBJECT, PROCESSING_FAILURE, SUCCESS

log = logging.getLogger(__name__)
INSTANCE = "1.2.840.10008.1.20.1.1"  # the well-known one, PS3.4 §J.3.5
REQUEST = 1  # the one action, and event types: all are safe, some are not
ALL_SAFE, SOME_NOT = 1, 2
LONGEST = 3600.0  # seconds between two attempts
REASONS = {"missing": NO_SUCH_OBJECT, "conflict": CLASS_CONFLICT, "damaged": PROCESSING_FAILURE}


class Committing:
    """Answers requests, and reports in a thread of its own.

    Parameters
    ----------
    archive : Archive
    peers : sequence of Peer
        Who can be told.
    title : str
        Ours.
    retry : float
        Seconds until the second attempt; each further one waits twice as long.
    arrived : callable
        Lets the index know of all that came until now.
    """

    def __init__(
        self, archive: Archive, peers: Sequence[Peer], title: str, retry: float, arrived: Callable[[], None]
    ) -> None:
        self._archive, self._peers, self._title, self._retry = archive, peers, title, retry
        self._arrived = arrived
        self._wake, self._ended = threading.Event(), False
        self._next: dict[tuple[str, str], tuple[float, float]] = {}  # of a transaction: when, and how long it waited
        self._thread = threading.Thread(target=self._run, name="commitments", daemon=True)

    def start(self) -> None:
        """Begin with what was promised before."""
        self._thread.start()

    def close(self) -> None:
        """Report no more; what is left is reported after the next start."""
        self._ended = True
        self._wake.set()
        self._thread.join()

    def request(self, event: Any, peer: Peer) -> int:
        """Take a request down; gives the status of its answer."""
        if event.action_type != REQUEST:
            return 0x0123  # no such action
        if not (peer.host and peer.port):
            log.warning("peer %s asks for storage commitment; its table needs host and port to be told", peer.name)
            return PROCESSING_FAILURE
        try:
            information = event.action_information
            transaction, objects = str(information.TransactionUID), referenced(information)
        except Exception as error:  # what the library says of it may quote it
            log.warning("a request for storage commitment cannot be read: %s", type(error).__name__)
            return 0x0115  # invalid argument value
        self._archive.promise(Commitment(transaction, peer.name, json.dumps(objects), time.time_ns()))
        self._wake.set()
        return SUCCESS

    def _run(self) -> None:
        while not self._ended:
            self._wake.clear()
            try:
                self._report_all()
            except Exception as error:  # it is tried again
                log.warning("storage commitment waits: %s", type(error).__name__)
            now = time.monotonic()
            self._wake.wait(min((max(when - now, 0) for when, _ in self._next.values()), default=LONGEST))

    def _report_all(self) -> None:
        for commitment in self._archive.promised():
            name = commitment.transaction, commitment.peer
            due, waited = self._next.get(name, (0.0, self._retry / 2))
            if self._ended or due > time.monotonic():
                continue
            if self._report(commitment):
                self._archive.keep_promise(commitment)
                self._next.pop(name, None)
            else:
                waited = min(2 * waited, LONGEST)
                self._next[name] = time.monotonic() + waited, waited

    def _report(self, commitment: Commitment) -> bool:
        """Whether a peer was told, and has understood."""
        peer = next((peer for peer in self._peers if peer.name == commitment.peer), None)
        if peer is None or not (peer.host and peer.port):
            return False
        entity = AE(self._title)
        entity.add_requested_context(StorageCommitmentPushModel)
        role = build_role(StorageCommitmentPushModel, scp_role=True)
        association = entity.associate(peer.host, peer.port, ae_title=peer.ae_title, ext_neg=[role])
        if not association.is_established:
            return False
        try:
            self._arrived()
            objects: dict[str, str] = json.loads(commitment.objects)
            failed = {uid: REASONS[reason] for uid, reason in self._archive.unsafe(objects).items()}
            told = committed(commitment.transaction, objects, failed)
            kind = SOME_NOT if failed else ALL_SAFE
            answer, _ = association.send_n_event_report(told, kind, StorageCommitmentPushModel, INSTANCE)
            return "Status" in answer and answer.Status == SUCCESS
        except (RuntimeError, ValueError) as error:  # the association ended meanwhile, or the role was not taken
            log.warning("%s could not be told of storage commitment: %s", peer.name, type(error).__name__)
            return False
        finally:
            if association.is_established:
                association.release()
