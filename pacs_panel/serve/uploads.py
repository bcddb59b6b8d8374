"""Uploads over HTTP: files of any number and size, to a spool on the archive's own disk, then into the archive.

A browser begins a session, sends numbered files (many small ones in one request, a large one in parts), and finishes:
then all of it is imported, beside serving. The sender's names of files stay with the sender.
"""

from __future__ import annotations

import logging
import os
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Any, Literal

from pydantic import BaseModel, Field

from pacs_panel.archive import Archive
from pacs_panel.errors import NotFound, PacsPanelError
from pacs_panel.serve.errors import Refused
from pacs_panel.serve.selections import Search
from pacs_panel.serve.spool import DAY, NETWORK, check_space, path_of, sweep
from pacs_panel.storage import layout

log = logging.getLogger(__name__)

MOST_FILES = 1_000_000
TOLD = 20  # examples of each reason

COUNTS = ("accepted", "duplicates", "new_versions", "alternative_encodings", "bytes", "seconds")
SCATTERED = "listed in DICOMDIR, but missing"  # said of files that lie here under numbers

State = Literal["receiving", "waiting", "importing", "done", "failed"]


class Beginning(BaseModel):
    """What is going to come."""

    bytes: int = Field(0, ge=0)
    collection: str = Field("", max_length=200)


class Ending(BaseModel):
    """How many files there were, and the numbers of those that could not be sent."""

    files: int = Field(ge=1, le=MOST_FILES)
    without: set[int] = Field(default_factory=set)


@dataclass(slots=True)
class Session:
    """One upload. Its ``token`` is also the name of its folder."""

    token: str
    archive: Archive
    collection: str
    folder: Path
    state: State = "receiving"
    touched: float = 0.0
    objects: int = 0
    writing: set[int] = field(default_factory=set)
    stop: threading.Event = field(default_factory=threading.Event)
    problem: str = ""
    report: dict[str, Any] = field(default_factory=dict)

    def told(self) -> dict[str, Any]:
        """How far it is."""
        told = {"state": self.state, "objects": self.objects, "problem": self.problem, "report": self.report}
        return {name: value for name, value in told.items() if value or name == "objects"}


class _Stopped(Exception):
    """An import was told to stop."""


