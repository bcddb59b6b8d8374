"""Corrections, laid over what the received objects state.

A row keeps what they state (``stated``, ``stated_patient``, ``stated_study``), so that what holds can be told anew from
it and from the corrections at any time, in any order, without reading an object again. Corrections hold in the order of
their numbers: of several values the last one counts, and each merge or move starts from where the one before led.

One that leads to what is not there (any more, or yet) has no effect until it is.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, delete, insert, select, update

from pacs_panel.attributes import BY_KEYWORD, LEVELS, Level
from pacs_panel.index import schema
from pacs_panel.index.counting import next_change, refresh
from pacs_panel.index.current import accepted, follow_rejections
from pacs_panel.index.engine import Database
from pacs_panel.index.rows import among, filled
from pacs_panel.index.spoken import recount
from pacs_panel.index.wording import reword
from pacs_panel.model import Correction

S, T, P = schema.series.c, schema.study.c, schema.patient.c

Told = Mapping[str, Any]  # a row


@dataclass(slots=True)
class Shifted:
    """Keys of what must be counted anew, for something came to it or left it; and of series and rows that changed."""

    patients: set[str] = field(default_factory=set)
    studies: set[str] = field(default_factory=set)
    changed: dict[Level, set[str]] = field(default_factory=lambda: defaultdict(set))

    def series(self, connection: Connection) -> set[str]:
        """The series that changed, and those of studies to which series came or which they left."""
        return self.changed["series"] | set(connection.scalars(select(S.key).where(among(S.study_key, self.studies))))


def correct(database: Database, corrections: Iterable[Correction]) -> None:
    """Let these corrections hold from now on, for what is there and what arrives, and no others.

    The caller sees to it that no two do so at once.
    """
    rows = [{"number": each.number, "body": each.to_json()} for each in corrections]
    with database.read() as connection:
        if [(row["number"], row["body"]) for row in rows] == _bodies(connection):
            return
    with database.write() as connection:
        number, shown = next_change(connection), accepted(connection)
        connection.execute(delete(schema.correction))
        if rows:
            connection.execute(insert(schema.correction), rows)
        series = follow_rejections(connection, number, shown ^ accepted(connection))
        shifted = _lay(connection, number, _held(connection))
        refresh(connection, number, series, shifted.patients, shifted.studies)
        recount(connection, number, series | shifted.series(connection))


def apply(connection: Connection, number: int) -> Shifted:
    """Lay the corrections over what was just written as it is stated; what is given must be counted anew."""
    held = _held(connection)
    return _lay(connection, number, held) if held else Shifted()


def stated(row: Told) -> dict[str, Any]:
    """A row of ``patient``, ``study`` or ``series`` as the received objects state it."""
    told = dict(row)
    told |= json.loads(row["stated"] or "{}")
    if "stated_patient" in row:
        told["patient_key"] = row["stated_patient"]
    if "stated_study" in row:
        told["study_key"] = row["stated_study"]
    return told


def _bodies(connection: Connection) -> list[tuple[int, str]]:
    table = schema.correction.c
    return [(row[0], row[1]) for row in connection.execute(select(table.number, table.body).order_by(table.number))]


def _held(connection: Connection) -> list[Correction]:
    return [Correction.from_json(body) for _, body in _bodies(connection)]


def _lay(connection: Connection, number: int, held: Sequence[Correction]) -> Shifted:
    shifted = Shifted()
    for level in LEVELS[:3]:
        shifted.changed[level] |= _give_values(connection, number, level, held)
    _move_series(connection, number, held, shifted)
    _move_studies(connection, number, held, shifted)
    _follow(connection, number, shifted)
    shifted.patients |= set(connection.scalars(select(T.patient_key).where(among(T.key, shifted.studies))))
    if any(shifted.changed.values()):
        reword(connection, _under(shifted.changed))
    return shifted


def _under(changed: Mapping[Level, set[str]]) -> ColumnElement[bool]:
    found: ColumnElement[bool] = among(S.key, changed["series"]) | among(S.study_key, changed["study"])
    return found | among(S.patient_key, changed["patient"])


# -- values ------------------------------------------------------------------------------------------------------------


def _give_values(connection: Connection, number: int, level: Level, held: Iterable[Correction]) -> set[str]:
    """Write the values that hold; gives the keys of the rows that changed."""
    wanted: dict[str, dict[str, Any]] = defaultdict(dict)
    for each in held:
        if each.kind == "set" and each.level == level:
            for key in each.keys:
                wanted[key] |= {keyword: v for keyword, v in each.values.items() if keyword in BY_KEYWORD}
    table = schema.TABLES[level]
    query = select(table).where(among(table.c.key, wanted) | table.c.stated.is_not(None))
    changed = set()
    for row in connection.execute(query).mappings().all():
        columns = _columns(dict(row), wanted.get(row["key"], {}))
        if any(row[name] != value for name, value in columns.items()):
            connection.execute(update(table).where(table.c.id == row["id"]).values(columns | {"change": number}))
            changed.add(str(row["key"]))
    return changed


def _columns(row: Told, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a row as they must be: of all values that are, or were until now, corrected."""
    told = stated(row)
    kept = {keyword: told[keyword] for keyword in sorted(wanted)}
    columns: dict[str, Any] = {"stated": json.dumps(kept, ensure_ascii=False) if kept else None}
    for keyword in wanted.keys() | json.loads(row["stated"] or "{}").keys():
        if keyword in BY_KEYWORD:
            columns |= filled(BY_KEYWORD[keyword], wanted.get(keyword, told[keyword]))
    return columns


