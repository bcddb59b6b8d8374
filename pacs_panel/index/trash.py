"""Hiding and showing again: rows stay, so that `show` needs nothing but the index.

A study and a patient are here what the received objects state, whatever corrections hold: so what a removal names never
changes. `removals` tells what to name to remove what is seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, select, true, update

from pacs_panel.attributes import Level
from pacs_panel.errors import NotFound
from pacs_panel.index import schema
from pacs_panel.index.counting import bury, next_change, raise_up, refresh
from pacs_panel.index.current import choose_current, follow_rejections
from pacs_panel.index.rows import O, among
from pacs_panel.index.spoken import recount

S, T = schema.series.c, schema.study.c
_ALL = true()
Removals = Mapping[tuple[Level, str], int]  # what was put into the trash, and when (ns)


def removals(connection: Connection, level: Level, key: str) -> list[tuple[Level, str]]:
    """What to remove so that all is gone that is seen under ``key``: itself, or series that corrections led there."""
    return led_to(connection, level, key, S.visible) or [(level, key)]


def led_to(connection: Connection, level: Level, key: str, only: ColumnElement[bool] = _ALL) -> list[tuple[Level, str]]:
    """The series that are seen in a study or of a patient, where these are not just those that state it."""
    if level in ("instance", "series"):
        return []
    seen = S.study_key if level == "study" else S.patient_key
    shown = set(connection.scalars(select(S.key).where(seen == key, only)))
    own = set(connection.scalars(select(S.key).where(_series_under(level, key), only)))
    return [] if shown == own else [("series", each) for each in sorted(shown)]


def hide(connection: Connection, level: Level, key: str) -> int:
    """Put what ``key`` names into the trash; gives the number of object versions."""
    rows = connection.execute(select(O.id, O.SOPInstanceUID, O.series_key).where(_under(level, key), ~O.trashed)).all()
    if not rows:
        raise NotFound(f"no {level} {key}")
    number = next_change(connection)
    connection.execute(
        update(schema.objects).where(among(O.id, [row.id for row in rows])).values(trashed=True, current=False)
    )
    uids = {row.SOPInstanceUID for row in rows}
    elsewhere = choose_current(connection, uids)
    alive = set(connection.scalars(select(O.SOPInstanceUID).where(among(O.SOPInstanceUID, uids), O.current)))
    bury(connection, "instance", number, uids - alive)
    elsewhere |= follow_rejections(connection, number, uids)
    changed = {row.series_key for row in rows} | elsewhere
    refresh(connection, number, changed)
    recount(connection, number, changed)
    return len(rows)


def show(connection: Connection, level: Level, key: str, still: Removals) -> int:
    """Bring back what ``key`` names; what ``still`` holds, or was received anew meanwhile, stays in the trash."""
    found = _trashed_rows(O.dataset_digest).where(_under(level, key))
    rows = connection.execute(found).all()
    if not rows:
        raise NotFound(f"no {level} {key} in the trash")
    rows = [row for row in rows if not any(row.received <= at for at in _removed(row, still))]
    if not rows:
        return 0
    uids = {row.SOPInstanceUID for row in rows}
    again = connection.execute(
        select(O.SOPInstanceUID, O.dataset_digest).where(among(O.SOPInstanceUID, uids), ~O.trashed)
    )
    seen = {(uid, digest) for uid, digest in again}
    back = []
    for row in rows:
        if (row.SOPInstanceUID, row.dataset_digest) not in seen:
            seen.add((row.SOPInstanceUID, row.dataset_digest))
            back.append(row)
    number = next_change(connection)
    connection.execute(update(schema.objects).where(among(O.id, [row.id for row in back])).values(trashed=False))
    raise_up(connection, "instance", [row.SOPInstanceUID for row in back])
    changed = {row.series_key for row in back} | choose_current(connection, uids)
    changed |= follow_rejections(connection, number, uids)
    refresh(connection, number, changed)
    recount(connection, number, changed)
    return len(back)


def due_rows(connection: Connection, removals: Removals, until: int) -> list[int]:
    """Rows in the trash that were removed at ``until`` or before, and those that no removal names."""
    found = []
    for row in connection.execute(_trashed_rows()):
        at = _removed(row, removals)
        if not at or any(row.received <= when <= until for when in at):
            found.append(row.id)
    return found


def named(connection: Connection, removals: Removals) -> set[tuple[Level, str]]:
    """Those of ``removals`` that still name something in the trash."""
    found: set[tuple[Level, str]] = set()
    for row in connection.execute(_trashed_rows()):
        found |= {name for name in _names(row) if name in removals and row.received <= removals[name]}
    return found


def _trashed_rows(*columns: Any) -> Select[Any]:
    # What is in the trash is never current, and of what is not, there is an index.
    query = select(O.id, O.SOPInstanceUID, O.series_key, O.received, S.stated_study, T.stated_patient, *columns)
    query = query.join(schema.series, S.key == O.series_key).join(schema.study, T.key == S.stated_study)
    return query.where(~O.current, O.trashed).order_by(O.id)


def _removed(row: Any, removals: Removals) -> list[int]:
    """When what a row belongs to was removed, at each level at which it was."""
    return [removals[name] for name in _names(row) if name in removals]


def _names(row: Any) -> tuple[tuple[Level, str], ...]:
    return (
        ("instance", row.SOPInstanceUID),
        ("series", row.series_key),
        ("study", row.stated_study),
        ("patient", row.stated_patient),
    )


def _under(level: Level, key: str) -> ColumnElement[bool]:
    if level == "instance":
        return O.SOPInstanceUID == key
    if level == "series":
        return O.series_key == key
    return O.series_key.in_(select(S.key).where(_series_under(level, key)))


def _series_under(level: Level, key: str) -> ColumnElement[bool]:
    if level == "study":
        return S.stated_study == key
    return S.stated_study.in_(select(T.key).where(T.stated_patient == key))


UIDS: dict[Level, ColumnElement[Any]] = {
    "patient": schema.patient.c.PatientID,
    "study": schema.study.c.StudyInstanceUID,
    "series": schema.series.c.SeriesInstanceUID,
    "instance": O.SOPInstanceUID,
}
KEYS: dict[Level, ColumnElement[Any]] = {
    "patient": schema.patient.c.key,
    "study": schema.study.c.key,
    "series": schema.series.c.key,
    "instance": O.SOPInstanceUID,
}


def keys_of(connection: Connection, level: Level, name: str) -> list[str]:
    """Keys that a UID or key names, visible or not."""
    found = select(KEYS[level]).where((KEYS[level] == name) | (UIDS[level] == name)).distinct()
    return list(connection.scalars(found))
