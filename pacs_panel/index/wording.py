"""The words of each series by which free-text search finds it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, delete, insert, select

from pacs_panel.attributes import ATTRIBUTES
from pacs_panel.index import schema
from pacs_panel.index.values import words

S, T, P = schema.series.c, schema.study.c, schema.patient.c
TEXTS: tuple[Any, ...] = tuple(schema.TABLES[a.level].c[a.column] for a in ATTRIBUTES if a.text)


def reword(connection: Connection, chosen: ColumnElement[bool]) -> None:
    """Write the words of the series that are chosen anew."""
    both = schema.series.join(schema.study, S.study_key == T.key).join(schema.patient, T.patient_key == P.key)
    rows = connection.execute(select(S.id, *TEXTS).select_from(both).where(chosen)).all()
    if rows:
        text = schema.series_text
        connection.execute(delete(text).where(text.c.rowid == bindparam("this")), [{"this": row[0]} for row in rows])
        connection.execute(
            insert(text).values(rowid=bindparam("id"), words=bindparam("text")),
            [{"id": row[0], "text": " ".join(words(row[1:]))} for row in rows],
        )
