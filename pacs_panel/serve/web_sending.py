"""Sending objects to a peer over DICOMweb: STOW-RS, streamed (PS3.18 §10.5)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from pacs_panel.dicom.question import answered_json
from pacs_panel.errors import Damaged, PacsPanelError, Unreachable
from pacs_panel.model import Kept
from pacs_panel.peer import Peer
from pacs_panel.settings import MIB
from pacs_panel.storage.dicomweb import DicomWeb

MOST_OBJECTS, MOST_BYTES = 100, 64 * MIB  # of one request
TRIES = 3  # of one request, where the line breaks: an object that a peer has already is taken again
FAILED_SEQUENCE = "00081198"
UID, REASON = "ReferencedSOPInstanceUID", "FailureReason"


@dataclass(slots=True)
class Sent:
    """What became of each object.

    Attributes
    ----------
    sent : int
        Taken by the peer, warnings included.
    failed : dict of str to str
        SOP Instance UID to the reason.
    """

    sent: int = 0
    failed: dict[str, str] = field(default_factory=dict)


def store(
    objects: Iterable[Kept],
    pieces: Callable[[Kept], Iterable[bytes]],
    peer: Peer,
    done: Sent,
    progress: Callable[[int], None],
) -> None:
    """Send objects, some in each request; see `pacs_panel.serve.dimse.sending.send`."""
    with closing(DicomWeb(peer)) as web:
        for portion in _portions(objects):
            failed = _failed(_stored(web, portion, pieces, peer, done), portion, peer)
            done.failed |= failed
            done.sent += len(portion) - len(failed)
            progress(done.sent + len(done.failed))


def _portions(objects: Iterable[Kept]) -> Iterator[list[Kept]]:
    portion: list[Kept] = []
    size = 0
    for kept in objects:
        portion.append(kept)
        size += kept.location.length
        if len(portion) >= MOST_OBJECTS or size >= MOST_BYTES:
            yield portion
            portion, size = [], 0
    if portion:
        yield portion


def _stored(
    web: DicomWeb, portion: Sequence[Kept], pieces: Callable[[Kept], Iterable[bytes]], peer: Peer, done: Sent
) -> Mapping[str, Any]:
    for attempt in range(1, TRIES + 1):
        try:
            return web.store(map(pieces, portion))
        except Damaged:
            raise
        except Unreachable as error:
            if attempt == TRIES:
                raise Unreachable(f"{error}; {done.sent} objects are sent, run it again") from None
    raise PacsPanelError(f"{peer.name} was not asked")


def _failed(answer: Mapping[str, Any], portion: Sequence[Kept], peer: Peer) -> dict[str, str]:
    """What a peer did not take, with its reason."""
    sequence = answer.get(FAILED_SEQUENCE, {}).get("Value", [])
    told = [answered_json(item, (UID, REASON)) for item in sequence if isinstance(item, dict)]
    reasons = {item[UID]: item[REASON] for item in told}
    return {
        kept.sop_instance_uid: f"{peer.name} answered {_code(reasons[kept.sop_instance_uid])}"
        for kept in portion
        if kept.sop_instance_uid in reasons
    }


def _code(reason: str) -> str:
    return f"0x{int(reason):04X}" if reason.isdecimal() else "with a failure"
