"""Sessions: one import, or one association. Each owns a folder of append logs and a lock that dies with it.

What a session made durable but did not get to seal is found again by `abandoned` and finished by the pipeline.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Buffer, Iterable, Iterator
from concurrent.futures import Executor, Future
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from pathlib import Path
from time import time_ns

from pacs_panel.errors import Busy
from pacs_panel.keep.pack import PackLog, seal
from pacs_panel.settings import Settings
from pacs_panel.storage import layout
from pacs_panel.storage.faults import reach
from pacs_panel.storage.files import lock, make_folder


def new_session() -> str:
    """A fresh id: sorts by time, never meets another."""
    return f"{time_ns():020d}{secrets.token_hex(4)}"


@contextmanager
def hold(root: Path, session: str) -> Iterator[Path]:
    """Own a session while the block runs; gives its folder.

    The lock comes before the folder, and lies outside it: whoever finds the folder can tell whether it is owned.

    Raises
    ------
    Busy
        If another process owns it.
    """
    guard = root / layout.session_lock(session)
    with lock(guard, wait=False):
        folder = root / layout.session(session)
        make_folder(folder)
        yield folder
        if not folder.exists():
            guard.unlink(missing_ok=True)
            (root / layout.writers_lock(session)).unlink(missing_ok=True)


def writing(root: Path, session: str) -> AbstractContextManager[None]:
    """Append to a session's logs while the block runs, together with others of the session."""
    return lock(root / layout.writers_lock(session), shared=True)


def alone(root: Path, session: str) -> AbstractContextManager[None]:
    """Wait until nobody writes in a session: worker processes outlive an importing process that was killed."""
    return lock(root / layout.writers_lock(session))


def abandoned(root: Path) -> list[str]:
    """Sessions that nobody owns any more, oldest first."""
    found = []
    for folder in sorted((root / "incoming").glob("*/")):
        try:
            with lock(root / layout.session_lock(folder.name), wait=False):
                found.append(folder.name)
        except Busy:
            continue
    return found


def owned(root: Path, session: str) -> bool:
    """Whether a process owns a session, or recovers it at this moment."""
    if not (root / layout.session(session)).exists():
        return False
    try:
        with lock(root / layout.session_lock(session), wait=False, shared=True):
            return False
    except Busy:
        return True


def pack_ids(root: Path, session: str) -> list[str]:
    """Packs whose logs a session has begun and not yet sealed."""
    folder = root / layout.session(session)
    return [f"{path.parent.name}/{path.stem}" for path in sorted(folder.glob("*/*.tar"))]


def finish(root: Path, session: str, settings: Settings) -> list[str]:
    """Seal all logs of a session that is owned by the caller; returns the pack ids."""
    ids = pack_ids(root, session)
    for pack_id in ids:
        seal(root / layout.log(pack_id), root / layout.pack(pack_id))
        reach(settings, "seal.renamed")
    return ids


def discard(root: Path, session: str) -> None:
    """Remove the empty folder of a finished session."""
    folder = root / layout.session(session)
    if folder.exists() and not pack_ids(root, session):
        shutil.rmtree(folder, ignore_errors=True)  # what is left of it is found as abandoned


class SeriesLogs(AbstractContextManager["SeriesLogs"]):
    """The append logs that one writer fills, one a series.

    Parameters
    ----------
    root : Path
        The archive.
    session : str
    writer : int
        Tells the threads and processes of one session apart.
    """

    def __init__(self, root: Path, session: str, writer: int, settings: Settings) -> None:
        self._root, self._session, self._writer, self._settings = root, session, writer, settings
        self._logs: dict[str, PackLog] = {}
        self._written: dict[str, PackLog] = {}  # since the last `flush`
        self._stack = ExitStack()

    def append(self, series: str, name: str, length: int, chunks: Iterable[Buffer]) -> tuple[str, int]:
        """Append one object to its series' log; returns the pack id and the offset.

        Raises
        ------
        Busy
            Another process has recovered the session: its packs are sealed.
        """
        pack_id = layout.pack_id(series, self._session, self._writer)
        if pack_id not in self._logs:
            if (self._root / layout.pack(pack_id)).exists():
                raise Busy("this import was recovered by another one meanwhile; start it again")
            log = PackLog(self._root / layout.log(pack_id), self._settings)
            self._logs[pack_id] = self._stack.enter_context(closing(log))
        log = self._written[pack_id] = self._logs[pack_id]
        return pack_id, log.append(name, length, chunks)

    def flush(self, behind: Executor) -> list[Future[None]]:
        """Begin to make durable, in other threads, what was appended until now; more may be appended meanwhile."""
        written, self._written = self._written, {}
        return [behind.submit(log.sync) for log in written.values()]

    def sync(self, begun: Iterable[Future[None]] = ()) -> None:
        """Make all that was appended durable: wait for what was ``begun``, and see to the rest.

        Raises
        ------
        OSError
            What could not be written; the system tells of it only once, to whoever waited for it.
        """
        for future in begun:
            future.result()
        for log in self._written.values():
            log.sync()
        self._written = {}
        reach(self._settings, "keep.synced")

    def take_back(self) -> None:
        """Remove what was appended and is not durable, after an error of the disk."""
        for log in self._logs.values():
            log.take_back()
        self._written = {}

    def __exit__(self, *exception: object) -> None:
        self._stack.close()
