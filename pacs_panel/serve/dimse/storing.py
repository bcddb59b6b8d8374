"""Storing what an association sends: an object is durable before its sender is told so."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Protocol

from pacs_panel.serve.dimse.status import OTHER_IDENTITY, PROCESSING_FAILURE, SUCCESS, status

log = logging.getLogger(__name__)


class Door(Protocol):
    """Where objects are taken in; see `Archive.receiving`."""

    def store(self, path: Path, origin: str) -> str:
        """Keep a file; gives the SOP Instance UID that stands in it."""
        ...

    def commit(self) -> object:
        """Let the index know of what is kept."""
        ...


OpenDoor = Callable[[], AbstractContextManager[Door]]


class Storing:
    """The door of one association, opened when its first object comes.

    Parameters
    ----------
    open_door : callable
        Opens a door of the archive into the peer's collection.
    peer : str
        Its title, for reports.
    """

    def __init__(self, open_door: OpenDoor, peer: str) -> None:
        self._open_door, self._peer = open_door, peer
        self._stack = ExitStack()
        self._door: Door | None = None
        self._lock, self._ended = threading.Lock(), False  # a connection may be lost while an object is being kept

    def store(self, path: Path, sop_instance_uid: str) -> int:
        """Take in one object.

        Parameters
        ----------
        path : Path
            A file in DICOM format, whose data set is as it was sent; it is deleted.
        sop_instance_uid : str
            Of which the command spoke.

        Returns
        -------
        int
            Status of the answer: success only for what is durable.
        """
        with self._lock:
            return self._store(path, sop_instance_uid) if not self._ended else PROCESSING_FAILURE

    def _store(self, path: Path, sop_instance_uid: str) -> int:
        try:
            if self._door is None:
                self._door = self._stack.enter_context(self._open_door())
            kept = self._door.store(path, f"from {self._peer}: {sop_instance_uid}")
        except Exception as error:
            log.warning("could not take in what %s sent: %s", self._peer, type(error).__name__)
            return status(error)
        return SUCCESS if kept == sop_instance_uid else OTHER_IDENTITY

    def commit(self) -> None:
        """Let the archive's index know what came; another thread may store meanwhile."""
        if (door := self._door) is not None:
            door.commit()

    def arrived(self) -> None:
        """Let it know of all that came until now, also while the association is being closed."""
        with self._lock:
            self.commit()

    def close(self) -> None:
        """The association has ended, in whatever way: what came by it is complete."""
        with self._lock:
            self._ended, self._door = True, None
            self._stack.close()
