"""Answers to C-GET and C-MOVE: objects go out as they are kept (PS3.4 §C.4.2 and §C.4.3).

The library counts sub-operations and tells of them. It would send data sets that it holds and encodes itself; a
`_Carrier` lets it send a file instead, so memory does not grow with objects, and their bytes stay as they are.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pynetdicom import build_context, evt

from pacs_panel.archive import Archive
from pacs_panel.dicom.answer import LEVELS, UNIQUE, asked, named, told
from pacs_panel.errors import BadQuery, Busy, PacsPanelError
from pacs_panel.model import Kept
from pacs_panel.peer import Peer
from pacs_panel.pixels.transcode import transcode
from pacs_panel.serve.dimse.line import HURRY
from pacs_panel.serve.dimse.sending import MOST_CONTEXTS, context_of, write_file
from pacs_panel.serve.dimse.status import CANCELLED, CANNOT_UNDERSTAND, NO_SUCH_LEVEL, PENDING, status

log = logging.getLogger(__name__)
EXPLICIT = "1.2.840.10008.1.2.1"
MOST_OBJECTS = 65535  # of one retrieval: numbers of sub-operations have 16 bits


def get(archive: Archive, event: Any) -> Iterator[Any]:
    """What a C-GET asks for, over the association on which it came; as the library wants it: the number first.

    Parameters
    ----------
    archive : Archive
        As whoever asks may see it.
    event : pynetdicom event
    """
    try:
        keys = _keys(event)
        number, _ = _survey(archive, keys)
    except Exception as error:
        refuse(event.assoc, error)
        yield 0
        return
    yield number
    yield from _sent(archive, keys, event, _Carrier(archive, event.assoc))


def move(archive: Archive, event: Any, peers: Sequence[Peer]) -> Iterator[Any]:
    """What a C-MOVE asks for, to a peer of the table; as the library wants it: where to, and the number, first."""
    try:
        keys = _keys(event)
        number, contexts = _survey(archive, keys)
    except Exception as error:
        refuse(event.assoc, error)
        yield None, None
        return
    title = str(event.move_destination).strip()
    peer = next((peer for peer in peers if peer.ae_title == title and peer.host and peer.port), None)
    if peer is None:
        yield None, None
        return
    carrier = _Carrier(archive)
    handlers = [HURRY, (evt.EVT_ESTABLISHED, lambda established: carrier.go_by(established.assoc))]
    yield peer.host, peer.port, {"contexts": contexts, "evt_handlers": handlers}
    yield number
    yield from _sent(archive, keys, event, carrier)


def refuse(association: Any, error: Exception) -> None:
    """Let the next answer tell an error: the library has no way to, before the first sub-operation."""
    if not isinstance(error, PacsPanelError):  # what the library says of an identifier may quote it
        log.warning("a retrieval could not be begun: %s", type(error).__name__)
    code = CANNOT_UNDERSTAND if not isinstance(error, PacsPanelError | OSError) else status(error)
    code = NO_SUCH_LEVEL if isinstance(error, _BadIdentifier) else code
    provider = association.dimse

    def send(response: Any, context: int) -> None:
        provider.send_msg = usual
        response.Status, response.ErrorComment = code, _comment(error)
        usual(response, context)

    usual, provider.send_msg = provider.send_msg, send


class _BadIdentifier(BadQuery):
    """An identifier that does not fit the information model."""


def _keys(event: Any) -> Mapping[str, Any]:
    """Unique keys of an identifier, down to its level (PS3.4 §C.4.2.1.4.1)."""
    identifier = event.identifier
    levels = list(UNIQUE)[1:] if "Study" in event.request.AffectedSOPClassUID.name else list(UNIQUE)
    level = str(identifier.get("QueryRetrieveLevel", "")).strip()
    if level not in levels:
        raise _BadIdentifier("QueryRetrieveLevel is none of the model's")
    above = list(UNIQUE.values())[: list(UNIQUE).index(level) + 1]
    keys = {keyword: value for keyword, value in asked(identifier).items() if keyword in above and value}
    if UNIQUE[level] not in keys:
        raise _BadIdentifier(f"{UNIQUE[level]} must be given at this level")
    if any(character in value for value in keys.values() for character in "*?"):
        raise _BadIdentifier("unique keys are given without wildcards")
    return keys


def _objects(archive: Archive, keys: Mapping[str, Any]) -> Iterator[Kept]:
    """Objects that unique keys name, series by series."""
    uids = keys.get(UNIQUE["IMAGE"], "")
    above: dict[str, Any] = {keyword: value for keyword, value in keys.items() if keyword != UNIQUE["IMAGE"]}
    if not uids:
        series = [str(row["key"]) for row in archive.search(LEVELS["SERIES"], **above).rows()]
    else:
        series = list(dict.fromkeys(str(row["series_key"]) for row in archive.search("instance", **keys).rows()))
    wanted = frozenset(uids.split("\\")) if uids else None
    for key in series:
        for kept in archive.objects(key):
            if wanted is None or kept.sop_instance_uid in wanted:
                yield kept


def _survey(archive: Archive, keys: Mapping[str, Any]) -> tuple[int, list[Any]]:
    """How many objects there are, and the presentation contexts by which they can go."""
    number, kinds = 0, dict[tuple[str, str], None]()
    for kept in _objects(archive, keys):
        number += 1
        kinds[context_of(kept)] = None
    if number > MOST_OBJECTS:
        raise Busy(f"{number} objects are more than one retrieval can count; ask by series")
    classes = [(abstract, EXPLICIT) for abstract, _ in kinds]
    offered = list(dict.fromkeys([*kinds, *classes]))[:MOST_CONTEXTS]
    return number, [build_context(abstract, syntax) for abstract, syntax in offered]


def _sent(archive: Archive, keys: Mapping[str, Any], event: Any, carrier: _Carrier) -> Iterator[Any]:
    """Each object by its name, when it is ready to be sent; the reason where it cannot be."""
    with tempfile.TemporaryDirectory() as folder:
        for kept in _objects(archive, keys):
            if event.is_cancelled:
                yield CANCELLED, None
                return
            reason = carrier.load(kept, Path(folder, "object.dcm"))
            yield told(PENDING, reason), named(kept.sop_instance_uid)


class _Carrier:
    """Lets an association of the library send files where it is told to send data sets."""

    def __init__(self, archive: Archive, association: Any = None) -> None:
        self._archive, self._association = archive, association
        self._file: Path | None = None
        if association is not None:
            self.go_by(association)

    def go_by(self, association: Any) -> None:
        """Take the place of what sends data sets on this association."""
        self._association = association
        association.send_c_store = self._store

    def load(self, kept: Kept, file: Path) -> str:
        """Make an object ready to be sent; gives the reason where that cannot be done."""
        self._file = None
        accepted = self._association.accepted_contexts
        syntaxes = {str(each.transfer_syntax[0]) for each in accepted if each.abstract_syntax == kept.sop_class_uid}
        if not syntaxes & {kept.transfer_syntax, EXPLICIT}:
            return f"not taken in transfer syntax {kept.transfer_syntax}"
        try:
            if kept.transfer_syntax in syntaxes:
                write_file(self._archive, kept, file)
            else:
                with self._archive.original(kept) as source, file.open("wb") as target:
                    transcode(source, kept, target, self._archive.settings)
        except (PacsPanelError, OSError) as error:
            return _comment(error)
        self._file = file
        return ""

    def _store(self, _named: Any, **how: Any) -> Any:
        if self._file is None:
            raise ValueError("this object cannot be sent")  # the library counts it as failed
        return type(self._association).send_c_store(self._association, self._file, **how)


def _comment(error: Exception) -> str:
    """What an Error Comment has room for; nothing of an error that may quote what was asked."""
    text = str(error) if isinstance(error, PacsPanelError) else type(error).__name__
    return text.encode("ascii", "replace").decode()[:64].replace("\\", "/")
