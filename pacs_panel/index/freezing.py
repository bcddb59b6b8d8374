"""What a cohort keeps of some series: read in one view of the index, without their headers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import func, select

from pacs_panel.index import schema
from pacs_panel.index.engine import Database
from pacs_panel.index.rows import O, among

S, T, R = schema.series.c, schema.study.c, schema.revision.c


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The current objects of some series, as of one change.

    Attributes
    ----------
    change : int
    built : dict
        Series key to its current revision's id and number of stacks, as far as it is made of the current objects.
    objects : list of tuple
        Study and Series Instance UID (empty where missing), series key, SOP Instance UID, length in bytes, digest of
        the file, digest of the data set.
    """

    change: int
    built: dict[str, tuple[str, int]]
    objects: list[tuple[str, str, str, str, int, str, str]]


def snapshot(database: Database, keys: Iterable[str]) -> Snapshot:
    """The current objects and revisions of the series with these keys."""
    named = among(S.key, keys)
    stacks = func.json_array_length(R.stacks)
    built = select(S.key, S.revision, stacks).join(
        schema.revision, (R.series_key == S.key) & (R.revision == S.revision)
    )
    objects = (
        select(
            func.coalesce(T.StudyInstanceUID, ""),
            func.coalesce(S.SeriesInstanceUID, ""),
            S.key,
            O.SOPInstanceUID,
            O.length,
            O.file_digest,
            O.dataset_digest,
        )
        .join(schema.series, S.key == O.series_key)
        .join(schema.study, T.key == S.study_key)
        .where(named, O.current)
    )
    with database.read() as connection:
        change = connection.scalars(select(schema.change.c.number)).one()
        revisions = {row[0]: (row[1], row[2]) for row in connection.execute(built.where(named, S.settled))}
        return Snapshot(change, revisions, [tuple(row) for row in connection.execute(objects)])


def present(database: Database, keys: Iterable[str]) -> set[tuple[str, str]]:
    """SOP Instance UID and file digest of every version of every object of these series that is not in the trash."""
    query = select(O.SOPInstanceUID, O.file_digest).where(among(O.series_key, keys), ~O.trashed)
    with database.read() as connection:
        return {(row[0], row[1]) for row in connection.execute(query)}
