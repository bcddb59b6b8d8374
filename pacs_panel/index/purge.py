"""Taking rows away for good: of object versions whose bytes are removed, and of all that nothing is left of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, select, update
from sqlalchemy.dialects import sqlite

from pacs_panel.attributes import Level
from pacs_panel.errors import Busy, Damaged
from pacs_panel.index import schema, trash
from pacs_panel.index.arrival import Arrival
from pacs_panel.index.corrected import apply
from pacs_panel.index.counting import bury, next_change, refresh, touch
from pacs_panel.index.rows import O, among, kept_query, to_kept
from pacs_panel.index.spoken import recount
from pacs_panel.index.store import Index
from pacs_panel.index.trash import Removals
from pacs_panel.index.writing import Source, retell, source
from pacs_panel.model import Kept

S, T, P, R = schema.series.c, schema.study.c, schema.patient.c, schema.revision.c

Place = tuple[str, int]  # a pack, and the offset in it


@dataclass(frozen=True, slots=True)
class Row:
    """An object version with the number of its row."""

    id: int
    kept: Kept


def due(index: Index, removals: Removals, until: int) -> dict[str, list[Row]]:
    """What is to be purged, by series.

    That is what was removed at ``until`` (ns) or before, and what nothing in ``removals`` names: it was received anew
    when what it was removed with had been restored.
    """
    found: dict[str, list[Row]] = defaultdict(list)
    with index.database.read() as connection:
        ids = trash.due_rows(connection, removals, until)
        for row in connection.execute(kept_query().where(among(O.id, ids)).order_by(O.id)):
            found[row.series_key].append(Row(row.id, to_kept(row)))
    return found


def named(index: Index, removals: Removals) -> set[tuple[Level, str]]:
    """Those of ``removals`` that still name something in the trash."""
    with index.database.read() as connection:
        return trash.named(connection, removals)


def in_series(index: Index, series_key: str) -> list[Row]:
    """All versions of all objects of a series, in the trash or not."""
    with index.database.read() as connection:
        rows = connection.execute(kept_query().where(O.series_key == series_key).order_by(O.id))
        return [Row(row.id, to_kept(row)) for row in rows]


def relatives(index: Index, series_key: str, ids: Collection[int]) -> list[tuple[Kept, str]]:
    """All objects but ``ids`` of the patients of a series' study, in the trash or not, each with its collection."""
    with index.database.read() as connection:
        study = select(S.stated_study).where(S.key == series_key).scalar_subquery()
        patients = select(O.patient_key).join(schema.series, S.key == O.series_key).where(S.stated_study == study)
        studies = select(T.key).where(T.stated_patient.in_(patients))
        series = select(S.key).where((S.stated_study == study) | S.stated_study.in_(studies))
        query = kept_query().add_columns(O.collection).where(O.series_key.in_(series), ~among(O.id, ids))
        return [(to_kept(row), row.collection or "") for row in connection.execute(query.order_by(O.id))]


def purge(
    index: Index,
    series_key: str,
    ids: Collection[int],
    packs: Mapping[str, str],
    moves: Mapping[Place, Place],
    told: Sequence[Arrival],
    pinned: Collection[str] = (),
) -> None:
    """Take the rows ``ids`` of a series away, and lead the others to where they lie now, in one transaction.

    Of a series that is built, the current revision stays, for it shows nothing of what was removed; older ones go,
    unless they are pinned. Tombstones stay for whoever follows.

    Parameters
    ----------
    ids : collection of int
    packs : mapping
        New packs, which become known, to those whose place they take.
    moves : mapping
        Old place to new place of what stays.
    told : sequence of Arrival
        What `relatives` are, read again: what only the purged objects told of their series, study and patient goes.
    pinned : collection of str
        Ids of revisions that show nothing of what was removed.

    Raises
    ------
    Busy
        Something was restored meanwhile.
    Damaged
        Something that stays lies at no place of ``moves``.
    """
    with index.database.write() as connection:
        number = next_change(connection)
        uids, patients = _delete(connection, ids)
        _forget_mentions(connection, uids)
        _move(connection, series_key, packs, moves)
        study = connection.scalars(select(S.stated_study).where(S.key == series_key)).one()
        if connection.scalar(select(O.id).where(O.series_key == series_key).limit(1)) is None:
            patients |= _vanish(connection, number, series_key)
        else:
            _keep_current(connection, number, series_key, pinned)
        moved = retell(connection, _sources(told, series_key, study), number)
        shifted = apply(connection, number)
        refresh(connection, number, (), moved | shifted.patients, shifted.studies)
        if shifted.studies:
            recount(connection, number, shifted.series(connection))
        _drop_patients(connection, number, patients | moved | shifted.patients)
        left = set(connection.scalars(select(O.SOPInstanceUID).where(among(O.SOPInstanceUID, uids))))
        bury(connection, "instance", number, uids - left)


