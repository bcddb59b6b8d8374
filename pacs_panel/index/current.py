"""Which version of an object is current, if any: the newest one, unless the object was rejected.

A key object selection whose title says so rejects the instances that it names (IHE RAD TF-1 §33, Imaging Object Change
Management; PS3.16 CID 7011), as long as it is itself there. What rejects is never rejected.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, func, select, update

from pacs_panel.index import schema
from pacs_panel.index.counting import bury, raise_up
from pacs_panel.index.mention import REJECTIONS
from pacs_panel.index.rows import O, among

R = schema.reference.c
_ANY = select(R.target).where(schema.rejects).limit(1)


@dataclass(frozen=True, slots=True)
class Rejected:
    """One object that is here and was rejected.

    Attributes
    ----------
    sop_instance_uid, series_key : str
    note : str
        SOP Instance UID of the key object selection.
    reason : str
        What its title says.
    accepted : bool
        Somebody shows it all the same.
    """

    sop_instance_uid: str
    series_key: str
    note: str
    reason: str
    accepted: bool = False


def choose_current(connection: Connection, uids: Iterable[str]) -> set[str]:
    """Make the newest version of each UID the current one; gives the series whose current objects changed.

    Versions received at the same instant are told apart by digest, so that a rebuilt index agrees with the first.
    """
    rows = connection.execute(
        select(O.SOPInstanceUID, O.received, O.file_digest, O.id, O.current, O.series_key).where(
            among(O.SOPInstanceUID, uids), ~O.trashed
        )
    )
    versions: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        versions[row.SOPInstanceUID].append(row)
    if not versions:
        return set()
    hidden = {row.target for row in connection.execute(_rejecting(among(R.target, versions)))}
    hidden -= accepted(connection) if hidden else hidden
    changed = []
    for uid, same in versions.items():
        newest = max(same, key=lambda row: (row.received, row.file_digest, row.id))
        shown = None if uid in hidden else newest
        changed += [(row, row is shown) for row in same if row.current != (row is shown)]
    if changed:
        connection.execute(
            update(schema.objects).where(O.id == bindparam("this")).values(current=bindparam("now")),
            [{"this": row.id, "now": now} for row, now in changed],
        )
    return {row.series_key for row, _ in changed}


def follow_rejections(connection: Connection, number: int, uids: Iterable[str]) -> set[str]:
    """Hide or show what was rejected, after ``uids`` arrived, went or came back; gives the series that changed."""
    if connection.scalar(_ANY) is None:
        return set()
    uids = list(uids)
    notes = select(R.target).where(among(R.source, uids), schema.rejects)
    named = select(R.target).where(among(R.target, uids), schema.rejects)
    concerned = set(connection.scalars(notes.union(named)))
    if not concerned:
        return set()
    here = set(connection.scalars(select(O.SOPInstanceUID).where(among(O.SOPInstanceUID, concerned))))
    changed = choose_current(connection, here)
    shown = set(connection.scalars(select(O.SOPInstanceUID).where(among(O.SOPInstanceUID, here), O.current)))
    bury(connection, "instance", number, here - shown)
    raise_up(connection, "instance", shown)
    return changed


def rejected(connection: Connection) -> list[Rejected]:
    """What is here and not in the trash, and was rejected, in the order of its series."""
    reasons = {role: reason for reason, role in REJECTIONS.items()}
    notes = {(row.target, row.source): reasons[row.role] for row in connection.execute(_rejecting())}
    shown = accepted(connection)
    query = select(O.SOPInstanceUID, O.series_key).where(among(O.SOPInstanceUID, {uid for uid, _ in notes}), ~O.trashed)
    places = {row.SOPInstanceUID: row.series_key for row in connection.execute(query)}
    found = [
        Rejected(uid, places[uid], note, reason, uid in shown) for (uid, note), reason in notes.items() if uid in places
    ]
    return sorted(found, key=lambda one: (one.series_key, one.sop_instance_uid, one.note))


def accepted(connection: Connection) -> set[str]:
    """SOP Instance UIDs that corrections show although they were rejected."""
    body = schema.correction.c.body
    held = connection.scalars(select(body).where(func.json_extract(body, "$.kind") == "accept"))
    return {uid for each in held for uid in json.loads(each)["keys"]}


def _rejecting(*only: ColumnElement[bool]) -> Select[Any]:
    """What current objects reject, apart from what rejects itself."""
    roles = tuple(REJECTIONS.values())
    same = and_(R.source == O.SOPInstanceUID, R.digest == O.dataset_digest, O.current)
    other = schema.reference.alias()
    rejects = select(other.c.source).where(other.c.source == R.target, other.c.role.in_(roles)).exists()
    query = select(R.target, R.source, R.role).join_from(schema.reference, schema.objects, same)
    return query.where(schema.rejects, R.role.in_(roles), *only, ~rejects)
