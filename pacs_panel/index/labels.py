"""Labels that people give: tags, and membership of collections. The records hold them; here they become attributes.

Labels are kept by key whether anything of that key is here (yet) or not, so that what arrives carries its own at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, func, select, update
from sqlalchemy.dialects import sqlite

from pacs_panel.attributes import BY_KEYWORD, LEVELS, Level
from pacs_panel.index import schema
from pacs_panel.index.counting import next_change
from pacs_panel.index.engine import Database
from pacs_panel.index.rows import among
from pacs_panel.index.values import joined
from pacs_panel.index.wording import reword

S, T, P, L = schema.series.c, schema.study.c, schema.patient.c, schema.label.c
LABELLED: dict[tuple[Level, str], str] = {
    ("patient", "tag"): "PatientTags",
    ("study", "tag"): "StudyTags",
    ("series", "tag"): "Tags",
    ("series", "collection"): "Collection",
}
OF_LEVEL: dict[Level, Any] = {"patient": S.patient_key, "study": S.study_key, "series": S.key}

Things = Iterable[tuple[Level, str]]  # levels and keys


class Label(NamedTuple):
    """A tag, or a collection by list, of one patient, study or series."""

    level: Level
    kind: str
    key: str
    name: str


def give(database: Database, labels: Iterable[Label], first: Callable[[], None] = lambda: None) -> None:
    """Add labels.

    Parameters
    ----------
    database : Database
    labels : iterable of Label
    first : callable
        Done before, while no other process changes labels: writes the records, and may raise.
    """
    given = list(labels)
    with database.write() as connection:
        first()
        _insert(connection, given)
        _retell(connection, ((label.level, label.key) for label in given))


def take(
    database: Database, kind: str, name: str, of: Things | None = None, first: Callable[[], None] = lambda: None
) -> None:
    """Take a label back from these, or from all; else as `give`."""
    with database.write() as connection:
        first()
        mine = (L.kind == kind) & (L.name == name)
        if of is None:
            rows = connection.execute(delete(schema.label).where(mine).returning(L.level, L.key))
            gone: list[tuple[Level, str]] = [(row[0], row[1]) for row in rows]
        else:
            gone = list(of)
            for level, keys in _by_level(gone).items():
                connection.execute(delete(schema.label).where(mine, L.level == level, among(L.key, keys)))
        _retell(connection, gone)


def tell(database: Database, things: Things, first: Callable[[], None] = lambda: None) -> None:
    """Count these as changed, since something was said of them that is no attribute; else as `give`."""
    with database.write() as connection:
        first()
        _retell(connection, things)


def mirror(database: Database, told: Callable[[], Iterable[Label]]) -> None:
    """Make the labels those that are told, whatever they were."""
    with database.write() as connection:
        there = {Label(*row) for row in connection.execute(select(L.level, L.kind, L.key, L.name))}
        wanted = {label for label in told() if (label.level, label.kind) in LABELLED}
        for label in there - wanted:
            mine = (L.level == label.level) & (L.kind == label.kind) & (L.key == label.key) & (L.name == label.name)
            connection.execute(delete(schema.label).where(mine))
        _insert(connection, wanted - there)
        _retell(connection, {(label.level, label.key) for label in there ^ wanted})


def count(database: Database) -> int:
    """How many labels there are."""
    with database.read() as connection:
        return connection.scalar(select(func.count()).select_from(schema.label)) or 0


def labelled(connection: Connection, level: Level, rows: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The columns that labels fill, for rows by key; those of series tell the collection of their import."""
    given: dict[tuple[str, str], list[str]] = defaultdict(list)
    query = select(L.key, L.kind, L.name).where(L.level == level, among(L.key, rows)).order_by(L.name)
    for key, kind, name in connection.execute(query):
        given[key, kind].append(name)
    columns: dict[str, dict[str, Any]] = {key: {} for key in rows}
    for (own, kind), keyword in LABELLED.items():
        if own == level:
            for key, row in rows.items():
                names = [*_imported(row), *given[key, kind]] if keyword == "Collection" else given[key, kind]
                columns[key] |= joined(BY_KEYWORD[keyword], names)
    return columns


def _imported(row: Mapping[str, Any]) -> list[str]:
    return [part.strip() for part in (row["ImportCollection"] or "").split("\\")]


def _insert(connection: Connection, labels: Iterable[Label]) -> None:
    if rows := [label._asdict() for label in labels]:
        connection.execute(sqlite.insert(schema.label).on_conflict_do_nothing(), rows)


def _by_level(things: Things) -> dict[Level, set[str]]:
    found: dict[Level, set[str]] = defaultdict(set)
    for level, key in things:
        found[level].add(key)
    return found


def _retell(connection: Connection, things: Things) -> None:
    """Write the labels of these into their rows, as one change of them and of what is above them."""
    changed = _by_level(things)
    number = next_change(connection) if changed else 0
    for level, keys in changed.items():
        table = schema.TABLES[level]
        imported = [S.ImportCollection] if level == "series" else []
        found = connection.execute(select(table.c.key, *imported).where(among(table.c.key, keys))).mappings()
        columns = labelled(connection, level, {row["key"]: dict(row) for row in found.all()})
        if not columns:
            continue
        names = [*next(iter(columns.values())), "change"]
        put = update(table).where(table.c.key == bindparam("this")).values({name: bindparam(name) for name in names})
        connection.execute(put, [{"this": key, "change": number, **row} for key, row in columns.items()])
        _touch_above(connection, number, level, keys)
        reword(connection, among(OF_LEVEL[level], keys))


def _touch_above(connection: Connection, number: int, level: Level, keys: Collection[str]) -> None:
    for above in LEVELS[: LEVELS.index(level)]:
        table, own = schema.TABLES[above], schema.TABLES[level].c
        owners = select(own[f"{above}_key"]).where(among(own.key, keys))
        connection.execute(update(table).where(table.c.key.in_(owners)).values(change=number))
