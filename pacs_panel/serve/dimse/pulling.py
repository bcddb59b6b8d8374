"""A peer as it is asked over the DICOM network: C-FIND, then C-GET or C-MOVE (PS3.4 §C.4)."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from itertools import batched
from typing import Any

from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, build_role, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    CTImageStorage,
    MRImageStorage,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

from pacs_panel.archive import Archive
from pacs_panel.attributes import Level
from pacs_panel.dicom.question import answered, question
from pacs_panel.errors import ArchiveError, PacsPanelError, Unreachable
from pacs_panel.peer import Peer
from pacs_panel.serve.dimse.coming import bound, discard
from pacs_panel.serve.dimse.line import hurry
from pacs_panel.serve.dimse.listener import Listening, listening
from pacs_panel.serve.dimse.peers import Callers
from pacs_panel.serve.dimse.status import SUCCESS, status
from pacs_panel.serve.pulling import Announced, Facts, Taking

log = logging.getLogger(__name__)
EXPLICIT = "1.2.840.10008.1.2.1"
SECONDS = 60.0  # without a word
# One context for each class and syntax, so that each object can come as it is stored: what is in one context is the
# peer's choice. The syntaxes of SMPTE ST 2110 are of streams, never of objects that are stored.
# Explicit VR comes first: some, like DCMTK's, look no further than the first that they accepted.
SYNTAXES = tuple(
    dict.fromkeys(uid for uid in (EXPLICIT, *ALL_TRANSFER_SYNTAXES) if not uid.startswith("1.2.840.10008.1.2.7."))
)
CLASSES = 127 // len(SYNTAXES)  # of one association; PS3.8 §9.3.2 has room for 128 contexts
EVERY = tuple(
    dict.fromkeys((CTImageStorage, MRImageStorage, *(each.abstract_syntax for each in AllStoragePresentationContexts)))
)
FIND = StudyRootQueryRetrieveInformationModelFind
GET = StudyRootQueryRetrieveInformationModelGet
MOVE = StudyRootQueryRetrieveInformationModelMove


class _NotOfferedError(PacsPanelError):
    """A peer takes none of the services that were proposed."""


class Called:
    """A peer that is called, over associations that stay open while they serve.

    Parameters
    ----------
    archive : Archive
        Whose listener takes what is moved.
    peer : Peer
    title : str
        Ours.
    listen : Listening
        Where our listener is called by a peer that is asked by C-MOVE.
    collection : str
        Name under which what it takes can be found.
    """

    def __init__(self, archive: Archive, peer: Peer, title: str, listen: Listening, collection: str = "") -> None:
        self._archive, self._peer, self._title = archive, peer, title
        self._listen, self._collection = replace(listen, ae_title=title), collection or peer.collection
        self.elsewhere = peer.retrieve == "move"
        self._open: dict[Any, Any] = {}
        self._taking: Taking | None = None
        self._beside = ExitStack()
        self._listening = False

    def close(self) -> None:
        """Release what is open; the listener has let the index know of all that came when this returns."""
        for association in self._open.values():
            if association.is_established:
                association.release()
        self._open.clear()
        self._beside.close()

    def find(self, level: Level, keys: Facts, wanted: Sequence[str]) -> Iterator[Facts]:
        """What matches at a level (C-FIND)."""
        asked = question(level, keys, wanted)
        association = self._associated((FIND,))
        found = []
        for state, identifier in self._asked(association.send_c_find, asked, FIND):
            if state.Status in (0xFF00, 0xFF01) and identifier is not None:
                found.append(answered(identifier, wanted))
            elif state.Status != SUCCESS:
                raise PacsPanelError(f"{self._peer.name} answers 0x{state.Status:04X} to a question")
        yield from found

    def fetch(self, series: Announced, uids: Sequence[str], whole: bool, taking: Taking) -> None:
        """Ask for objects of a series, in rounds where its classes are too many for one association, or not told."""
        self._taking = taking
        if self.elsewhere:
            self._move(series, uids, whole)
            return
        told = {series.objects[uid] for uid in uids}
        for classes in batched(EVERY if "" in told else sorted(told), CLASSES):
            left = [uid for uid in uids if uid in taking.missing and series.objects[uid] in ("", *classes)]
            everything = whole and len(left) == len(uids)
            if left and not self._get(classes, series, left, everything):
                self._move(series, uids, whole)
                self.elsewhere = True
                return

    def _get(self, classes: Iterable[str], series: Announced, uids: Sequence[str], whole: bool) -> bool:
        """Ask by C-GET, over the same line as the series before where its classes are the same."""
        try:
            association = self._associated((GET, *classes))
        except _NotOfferedError:
            return False
        if not any(context.abstract_syntax == GET for context in association.accepted_contexts):
            return False
        for keys in _identifiers(series, uids, whole):
            self._finished(self._asked(association.send_c_get, keys, GET))
        return True

    def _move(self, series: Announced, uids: Sequence[str], whole: bool) -> None:
        """Ask by C-MOVE. Where the port is taken, a listener of this archive's is there, as of ``receive``."""
        if not self._listening:
            self._listening = True
            callers = Callers((replace(self._peer, may=frozenset({"store"}), collection=self._collection),))
            try:
                self._beside.enter_context(listening(self._archive, callers, self._listen))
            except ArchiveError as error:
                if "cannot listen on port" not in str(error):
                    raise
                log.info("what is moved goes to the listener that runs already")
        association = self._associated((MOVE,))
        send = partial(_moving, association, self._title)
        for keys in _identifiers(series, uids, whole):
            self._finished(self._asked(send, keys, MOVE))

    def _finished(self, answers: Iterable[tuple[Any, Any]]) -> None:
        for state, _ in answers:
            code = int(state.Status)
            if code not in (SUCCESS, 0xFF00, 0xB000, 0xA702):  # these two: some did not come, which is seen by itself
                raise PacsPanelError(f"{self._peer.name} answers 0x{code:04X} to what was asked for")

    def _asked(self, send: Any, identifier: Any, model: Any) -> Iterator[tuple[Any, Any]]:
        """Answers until the last one.

        Raises
        ------
        Unreachable
            The line broke.
        """
        try:
            for state, found in send(identifier, model):
                if "Status" not in state:
                    del self._open[model]  # it may seem to be open for a moment, and would never answer
                    raise Unreachable(f"{self._peer.name} breaks the association; run it again")
                yield state, found
        except ValueError:
            raise PacsPanelError(f"{self._peer.name} does not offer this service ({model.name})") from None
        except RuntimeError:  # it ended before
            self._open.pop(model, None)
            raise Unreachable(f"{self._peer.name} breaks the association; run it again") from None
        if self._taking is not None and self._taking.broken is not None:
            raise self._taking.broken

    def _associated(self, contexts: tuple[Any, ...]) -> Any:
        """An association for these, which may be the one before; one of a kind is open."""
        kept = self._open.get(contexts[0])
        if kept is not None and kept.is_established and kept.asked_for == contexts:
            return kept
        if kept is not None and kept.is_established:
            kept.release()
        entity = AE(self._title)
        entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = SECONDS
        entity.connection_timeout = 10.0
        entity.add_requested_context(contexts[0])
        for abstract in contexts[1:]:
            for syntax in SYNTAXES:
                entity.add_requested_context(abstract, syntax)
        peer = self._peer
        found: Any = entity.associate(
            peer.host,
            peer.port,
            ae_title=peer.ae_title,
            ext_neg=[build_role(abstract, scp_role=True) for abstract in contexts[1:]],
            evt_handlers=[(evt.EVT_CONN_OPEN, _opened), (evt.EVT_CONN_CLOSE, _closed), (evt.EVT_C_STORE, self._store)],
        )
        if not found.is_established:
            if found.rejected_contexts and not found.accepted_contexts:
                raise _NotOfferedError(f"{peer.name} does not offer this service ({contexts[0].name})")
            refused = "refuses the association" if found.is_rejected else "does not answer"
            raise Unreachable(f"{peer.name} {refused}; see that its host, port and both titles are right")
        found.asked_for = contexts
        self._open[contexts[0]] = found
        return found

    def _store(self, event: Any) -> int:
        if self._taking is None:
            return status(PacsPanelError())
        try:
            self._taking.take(event.dataset_path)
        except Exception as error:
            log.warning("could not take in what %s sent: %s", self._peer.name, type(error).__name__)
            return status(error)
        return SUCCESS


def _identifiers(series: Announced, uids: Sequence[str], whole: bool) -> Iterator[Any]:
    """What to ask for: the series, or object by object, as not every peer knows lists of UIDs."""
    of = {"StudyInstanceUID": series.study, "SeriesInstanceUID": series.series}
    if whole:
        yield question("series", of)
        return
    for uid in uids:
        yield question("instance", of | {"SOPInstanceUID": uid})


def _moving(association: Any, title: str, identifier: Any, model: Any) -> Any:
    return association.send_c_move(identifier, title, model)


def _opened(event: Any) -> None:
    hurry(event)
    bound(event.assoc)


def _closed(event: Any) -> None:
    discard(event.assoc)
    event.assoc.dimse.msg_queue.put((None, None))  # who waits for an answer waits no more
