"""Counts of the whole index."""

from __future__ import annotations

from sqlalchemy import Connection, Table, func, select

from pacs_panel.index import schema
from pacs_panel.index.current import rejected
from pacs_panel.index.rows import O, among

S = schema.series.c


def count(connection: Connection) -> dict[str, int]:
    """Counts, and bytes of current objects (``bytes``) and of all others (``other_bytes``)."""
    found = {
        "patients": _visible(connection, schema.patient),
        "studies": _visible(connection, schema.study),
        "series": _visible(connection, schema.series),
    }
    series = select(func.sum(S.NumberOfSeriesRelatedInstances), func.sum(S.bytes)).where(S.visible)
    found["instances"], found["bytes"] = (value or 0 for value in connection.execute(series).one())
    rest = select(O.trashed, func.count(), func.sum(O.length)).where(~O.current).group_by(O.trashed)
    rows = {row[0]: (row[1], row[2]) for row in connection.execute(rest)}
    here = {one.sop_instance_uid for one in rejected(connection) if not one.accepted}
    hidden = select(func.count()).where(among(O.SOPInstanceUID, here), ~O.trashed)
    found["rejected"] = connection.scalar(hidden) or 0
    found["superseded"], found["trashed"] = rows.get(False, (0, 0))[0], rows.get(True, (0, 0))[0]
    found["superseded"] -= found["rejected"]
    found["other_bytes"] = sum(size for _, size in rows.values())
    found["damaged"] = connection.scalar(select(func.count()).where(O.damaged.is_not(None), ~O.trashed)) or 0
    found["unsealed"] = connection.scalar(select(func.count()).where(~schema.pack.c.sealed)) or 0
    return found


def failed(connection: Connection) -> list[tuple[str, int]]:
    """Why series of images are shown as nothing, the most frequent reason first, and how many each concerns."""
    of, number = schema.revision.c, func.count()
    query = (
        select(of.note, number)
        .join(schema.series, (S.key == of.series_key) & (S.revision == of.revision))
        .where(S.visible, of.verdict == "", S.Kind.like("%image%") | of.note.like("could not be built%"))
    )
    return [
        (note, count) for note, count in connection.execute(query.group_by(of.note).order_by(number.desc(), of.note))
    ]


def arrived(connection: Connection, since: int) -> tuple[int, int]:
    """Objects that came after a time (ns), and their bytes."""
    touched = select(S.key).where(S.received > since)
    query = select(func.count(), func.sum(O.length)).where(O.series_key.in_(touched), O.received > since)
    count, size = connection.execute(query).one()
    return count, size or 0


def _visible(connection: Connection, table: Table) -> int:
    return connection.scalar(select(func.count()).where(table.c.visible)) or 0
