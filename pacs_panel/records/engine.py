"""How the records' file is opened: connections, transactions, and what goes wrong with them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event, exc

from pacs_panel.errors import ArchiveError, Busy
from pacs_panel.records import schema

BUSY_SECONDS = 30


def version(connection: Connection) -> int:
    """Of the tables; 0 where there are none yet.

    Raises
    ------
    ArchiveError
        They are of a later version.
    """
    found: int = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
    if found > schema.VERSION:
        raise ArchiveError("the records are of a later version of this software: update it")
    return found


@contextmanager
def translated() -> Iterator[None]:
    """Tell what goes wrong in the database as an error of ours, without values."""
    try:
        yield
    except exc.DatabaseError as error:
        if isinstance(error, exc.IntegrityError | exc.ProgrammingError):
            raise
        if "locked" in str(error.orig):
            raise Busy("the records are being written by another process; try again later") from error
        raise ArchiveError(f"the records cannot be used: {error.orig}; restore them from a backup") from error


def engine(path: Path) -> Engine:
    """An engine whose transactions write if their option ``write`` says so, and then are alone from their start."""
    url = URL.create("sqlite", database=str(path.absolute()))
    # Used rarely: a connection for each transaction, so that none outlives a fork.
    made = create_engine(url, poolclass=NullPool, hide_parameters=True)

    @event.listens_for(made, "connect")
    def connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # so that `begin` below is the only one that starts a transaction
        connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
        connection.execute("PRAGMA synchronous = FULL")

    @event.listens_for(made, "begin")
    def begin(connection: Connection) -> None:
        write = connection.get_execution_options().get("write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return made


def use_wal(engine: Engine) -> None:
    """Let readers and the writer not wait for each other; without it all else still holds, so a refusal may pass."""
    connection = engine.raw_connection()
    try:
        connection.cursor().execute("PRAGMA journal_mode = WAL")
    except sqlite3.OperationalError:
        pass  # another process opens the file for the first time, too, and does the same
    finally:
        connection.close()
