"""How arrivals become rows: one transaction, in steps that follow one another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from functools import lru_cache
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, bindparam, select, update
from sqlalchemy.dialects import sqlite

from pacs_panel.attributes import ATTRIBUTES, LEVELS, Attribute, Level, at_level
from pacs_panel.index import schema
from pacs_panel.index.arrival import Arrival
from pacs_panel.index.corrected import apply, stated
from pacs_panel.index.counting import next_change, raise_up, refresh
from pacs_panel.index.current import choose_current, follow_rejections
from pacs_panel.index.labels import labelled
from pacs_panel.index.references import put
from pacs_panel.index.rows import O, among, filled, insert_objects
from pacs_panel.index.spoken import hear, recount
from pacs_panel.index.values import VARYING, shadow_columns, together
from pacs_panel.index.wording import reword

S, T, P = schema.series.c, schema.study.c, schema.patient.c
_STATED = frozenset({"ImportCollection", "Kind", "ArrivalDate"})
_COUNTED = frozenset(a.keyword for a in ATTRIBUTES if a.ours and a.keyword not in _STATED)
_FILLED = {level: {a.keyword: a for a in at_level(level) if a.keyword not in _COUNTED} for level in LEVELS}
_VARYING = {level: tuple(a for a in _FILLED[level].values() if a.keyword in VARYING) for level in LEVELS}
_BLANK: dict[Level, dict[str, None]] = {
    level: {name: None for a in _FILLED[level].values() for name in (a.column, *shadow_columns(a))} for level in LEVELS
}
DAY = 86_400 * 10**9  # ns


def add(connection: Connection, arrivals: Sequence[Arrival]) -> list[Arrival]:
    """Write ``arrivals``; give back those that were there already, for another import may have been quicker."""
    fresh, present, known = _sift(connection, arrivals)
    if not fresh:
        return present
    number = next_change(connection)
    _add_packs(connection, fresh)
    insert_objects(connection, fresh)
    put(connection, ((a.kept.sop_instance_uid, a.kept.digests.dataset, a.mentions) for a in fresh))
    raise_up(connection, "instance", [arrival.kept.sop_instance_uid for arrival in fresh])
    replaced = choose_current(connection, known)
    replaced |= follow_rejections(connection, number, (arrival.kept.sop_instance_uid for arrival in fresh))
    series = {arrival.kept.series_key for arrival in fresh} | replaced
    moved = _merge_parents(connection, fresh, number)
    shifted = apply(connection, number)
    refresh(connection, number, series, moved | shifted.patients, shifted.studies)
    hear(connection, number, fresh)
    if replaced or shifted.studies:
        recount(connection, number, replaced | shifted.series(connection))
    return present


def _sift(connection: Connection, arrivals: Sequence[Arrival]) -> tuple[list[Arrival], list[Arrival], set[str]]:
    """Arrivals that are new, those that are not, and the UIDs that have several versions."""
    uids = [arrival.kept.sop_instance_uid for arrival in arrivals]
    rows = connection.execute(
        select(O.SOPInstanceUID, O.dataset_digest).where(among(O.SOPInstanceUID, uids), ~O.trashed)
    )
    seen = {(uid, digest) for uid, digest in rows}
    taken = {uid for uid, _ in seen}
    fresh, present, known = [], [], set()
    for arrival in arrivals:
        uid, digest = arrival.kept.sop_instance_uid, arrival.kept.digests.dataset
        if (uid, digest) in seen:
            present.append(arrival)
            continue
        if uid in taken:
            known.add(uid)
        seen.add((uid, digest))
        taken.add(uid)
        fresh.append(arrival)
    return fresh, present, known


def _add_packs(connection: Connection, arrivals: Iterable[Arrival]) -> None:
    packs = {a.kept.location.path: a.kept.series_key for a in arrivals if not a.kept.location.in_place}
    if packs:
        connection.execute(
            sqlite.insert(schema.pack).on_conflict_do_nothing(),
            [{"id": name, "series_key": key, "sealed": False} for name, key in packs.items()],
        )


# -- the levels above --------------------------------------------------------------------------------------------------


Source = Mapping[str, Any]  # a header's values and the keys of what it belongs to, or a row as it was


def fill(level: Level, sources: Iterable[Source]) -> dict[str, Any]:
    """The level's columns, each from the first of ``sources`` that has a value for it.

    What may vary among the images of a series is from all of them.
    """
    sources = list(sources)
    row, missing = dict(_BLANK[level]), dict(_FILLED[level])
    for attribute in _VARYING[level]:
        row |= _of_all(attribute, {source.get(attribute.keyword) for source in sources})
        del missing[attribute.keyword]
    for source in sources:
        for keyword in missing.keys() & source.keys():
            columns = filled(missing[keyword], source[keyword])
            if columns[keyword] is not None:
                row |= columns
                del missing[keyword]
        if not missing:
            break
    return row


def _of_all(attribute: Attribute, stated: set[Any]) -> Mapping[str, Any]:
    """The columns of an attribute for what images state, which nearly always is one value."""
    values = (filled(attribute, raw)[attribute.column] for raw in stated)
    return filled(attribute, stated.pop() if len(stated) == 1 else together(attribute, values))


def _merge_parents(connection: Connection, arrivals: Sequence[Arrival], number: int) -> set[str]:
    """Write patients, studies and series; gives patients whose studies went to another patient."""
    sources = [source(arrival) for arrival in arrivals]
    patients, studies, series = (_merge(connection, level, sources, number) for level in LEVELS[:3])
    moved = _follow_study(connection, studies)
    _write_text(connection, patients, studies, series)
    return moved


def source(arrival: Arrival) -> Source:
    """What an arrival tells of the levels above it."""
    return {
        **arrival.values,
        "ImportCollection": arrival.collection,
        "Kind": arrival.kind,
        "ArrivalDate": _date(arrival.kept.received // DAY),
        "patient_key": arrival.patient_key,
        "study_key": arrival.study_key,
        "series_key": arrival.kept.series_key,
        "first": arrival.kept.received,
        "received": arrival.kept.received,
    }


@lru_cache(maxsize=64)
def _date(day: int) -> str:
    """A day since the first of 1970, in UTC."""
    return f"{date(1970, 1, 1) + timedelta(day):%Y%m%d}"


def retell(connection: Connection, sources: Mapping[Level, Sequence[Source]], number: int) -> set[str]:
    """Write what rows above the objects tell anew; gives patients whose studies went to another patient.

    Parameters
    ----------
    sources : mapping
        For each level, of all objects of the rows that are to be written, what `source` gives.
    number : int
        The change.
    """
    patients, studies, series = (_merge(connection, level, sources[level], number, afresh=True) for level in LEVELS[:3])
    moved = _follow_study(connection, studies)
    _write_text(connection, patients, studies, series)
    return moved


class _Merged:
    """Rows of one level, as they were and as they are now."""

    def __init__(self, level: Level, before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]]) -> None:
        self.before, self.after = before, after
        self._texts = [a.column for a in at_level(level) if a.text]

    def reworded(self) -> list[str]:
        """Keys of rows whose searchable text is new or changed."""
        return [key for key, row in self.after.items() if self._changed(key, row, self._texts)]

    def changed(self, columns: list[str]) -> list[str]:
        """Keys of rows that were there and differ in ``columns``."""
        return [key for key, row in self.after.items() if key in self.before and self._changed(key, row, columns)]

    def _changed(self, key: str, row: dict[str, Any], columns: list[str]) -> bool:
        old = self.before.get(key)
        return old is None or any(old[name] != row[name] for name in columns)


def _merge(
    connection: Connection, level: Level, sources: Iterable[Source], number: int, *, afresh: bool = False
) -> _Merged:
    table = schema.TABLES[level]
    groups: dict[str, list[Source]] = defaultdict(list)
    for source in sources:
        groups[source[f"{level}_key"]].append(source)
    rows = connection.execute(select(table).where(among(table.c.key, groups))).mappings()
    before = {row["key"]: dict(row) for row in rows}
    known = {} if afresh else {key: stated(row) for key, row in before.items()}
    after = {key: _row(level, key, group, known.get(key)) | {"change": number} for key, group in groups.items()}
    put = sqlite.insert(table)
    if not after:
        return _Merged(level, {}, {})
    after = {key: after[key] | columns for key, columns in labelled(connection, level, after).items()}
    names = next(iter(after.values())).keys() - {"key"}
    put = put.on_conflict_do_update(index_elements=["key"], set_={name: put.excluded[name] for name in names})
    connection.execute(put, list(after.values()))
    return _Merged(level, before, after)


def _row(level: Level, key: str, sources: Sequence[Source], before: Source | None) -> dict[str, Any]:
    """A row from its arrivals and from what it stated: a series keeps what came first, the others take the newest.

    It tells what is stated; `pacs_panel.index.corrected.apply` lays the corrections over it.
    """
    if before is not None:
        sources = [before, *sources] if level == "series" else [*sources, before]
    if level == "series":
        sources = sorted(sources, key=itemgetter("first"))
    else:
        sources = sorted(sources, key=itemgetter("received"), reverse=True)
    newest = max(source["received"] for source in sources)
    row: dict[str, Any] = {"key": key, "received": newest, "stated": None}
    if level == "series":
        row |= {"study_key": sources[0]["study_key"], "first": sources[0]["first"]}
        row["stated_study"] = row["study_key"]
    if level != "patient":
        row["patient_key"] = sources[0]["patient_key"]
    if level == "study":
        row["stated_patient"] = row["patient_key"]
    return row | fill(level, sources)


def _follow_study(connection: Connection, studies: _Merged) -> set[str]:
    """Repeat in the series what they repeat of their study; gives patients that lost a study."""
    if not studies.after:
        return set()
    connection.execute(
        update(schema.series)
        .where(S.study_key == bindparam("this"))
        .where(S.study_date.is_distinct_from(bindparam("date")) | (S.patient_key != bindparam("of")))
        .values(study_date=bindparam("date"), patient_key=bindparam("of")),
        [{"this": k, "date": row["StudyDate"], "of": row["patient_key"]} for k, row in studies.after.items()],
    )
    return {studies.before[key]["patient_key"] for key in studies.changed(["patient_key"])}


def _write_text(connection: Connection, patients: _Merged, studies: _Merged, series: _Merged) -> None:
    of_patients = [key for key in patients.reworded() if key in patients.before]
    of_studies = [key for key in studies.reworded() if key in studies.before] + studies.changed(["patient_key"])
    chosen = among(S.key, series.reworded())
    if of_studies:
        chosen = chosen | among(S.study_key, of_studies)
    if of_patients:
        chosen = chosen | among(S.patient_key, of_patients)
    reword(connection, chosen)
