"""The SQLite file behind the index: opened for several threads and processes at once."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, exc, insert

from pacs_panel.errors import ArchiveError, Busy
from pacs_panel.index import schema

BUSY_SECONDS = 30
RECYCLE_SECONDS = 600  # a connection learns new statistics of the planner only when it is opened
NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ceph", "lustre", "gpfs", "beegfs", "glusterfs"}
    | {"fuse.glusterfs", "fuse.sshfs", "fuse.s3fs"}
)
PRAGMAS = (
    f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}",
    "PRAGMA synchronous = FULL",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA cache_size = -65536",
    "PRAGMA analysis_limit = 2000",  # rows of each index that ANALYZE looks at
    "PRAGMA journal_size_limit = 67108864",
)


class Database:
    """Transactions on one index file; picklable, and reopened by path in another process.

    A file with the tables of another version of this software can be opened, for no more than to `renew` it.

    Parameters
    ----------
    path : Path
        Made, with its tables, where it does not exist.

    Raises
    ------
    ArchiveError
        The file lies on a network file system, or is no index.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        refuse_network(self.path)
        self._engine = _engine(self.path)
        with _translated():
            self._ready = _prepare(self._engine)

    def __reduce__(self) -> tuple[Any, ...]:
        return (Database, (self.path,))

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent view of the index; writers go on meanwhile.

        Raises
        ------
        ArchiveError
            The tables are those of another version.
        """
        with _translated(), self._usable().begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction, alone among writers from its start; undone if the block raises.

        Raises
        ------
        ArchiveError
            The tables are those of another version.
        Busy
            Another process kept the index for longer than 30 s.
        """
        with _translated(), self._usable().execution_options(write=True).begin() as connection:
            yield connection

    def checkpoint(self) -> None:
        """Move what the write-ahead log holds into the file itself, as far as no reader is in the way."""
        with _translated(), self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)")

    def renew(self) -> None:
        """Make the tables anew, without rows, where they are those of another version."""
        with _translated():
            self._ready = self._ready or _prepare(self._engine)
            if not self._ready:
                self.close()
                _erase(self.path)
                self._ready = _prepare(self._engine)

    def close(self) -> None:
        """Give the connections back; the next use opens new ones."""
        self._engine.dispose()

    def _usable(self) -> Engine:
        self._ready = self._ready or _prepare(self._engine)  # another process may have renewed it since
        if not self._ready:
            raise ArchiveError("the index is of another version of this software; run `pacs-panel reindex`")
        return self._engine


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except exc.OperationalError as error:
        if "locked" in str(error.orig) or "busy" in str(error.orig):
            raise Busy("the index is being written by another process; try again later") from error
        raise ArchiveError(f"the index cannot be used: {error.orig}; see that there is space, or reindex") from error
    except exc.DatabaseError as error:
        if isinstance(error, exc.IntegrityError | exc.ProgrammingError):
            raise
        raise ArchiveError(f"the index cannot be read: {error.orig}; remove it and reindex") from error


def _engine(path: Path) -> Engine:
    url = URL.create("sqlite", database=str(path.absolute()))
    engine = create_engine(
        url,
        connect_args={"check_same_thread": False},
        pool_size=4,
        max_overflow=60,
        pool_recycle=RECYCLE_SECONDS,
        hide_parameters=True,  # what a row says of a patient stands in no message
    )

    @event.listens_for(engine, "connect")
    def connect(connection: Any, record: Any) -> None:
        connection.isolation_level = None  # so that `begin` below is the only one that starts a transaction
        record.info["process"] = os.getpid()
        for pragma in PRAGMAS:
            connection.execute(pragma)

    @event.listens_for(engine, "checkout")
    def checkout(_connection: Any, record: Any, proxy: Any) -> None:
        if record.info["process"] != os.getpid():  # came over by a fork: SQLite forbids its use
            record.dbapi_connection = proxy.dbapi_connection = None
            raise exc.DisconnectionError("connection of another process")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        write = connection.get_execution_options().get("write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


def _prepare(engine: Engine) -> bool:
    """Make the tables where there are none; false where there are those of another version."""
    with engine.begin() as connection:
        found = _found(connection)
    if found is not None:
        return found == schema.fingerprint()
    _use_wal(engine)
    with engine.execution_options(write=True).begin() as connection:
        if (found := _found(connection)) is not None:
            return found == schema.fingerprint()
        schema.metadata.create_all(connection)
        connection.execute(schema.FTS)
        # Starting from the clock keeps numbers growing over an index that is removed and made anew.
        start = time.time_ns() // 1_000_000
        connection.execute(insert(schema.change).values(number=start, since=start))
        connection.exec_driver_sql(f"PRAGMA user_version = {schema.fingerprint()}")
    return True


def _found(connection: Connection) -> int | None:
    """Fingerprint of the tables that are there; ``None`` where there are none."""
    version: int = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
    tables = connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar_one()
    return version if version or tables else None


def _erase(path: Path) -> None:
    """Empty a file, whatever tables it has, in one transaction: who has it open sees all of it or nothing."""
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()  # read first, it keeps its write-ahead log
        connection.setconfig(sqlite3.SQLITE_DBCONFIG_RESET_DATABASE, True)
        connection.execute("VACUUM")
    except sqlite3.Error as error:
        raise ArchiveError(f"the index cannot be emptied: {error}; remove it and reindex") from error
    finally:
        connection.close()


def _use_wal(engine: Engine) -> None:
    """Switch the file to write-ahead logging; SQLite does not wait for others here, so this does."""
    deadline = time.monotonic() + BUSY_SECONDS
    connection = engine.raw_connection()
    try:
        while True:
            try:
                connection.cursor().execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error):
                    raise ArchiveError(f"the index cannot be opened: {error}; is its folder writable?") from error
                if time.monotonic() > deadline:
                    raise Busy("the index is being opened by another process; try again later") from error
                time.sleep(0.01)
            except sqlite3.DatabaseError as error:
                raise ArchiveError(f"the index cannot be read: {error}; remove it and reindex") from error
    finally:
        connection.close()


def refuse_network(path: Path, mounts: str | None = None) -> None:
    """Raise `ArchiveError` where ``path`` lies on a network file system, which breaks SQLite's locks.

    Parameters
    ----------
    path : Path
        Need not exist yet.
    mounts : str, optional
        Text in the form of ``/proc/mounts``, which is read by default; systems without it are not checked.
    """
    if mounts is None:
        source = Path("/proc/mounts")
        mounts = source.read_text("utf-8", "surrogateescape") if source.exists() else ""
    where = path.absolute().resolve()
    kinds: dict[Path, str] = {}
    for line in mounts.splitlines():
        if len(fields := line.split(" ")) > 2:
            kinds[Path(_unescape(fields[1]))] = fields[2]
    mount = next((place for place in (where, *where.parents) if place in kinds), None)
    if mount is not None and kinds[mount] in NETWORK:
        kind = kinds[mount]
        raise ArchiveError(f"the index cannot lie on a network file system ({kind} at {mount}): use a local disk")


def _unescape(text: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, character)
    return text
