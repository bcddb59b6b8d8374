"""The records: a small SQLite file beside the index, which no reindex touches."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from operator import attrgetter
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Connection, Table, delete, func, select, update
from sqlalchemy.dialects.sqlite import Insert, insert
from sqlalchemy.dialects.sqlite import dialect as sqlite_dialect

from pacs_panel.attributes import Level
from pacs_panel.errors import BadQuery, NotFound
from pacs_panel.model import Commitment, Correction
from pacs_panel.records import schema
from pacs_panel.records.engine import engine, translated, use_wal, version
from pacs_panel.records.values import Mark, MarkKind, Reference, Rewrite, Saved, SavedKind, Session, Trashed


class Records:
    """One records file. Threads may share it; it pickles as its path.

    Parameters
    ----------
    path : Path
        Made where it does not exist, and brought to the present version where it is of an earlier one.

    Raises
    ------
    ArchiveError
        The file is no such database, or one of a later version.
    Busy
        From any method that writes, where another process keeps the file for longer than 30 s.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._engine = engine(self.path)
        with self._read() as connection:
            outdated = version(connection) < schema.VERSION
        if outdated:
            self._migrate()

    def __reduce__(self) -> tuple[Any, ...]:
        return (Records, (self.path,))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back; the next use opens new ones."""
        self._engine.dispose()

    # -- meta ----------------------------------------------------------------------------------------------------------

    def meta(self, key: str) -> str | None:
        """A value by key, e.g. the archive's id."""
        with self._read() as connection:
            return connection.scalar(select(schema.meta.c.value).where(schema.meta.c.key == key))

    def set_meta(self, key: str, value: str) -> None:
        """Write a value."""
        self._put(schema.meta, [{"key": key, "value": value}])

    # -- sessions ------------------------------------------------------------------------------------------------------

    def begin(self, session: Session) -> None:
        """Note that an import or association starts."""
        self._put(schema.session, [asdict(session)])

    def count(self, session: str, told: int, **counts: int) -> None:
        """Note how much came by a session until now; counts are those of `Session`. Raises as `finish`."""
        self._change_session(session, told=told, **counts)

    def finish(self, session: str, finished: int) -> None:
        """Note that a session came to its end; raises `NotFound`."""
        self._change_session(session, finished=finished)

    def _change_session(self, session: str, **values: int) -> None:
        mine = schema.session.c.session == session
        with self._write() as connection:
            if not connection.execute(update(schema.session).where(mine).values(**values)).rowcount:
                raise NotFound(f"no session {session}")

    def came(self) -> list[tuple[str, Mapping[str, int]]]:
        """All that ever came, by door: counts as of `Session`."""
        columns, names = schema.session.c, ("accepted", "duplicates", "new_versions", "refused", "bytes")
        sums = (func.sum(columns[name]).label(name) for name in names)
        query = select(columns.kind, *sums).group_by(columns.kind)
        with self._read() as connection:
            return [(row["kind"], {n: row[n] for n in names}) for row in connection.execute(query).mappings()]

    def sessions(self, unfinished: bool = False, latest: int | None = None) -> list[Session]:
        """Sessions in order of their start; or so many of the latest, the last one first."""
        order = [schema.session.c.started, schema.session.c.session]
        query = select(schema.session).order_by(*(order if latest is None else [c.desc() for c in order])).limit(latest)
        if unfinished:
            query = query.where(schema.session.c.finished.is_(None))
        with self._read() as connection:
            return [Session(**row) for row in connection.execute(query).mappings()]

    # -- in place ------------------------------------------------------------------------------------------------------

    def refer(self, references: Sequence[Reference]) -> None:
        """Note objects that stay where they are; one of the same place takes the place of an earlier one."""
        if references:  # they are many: past the statement layer's work on each single row
            with self._write() as connection:
                connection.exec_driver_sql(_REFER, [_VALUES(reference) for reference in references])

    def references(self) -> Iterator[Reference]:
        """All of them, in order of arrival."""
        columns = schema.reference.c
        query = select(schema.reference).order_by(columns.received, columns.path, columns.offset)
        with self._read() as connection:
            for row in connection.execute(query).mappings():
                yield Reference(**row)

    # -- trash ---------------------------------------------------------------------------------------------------------

    def trash(self, trashed: Trashed) -> None:
        """Note what was put into the trash."""
        self._put(schema.trash, [asdict(trashed)])

    def restore(self, level: Level, key: str) -> None:
        """Take the note back.

        Raises
        ------
        NotFound
        """
        with self._write() as connection:
            gone = connection.execute(delete(schema.trash).filter_by(level=level, key=key))
            if not gone.rowcount:
                raise NotFound(f"no {level} {key} in the trash")

    def trashed(self) -> list[Trashed]:
        """What is in the trash, in the order in which it came there."""
        query = select(schema.trash).order_by(schema.trash.c.at, schema.trash.c.level, schema.trash.c.key)
        with self._read() as connection:
            return [Trashed(**row) for row in connection.execute(query).mappings()]

    # -- removing for good ---------------------------------------------------------------------------------------------

    def purge(self, trashed: Iterable[Trashed]) -> None:
        """Note that nothing is left of what was put into the trash."""
        rows = [asdict(each) for each in trashed]
        columns = schema.trash.c
        with self._write() as connection:
            for row in rows:
                mine = (columns.level == row["level"]) & (columns.key == row["key"]) & (columns.at == row["at"])
                connection.execute(delete(schema.trash).where(mine))
                connection.execute(_upsert(schema.purged), [row])

    def purged(self) -> list[Trashed]:
        """What was removed for good, in the order in which it came into the trash."""
        query = select(schema.purged).order_by(schema.purged.c.at, schema.purged.c.level, schema.purged.c.key)
        with self._read() as connection:
            return [Trashed(**row) for row in connection.execute(query).mappings()]

    def forget(self, places: Iterable[tuple[str, int, int]]) -> list[Reference]:
        """Drop references by path, offset and time of arrival; gives those that were dropped."""
        columns, dropped = schema.reference.c, []
        with self._write() as connection:
            for path, offset, received in places:
                mine = (columns.path == path) & (columns.offset == offset) & (columns.received == received)
                gone = connection.execute(delete(schema.reference).where(mine).returning(schema.reference))
                dropped += [Reference(**row) for row in gone.mappings()]
        return dropped

    def begin_rewrites(self, rewrites: Iterable[Rewrite]) -> None:
        """Note that packs are about to take the place of others."""
        self._put(schema.rewrite, [asdict(rewrite) for rewrite in rewrites])

    def rewrites(self) -> list[Rewrite]:
        """Those that were begun and are not ended."""
        with self._read() as connection:
            query = select(schema.rewrite).order_by(schema.rewrite.c.new)
            return [Rewrite(**row) for row in connection.execute(query).mappings()]

    def end_rewrites(self, rewrites: Iterable[Rewrite]) -> None:
        """Note that each has taken its place, or that nothing came of it."""
        with self._write() as connection:
            for rewrite in rewrites:
                connection.execute(delete(schema.rewrite).where(schema.rewrite.c.new == rewrite.new))

    # -- what people say -----------------------------------------------------------------------------------------------

    def mark(self, marks: Iterable[Mark]) -> None:
        """Note marks, all or none; one of the same name takes the place of an earlier one.

        Raises
        ------
        BadQuery
            A collection of that name has a rule.
        """
        rows = [asdict(mark) for mark in marks]
        with self._write() as connection:
            for name in {row["name"] for row in rows if row["kind"] == "collection"}:
                _refuse_taken(connection, schema.saved, name)
            if rows:
                connection.execute(_upsert(schema.mark), rows)

    def unmark(self, kind: MarkKind, name: str, of: Iterable[tuple[Level, str]] | None = None) -> None:
        """Take marks of one name back, all or none: those of these levels and keys, or every one.

        Raises
        ------
        NotFound
        """
        columns = schema.mark.c
        mine = (columns.kind == kind) & (columns.name == name)
        wanted = [mine] if of is None else [mine & (columns.level == a) & (columns.key == b) for a, b in of]
        with self._write() as connection:
            if not all(connection.execute(delete(schema.mark).where(one)).rowcount for one in wanted):
                raise NotFound(f"there is no such {kind}")

    def marks(self, kind: MarkKind, **where: str) -> list[Mark]:
        """Marks of a kind whose fields have the given values, oldest first."""
        columns = schema.mark.c
        query = select(schema.mark).where(columns.kind == kind, *(columns[name] == v for name, v in where.items()))
        with self._read() as connection:
            found = connection.execute(query.order_by(columns.at, columns.level, columns.key, columns.name))
            return [Mark(**row) for row in found.mappings()]

    def count_marks(self, *kinds: MarkKind) -> int:
        """How many marks of these kinds there are."""
        query = select(func.count()).select_from(schema.mark).where(schema.mark.c.kind.in_(kinds))
        with self._read() as connection:
            return connection.scalar(query) or 0

    def save(self, saved: Saved) -> None:
        """Note a search or a rule; it takes the place of an earlier one of the same name.

        Raises
        ------
        BadQuery
            A collection of that name is a list.
        """
        with self._write() as connection:
            if saved.kind == "collection":
                _refuse_taken(connection, schema.mark, saved.name)
            connection.execute(_upsert(schema.saved), [asdict(saved)])

    def unsave(self, kind: SavedKind, name: str) -> None:
        """Take one back.

        Raises
        ------
        NotFound
        """
        with self._write() as connection:
            gone = connection.execute(delete(schema.saved).filter_by(kind=kind, name=name))
            if not gone.rowcount:
                raise NotFound(f"there is no such {kind}")

    def saved(self, kind: SavedKind) -> dict[str, Saved]:
        """All of a kind by name, in the order of names."""
        query = select(schema.saved).where(schema.saved.c.kind == kind).order_by(schema.saved.c.name)
        with self._read() as connection:
            return {row["name"]: Saved(**row) for row in connection.execute(query).mappings()}

    # -- corrections ---------------------------------------------------------------------------------------------------

    def correct(self, correction: Correction) -> int:
        """Note a correction; gives its number, which is the next one, whatever it says itself."""
        row = correction.to_dict() | {"number": None}
        row |= {name: json.dumps(row[name], ensure_ascii=False) for name in ("keys", "values")}
        with self._write() as connection:
            return connection.execute(insert(schema.correction).values(row).returning(_NUMBER)).scalar_one()

    def undo(self, number: int, at: int, by: str) -> None:
        """Note that a correction was taken back.

        Raises
        ------
        NotFound
        """
        columns = schema.correction.c
        with self._write() as connection:
            mine = update(schema.correction).where(columns.number == number, columns.undone.is_(None))
            if not connection.execute(mine.values(undone=at, undone_by=by)).rowcount:
                raise NotFound(f"there is no correction {number}, or it is undone already")

    def corrections(self, undone: bool = False) -> list[Correction]:
        """Corrections that hold, in the order in which they were made; with ``undone`` the others, too."""
        query = select(schema.correction).order_by(schema.correction.c.number)
        if not undone:
            query = query.where(schema.correction.c.undone.is_(None))
        with self._read() as connection:
            found = [dict(row) for row in connection.execute(query).mappings()]
        told = [{"keys": tuple(json.loads(row["keys"])), "values": json.loads(row["values"])} for row in found]
        return [Correction(**row | parsed) for row, parsed in zip(found, told, strict=True)]

    def promise(self, commitment: Commitment) -> None:
        """Note that a peer waits for an answer; the same transaction again takes the place of the one before."""
        self._put(schema.commitment, [asdict(commitment)])

    def promised(self) -> list[Commitment]:
        """Peers that wait, the longest first."""
        with self._read() as connection:
            found = connection.execute(select(schema.commitment).order_by(schema.commitment.c.at))
            return [Commitment(**row) for row in found.mappings()]

    def keep_promise(self, commitment: Commitment) -> None:
        """Note that a peer was told."""
        mine = {"transaction": commitment.transaction, "peer": commitment.peer}
        with self._write() as connection:
            connection.execute(delete(schema.commitment).filter_by(**mine))

    # -- within --------------------------------------------------------------------------------------------------------

    def _put(self, table: Table, rows: Iterable[dict[str, Any]]) -> None:
        if rows := list(rows):
            with self._write() as connection:
                connection.execute(_upsert(table), rows)

    def _migrate(self) -> None:
        use_wal(self._engine)
        with self._write() as connection:
            for step in schema.MIGRATIONS[version(connection) :]:
                for statement in step:
                    connection.exec_driver_sql(statement)
            connection.exec_driver_sql(f"PRAGMA user_version = {schema.VERSION}")

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with translated(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        with translated(), self._engine.execution_options(write=True).begin() as connection:
            yield connection


def _upsert(table: Table) -> Insert:
    put = insert(table)
    rest = {c.name: put.excluded[c.name] for c in table.c if not c.primary_key}
    return put.on_conflict_do_update(index_elements=list(table.primary_key), set_=rest)


def _refuse_taken(connection: Connection, table: Table, name: str) -> None:
    """A collection is a list or has a rule: decided in the transaction that writes, so never both."""
    taken = select(table.c.name).where(table.c.kind == "collection", table.c.name == name).limit(1)
    if connection.scalar(taken) is not None:
        raise BadQuery("a collection of that name is made in the other way (list or rule); choose another name")


_NUMBER = schema.correction.c.number
_NAMES = [column.name for column in schema.reference.c]
_VALUES = attrgetter(*_NAMES)
_REFER = str(_upsert(schema.reference).compile(dialect=sqlite_dialect(), column_keys=_NAMES))
