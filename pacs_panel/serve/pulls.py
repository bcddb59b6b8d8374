"""Pulls that a page begins: each goes on in a thread of this process, whether the page stays open or not."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from secrets import token_hex
from typing import Any, Literal

from pacs_panel.archive import Archive
from pacs_panel.errors import NotFound, PacsPanelError
from pacs_panel.peer import Peer
from pacs_panel.serve.dimse.listener import Listening
from pacs_panel.serve.peers import calling, named
from pacs_panel.serve.pulling import STOPPED, Facts, Pulled, Source, pull, studies
from pacs_panel.serve.selections import Search

log = logging.getLogger(__name__)

MOST = 500  # studies that one question shows
REMEMBERED = 50  # pulls that are over
ENOUGH = 10.0  # seconds for pulls to end when the application does
COUNT = "NumberOfStudyRelatedInstances"
LONGEST = 1000  # characters of a value that are shown
UID = re.compile(r"[0-9.]{1,64}")  # PS3.5 §9.1; anything else a search would take for a pattern
WHOLE = re.compile(r"[0-9]{1,12}")  # PS3.5 §6.2, IS
UNFORESEEN = "something unforeseen happened; the server's log says what"

State = Literal["waiting", "running", "done", "failed"]


@dataclass(slots=True)
class Run:
    """One pull.

    Attributes
    ----------
    key : str
        Tells nothing.
    archive : Archive
        As whoever began it may see and change it.
    peer : Peer
    wanted : tuple of mapping
        What it asks for: a study each.
    expected : int
        Objects of these studies as the peer tells; 0 where it does not.
    began : float
        Seconds since 1970.
    """

    key: str
    archive: Archive
    peer: Peer
    wanted: tuple[Facts, ...]
    expected: int
    began: float
    state: State = "waiting"
    done: Pulled = field(default_factory=Pulled)
    problem: str = ""
    chosen: str = ""
    stop: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread | None = None

    def told(self) -> dict[str, Any]:
        """How far it is."""
        counts = {name: getattr(self.done, name) for name in ("found", "here", "accepted", "refused")}
        return {
            **{name: getattr(self, name) for name in ("key", "state", "expected", "began", "chosen")},
            **counts,
            "peer": self.peer.name,
            "studies": len(self.wanted),
            "stopping": self.stop.is_set(),
            "problem": self.problem or self.done.stopped,
            "reasons": Counter(self.done.failed.copy().values()).most_common(),
        }


class Pulls:
    """The pulls of one application. Threads may share it.

    Parameters
    ----------
    peers : sequence of Peer
        Of these, those that can be called are asked.
    hand_over : callable, optional
        Keeps a search under a token, by which a page shows what was pulled.
    listen : Listening, optional
        What we call ourselves, and where we listen for peers that are asked by C-MOVE.
    """

    def __init__(
        self,
        peers: Sequence[Peer],
        *,
        hand_over: Callable[[Search], str] | None = None,
        listen: Listening | None = None,
    ) -> None:
        self.peers = tuple(peer for peer in peers if peer.can_be_called)
        self._hand_over, self._listen = hand_over, listen
        self._runs: dict[str, Run] = {}
        self._one = threading.Lock()  # they go one after another
        self._lock = threading.Lock()

    def find(self, archive: Archive, peer: str, asked: Facts) -> tuple[list[Facts], bool]:
        """Studies of a peer that match, and whether there are more of them than are given.

        Raises
        ------
        PacsPanelError
            Whoever asks may not pull, nothing was asked for, or the peer does not answer.
        """
        archive.may("write")
        with closing(self._calling(archive, named(self.peers, peer))) as source:
            matching = (_plain(study) for study in studies(source, asked) if UID.fullmatch(study["StudyInstanceUID"]))
            found = list(islice(matching, MOST + 1))
        return found[:MOST], len(found) > MOST

    def here(self, archive: Archive, uids: Sequence[str]) -> dict[str, int]:
        """How many objects of studies are here."""
        rows = archive.search("study", StudyInstanceUID=list(uids)).rows() if uids else ()
        return {str(row["StudyInstanceUID"]): int(row[COUNT] or 0) for row in rows}

    def begin(self, archive: Archive, peer: str, found: Sequence[Facts], modality: str = "") -> str:
        """Pull studies, as `find` gave them, beside serving; gives the pull's key.

        Parameters
        ----------
        modality : str, optional
            Only series of this one.

        Raises
        ------
        Denied, NotFound
        """
        archive.may("write")
        only = {"Modality": modality} if modality else {}
        counts = [each[COUNT] for each in found]
        expected = sum(map(int, counts)) if not only and all(each.isdecimal() for each in counts) else 0
        wanted = tuple({"StudyInstanceUID": each["StudyInstanceUID"]} | only for each in found)
        run = Run(token_hex(8), archive, named(self.peers, peer), wanted, expected, time.time())
        run.thread = threading.Thread(target=self._work, args=(run,), name="pull", daemon=True)
        with self._lock:
            self._runs[run.key] = run
            over = [key for key, each in self._runs.items() if each.state in ("done", "failed")]
            for key in over[:-REMEMBERED]:
                del self._runs[key]
        run.thread.start()
        return run.key

    def told(self, archive: Archive) -> list[dict[str, Any]]:
        """How far those of whoever asks are, the latest first."""
        return [run.told() for run in reversed(self._of(archive))]

    def stop(self, archive: Archive, key: str) -> None:
        """Stop one before its next series; what came stays.

        Raises
        ------
        NotFound
            There is none, or it is somebody else's.
        """
        found = next((run for run in self._of(archive) if run.key == key), None)
        if found is None:
            raise NotFound("this pull is not known any more")
        found.stop.set()

    def close(self) -> None:
        """Stop all, and wait a while for them."""
        with self._lock:
            runs = list(self._runs.values())
        for run in runs:
            run.stop.set()
        end = time.monotonic() + ENOUGH
        for run in runs:
            if run.thread is not None:
                run.thread.join(max(0.0, end - time.monotonic()))

    def _calling(self, archive: Archive, peer: Peer) -> Source:
        return calling(archive, peer, title=self._listen.ae_title if self._listen else "", listen=self._listen)

    def _of(self, archive: Archive) -> list[Run]:
        with self._lock:
            return [run for run in self._runs.values() if run.archive.principal == archive.principal]

    # -- in a thread of its own ----------------------------------------------------------------------------------------

    def _work(self, run: Run) -> None:
        with self._one:
            if run.stop.is_set():
                run.problem, run.state = STOPPED, "failed"
                return
            run.state = "running"
            run.problem = self._attempt(run)
            self._choose(run)
            amiss = run.problem or run.done.stopped or run.done.failed or run.done.refused
            run.state = "failed" if amiss else "done"

    def _attempt(self, run: Run) -> str:
        """Pull; gives what went wrong, in words."""

        def progress(now: Pulled) -> None:
            run.done = now

        try:
            with closing(self._calling(run.archive, run.peer)) as source:
                run.done = pull(run.archive, source, run.peer, run.wanted, progress=progress, stop=run.stop.is_set)
        except PacsPanelError as error:
            return str(error)
        except OSError as error:
            return f"the archive cannot write ({error.strerror}); what came until then is whole"
        except Exception as error:
            log.warning("a pull from %s ended: %s", run.peer.name, type(error).__name__)
            return UNFORESEEN
        return ""

    def _choose(self, run: Run) -> None:
        """Let a page show what is here of it."""
        if self._hand_over is None or not run.done.here + run.done.accepted:
            return
        asked: Mapping[str, Any] = {"StudyInstanceUID": [each["StudyInstanceUID"] for each in run.wanted]}
        if modality := run.wanted[0].get("Modality"):
            asked = {**asked, "Modality": modality}
        run.chosen = self._hand_over(run.archive.search("series", **asked))


def _plain(study: Facts) -> Facts:
    """What a peer tells of a study, within bounds."""
    count = study[COUNT] if WHOLE.fullmatch(study[COUNT]) else ""
    return {name: value[:LONGEST] for name, value in study.items()} | {COUNT: count}
