"""The columns in memory, kept as new as the index: read anew where the change numbers say so, and counted."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import batched
from typing import Any, Self

import numpy as np
from sqlalchemy import Connection, Select, exists, literal_column, select
from sqlalchemy.dialects import sqlite

from pacs_panel.attributes import BY_KEYWORD, LEVELS, Attribute, Level
from pacs_panel.index import columns_file, schema
from pacs_panel.index.columns import ABOVE, HELD, Mask, Table, empty_tables, is_held
from pacs_panel.index.columns_count import Codes
from pacs_panel.index.columns_mask import Masks
from pacs_panel.index.columns_order import Sorter, behind, first
from pacs_panel.index.criteria import Criteria
from pacs_panel.index.engine import Database
from pacs_panel.index.values import Value

WORTH_A_FILE = 20_000  # rows: fewer are read as quickly from the index itself
MOST_HELD = 100  # answers, each of a byte or four for every row
_ROWS = 20_000  # read at a time

Order = tuple[tuple[str, str], ...]


class Columns:
    """Counts of one index. Threads may share it; it pickles as its index, so that another process reads its own.

    Parameters
    ----------
    database : Database
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self._lock = threading.Lock()
        self._tables = empty_tables()
        self._mark: columns_file.Mark | None = None
        self._tried_file = False
        self._counting: Counting | None = None  # until something changes

    def __reduce__(self) -> tuple[Any, ...]:
        return (Columns, (self.database,))

    @property
    def ready(self) -> bool:
        """Whether they are in memory, or lie in a file, so that only what has changed since has to be read."""
        return self._mark is not None or columns_file.beside(self.database.path).exists()

    @staticmethod
    def can_order(order: Order) -> bool:
        """Whether rows can be put in an order here."""
        return all(keyword == "received" or is_held(BY_KEYWORD[keyword]) for keyword, _ in order)

    @contextmanager
    def counting(self) -> Iterator[Counting]:
        """Counts of one consistent view of the index; other threads that count wait meanwhile."""
        with self._lock, self.database.read() as connection:
            self._follow(connection)
            if self._counting is None or self._counting.held > MOST_HELD:
                self._counting = Counting(self._tables)
            yield self._counting.within(connection)

    def save(self) -> None:
        """Write what a later process starts from: a cache, without which it starts slower."""
        with self._lock, self.database.read() as connection:
            self._follow(connection)
            if self._mark is not None:
                columns_file.write(self.database.path, self._mark, self._tables)

    # -- within ------------------------------------------------------------------------------------------------------

    def _follow(self, connection: Connection) -> None:
        """Read what has changed. The lock is held, so that no earlier view is read after a later one."""
        change, since = connection.execute(select(schema.change.c.number, schema.change.c.since)).one()
        now = columns_file.Mark(schema.fingerprint(), since, change)
        if self._mark is None and not self._tried_file:
            self._tried_file = True
            if (kept := columns_file.read(self.database.path, now)) is not None:
                self._mark, self._tables = kept
        if self._mark == now:
            return
        known, built, self._counting = self._mark, False, None
        if known is None or known.since != since:
            self._tables, known, built = empty_tables(), None, True
        self._mark = None  # should reading fail, the next one starts afresh
        for level in HELD:
            _refresh(connection, level, self._tables[level], -1 if known is None else known.change)
        if known is not None:
            _forget(connection, self._tables, known.change)
        self._mark = now
        if built and _size(self._tables) >= WORTH_A_FILE:
            columns_file.write(self.database.path, now, self._tables)


