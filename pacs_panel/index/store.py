"""The index: what is kept, where it lies, and what it is. All of it can be made anew from what is kept."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.dialects import sqlite

from pacs_panel.attributes import LEVELS, Level
from pacs_panel.errors import NotFound
from pacs_panel.index import schema, status, trash
from pacs_panel.index.arrival import Arrival
from pacs_panel.index.columns_follow import WORTH_A_FILE, Columns
from pacs_panel.index.counting import bury, next_change, touch
from pacs_panel.index.criteria import Criteria
from pacs_panel.index.engine import Database
from pacs_panel.index.rows import O, among, kept_pages, kept_query, stacks_json, to_kept, to_revision
from pacs_panel.index.search import Search, checked_order
from pacs_panel.index.trash import Removals
from pacs_panel.index.values import Value
from pacs_panel.index.writing import add
from pacs_panel.model import Kept, Revision
from pacs_panel.settings import Settings

WORTH_STATISTICS = 5000  # series
S, R = schema.series.c, schema.revision.c


class Index:
    """One index file. Threads may share it; it pickles as its path, so that another process opens its own.

    Parameters
    ----------
    path : Path
        The file; made where it does not exist.
    settings : Settings, optional

    Raises
    ------
    ArchiveError
        The file lies on a network file system, or is no index. Where it is one of another version of this software,
        from all methods but `renew`.
    Busy
        From any method that writes, where another process keeps the index for longer than 30 s.
    """

    def __init__(self, path: Path, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.database = Database(path)
        self.columns = Columns(self.database)

    def __reduce__(self) -> tuple[Any, ...]:
        return (Index, (self.database.path, self.settings))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back; the next use opens new ones."""
        self.database.close()

    # -- arrivals ------------------------------------------------------------------------------------------------------

    def known(self, files: Mapping[str, str]) -> tuple[set[str], dict[str, list[Kept]]]:
        """What is kept already, and not in the trash, of ``files``: SOP Instance UIDs by SHA-256 of whole files.

        Returns
        -------
        set of str
            Digests of files that are kept, in any version.
        dict
            `versions` of the others' objects.
        """
        query = select(O.file_digest).where(among(O.file_digest, files), ~O.trashed)
        with self.database.read() as connection:
            same = set(connection.scalars(query))
            rest = [uid for digest, uid in files.items() if digest not in same]
            return same, _versions(connection, rest) if rest else {}

    def versions(self, sop_instance_uids: Iterable[str]) -> dict[str, list[Kept]]:
        """All versions of each object that is kept and not in the trash, newest first."""
        with self.database.read() as connection:
            return _versions(connection, sop_instance_uids)

    def add(self, arrivals: Sequence[Arrival]) -> list[Arrival]:
        """Take in ``arrivals`` in one transaction; the newest version of each object becomes the current one.

        A series' row keeps what came first, and all values of what may vary among images; a study's and a patient's
        take the newest. An attribute that is absent never replaces one that is there.

        Returns
        -------
        list of Arrival
            Those that were there already (same SOP Instance UID, same data set) and so were not added again.
        """
        if not arrivals:
            return []
        with self.database.write() as connection:
            return add(connection, arrivals)

    # -- objects -------------------------------------------------------------------------------------------------------

    def objects(self, series_key: str, current: bool = True) -> list[Kept]:
        """Objects of a series by instance number; with ``current=False`` superseded versions too."""
        query = kept_query().where(O.series_key == series_key, O.current if current else ~O.trashed)
        with self.database.read() as connection:
            return [to_kept(row) for row in connection.execute(query.order_by(O.InstanceNumber, O.SOPInstanceUID))]

    def object(self, sop_instance_uid: str) -> Kept:
        """The current version of an object.

        Raises
        ------
        NotFound
        """
        query = kept_query().where(O.SOPInstanceUID == sop_instance_uid, O.current)
        with self.database.read() as connection:
            row = connection.execute(query).first()
        if row is None:
            raise NotFound(f"no object {sop_instance_uid}")
        return to_kept(row)

    def all_objects(self, trashed: bool = False, size: int = 1000) -> Iterator[Kept]:
        """Every version of every object, in order of arrival, ``size`` read at a time; also what is in the trash."""
        query = kept_query() if trashed else kept_query().where(~O.trashed)
        with self.database.read() as connection:
            pages = kept_pages(connection, query, size)
            for page in pages:
                yield from page

    def mark_damaged(self, kept: Kept, reason: str | None) -> None:
        """Note what is wrong with the stored bytes of an object version; ``None`` takes the note back."""
        with self.database.write() as connection:
            changed = connection.execute(
                update(schema.objects)
                .where(O.SOPInstanceUID == kept.sop_instance_uid, O.file_digest == kept.digests.file)
                .where(O.pack == kept.location.path, O.offset == kept.location.offset)
                .values(damaged=reason)
            )
            if not changed.rowcount:
                raise NotFound(f"no object {kept.sop_instance_uid} at that place")
            touch(connection, next_change(connection), kept.series_key)

    def damaged(self) -> list[tuple[Kept, str]]:
        """Object versions that are noted as damaged, with what is wrong."""
        query = kept_query().add_columns(O.damaged).where(O.damaged.is_not(None), ~O.trashed).order_by(O.id)
        with self.database.read() as connection:
            return [(to_kept(row), row[-1]) for row in connection.execute(query)]

    # -- packs ---------------------------------------------------------------------------------------------------------

    def seal(self, packs: Iterable[str]) -> None:
        """Note that packs have moved from their sessions to the originals."""
        with self.database.write() as connection:
            connection.execute(update(schema.pack).where(among(schema.pack.c.id, packs)).values(sealed=True))

    def sealed(self, packs: Iterable[str]) -> set[str]:
        """Those of ``packs`` that are sealed."""
        query = select(schema.pack.c.id).where(among(schema.pack.c.id, packs), schema.pack.c.sealed)
        with self.database.read() as connection:
            return set(connection.scalars(query))

    def unsealed(self) -> list[str]:
        """Packs that are not sealed yet."""
        with self.database.read() as connection:
            return list(connection.scalars(select(schema.pack.c.id).where(~schema.pack.c.sealed)))

    # -- revisions -----------------------------------------------------------------------------------------------------

    def publish(self, revision: Revision, change: int | None = None) -> None:
        """Make ``revision`` the current one of its series.

        Parameters
        ----------
        revision : Revision
        change : int, optional
            `change` as it was before the objects of the revision were read. Where the series' objects changed after it,
            the series stays unsettled. By default the revision counts as made from the present objects.

        Raises
        ------
        NotFound
            No such series.
        """
        with self.database.write() as connection:
            content = connection.scalar(select(S.content).where(S.key == revision.series_key))
            if content is None:
                raise NotFound(f"no series {revision.series_key}")
            row = {
                "series_key": revision.series_key,
                "revision": revision.revision,
                "path": revision.path,
                "verdict": revision.verdict,
                "stacks": stacks_json(revision.stacks),
                "note": revision.note,
                "created": time.time_ns(),
            }
            put = sqlite.insert(schema.revision).values(row)
            connection.execute(put.on_conflict_do_update(index_elements=["series_key", "revision"], set_=row))
            connection.execute(
                update(schema.series)
                .where(S.key == revision.series_key)
                .values(
                    revision=revision.revision,
                    Verdict=revision.verdict or None,
                    settled=change is None or content <= change,
                )
            )
            touch(connection, next_change(connection), revision.series_key)

    def revision(self, series_key: str, revision: str | None = None) -> Revision | None:
        """The published revision of a series, or one of its older ones; ``None`` where there is none."""
        query = select(schema.revision).where(R.series_key == series_key)
        if revision is None:
            query = query.join(schema.series, (S.key == R.series_key) & (S.revision == R.revision))
        else:
            query = query.where(R.revision == revision)
        with self.database.read() as connection:
            row = connection.execute(query).first()
        return None if row is None else to_revision(row)

    def unsettled(self, quiet_since: int | None = None) -> list[str]:
        """Series whose set of current objects changed since their published revision, longest waiting first.

        Parameters
        ----------
        quiet_since : int, optional
            Only those of which nothing was received after this time (ns).
        """
        query = select(S.key).where(S.visible, ~S.settled).order_by(S.content, S.key)
        if quiet_since is not None:
            query = query.where(S.received <= quiet_since)
        with self.database.read() as connection:
            return list(connection.scalars(query))

    # -- trash ---------------------------------------------------------------------------------------------------------

    def trash(self, level: Level, key: str) -> int:
        """Hide an object (by SOP Instance UID), series, study or patient (by key); gives the number of versions hidden.

        Raises
        ------
        NotFound
            Nothing visible has this key.
        """
        with self.database.write() as connection:
            return trash.hide(connection, level, key)

    def restore(self, level: Level, key: str, still: Removals = MappingProxyType({})) -> int:
        """Bring back what `trash` hid, except what ``still`` names with a time after its arrival; gives the number.

        Raises
        ------
        NotFound
            Nothing in the trash has this key.
        """
        with self.database.write() as connection:
            return trash.show(connection, level, key, still)

    def keys_of(self, name: str, level: Level) -> list[str]:
        """Keys that a UID or key names, whether they are in the trash or not."""
        with self.database.read() as connection:
            return trash.keys_of(connection, level, name)

    # -- following -----------------------------------------------------------------------------------------------------

    def change(self) -> int:
        """The number of the latest change; it only grows, also over an index that is removed and made anew."""
        with self.database.read() as connection:
            return _change(connection)

    def changes_since(self, number: int) -> set[tuple[Level, str, bool]]:
        """What changed after change ``number``: ``(level, key, deleted)``.

        A changed object shows as a change of its series; a deleted one also by itself, with its SOP Instance UID.
        """
        found: set[tuple[Level, str, bool]] = set()
        with self.database.read() as connection:
            for level in LEVELS[:3]:
                table = schema.TABLES[level].c
                query = select(table.key).where(table.change > number, table.visible)
                found |= {(level, key, False) for key in connection.scalars(query)}
            stones = schema.tombstone.c
            for row in connection.execute(select(stones.level, stones.key).where(stones.change > number)):
                found.add((row.level, row.key, True))
        return found

    # -- searching -----------------------------------------------------------------------------------------------------

    def search(
        self,
        level: Level = "series",
        asked: Criteria | None = None,
        order: Sequence[tuple[str, str]] | None = None,
        scope: Criteria | Sequence[Criteria] | None = None,
    ) -> Search:
        """What meets ``asked``: nothing is read before the result is asked for rows, counts or facets.

        Parameters
        ----------
        level : str
            What is listed: ``patient``, ``study``, ``series`` or ``instance``.
        asked : Criteria, optional
            From `pacs_panel.index.criteria.criteria`; everything by default.
        order : sequence of (keyword, "asc" or "desc"), optional
            Attributes of the level and those above, or ``received``. What has no value comes last either way.
        scope : Criteria or sequence of Criteria, optional
            What may be seen at all: rows that meet ``asked`` and any of these, together. An empty sequence: nothing.

        Raises
        ------
        BadQuery
            An order that cannot be had.
        """
        scopes = (scope,) if isinstance(scope, Criteria) else None if scope is None else tuple(scope)
        order = checked_order(level, order)
        return Search(self.database, level, asked or Criteria(level), order, scopes, self.columns)

    def resolve(
        self, name: str, level: Level, scope: Criteria | Sequence[Criteria] | None = None
    ) -> list[dict[str, Value]]:
        """Rows that ``name`` means: a key or a UID (of a patient, a Patient ID). One UID may mean several."""
        return self.search(level, scope=scope).named(name)

    # -- looking after it ----------------------------------------------------------------------------------------------

    def status(self) -> dict[str, int]:
        """Counts of what is visible, superseded, in the trash, damaged, unsealed; bytes; the change number."""
        with self.database.read() as connection:
            return status.count(connection) | {"change": _change(connection)}

    def failed(self) -> list[tuple[str, int]]:
        """Why series of images could not be built, and how many each reason concerns."""
        with self.database.read() as connection:
            return status.failed(connection)

    def arrived(self, since: int) -> tuple[int, int]:
        """Objects that came after a time (ns), and their bytes."""
        with self.database.read() as connection:
            return status.arrived(connection, since)

    def is_empty(self) -> bool:
        """Whether it knows no object and no pack at all, as when it was just made."""
        with self.database.read() as connection:
            tables = (schema.objects.c.id, schema.pack.c.id)
            return all(connection.scalar(select(column).limit(1)) is None for column in tables)

    def renew(self) -> None:
        """Make an index of another version of this software one of this version, which knows nothing yet."""
        self.database.renew()

    def clear(self) -> None:
        """Forget what there is, so that the index can be filled anew; who follows it sees deletions, then arrivals."""
        with self.database.write() as connection:
            number = next_change(connection)
            connection.execute(update(schema.change).values(since=number))
            for level in LEVELS[:3]:
                table = schema.TABLES[level].c
                bury(connection, level, number, connection.scalars(select(table.key).where(table.visible)).all())
            for emptied in schema.metadata.sorted_tables:
                if emptied not in (schema.change, schema.tombstone):
                    connection.execute(delete(emptied))
            connection.execute(delete(schema.series_text))

    def optimize(self) -> None:
        """Tidy up, and renew the statistics by which queries are planned: worth it after every large import.

        A small index stays without statistics: they would still be believed when it has grown.
        """
        with self.database.write() as connection:
            connection.execute(insert(schema.series_text).values(series_text="optimize"))
            series = connection.scalar(select(func.count()).select_from(schema.series)) or 0
            if series >= WORTH_STATISTICS:
                connection.exec_driver_sql("ANALYZE")
        self.database.checkpoint()
        if series >= WORTH_A_FILE:
            self.columns.save()


def _change(connection: Connection) -> int:
    return connection.scalars(select(schema.change.c.number)).one()


def _versions(connection: Connection, sop_instance_uids: Iterable[str]) -> dict[str, list[Kept]]:
    query = kept_query().where(among(O.SOPInstanceUID, sop_instance_uids), ~O.trashed)
    found: dict[str, list[Kept]] = defaultdict(list)
    for row in connection.execute(query.order_by(O.current.desc(), O.received.desc(), O.file_digest.desc())):
        found[row[0]].append(to_kept(row))
    return dict(found)
