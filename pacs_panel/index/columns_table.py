"""Found rows as a table: whole columns, from memory where they are there, else as SQL reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import ColumnElement, Connection, select

from pacs_panel.attributes import Level
from pacs_panel.errors import BadQuery
from pacs_panel.index import clauses, schema
from pacs_panel.index.clauses import S, any_of, depth, tables
from pacs_panel.index.columns import HELD, KEY, Column
from pacs_panel.index.columns_follow import Counting
from pacs_panel.index.criteria import Criteria, known
from pacs_panel.index.rows import among
from pacs_panel.index.values import WHOLE, Value, compared

if TYPE_CHECKING:
    import pandas as pd

OWN: dict[Level, tuple[str, ...]] = {
    "patient": ("received",),
    "study": ("received", "patient_key"),
    "series": ("received", "study_key", "patient_key", "bytes"),
    "instance": ("received", "series_key", "study_key", "patient_key", "length"),
}
MANY = 1000  # rows: for more, what memory does not hold is read from a whole table at once


@dataclass(frozen=True, slots=True)
class Wanted:
    """Columns of one table: each an attribute, or a name of `OWN`."""

    level: Level
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        for name in self.names:
            if name not in OWN[self.level] and depth(known(name).level) > depth(self.level):
                raise BadQuery(f"{name} belongs to a level below {self.level}: ask for it there")


def from_memory(counting: Counting, wanted: Wanted, asked: tuple[Criteria, ...]) -> pd.DataFrame:
    """The columns of what meets any of ``asked``, which is not of instances."""
    level = wanted.level
    rows = counting.rows(level, asked)
    own = counting.tables[level]
    found: dict[str, Any] = {"key": _text(own.keys[rows])}
    for name in wanted.names:
        if name in ("received", "bytes"):
            found[name] = (own.received if name == "received" else own.sizes)[rows]
        elif name.endswith("_key"):
            above: Level = "study" if name == "study_key" else "patient"
            found[name] = _text(counting.tables[above].keys[counting.places(level, above, rows)])
        elif name in OWN[level] or known(name) not in HELD[known(name).level]:
            found[name] = _read(counting, level, name, rows)
        else:
            attribute = known(name)
            column = counting.tables[attribute.level].columns[name]
            found[name] = _held(column, column.codes[counting.places(level, attribute.level, rows)])
    return _frame(found)


def from_index(connection: Connection, wanted: Wanted, asked: tuple[Criteria, ...]) -> pd.DataFrame:
    """The same, read row by row."""
    level, own = wanted.level, schema.TABLES[wanted.level].c
    attributes = [known(name) for name in wanted.names if name not in OWN[level]]
    needed = clauses.levels(Criteria(level), level, attributes).union(*(clauses.levels(each, level) for each in asked))
    if level == "instance":
        needed.add("series")
    key = own.SOPInstanceUID if level == "instance" else own.key
    columns = [_column(name, level) for name in wanted.names]
    query = select(key, *columns).select_from(tables(level, needed)).where(any_of(asked, level)).order_by(own.id)
    rows = connection.execute(query).all()
    values = list(zip(*rows, strict=True)) if rows else [()] * (len(columns) + 1)
    found: dict[str, Any] = {"key": _texts(values[0])}
    for name, column in zip(wanted.names, values[1:], strict=True):
        found[name] = _as_told(name, level, column)
    return _frame(found)


def _column(name: str, level: Level) -> ColumnElement[Any]:
    if name == "study_key":
        return S.study_key
    if name == "patient_key" and level == "instance":
        return S.patient_key
    if name in OWN[level]:
        return schema.TABLES[level].c[name]
    return clauses.shown(known(name), level)


def _read(counting: Counting, level: Level, name: str, rows: Any) -> Any:
    """A column that memory does not hold."""
    at = level if name in OWN[level] else known(name).level
    table = schema.TABLES[at].c
    places = counting.places(level, at, rows)
    query = select(table.id, table[name])
    if len(places) <= MANY:
        query = query.where(among(table.id, np.unique(places).tolist()))
    values: dict[int, Value] = dict(counting.connection.execute(query).all())
    return _as_told(name, level, [values.get(place) for place in places.tolist()])


# -- values ------------------------------------------------------------------------------------------------------------


def _as_told(name: str, level: Level, values: Sequence[Value]) -> Any:
    """Values of one column as pandas holds them."""
    if name in OWN[level]:
        return _texts(values) if name.endswith("_key") else np.array(values, np.int64)
    attribute = known(name)
    column = Column(attribute)
    column.codes = np.zeros(len(values), np.int32)
    column.put(np.arange(len(values)), values)
    return _held(column, column.codes)


def _held(column: Column, codes: Any) -> Any:
    import pandas as pd

    meanings = column.meanings
    attribute = column.attribute
    if not attribute.measured:  # ages become years
        return _categorical(meanings.values, meanings.ranks(), codes)
    compare = (compared(attribute, value) for value in meanings.values)
    numbers = np.array([np.nan if number is None else number for number in compare], np.float64)
    if attribute.vr not in WHOLE:
        return numbers[codes]
    whole = np.array([0 if value is None else value for value in meanings.values], np.int64)
    return pd.arrays.IntegerArray(whole[codes], codes == 0)


def _categorical(values: list[Value], ranks: Any, codes: Any) -> Any:
    """Of those values alone that occur here: of others nothing is told."""
    import pandas as pd

    occurring = np.flatnonzero(np.bincount(codes, minlength=len(values)))
    occurring = occurring[occurring > 0]
    occurring = occurring[np.argsort(ranks[occurring])]
    places = np.full(len(values), -1, np.int32)
    places[occurring] = np.arange(len(occurring))
    categories = pd.Index([values[number] for number in occurring], dtype="str")
    return pd.Categorical.from_codes(places[codes], categories=categories)


def _texts(values: Sequence[Value]) -> Any:
    import pandas as pd

    return pd.array(list(values), dtype="str")


def _text(keys: Any) -> Any:
    """Keys as text of pandas, which holds text as Arrow does: their bytes one after the other, and where each ends."""
    import pandas as pd
    import pyarrow as pa

    lengths = np.char.str_len(keys)
    ends = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    content = keys.view(np.uint8).reshape(len(keys), KEY.itemsize)
    packed = np.ascontiguousarray(content[np.arange(KEY.itemsize) < lengths[:, None]])
    texts = pa.LargeStringArray.from_buffers(len(keys), pa.py_buffer(ends), pa.py_buffer(packed))
    return pd.array(texts, dtype="str")


def _frame(found: dict[str, Any]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(found)
