"""Paging by key in SQL: where a page starts, and how rows follow one another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, and_, false, or_

Column = tuple[ColumnElement[Any], bool]  # what is sorted by, and whether downwards


def parts(
    columns: list[Column], mark: list[Any] | None
) -> Iterator[tuple[ColumnElement[bool], list[Column], list[Any] | None]]:
    """Parts of the list that one index can serve in order: rows with a first value, then rows without.

    Each is a condition, the columns that order it, and where to start.
    """
    first, down = columns[0]
    if len(columns) == 1:
        yield first.is_not(None), columns, mark
        return
    if mark is None or mark[0] is not None:
        bound = first.is_not(None) if mark is None else first <= mark[0] if down else first >= mark[0]
        yield bound, columns, mark
        mark = None
    yield first.is_(None), columns[1:], None if mark is None else mark[1:]


def follows(columns: list[Column], mark: list[Any]) -> ColumnElement[bool]:
    """Rows behind the mark: greater in the first column, or equal there and behind it in the others."""
    (column, down), value = columns[0], mark[0]
    if value is None:  # nothing comes behind a missing value
        behind: ColumnElement[bool] = false()
        same: ColumnElement[bool] = column.is_(None)
    else:
        behind = or_(column < value if down else column > value, column.is_(None))
        same = column == value
    return behind if len(columns) == 1 else or_(behind, and_(same, follows(columns[1:], mark[1:])))


def order_by(columns: list[Column], sure: bool) -> list[Any]:
    """Missing values last, which is said only where there may be some: ``sure`` that the first column has none."""
    ends = [column.desc() if down else column.asc() for column, down in columns]
    last = len(ends) - 1  # the key
    return [end if n == last or (sure and n == 0) else end.nulls_last() for n, end in enumerate(ends)]
