"""Between the index's rows and the model's values."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Select, func, insert, select
from sqlalchemy.dialects import sqlite

from pacs_panel.attributes import ATTRIBUTES, BY_KEYWORD, Attribute, at_level
from pacs_panel.index import schema
from pacs_panel.index.arrival import Arrival
from pacs_panel.index.values import clean, shadow_columns, shadows
from pacs_panel.model import Digests, ImageHeader, Kept, Location, Revision, Stack

O = schema.objects.c  # noqa: E741
_STATED = frozenset({"SOPInstanceUID", "SOPClassUID", "TransferSyntaxUID"})  # `Kept` has them
_INSTANCE = tuple(a for a in at_level("instance") if a.keyword not in _STATED)
_UNFILLED = dict.fromkeys(name for a in at_level("instance") for name in (a.column, *shadow_columns(a)))
_OFTEN = 128  # characters of a value that may well come again
_PLAIN = frozenset(a.column for a in ATTRIBUTES if not shadow_columns(a))
_NAMES = [column.name for column in schema.objects.c if column.name != "id"]
_VALUES = itemgetter(*_NAMES)
_INSERT = str(insert(schema.objects).compile(dialect=sqlite.dialect(), column_keys=_NAMES))

_KEPT = (
    O.SOPInstanceUID,
    O.SOPClassUID,
    O.series_key,
    O.TransferSyntaxUID,
    O.pack,
    O.offset,
    O.length,
    O.in_place,
    O.file_digest,
    O.dataset_digest,
    O.dataset_offset,
    O.received,
    O.current,
    O.image,
    O.id,
)


def among(column: Any, values: Iterable[str | int]) -> Any:
    """``column IN values``, however many: they travel as one JSON parameter, so that the statement stays prepared."""
    return column.in_(select(func.json_each(json.dumps(list(values))).table_valued("value").c.value))


def kept_query() -> Select[Any]:
    """A query whose rows `to_kept` reads."""
    return select(*_KEPT)


def to_kept(row: Sequence[Any]) -> Kept:
    """The object version that a row of `kept_query` describes."""
    return Kept(
        sop_instance_uid=row[0],
        sop_class_uid=row[1] or "",
        series_key=row[2],
        transfer_syntax=row[3] or "",
        location=Location(row[4], row[5], row[6], row[7]),
        digests=Digests(row[8], row[9]),
        dataset_offset=row[10],
        received=row[11],
        current=row[12],
        image=ImageHeader.from_json(row[13]) if row[13] else None,
    )


def kept_pages(connection: Connection, query: Select[Any], size: int) -> Iterator[list[Kept]]:
    """The rows of ``query`` by ``id``, ``size`` at a time."""
    last = -1
    while rows := connection.execute(query.where(O.id > last).order_by(O.id).limit(size)).all():
        last = rows[-1].id
        yield [to_kept(row) for row in rows]


def object_row(arrival: Arrival) -> dict[str, Any]:
    """An arrival as a row of ``object``, current until `pacs_panel.index.writing` finds a newer one."""
    kept = arrival.kept
    row: dict[str, Any] = {
        "series_key": kept.series_key,
        "study_key": arrival.study_key,
        "patient_key": arrival.patient_key,
        "pack": kept.location.path,
        "offset": kept.location.offset,
        "length": kept.location.length,
        "in_place": kept.location.in_place,
        "dataset_offset": kept.dataset_offset,
        "file_digest": kept.digests.file,
        "dataset_digest": kept.digests.dataset,
        "received": kept.received,
        "current": True,
        "trashed": False,
        "damaged": None,
        "collection": arrival.collection or None,
        "image": kept.image.to_json() if kept.image else None,
    }
    row |= _UNFILLED
    values = arrival.values
    for attribute in _INSTANCE:
        if (raw := values.get(attribute.keyword)) is not None:
            row |= filled(attribute, raw)
    row["SOPInstanceUID"] = kept.sop_instance_uid
    row["SOPClassUID"] = kept.sop_class_uid
    row["TransferSyntaxUID"] = kept.transfer_syntax
    return row


def insert_objects(connection: Connection, arrivals: Iterable[Arrival]) -> None:
    """Write arrivals as rows of ``object``, past the statement layer's work on each single row."""
    connection.exec_driver_sql(_INSERT, [_VALUES(object_row(arrival)) for arrival in arrivals])


def filled(attribute: Attribute, raw: object) -> Mapping[str, Any]:
    """An attribute's columns for a header's value; nobody may change them, for the next may be given the same."""
    if not isinstance(raw, str | int | float) or (isinstance(raw, str) and len(raw) > _OFTEN):
        return _filled(attribute, raw)
    return _filled_again(attribute.keyword, raw)


@lru_cache(maxsize=4096, typed=True)  # objects of a series share nearly all of their values
def _filled_again(keyword: str, raw: str | int | float) -> Mapping[str, Any]:
    return _filled(BY_KEYWORD[keyword], raw)


def _filled(attribute: Attribute, raw: object) -> Mapping[str, Any]:
    value = clean(attribute, raw)
    if attribute.column in _PLAIN:
        return {attribute.column: value}
    return {attribute.column: value, **shadows(attribute, value)}


def stacks_json(stacks: Iterable[Stack]) -> str:
    """Stacks as text for a column."""
    return json.dumps([stack.to_dict() for stack in stacks])


def to_revision(row: Any) -> Revision:
    """The revision that a row of ``revision`` describes."""
    stacks = tuple(Stack.from_dict(stack) for stack in json.loads(row.stacks))
    return Revision(row.series_key, row.revision, row.path, row.verdict, stacks, row.note)