class Counting:
    """Counts of the index as it is after one change; what was found is kept for the next question."""

    connection: Connection  # as long as somebody counts

    def __init__(self, tables: dict[Level, Table]) -> None:
        self.tables = tables
        self._masks = Masks(tables)
        self._found: dict[tuple[Level, tuple[Criteria, ...]], Codes] = {}

    def within(self, connection: Connection) -> Self:
        """The same, by a connection on which no later change is seen."""
        self.connection = self._masks.connection = connection
        return self

    @property
    def held(self) -> int:
        """How many answers are kept."""
        return len(self._found) + self._masks.held

    def count(self, level: Level, asked: tuple[Criteria, ...]) -> int:
        """How many rows of ``level`` meet any of ``asked``."""
        return len(self.rows(level, asked))

    def places(self, level: Level, above: Level, rows: Codes) -> Codes:
        """Where in the table of ``above`` what ``rows`` of ``level`` belong to lies."""
        return self._masks.places(level, above, rows)

    def facet(
        self, level: Level, asked: tuple[Criteria, ...], attribute: Attribute, limit: int
    ) -> list[tuple[Value, int]]:
        """Values of an attribute with how many rows of ``level`` each gives, as `Search.facets` tells."""
        column = self.tables[attribute.level].columns[attribute.keyword]
        if LEVELS.index(attribute.level) <= LEVELS.index(level):
            rows = self.places(level, attribute.level, self.rows(level, asked))
            return column.meanings.tally(column.codes[rows], None, limit)
        rows = self.rows(attribute.level, asked)
        return column.meanings.tally(column.codes[rows], self.places(attribute.level, level, rows), limit)

    def first(
        self, level: Level, asked: tuple[Criteria, ...], order: Order, limit: int, after: int | None
    ) -> list[int]:
        """Identifiers of the first rows that meet any of ``asked``, or of those that follow the row ``after``."""
        rows, keys = self.rows(level, asked), self.tables[level].keys
        sorters = [self._sorter(level, keyword, direction == "desc") for keyword, direction in order]
        down = bool(order) and order[0][1] == "desc"
        if after is not None:
            rows = behind(rows, after, sorters, keys, down)
        return first(rows, sorters, keys, down, limit)

    def _sorter(self, level: Level, keyword: str, down: bool) -> Sorter:
        if keyword == "received":
            received = self.tables[level].received
            return lambda rows: -received[rows] if down else received[rows]
        attribute = BY_KEYWORD[keyword]
        column = self.tables[attribute.level].columns[keyword]
        places = column.meanings.order(down)
        return lambda rows: places[column.codes[self.places(level, attribute.level, rows)]]

    def rows(self, level: Level, asked: tuple[Criteria, ...]) -> Codes:
        """Places of the rows of ``level`` that meet any of ``asked``, in order."""
        if (level, asked) not in self._found:
            met: Mask = np.zeros(len(self.tables[level].visible), np.bool_)
            for each in asked:
                met |= self._masks.meeting(level, each)
            self._found[level, asked] = np.flatnonzero(met).astype(np.int32)
        return self._found[level, asked]


def _size(tables: dict[Level, Table]) -> int:
    return len(tables["series"].visible)


# -- reading -----------------------------------------------------------------------------------------------------------


@cache
def _changed(level: Level) -> str:
    """SQL for rows after a change: identifier, visibility, parent, arrival, key, size, values."""
    own = schema.TABLES[level]
    source: Any = own
    parent: Any = own.c.id
    if level in ABOVE:
        above = schema.TABLES[ABOVE[level]]
        source = own.outerjoin(above, own.c[f"{ABOVE[level]}_key"] == above.c.key)
        parent = above.c.id
    values = [own.c[a.column] for a in HELD[level]]
    size: Any = own.c.bytes if level == "series" else literal_column("0")
    query: Select[Any] = select(own.c.id, own.c.visible, parent, own.c.received, own.c.key, size, *values)
    query = query.select_from(source)
    return str(query.where(own.c.change > -1).compile(dialect=sqlite.dialect()))


def _refresh(connection: Connection, level: Level, table: Table, after: int) -> None:
    answer = connection.exec_driver_sql(_changed(level), (after,))
    for rows in answer.partitions(_ROWS):
        ids, visible, parents, received, keys, sizes, *values = zip(*rows, strict=True)
        places = np.array(ids, np.int64)
        table.own()
        table.grow(int(places.max()) + 1)
        table.visible[places] = np.array(visible, np.bool_)
        table.parents[places] = np.array([parent or 0 for parent in parents], np.int32)
        table.received[places] = received
        table.keys[places] = keys
        table.sizes[places] = sizes
        for column, found in zip(table.columns.values(), values, strict=True):
            column.put(places, found)


def _forget(connection: Connection, tables: dict[Level, Table], after: int) -> None:
    """Hide rows that were deleted after a change: only then do tombstones name what is not there."""
    stones = schema.tombstone.c
    for level, table in tables.items():
        own = schema.TABLES[level].c
        gone = select(stones.key).where(stones.level == level, stones.change > after)
        if connection.scalar(gone.where(~exists().where(own.key == stones.key)).limit(1)) is None:
            continue
        there = np.zeros(len(table.visible), np.bool_)
        for ids in batched(connection.scalars(select(own.id).where(own.visible)), _ROWS):
            there[np.array(ids)] = True
        table.visible = table.visible & there
