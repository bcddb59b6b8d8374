"""Who refers to whom: what kept objects name, and which of it is here for whoever asks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, or_, select
from sqlalchemy.dialects import sqlite

from pacs_panel.attributes import Level
from pacs_panel.index import clauses, schema
from pacs_panel.index.clauses import O, S, T, alternatives, any_of, tables
from pacs_panel.index.criteria import Criteria
from pacs_panel.index.engine import Database
from pacs_panel.index.mention import Mention
from pacs_panel.index.rows import among

R = schema.reference.c
MOST = 100_000  # partners of one series that are listed
TARGETS: dict[Level, tuple[ColumnElement[Any], ColumnElement[Any]]] = {
    "instance": (O.SOPInstanceUID, O.series_key),
    "series": (S.SeriesInstanceUID, S.key),
    "study": (T.StudyInstanceUID, T.key),
}

Scope = Criteria | Sequence[Criteria] | None


@dataclass(frozen=True, slots=True)
class Partner:
    """One object that names another.

    Attributes
    ----------
    source, source_key : str
        SOP Instance UID of what refers, and key of its series.
    mention : Mention
        What it refers to.
    target_key : str
        Key of the series that the target is in, or of the study that it is; empty where it is not here, or may not be
        seen: the two are not told apart.
    """

    source: str
    source_key: str
    mention: Mention
    target_key: str = ""

    @property
    def missing(self) -> bool:
        """Whether the target is not here."""
        return not self.target_key


@dataclass(frozen=True, slots=True)
class Partners:
    """What something refers to, and what refers to it, from elsewhere."""

    refers_to: tuple[Partner, ...] = ()
    referred_by: tuple[Partner, ...] = ()

    @property
    def missing(self) -> tuple[str, ...]:
        """UIDs of what is referred to and not here, each once."""
        return tuple(dict.fromkeys(p.mention.target for p in self.refers_to if p.missing))


def put(connection: Connection, named: Iterable[tuple[str, str, Sequence[Mention]]]) -> None:
    """Note what object versions name, each once.

    Parameters
    ----------
    named : iterable of (SOP Instance UID, digest of the data set, mentions)
    """
    rows = [
        {
            "source": uid,
            "digest": digest,
            "target": mention.target,
            "role": mention.role,
            "level": mention.level,
            "sop_class": mention.sop_class_uid,
            "series": mention.series_uid,
        }
        for uid, digest, mentions in named
        for mention in mentions
    ]
    if rows:
        connection.execute(sqlite.insert(schema.reference).on_conflict_do_nothing(), rows)


def partners(database: Database, level: Literal["series", "instance"], key: str, scope: Scope = None) -> Partners:
    """What a series or an object refers to, and what refers to it.

    Parameters
    ----------
    level, key : str
        ``series`` and its key, or ``instance`` and its SOP Instance UID.
    scope : Criteria or sequence of Criteria, optional
        What may be seen at all, as in `Index.search`: nothing beyond it counts as being here, nor as referring.
    """
    with database.read() as connection:
        outgoing = connection.execute(_named_by(_within(level, key), scope)).all()
        incoming = connection.execute(_naming(level, key, scope)).all()
        places = _places(connection, outgoing, scope)
        own = _places(connection, incoming, scope)
    return Partners(
        tuple(_partner(row, places) for row in outgoing),
        tuple(_partner(row, own) for row in incoming),
    )


def _within(level: Level, key: str) -> ColumnElement[bool]:
    return (O.series_key if level == "series" else O.SOPInstanceUID) == key


def _visible(level: Level, scope: Scope, *columns: Any, joined: Any = None) -> Select[Any]:
    """Rows of ``level`` that may be seen."""
    scopes = (scope,) if isinstance(scope, Criteria) else None if scope is None else tuple(scope)
    asked = alternatives(Criteria(level), scopes)
    needed = set[Level]().union(*(clauses.levels(each, level) for each in asked))
    source = tables(level, needed)
    if joined is not None:
        source = source.join(schema.reference, joined)
    return select(*columns).select_from(source).where(any_of(asked, level))


def _references(scope: Scope) -> Select[Any]:
    """What visible objects name, with the series of each."""
    same = and_(R.source == O.SOPInstanceUID, R.digest == O.dataset_digest)
    columns = (R.source, O.series_key, R.target, R.level, R.role, R.sop_class, R.series)
    return _visible("instance", scope, *columns, joined=same).order_by(R.source, R.target, R.role).limit(MOST)


def _named_by(sources: ColumnElement[bool], scope: Scope) -> Select[Any]:
    return _references(scope).where(sources)


def _naming(level: Level, key: str, scope: Scope) -> Select[Any]:
    """References from elsewhere to an object, or to a series or anything in it."""
    if level == "instance":
        return _references(scope).where(R.target == key, R.source != key)
    objects = schema.objects.alias()
    inside = select(objects.c.SOPInstanceUID).where(objects.c.series_key == key, objects.c.current)
    whole = select(S.SeriesInstanceUID).where(S.key == key)
    to_it = or_(R.target.in_(inside), R.target.in_(whole.correlate(None)))
    return _references(scope).where(to_it, O.series_key != key)


def _places(connection: Connection, found: Sequence[Row[Any]], scope: Scope) -> dict[tuple[str, str], str]:
    """Where targets are that may be seen: level and UID to key."""
    places: dict[tuple[str, str], str] = {}
    for level, (uid, key) in TARGETS.items():
        wanted = {row.target for row in found if row.level == level}
        if wanted:
            rows = connection.execute(_visible(level, scope, uid, key).where(among(uid, wanted)).order_by(key))
            for target, place in rows:
                places.setdefault((level, target), place)
    return places


def _partner(row: Row[Any], places: Mapping[tuple[str, str], str]) -> Partner:
    mention = Mention(row.target, row.level, row.role, row.sop_class, row.series)
    return Partner(row.source, row.series_key, mention, places.get((row.level, row.target), ""))