class Uploads:
    """The uploads of one application. Threads may share it.

    Parameters
    ----------
    root : Path
        The archive's folder.
    build : bool
        Whether an import builds volumes, too; else somebody else does.
    hand_over : callable, optional
        Keeps a search under a token, by which a page shows what arrived.
    """

    def __init__(self, root: Path, *, build: bool = True, hand_over: Callable[[Search], str] | None = None) -> None:
        self._root, self._spool = root, root / layout.spool()
        self._build, self._hand_over = build, hand_over
        self._sessions: dict[str, Session] = {}
        self._one = threading.Lock()  # imports go one after another
        self._lock = threading.Lock()

    def begin(self, archive: Archive, coming: Beginning) -> Session:
        """Begin an upload.

        Raises
        ------
        Denied
        Refused
            There is no room for it, or the collection's name cannot be one.
        """
        archive.may("write")
        if not coming.collection.isprintable():
            raise Refused(400, "the name of a collection is printable text", "give it another name")
        self.sweep()
        self._spool.mkdir(exist_ok=True)
        check_space(self._spool, 2 * coming.bytes)  # they lie in the spool, and then in the archive
        token = token_hex(16)
        made = Session(token, archive, coming.collection.strip(), self._spool / f"upload-{token}", touched=time.time())
        made.folder.mkdir()
        with self._lock:
            self._sessions[token] = made
        return made

    def find(self, archive: Archive, token: str) -> Session:
        """An upload of whoever asks.

        Raises
        ------
        NotFound
            There is none, or it is somebody else's.
        """
        found = self._sessions.get(token)
        if found is None or found.archive.principal != archive.principal:
            raise NotFound("this upload is not known any more: begin it again")
        found.touched = time.time()
        return found

    def claim(self, session: Session, numbers: range) -> None:
        """Let one request alone write these files.

        Raises
        ------
        Refused
            Another one does, or the upload was finished.
        """
        with self._lock:
            if session.state != "receiving":
                raise Refused(409, "this upload was finished before", "begin another one")
            if not session.writing.isdisjoint(numbers):
                raise Refused(409, "another request is still sending this file", "wait a moment, and try again")
            session.writing.update(numbers)

    def release(self, session: Session, numbers: range) -> None:
        """Let others write them."""
        with self._lock:
            session.writing.difference_update(numbers)

    def finish(self, session: Session, ending: Ending) -> None:
        """Import what has arrived, beside serving; again, where that failed.

        Raises
        ------
        Refused
            Some of the files have not arrived whole, or there is no room.
        """
        wanted = {path_of(session.folder, number): number for number in range(ending.files)}
        if missing := [n for path, n in wanted.items() if n not in ending.without and not path.exists()]:
            what = f"{len(missing)} of {ending.files} files have not arrived"
            raise Refused(409, what, "send them again", missing=missing[:TOLD])
        check_space(self._spool, sum(path.stat().st_size for path in session.folder.iterdir()))
        with self._lock:
            if session.state not in ("receiving", "failed") or session.writing:
                raise Refused(409, "this upload was finished before, or is still being sent", "see how far it is")
            session.state, session.problem = "waiting", ""
        for path in session.folder.iterdir():
            if path not in wanted or wanted[path] in ending.without:
                path.unlink()
        threading.Thread(target=self._import, args=(session,), name="upload", daemon=True).start()

    def cancel(self, session: Session) -> None:
        """Forget an upload. What an import of it has taken in stays; an import that runs stops after a batch."""
        session.stop.set()
        with self._lock:
            self._sessions.pop(session.token, None)
            running = session.state in ("waiting", "importing")
        if not running:
            shutil.rmtree(session.folder, ignore_errors=True)

    def sweep(self) -> None:
        """Remove what nobody has touched for a day: of this process, and of others before it."""
        for session in list(self._sessions.values()):
            if session.state not in ("waiting", "importing") and session.touched < time.time() - DAY:
                self.cancel(session)
        network = self._root / layout.spool(NETWORK)
        sweep(network)
        sweep(self._spool, keep={network, *(session.folder for session in list(self._sessions.values()))})

    def close(self) -> None:
        """Stop after the present batch."""
        for session in list(self._sessions.values()):
            session.stop.set()

    # -- in a thread of its own ----------------------------------------------------------------------------------------

    def _import(self, session: Session) -> None:
        with self._one:
            session.state = "importing"
            problem = self._attempt(session)
            if not problem or session.stop.is_set():
                shutil.rmtree(session.folder, ignore_errors=True)
            session.problem, session.state = problem, "failed" if problem else "done"

    def _attempt(self, session: Session) -> str:
        """Import; gives what went wrong, in words. The files stay then: an import may be run again."""
        try:
            self._take_in(session)
        except _Stopped:
            return "stopped; what was taken in until then is in the archive"
        except PacsPanelError as error:
            return str(error)
        except OSError as error:
            log.exception("upload %s could not be taken in", session.token)
            return f"the archive cannot write ({error.strerror}); what was taken in until then is whole"
        except Exception:
            log.exception("upload %s could not be taken in", session.token)
            return "something unforeseen happened; the server's log says what"
        return ""

    def _take_in(self, session: Session) -> None:
        def progress(now: Any) -> None:
            session.objects = now.objects
            session.touched = time.time()
            os.utime(session.folder)  # another server must not take it for nobody's
            if session.stop.is_set():
                raise _Stopped

        if session.stop.is_set():
            raise _Stopped
        archive = session.archive
        how: dict[str, Any] = {"collection": session.collection, "build": self._build, "kind": "upload"}
        report = archive.ingest(session.folder, progress=progress, **how)
        told = in_words(report.to_dict(), session.folder)
        if self._hand_over is not None and report.series:
            told["chosen"] = self._hand_over(archive.search(key=sorted(report.series)))
        session.report = told


def in_words(report: dict[str, Any], folder: Path) -> dict[str, Any]:
    """A report as the sender reads it: files by their numbers, and what is inside of them by its own name."""
    reasons = [
        {"reason": reason, "count": tally["count"], "examples": [_example(one, folder) for one in tally["examples"]]}
        for reason, tally in report["rejected"].items()
        if reason != SCATTERED
    ]
    for reason in reasons:
        reason["examples"] = reason["examples"][:TOLD]
    refused = sum(reason["count"] for reason in reasons)
    counts = {name: report[name] for name in COUNTS}
    return {**counts, "refused": refused, "series": len(report["series"]), "reasons": reasons}


def _example(example: dict[str, str], folder: Path) -> dict[str, Any]:
    file, _, member = example["origin"].removeprefix(f"{folder}/").partition("!")
    return {"file": int(file) if file.isdecimal() else None, "member": member, "detail": example["detail"]}
