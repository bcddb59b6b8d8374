"""The index of a published archive on the local disk: fetched once for each state of it, checked, and shared.

The tables of series are fetched when an archive is opened, those of objects when somebody asks for objects.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from contextlib import ExitStack, suppress
from pathlib import Path

from pacs_panel.errors import ArchiveError, Busy, Damaged
from pacs_panel.index import portable, schema
from pacs_panel.index.store import Index
from pacs_panel.published import description, tables
from pacs_panel.published.description import NAME, Description
from pacs_panel.settings import Settings
from pacs_panel.storage import layout
from pacs_panel.storage.files import lock
from pacs_panel.storage.http import Remote

FILLED = "filled"  # is there when the tables of series are
COMPLETE = "complete"  # is there when those of objects are, too
USED, CHANGED = "used", "lock"  # who reads shares the one; who fills or removes holds the other alone


def describe(remote: Remote) -> Description:
    """What is published at an address now.

    Raises
    ------
    ArchiveError
        Nothing is, or by another version of this software.
    Damaged, Unreachable
    """
    try:
        data = remote.read(NAME)
    except FileNotFoundError:
        raise ArchiveError(f"there is no published archive at {remote.url}; `pacs-panel publish` makes one") from None
    return description.read(data, remote.url)


class Fetched:
    """One state of a published archive's index, here. Threads may share it.

    Parameters
    ----------
    remote : Remote
    described : Description
    settings : Settings
        Its ``cache`` is where the index lies; of states that nobody has open only the latest stays.
    """

    def __init__(self, remote: Remote, described: Description, settings: Settings) -> None:
        self.remote, self.described = remote, described
        home = Path(settings.cache).expanduser() / "published" / described.id
        self.folder = home / f"{described.hash[:26]}-{schema.fingerprint():08x}"
        self._held, self._lock = ExitStack(), threading.Lock()
        try:
            home.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            told = f"{home} cannot be made ({error.strerror}); PACS_PANEL_CACHE names another place"
            raise ArchiveError(told) from None
        with lock(home / CHANGED):
            self.folder.mkdir(exist_ok=True)
            self._held.enter_context(lock(self.folder / USED, shared=True))
            try:
                if not (self.folder / FILLED).exists():
                    self._fill(settings)
                    self._remove_others(home)
            except BaseException:
                self._held.close()
                raise
        self.complete = (self.folder / COMPLETE).exists()

    @property
    def path(self) -> Path:
        """Of the index."""
        return self.folder / layout.INDEX

    def ensure_objects(self) -> None:
        """Have the tables of objects, too."""
        with self._lock:
            if self.complete:
                return
            with lock(self.folder.parent / CHANGED):
                if not (self.folder / COMPLETE).exists():
                    with Index(self.path) as index:
                        self._load(index, portable.OBJECTS)
                        index.optimize()
                    (self.folder / COMPLETE).touch()
            self.complete = True

    def close(self) -> None:
        """Let go of it; may be repeated."""
        self._held.close()

    def _fill(self, settings: Settings) -> None:
        for path in self.folder.iterdir():  # of an attempt that was cut short
            if path.name != USED:
                path.unlink()
        with Index(self.path, settings) as index:
            self._load(index, portable.SERIES)
            index.optimize()
        (self.folder / FILLED).touch()

    def _load(self, index: Index, names: tuple[str, ...]) -> None:
        with tempfile.TemporaryDirectory(dir=self.folder.parent) as scratch:
            paths = {name: Path(scratch, f"{name}.parquet") for name in names}
            for name, path in paths.items():
                told = self.described.tables[name]
                self.remote.download(self.described.path(name), path, told.bytes, told.sha256)
            rows = {name: tables.read(path) for name, path in paths.items()}
            try:
                portable.load(index.database, rows, self.described.change)
            except (TypeError, ValueError, KeyError) as error:
                raise Damaged(f"the index of {self.remote.url} is no index: {error}; publish it again") from None

    def _remove_others(self, home: Path) -> None:
        """Remove states that nobody has open."""
        for folder in home.iterdir():
            if folder != self.folder and folder.is_dir():
                with suppress(Busy), lock(folder / USED, wait=False):
                    shutil.rmtree(folder, ignore_errors=True)
