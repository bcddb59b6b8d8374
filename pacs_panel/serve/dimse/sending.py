"""Sending objects to a peer as they are kept: their data sets byte for byte, in their own transfer syntax."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import batched
from pathlib import Path
from typing import Any

from pynetdicom import AE, _config
from pynetdicom.dsutils import create_file_meta, encode_file_meta

from pacs_panel.archive import Archive
from pacs_panel.errors import PacsPanelError, Unreachable
from pacs_panel.model import Kept
from pacs_panel.peer import Peer
from pacs_panel.serve.dimse.line import HURRY
from pacs_panel.serve.web_sending import Sent, store

MOST_CONTEXTS = 120  # of one association; PS3.8 §9.3.2 has room for 128
AT_ONCE = 500  # objects whose contexts are negotiated together
PIECE = 1 << 20
TRIES = 3  # associations in a row that may break without anything being sent
_config.STORE_SEND_CHUNKED_DATASET = True  # files go out as they are, piece by piece, and are never decoded


def send(
    archive: Archive, keys: Iterable[str], peer: Peer, title: str, progress: Callable[[int], None] = lambda _: None
) -> Sent:
    """Send series to a peer.

    Parameters
    ----------
    archive : Archive
        As whoever sends may see it.
    keys : iterable of str
        Of series.
    peer : Peer
    title : str
        Ours.
    progress : callable
        Told how many objects are dealt with.

    Raises
    ------
    PacsPanelError
        The table of peers does not say where it can be called.
    Unreachable
        It does not answer, refuses the association, or breaks it again and again.
    """
    if not peer.can_be_called:
        raise PacsPanelError(f"settings, [peers.{peer.name}]: url, or host and port, say where it can be called")
    done = Sent()
    objects = (kept for key in keys for kept in archive.objects(key))
    if peer.url:
        store(objects, partial(pieces, archive), peer, done, progress)
        return done
    with tempfile.TemporaryDirectory() as folder:
        for portion in _portions(objects):
            _send(archive, portion, peer, title, Path(folder, "object.dcm"), done, progress)
    return done


def _portions(objects: Iterable[Kept]) -> Iterator[list[Kept]]:
    """Objects in portions whose kinds fit into one association."""
    for batch in batched(objects, AT_ONCE):
        portion: list[Kept] = []
        contexts: set[tuple[str, str]] = set()
        for kept in batch:
            if len(contexts | {context_of(kept)}) > MOST_CONTEXTS:
                yield portion
                portion, contexts = [], set()
            portion.append(kept)
            contexts.add(context_of(kept))
        yield portion


def context_of(kept: Kept) -> tuple[str, str]:
    """Class and transfer syntax by which an object goes as it is kept."""
    return kept.sop_class_uid, kept.transfer_syntax


def _send(
    archive: Archive, objects: Sequence[Kept], peer: Peer, title: str, file: Path, done: Sent, progress: Any
) -> None:
    """Send a portion; where the association breaks, the rest goes over another one."""
    left, tries = list(objects), 0
    while left:
        with _Association(left, peer, title) as association:
            before = len(left)
            while left and association.open:
                if (answer := association.store(archive, left[0], file)) is None:
                    break
                kept = left.pop(0)
                if answer:
                    done.failed[kept.sop_instance_uid] = answer
                else:
                    done.sent += 1
                progress(done.sent + len(done.failed))
        tries = 0 if len(left) < before else tries + 1
        if tries == TRIES:
            raise Unreachable(f"{peer.name} breaks the association; {done.sent} objects are sent, run it again")


class _Association:
    """An association for some objects."""

    def __init__(self, objects: Iterable[Kept], peer: Peer, title: str) -> None:
        self._peer, entity = peer, AE(title)
        for abstract, syntax in dict.fromkeys(map(context_of, objects)):
            entity.add_requested_context(abstract, syntax)
        self._open = entity.associate(peer.host, peer.port, ae_title=peer.ae_title, evt_handlers=[HURRY])
        if not self._open.is_established:
            refused = "refuses the association" if self._open.is_rejected else "does not answer"
            raise Unreachable(f"{peer.name} {refused}; see that host, port and both titles are right")

    def __enter__(self) -> _Association:
        return self

    def __exit__(self, *exception: object) -> None:
        if self.open:
            self._open.release()

    @property
    def open(self) -> bool:
        """Whether more can be sent."""
        return bool(self._open.is_established)

    def store(self, archive: Archive, kept: Kept, file: Path) -> str | None:
        """Send one object: empty if it was taken, else why not; ``None`` if nobody answered."""
        if not any(context_of(kept) == _accepted(context) for context in self._open.accepted_contexts):
            return f"{self._peer.name} does not take this class in transfer syntax {kept.transfer_syntax}"
        try:
            write_file(archive, kept, file)
        except PacsPanelError as error:
            return str(error)
        try:
            status = self._open.send_c_store(file)
        except RuntimeError:  # the association ended meanwhile
            return None
        if "Status" not in status:
            self._open.abort()  # a line that broke counts as open until its thread looks, and can keep us waiting
            return None
        taken = status.Status == 0 or status.Status & 0xF000 == 0xB000
        return "" if taken else f"{self._peer.name} answered 0x{status.Status:04X}"


def _accepted(context: Any) -> tuple[str, str]:
    return str(context.abstract_syntax), str(context.transfer_syntax[0])


def write_file(archive: Archive, kept: Kept, file: Path) -> None:
    """Write `pieces` to a file."""
    with file.open("wb") as target:
        target.writelines(pieces(archive, kept))


def pieces(archive: Archive, kept: Kept) -> Iterator[bytes]:
    """A file of the data set as it is kept, behind file meta information that says what it is."""
    meta = create_file_meta(
        sop_class_uid=kept.sop_class_uid,  # type: ignore[arg-type]
        sop_instance_uid=kept.sop_instance_uid,  # type: ignore[arg-type]
        transfer_syntax=kept.transfer_syntax,  # type: ignore[arg-type]
    )
    yield bytes(128) + b"DICM" + encode_file_meta(meta)
    with archive.original(kept) as source:
        source.seek(kept.dataset_offset)
        while piece := source.read(PIECE):
            yield piece
