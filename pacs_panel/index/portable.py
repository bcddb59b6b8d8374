"""Rows on their way from an archive's index into one that is made elsewhere: columns by name, of some series only.

What means something here alone stays: row numbers, change numbers, the trash, what a correction replaced. Counts are
those of the series that go; of their revisions, those go that have no files, for the others tell it in theirs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from sqlalchemy import Boolean, Connection, Float, Integer, Select, Table, Text, func, insert, select, update
from sqlalchemy.dialects import sqlite

from pacs_panel.attributes import ATTRIBUTES, LEVELS, Level
from pacs_panel.errors import BadQuery
from pacs_panel.index import schema
from pacs_panel.index.clauses import O, S, alternatives, any_of, tables
from pacs_panel.index.engine import Database
from pacs_panel.index.rows import among, kept_query, to_kept
from pacs_panel.index.search import Search
from pacs_panel.index.values import MULTIPLE, clean, shadow_columns, shadows, written
from pacs_panel.index.wording import reword
from pacs_panel.model import Kept

R = schema.revision.c
Kind = Literal["text", "whole", "real", "truth"]
Batch = Mapping[str, Sequence[Any]]  # column to values, one for each row

SERIES: tuple[str, ...] = ("patient", "study", "series", "revision")
OBJECTS: tuple[str, ...] = ("object", "reference")
HERE_ONLY = frozenset(
    {"id", "change", "content", "settled", "visible", "stated", "stated_patient", "stated_study"}
    | {"trashed", "current", "damaged", "in_place", "created"}
)
SAME = {"stated_patient": "patient_key", "stated_study": "study_key"}
SIZE = 20_000  # rows at a time
_SEVERAL = {a.column: a for a in ATTRIBUTES if a.number and a.keyword in MULTIPLE}
_SHADOWS = {name: a for a in ATTRIBUTES for name in shadow_columns(a)}


def columns(table: str) -> dict[str, Kind]:
    """The columns of a table that go elsewhere, and what they hold."""
    found: dict[str, Kind] = {}
    for column in schema.metadata.tables[table].c:
        if column.name in HERE_ONLY or column.name in _SHADOWS:
            continue
        kinds: tuple[tuple[type, Kind], ...] = ((Boolean, "truth"), (Integer, "whole"), (Float, "real"))
        found[column.name] = next((kind for type_, kind in kinds if isinstance(column.type, type_)), "text")
    return found


# -- out ---------------------------------------------------------------------------------------------------------------


@contextmanager
def taking(database: Database, searches: Iterable[Search]) -> Iterator[Taken]:
    """Rows of the series that any of these searches finds, of studies and patients all that may be seen.

    Raises
    ------
    BadQuery
        A search is one of instances.
    """
    with database.read() as connection:
        keys = set()
        for search in searches:
            keys |= set(_keys(connection, search))
        yield Taken(connection, keys)


def _keys(connection: Connection, search: Search) -> Iterable[str]:
    if search.level == "instance":
        raise BadQuery("whole series are published: search for series, studies or patients")
    owner: dict[Level, Any] = {"patient": S.patient_key, "study": S.study_key, "series": S.key}
    level = search.level
    above = LEVELS[: LEVELS.index(level)]
    found = select(schema.TABLES[level].c.key).select_from(tables(level, above))
    query = select(S.key).select_from(tables("series", LEVELS[:2])).where(S.visible)
    query = query.where(owner[level].in_(found.where(any_of(alternatives(search.criteria, search.scopes), level))))
    if search.scopes is not None:
        query = query.where(any_of(search.scopes, "series"))
    return connection.scalars(query)


class Taken:
    """The rows of some series, in one view of the index."""

    def __init__(self, connection: Connection, keys: set[str]) -> None:
        self._connection, self.keys = connection, keys
        self.change: int = connection.scalars(select(schema.change.c.number)).one()

    def revisions(self) -> dict[str, str]:
        """The current revision of each series, where it has files."""
        query = select(R.series_key, R.revision).where(self._current(), R.path != "")
        return {row[0]: row[1] for row in self._connection.execute(query)}

    def _current(self) -> Any:
        current = select(S.revision).where(S.key == R.series_key).scalar_subquery()
        return among(R.series_key, self.keys) & (R.revision == current)

    def objects(self, series_key: str) -> list[Kept]:
        """The objects of a series by instance number."""
        query = kept_query().where(O.series_key == series_key, O.current, ~O.trashed)
        rows = self._connection.execute(query.order_by(O.InstanceNumber, O.SOPInstanceUID))
        return [to_kept(row) for row in rows]

    def batches(self, table: str) -> Iterator[Batch]:
        """The rows of a table, always in the same order."""
        names = list(columns(table))
        own = schema.metadata.tables[table].c
        counted = self._counts(table)
        answer = self._connection.execute(self._chosen(table, [own[name] for name in names]))
        for rows in answer.partitions(SIZE):
            batch: dict[str, Sequence[Any]] = dict(zip(names, zip(*rows, strict=True), strict=True))
            for name in _SEVERAL.keys() & batch.keys():  # numbers, and text of several: as text, to be of one kind
                batch[name] = [None if value is None else written(value) for value in batch[name]]
            for name, values in counted.items():
                batch[name] = [values[key] for key in batch["key"]]
            yield batch

    def _chosen(self, table: str, wanted: Sequence[Any]) -> Select[Any]:
        own = schema.metadata.tables[table].c
        of = {"patient": S.patient_key, "study": S.study_key, "series": S.key}
        if table in of:
            keys = select(of[table]).where(among(S.key, self.keys))
            return select(*wanted).where(own.key.in_(keys)).order_by(own.id)
        if table == "revision":
            return select(*wanted).where(self._current(), R.path == "").order_by(R.series_key)
        if table == "object":
            return select(*wanted).where(among(O.series_key, self.keys), O.current, ~O.trashed).order_by(O.id)
        objects = select(O.SOPInstanceUID).where(among(O.series_key, self.keys), O.current, ~O.trashed)
        return select(*wanted).where(own.source.in_(objects)).order_by(own.source, own.digest, own.target, own.role)

    def _counts(self, table: str) -> dict[str, Mapping[str, Any]]:
        """Columns that count what lies below, counted among what goes."""
        if table not in ("patient", "study"):
            return {}
        query = select(S.patient_key, S.study_key, S.Modality, S.NumberOfSeriesRelatedInstances)
        studies: dict[str, set[str]] = defaultdict(set)
        modalities: dict[str, set[str]] = defaultdict(set)
        series: dict[str, int] = defaultdict(int)
        instances: dict[str, int] = defaultdict(int)
        for patient, study, modality, number in self._connection.execute(query.where(among(S.key, self.keys))):
            studies[patient].add(study)
            series[study] += 1
            instances[study] += number or 0
            modalities[study] |= {modality} if modality else set()
        if table == "patient":
            return {"NumberOfPatientRelatedStudies": {key: len(found) for key, found in studies.items()}}
        present = {key: "\\".join(sorted(modalities[key])) or None for key in series}
        return {
            "NumberOfStudyRelatedSeries": series,
            "NumberOfStudyRelatedInstances": instances,
            "ModalitiesInStudy": present,
        }


# -- in ----------------------------------------------------------------------------------------------------------------


def load(database: Database, rows: Mapping[str, Iterable[Batch]], change: int) -> None:
    """Put rows into an index that has none of these tables' yet, in one transaction.

    Parameters
    ----------
    rows : mapping
        Table to batches: those of `SERIES`, in this order, or of `OBJECTS`. What this version's tables do not have is
        passed over, and what they have besides stays empty.
    change : int
        The number of the latest change, from now on.
    """
    with database.write() as connection:
        for name, batches in rows.items():
            _fill(connection, schema.metadata.tables[name], batches, change)
        if "series" in rows:
            last: int = connection.scalar(select(func.max(S.id))) or 0
            for start in range(0, last, SIZE):
                reword(connection, (S.id > start) & (S.id <= start + SIZE))
        connection.execute(update(schema.change).values(number=change, since=change))


def _fill(connection: Connection, table: Table, batches: Iterable[Batch], change: int) -> None:
    for index in table.indexes:  # made at once when all is there, they cost a fraction
        index.drop(connection)
    statement, names = "", [column.name for column in table.c if column.name != "id"]
    for batch in batches:
        if not statement:
            statement = str(insert(table).compile(dialect=sqlite.dialect(), column_keys=names))
        number = len(next(iter(batch.values())))
        filled = [_values(table, name, batch, number, change) for name in names]
        connection.exec_driver_sql(statement, list(zip(*filled, strict=True)))
    for index in table.indexes:
        index.create(connection)


def _values(table: Table, name: str, batch: Batch, number: int, change: int) -> Sequence[Any]:
    """The values of one column."""
    if name in batch and name not in HERE_ONLY:
        several = _SEVERAL.get(name)
        return batch[name] if several is None else [clean(several, value) for value in batch[name]]
    if (attribute := _SHADOWS.get(name)) is not None and attribute.column in batch:
        folded = {value: shadows(attribute, value)[name] for value in set(batch[attribute.column])}
        return [folded[value] for value in batch[attribute.column]]
    if name in SAME:
        return batch[SAME[name]]
    if name in ("settled", "visible", "current"):
        return [True] * number
    if name == "change":
        return [change] * number
    column = table.c[name]
    if column.nullable:
        return [None] * number
    return ["" if isinstance(column.type, Text) else 0] * number