# -- who belongs to whom -----------------------------------------------------------------------------------------------


def _move_series(connection: Connection, number: int, held: Iterable[Correction], shifted: Shifted) -> None:
    moves = [each for each in held if each.kind == "move" and each.level == "series"]
    there = set(connection.scalars(select(S.stated_study).where(among(S.stated_study, {m.to for m in moves}))))
    to = {key: each.to for each in moves if each.to in there for key in each.keys}
    candidates = among(S.key, to) | (S.study_key != S.stated_study)
    changes = []
    for row in connection.execute(select(S.key, S.study_key, S.stated_study).where(candidates)).all():
        study = to.get(row.key, row.stated_study)
        if study != row.study_key:
            changes.append({"this": row.key, "to": study})
            shifted.studies |= {study, row.study_key, row.stated_study}
            shifted.changed["series"].add(row.key)
    if changes:
        put = update(schema.series).where(S.key == bindparam("this")).values(study_key=bindparam("to"), change=number)
        connection.execute(put, changes)


def _move_studies(connection: Connection, number: int, held: Sequence[Correction], shifted: Shifted) -> None:
    steps = [each for each in held if each.kind == "merge" or (each.kind == "move" and each.level == "study")]
    there = set(connection.scalars(select(T.stated_patient).where(among(T.stated_patient, {s.to for s in steps}))))
    steps = [each for each in steps if each.to in there]
    keys: dict[str, set[str]] = {
        kind: {k for s in steps if s.kind == kind for k in s.keys} for kind in ("move", "merge")
    }
    candidates = (
        among(T.key, keys["move"]) | among(T.stated_patient, keys["merge"]) | (T.patient_key != T.stated_patient)
    )
    changes = []
    for row in connection.execute(select(T.key, T.patient_key, T.stated_patient).where(candidates)).all():
        patient = _patient(row.key, row.stated_patient, steps)
        if patient != row.patient_key:
            changes.append({"this": row.key, "to": patient})
            shifted.patients |= {patient, row.patient_key, row.stated_patient}
            shifted.changed["study"].add(row.key)
    if changes:
        put = update(schema.study).where(T.key == bindparam("this")).values(patient_key=bindparam("to"), change=number)
        connection.execute(put, changes)


def _patient(study: str, patient: str, steps: Iterable[Correction]) -> str:
    """Where a study of a patient is led."""
    for each in steps:
        if (study if each.kind == "move" else patient) in each.keys:
            patient = each.to
    return patient


def _follow(connection: Connection, number: int, shifted: Shifted) -> None:
    """Repeat in the series what they repeat of their study."""
    studies = shifted.studies | shifted.changed["study"]
    differ = (S.patient_key != T.patient_key) | S.study_date.is_distinct_from(T.StudyDate)
    query = select(S.key, T.patient_key, T.StudyDate).join(schema.study, T.key == S.study_key)
    rows = connection.execute(query.where(among(S.study_key, studies), differ)).all()
    if rows:
        put = update(schema.series).where(S.key == bindparam("this"))
        values = {"patient_key": bindparam("of"), "study_date": bindparam("date"), "change": number}
        connection.execute(put.values(values), [{"this": a, "of": b, "date": c} for a, b, c in rows])