def forget_packs(index: Index, packs: Iterable[str]) -> None:
    """Drop the rows of packs that hold nothing."""
    with index.database.write() as connection:
        table = schema.pack
        empty = among(table.c.id, packs) & ~select(O.id).where(O.pack == table.c.id).exists()
        connection.execute(delete(table).where(empty))


def revisions(index: Index, series_key: str) -> set[str]:
    """Ids of all revisions of a series."""
    with index.database.read() as connection:
        return set(connection.scalars(select(R.revision).where(R.series_key == series_key)))


def _sources(told: Sequence[Arrival], series_key: str, study_key: str) -> dict[Level, list[Source]]:
    return {
        "patient": [source(arrival) for arrival in told],
        "study": [source(arrival) for arrival in told if arrival.study_key == study_key],
        "series": [source(arrival) for arrival in told if arrival.kept.series_key == series_key],
    }


def _delete(connection: Connection, ids: Collection[int]) -> tuple[set[str], set[str]]:
    """Delete rows; gives the SOP Instance UIDs and the patients that they named."""
    gone = delete(schema.objects).where(among(O.id, ids), O.trashed).returning(O.SOPInstanceUID, O.patient_key)
    rows = connection.execute(gone).all()
    if len(rows) != len(ids):
        raise Busy("something was restored meanwhile; empty the trash again")
    return {row[0] for row in rows}, {row[1] for row in rows}


def _forget_mentions(connection: Connection, uids: Iterable[str]) -> None:
    """Drop what versions named that are gone."""
    names = schema.reference.c
    there = select(O.id).where(O.SOPInstanceUID == names.source, O.dataset_digest == names.digest).exists()
    connection.execute(delete(schema.reference).where(among(names.source, uids), ~there))


def _move(connection: Connection, series_key: str, packs: Mapping[str, str], moves: Mapping[Place, Place]) -> None:
    table, old = schema.pack, set(packs.values())
    rows = connection.execute(select(O.id, O.pack, O.offset).where(O.series_key == series_key, ~O.in_place)).all()
    staying = [row for row in rows if row.pack in old]
    if any((row.pack, row.offset) not in moves for row in staying):
        raise Damaged("an object lies at no place of its pack; run verify")
    if staying:
        places = [(row.id, *moves[row.pack, row.offset]) for row in staying]
        connection.execute(
            update(schema.objects)
            .where(O.id == bindparam("this"))
            .values(pack=bindparam("to"), offset=bindparam("at")),
            [{"this": this, "to": to, "at": at} for this, to, at in places],
        )
    connection.execute(
        sqlite.insert(table).on_conflict_do_nothing(),
        [{"id": name, "series_key": series_key, "sealed": True} for name in packs],
    )
    connection.execute(delete(table).where(among(table.c.id, old)))


def _keep_current(connection: Connection, number: int, series_key: str, pinned: Collection[str]) -> None:
    settled, current = connection.execute(select(S.settled, S.revision).where(S.key == series_key)).one()
    others = (R.series_key == series_key) & ~among(R.revision, pinned)
    if settled:
        connection.execute(delete(schema.revision).where(others, R.revision != current))
        touch(connection, number, series_key)
        return
    connection.execute(delete(schema.revision).where(others))
    connection.execute(update(schema.series).where(S.key == series_key).values(revision=None, Verdict=None))
    refresh(connection, number, {series_key})  # what another process builds of it now is not the last word


def _vanish(connection: Connection, number: int, series_key: str) -> set[str]:
    """Delete the row of a series of which nothing is left, and its study's where none states it; gives patients."""
    query = select(S.id, S.stated_study, S.patient_key, T.stated_patient).join(schema.study, T.key == S.stated_study)
    row, study, *patients = connection.execute(query.where(S.key == series_key)).one()
    connection.execute(delete(schema.series_text).where(schema.series_text.c.rowid == row))
    connection.execute(delete(schema.revision).where(R.series_key == series_key))
    connection.execute(delete(schema.series).where(S.key == series_key))
    bury(connection, "series", number, [series_key])
    if connection.scalar(select(S.key).where(S.stated_study == study).limit(1)) is None:
        connection.execute(delete(schema.study).where(T.key == study))
        bury(connection, "study", number, [study])
    return set(patients)


def _drop_patients(connection: Connection, number: int, keys: Iterable[str]) -> None:
    """Delete those patients that no study states, nor is led to, any more."""
    of_it = (T.patient_key == P.key) | (T.stated_patient == P.key)
    empty = among(P.key, keys) & ~select(T.key).where(of_it).exists()
    gone = connection.scalars(delete(schema.patient).where(empty).returning(P.key)).all()
    bury(connection, "patient", number, gone)
