"""What follows from a change: counts, visibility, tombstones and change numbers of all that lies above it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Table, bindparam, delete, func, select, update
from sqlalchemy.dialects.sqlite import insert

from pacs_panel.attributes import Level
from pacs_panel.index import schema
from pacs_panel.index.rows import O, among

S, T, P = schema.series.c, schema.study.c, schema.patient.c

Rows = dict[str, dict[str, Any]]  # key to columns


def next_change(connection: Connection) -> int:
    """A new change number: one a transaction, for writers follow one another."""
    number = schema.change.c.number
    return connection.execute(update(schema.change).values(number=number + 1).returning(number)).scalar_one()


def refresh(
    connection: Connection,
    number: int,
    series_keys: Iterable[str],
    patients: Iterable[str] = (),
    studies: Iterable[str] = (),
) -> None:
    """Bring all above the objects of ``series_keys``, and these besides, up to date, under change ``number``."""
    keys = set(series_keys)
    above = connection.execute(select(S.study_key, S.patient_key).where(among(S.key, keys)).distinct()).all()
    _count_series(connection, number, keys)
    _count_studies(connection, number, {row[0] for row in above} | set(studies))
    _count_patients(connection, number, {row[1] for row in above} | set(patients))


def touch(connection: Connection, number: int, series_key: str) -> None:
    """Mark a series, and what is above it, as changed; its objects are as they were."""
    row = connection.execute(select(S.study_key, S.patient_key).where(S.key == series_key)).one()
    for table, key in ((schema.series, series_key), (schema.study, row[0]), (schema.patient, row[1])):
        connection.execute(update(table).where(table.c.key == key).values(change=number))


def _count_series(connection: Connection, number: int, keys: set[str]) -> None:
    counted = connection.execute(
        select(O.series_key, func.count(), func.sum(O.length))
        .where(O.current, among(O.series_key, keys))
        .group_by(O.series_key)
    )
    found = {key: {"NumberOfSeriesRelatedInstances": n, "bytes": size} for key, n, size in counted}
    empty = {"NumberOfSeriesRelatedInstances": 0, "bytes": 0}
    rows = {key: found.get(key, empty) | {"content": number, "settled": False} for key in keys}
    _store(connection, "series", number, rows, visible=set(found))


def _count_studies(connection: Connection, number: int, keys: set[str]) -> None:
    series = connection.execute(
        select(S.study_key, S.Modality, S.NumberOfSeriesRelatedInstances).where(S.visible, among(S.study_key, keys))
    )
    modalities: dict[str, set[str]] = defaultdict(set)
    counts: dict[str, list[int]] = defaultdict(list)
    for key, modality, instances in series:
        counts[key].append(instances)
        if modality:
            modalities[key].add(modality)
    rows = {
        key: {
            "NumberOfStudyRelatedSeries": len(counts[key]),
            "NumberOfStudyRelatedInstances": sum(counts[key]),
            "ModalitiesInStudy": "\\".join(sorted(modalities[key])) or None,
        }
        for key in keys
    }
    _store(connection, "study", number, rows, visible={key for key in keys if counts[key]})


def _count_patients(connection: Connection, number: int, keys: set[str]) -> None:
    counted = connection.execute(
        select(T.patient_key, func.count()).where(T.visible, among(T.patient_key, keys)).group_by(T.patient_key)
    )
    counts = {row[0]: row[1] for row in counted}
    rows = {key: {"NumberOfPatientRelatedStudies": counts.get(key, 0)} for key in keys}
    _store(connection, "patient", number, rows, visible=set(counts))


def _store(connection: Connection, level: Level, number: int, rows: Rows, visible: set[str]) -> None:
    if not rows:
        return
    table = schema.TABLES[level]
    names = [*next(iter(rows.values())), "visible", "change"]
    connection.execute(
        update(table).where(table.c.key == bindparam("this")).values({name: bindparam(name) for name in names}),
        [{"this": key, "visible": key in visible, "change": number, **row} for key, row in rows.items()],
    )
    bury(connection, level, number, rows.keys() - visible)
    raise_up(connection, level, rows.keys() & visible)


def bury(connection: Connection, level: Level, number: int, keys: Iterable[str]) -> None:
    """Leave tombstones, so that whoever follows the change numbers learns of the deletion."""
    rows = [{"level": level, "key": key, "change": number} for key in keys]
    if rows:
        put = insert(schema.tombstone)
        put = put.on_conflict_do_update(index_elements=["level", "key"], set_={"change": put.excluded.change})
        connection.execute(put, rows)


def raise_up(connection: Connection, level: Level, keys: Iterable[str]) -> None:
    """Take tombstones away from what is there again."""
    stone: Table = schema.tombstone
    connection.execute(delete(stone).where(stone.c.level == level, among(stone.c.key, keys)))
