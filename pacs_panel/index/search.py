"""A search's lazy result: pages by key, counts and facets, each read when asked for."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, Select, bindparam, distinct, func, or_, select

from pacs_panel.attributes import LEVELS, Attribute, Level, down_to
from pacs_panel.errors import BadQuery
from pacs_panel.index import clauses, schema
from pacs_panel.index.bands import MOST, bands
from pacs_panel.index.clauses import O, P, S, T, alternatives, any_of, depth, tables
from pacs_panel.index.columns import is_held
from pacs_panel.index.columns_follow import Columns, Counting
from pacs_panel.index.columns_table import Wanted, from_index, from_memory
from pacs_panel.index.criteria import Criteria, criteria, known
from pacs_panel.index.engine import Database
from pacs_panel.index.paging import Column, follows, order_by, parts
from pacs_panel.index.values import MULTIPLE, Value, compared, several

if TYPE_CHECKING:
    import pandas as pd

MOST_ROWS = 10_000  # of one page
MOST_VALUES = 1_000_000  # of an attribute that is told in ranges
NO_PLACE = "after: no such place in the list; start again from the first page"
KEY: dict[Level, ColumnElement[Any]] = {"patient": P.key, "study": T.key, "series": S.key, "instance": O.SOPInstanceUID}
ROW: dict[Level, ColumnElement[Any]] = {"patient": P.id, "study": T.id, "series": S.id, "instance": O.id}
UID = {
    "patient": P.PatientID,
    "study": T.StudyInstanceUID,
    "series": S.SeriesInstanceUID,
    "instance": O.SOPInstanceUID,
}
# The key of what a row belongs to, from the nearest table.
OWNERS: dict[Level, dict[Level, ColumnElement[Any]]] = {
    "patient": {},
    "study": {"patient": T.patient_key},
    "series": {"study": S.study_key, "patient": S.patient_key},
    "instance": {"series": O.series_key, "study": S.study_key, "patient": S.patient_key},
}
EXTRAS: dict[Level, tuple[str, ...]] = {
    "patient": (),
    "study": (),
    "series": ("revision", "bytes"),
    "instance": ("length",),
}
ORDERS: dict[Level, tuple[tuple[str, str], ...]] = {
    "patient": (("PatientID", "asc"),),
    "study": (("StudyDate", "desc"),),
    "series": (("StudyDate", "desc"),),
    "instance": (("InstanceNumber", "asc"),),
}


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows, and where the next ones start: ``None`` after the last. The mark tells nothing about a patient."""

    rows: tuple[dict[str, Value], ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class Search:
    """What meets some criteria, in an order. Made by `Index.search`; reads the index anew at each call.

    Rows are dicts of keyword to value, with ``None`` where there is none, of the level and those above, and the
    archive's own ``key``, ``series_key``, ``study_key`` and ``patient_key`` (as far as they lie above the level),
    ``received`` (ns since 1970), and for series ``revision`` and ``bytes``. The key of an instance is its UID.
    """

    database: Database
    level: Level
    criteria: Criteria
    order: tuple[tuple[str, str], ...]
    scopes: tuple[Criteria, ...] | None = None
    memory: Columns | None = None  # columns; without them, counts and facets are SQL's
    freezer: Callable[[Search, str], Any] | None = field(default=None, compare=False, repr=False)

    def count(self) -> int:
        """How many there are."""
        asked = alternatives(self.criteria, self.scopes)
        if (memory := self._in_memory()) is not None:
            with memory.counting() as counting:
                return counting.count(self.level, asked)
        query = select(func.count()).select_from(tables(self.level, _needed(asked, self.level)))
        with self.database.read() as connection:
            return connection.scalar(query.where(any_of(asked, self.level))) or 0

    def page(self, limit: int = 25, after: str | None = None) -> Page:
        """The first ``limit`` rows, or those that follow the page whose ``next`` is given as ``after``.

        Raises
        ------
        BadQuery
            ``limit`` is out of range, or ``after`` names no row.
        """
        if not 1 <= limit <= MOST_ROWS:
            raise BadQuery(f"limit: between 1 and {MOST_ROWS}")
        if (memory := self._in_memory()) is not None and memory.can_order(self.order):
            with memory.counting() as counting:
                found = self._first(counting, limit + 1, after)
                rows = _read(counting.connection, self.level, found[:limit])
        else:
            with self.database.read() as connection:
                found = self._rows_after(connection, limit + 1, after)
                rows = _read(connection, self.level, found[:limit])
        return Page(tuple(rows), str(rows[-1]["key"]) if len(found) > limit else None)

    def rows(self, size: int = 500) -> Iterator[dict[str, Value]]:
        """All rows, read ``size`` at a time."""
        mark: str | None = None
        while True:
            page = self.page(size, mark)
            yield from page.rows
            if (mark := page.next) is None:
                return

    def to_frame(self) -> pd.DataFrame:
        """All rows as a table."""
        import pandas as pd

        names = [column.name for column in _shown(self.level)]
        return pd.DataFrame.from_records([tuple(row.values()) for row in self.rows(MOST_ROWS)], columns=names)

    def columns(self, *keywords: str) -> pd.DataFrame:
        """Whole columns of what is found, read from memory where they are there: a million rows in little time.

        Parameters
        ----------
        *keywords : str
            Attributes of the level and those above, and of the archive's own what rows have: ``received`` (ns since
            1970), keys of the levels above, and ``bytes`` for series, ``length`` for instances.

        Returns
        -------
        pandas.DataFrame
            ``key``, then a column for each keyword; rows in the order in which the index came to know them, which is
            not that of the search. Text is categorical, as it is stored, its categories in order and only those that
            occur; several values of one row are one text, with backslashes between them. Dates and times are text in
            their DICOM form. Numbers are float64 with NaN, whole ones Int64 with NA; of several it is the lowest.

        Raises
        ------
        BadQuery
            An unknown keyword, or one of a level below.
        """
        wanted = Wanted(self.level, tuple(dict.fromkeys(keywords)))
        asked = alternatives(self.criteria, self.scopes)
        if self.memory is None or self.level == "instance":
            with self.database.read() as connection:
                return from_index(connection, wanted, asked)
        with self.memory.counting() as counting:
            return from_memory(counting, wanted, asked)

    def freeze(self, name: str) -> Any:
        """Keep what this finds now, under a name, for good: see `pacs_panel.cohort.Cohorts.cohort`."""
        if self.freezer is None:
            raise BadQuery("only what an archive's own `search` found can be frozen")
        return self.freezer(self, name)

    def named(self, name: str) -> list[dict[str, Value]]:
        """Those whose key or UID (of a patient, Patient ID) is ``name``."""
        asked = alternatives(self.criteria, self.scopes)
        query = select(ROW[self.level]).select_from(tables(self.level, _needed(asked, self.level)))
        query = query.where(or_(KEY[self.level] == name, UID[self.level] == name), any_of(asked, self.level))
        with self.database.read() as connection:
            return _read(connection, self.level, connection.scalars(query.order_by(KEY[self.level])).all())

    def facets(self, *keywords: str, limit: int = 100) -> dict[str, list[tuple[Value, int]]]:
        """For each keyword its values, the most frequent first, with how many rows choosing that value would give.

        What the search itself asks of the keyword is left out of account, so that the other values remain in sight.
        Spellings that differ in case count as one; ``None`` stands for rows without a value. All facets of one call
        are of one view of the index. A study or patient counts for a value where a series of it meets all criteria and
        has that value.
        """
        attributes = [known(keyword) for keyword in keywords]
        if self.memory is None or self.level == "instance":
            with self.database.read() as connection:
                return {a.keyword: self._facet(connection, a, limit) for a in attributes}
        with self.memory.counting() as counting:
            return {a.keyword: self._counted(counting, a, limit) for a in attributes}

    def ranges(self, keyword: str, most: int = MOST) -> list[tuple[Value, Value, int]]:
        """About ``most`` ranges of numbers, ages in years, or dates: the facet of what has too many values for one.

        Returns
        -------
        list of (low, high, int)
            In order. ``(low, high)`` is the criterion of the range, both ends included, and the number is of rows that
            choosing it would give, as in `facets`; rows without a value are in none. Where there are few values, each
            is a range of its own.

        Raises
        ------
        BadQuery
            The attribute is one of text.
        """
        others = replace(self, criteria=self.criteria.without(keyword))
        found = bands(known(keyword), others.facets(keyword, limit=MOST_VALUES)[keyword], most)
        counted = []
        for low, high in found:
            only = criteria(self.level, **{keyword: (low, high)}).wanted
            asked = replace(others.criteria, wanted=others.criteria.wanted + only)
            counted.append((low, high, replace(others, criteria=asked).count()))
        return counted

    # -- within ------------------------------------------------------------------------------------------------------

    def _in_memory(self) -> Columns | None:
        """The columns, where they serve this level and are there without waiting."""
        return self.memory if self.level != "instance" and self.memory is not None and self.memory.ready else None

    def _first(self, counting: Counting, limit: int, after: str | None) -> list[int]:
        """Identifiers of rows in order, from memory."""
        mark: int | None = None
        if after is not None:
            mark = counting.connection.scalar(select(ROW[self.level]).where(KEY[self.level] == after))
            if mark is None:
                raise BadQuery(NO_PLACE)
        return counting.first(self.level, alternatives(self.criteria, self.scopes), self.order, limit, mark)

    def _rows_after(self, connection: Connection, limit: int, after: str | None) -> list[Any]:
        """Identifiers of rows in order. Rows that lack the first ordering value form a second part."""
        asked, level = alternatives(self.criteria, self.scopes), self.level
        columns = [(_ordering(keyword, level), direction == "desc") for keyword, direction in self.order]
        columns.append((KEY[level], columns[0][1] if columns else False))
        attributes = [known(keyword) for keyword, _ in self.order if keyword != "received"]
        source = tables(level, _needed(asked, level, attributes))
        mark = None if after is None else _values_at(connection, source, level, columns, after)
        query = select(ROW[level]).select_from(source).where(any_of(asked, level))
        found: list[Any] = []
        for part, rest, start in parts(columns, mark):
            chosen = query.where(part)
            if start is not None:
                chosen = chosen.where(follows(rest, start))
            chosen = chosen.order_by(*order_by(rest, sure=rest is columns)).limit(limit - len(found))
            found += connection.scalars(chosen).all()
            if len(found) == limit:
                break
        return found

    def _counted(self, counting: Counting, attribute: Attribute, limit: int) -> list[tuple[Value, int]]:
        if not is_held(attribute):
            return self._facet(counting.connection, attribute, limit)
        asked = alternatives(self.criteria.without(attribute.keyword), self.scopes)
        return counting.facet(self.level, asked, attribute, limit)

    def _facet(self, connection: Connection, attribute: Attribute, limit: int) -> list[tuple[Value, int]]:
        lower = depth(attribute.level) > depth(self.level)
        at = attribute.level if lower else self.level
        asked = alternatives(self.criteria.without(attribute.keyword), self.scopes)
        needed = _needed(asked, at, [attribute])
        if lower and at == "instance":
            needed.add("series")
        source, held = tables(at, needed), any_of(asked, at)
        value = clauses.shown(attribute, at)
        one = OWNERS[at][self.level] if lower else ROW[at]
        if attribute.keyword in MULTIPLE:
            rows = connection.execute(select(one, value).select_from(source).where(held).distinct())
            return _single_values(attribute, rows)[:limit]
        number = func.count(distinct(one)) if lower else func.count()
        query = select(func.min(value), number).select_from(source).where(held)
        query = (
            query.group_by(clauses.columns(attribute, at)[0])
            .order_by(number.desc(), func.min(value).nulls_last())
            .limit(limit)
        )
        return [(row[0], row[1]) for row in connection.execute(query)]


def checked_order(level: Level, order: Sequence[tuple[str, str]] | None) -> tuple[tuple[str, str], ...]:
    """``order``, or the level's usual one.

    Raises
    ------
    BadQuery
        Unknown level, keyword or direction, or an attribute of a level below.
    """
    if level not in LEVELS:
        raise BadQuery(f"unknown level {level!r}: one of {', '.join(LEVELS)}")
    if order is None:
        return ORDERS[level]
    for keyword, direction in order:
        if direction not in ("asc", "desc"):
            raise BadQuery("order: 'asc' or 'desc'")
        if keyword != "received" and depth(known(keyword).level) > depth(level):
            raise BadQuery(f"order: {keyword} belongs to a level below {level}")
    return tuple((keyword, direction) for keyword, direction in order)


def _needed(asked: Iterable[Criteria], at: Level, attributes: Iterable[Attribute] = ()) -> set[Level]:
    needed = clauses.levels(Criteria(at), at, attributes)
    return needed.union(*(clauses.levels(each, at) for each in asked))


def _ordering(keyword: str, at: Level) -> ColumnElement[Any]:
    return schema.TABLES[at].c.received if keyword == "received" else clauses.columns(known(keyword), at)[0]


# -- reading rows ------------------------------------------------------------------------------------------------------


def _shown(level: Level) -> list[ColumnElement[Any]]:
    own = schema.TABLES[level].c
    columns = [KEY[level].label("key")]
    columns += [column.label(f"{above}_key") for above, column in OWNERS[level].items()]
    columns += [schema.TABLES[a.level].c[a.column].label(a.keyword) for a in down_to(level)]
    return columns + [own[name].label(name) for name in ("received", *EXTRAS[level])]


@cache
def _reading(level: Level) -> Select[Any]:
    """The query for whole rows by identifier: built once, for it names all columns of the level and those above."""
    source = tables(level, LEVELS[: depth(level)])
    wanted = select(func.json_each(bindparam("rows")).table_valued("value").c.value)
    return select(ROW[level], *_shown(level)).select_from(source).where(ROW[level].in_(wanted))


def _read(connection: Connection, level: Level, rows: Sequence[Any]) -> list[dict[str, Value]]:
    names = [column.name for column in _reading(level).selected_columns][1:]
    answer = connection.execute(_reading(level), {"rows": json.dumps(list(rows))})
    found = {row[0]: dict(zip(names, row[1:], strict=True)) for row in answer}
    return [found[row] for row in rows]


# -- paging by key -----------------------------------------------------------------------------------------------------


def _values_at(connection: Connection, source: Any, level: Level, columns: Sequence[Column], key: str) -> list[Any]:
    """Where the row with ``key`` stands in the order, visible or not."""
    query = select(*(column for column, _ in columns)).select_from(source).where(KEY[level] == key)
    if level == "instance":
        query = query.order_by(O.current.desc(), O.received.desc())
    row = connection.execute(query.limit(1)).first()
    if row is None:
        raise BadQuery(NO_PLACE)
    return list(row)


# -- facets of attributes with several values --------------------------------------------------------------------------


def _single_values(attribute: Attribute, rows: Iterable[Any]) -> list[tuple[Value, int]]:
    """Counts of single values, from pairs of a row's identifier and its values between backslashes."""
    found, spelled = set(), dict[Any, Any]({None: None})
    one: Any
    for row, value in rows:
        for one in several(attribute, value):
            label = compared(attribute, one)
            found.add((row, label))
            spelled[label] = one if label is None else min(one, spelled.get(label, one))
    counts = Counter(label for _, label in found)
    named = [(spelled[label], number) for label, number in counts.items()]
    return sorted(named, key=lambda item: (-item[1], item[0] is None, item[0]))
