"""``Objects``: the modalities of what speaks of a series, kept as new as what is here, whichever came first.

An object speaks of a series that it names, or an image of which it names; a dose, which names plans, speaks of the
series of its study that lie in its frame of reference.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, bindparam, select, update

from pacs_panel.attributes import BY_KEYWORD
from pacs_panel.index import schema
from pacs_panel.index.arrival import Arrival
from pacs_panel.index.rows import O, among
from pacs_panel.index.values import joined

S, R = schema.series.c, schema.reference.c
SPEAKER = schema.series.alias("speaker").c
SPEAKING = schema.objects.alias("speaking").c  # the objects that name something
DOSE = "RTDOSE"

Found = dict[str, set[str]]  # key of a series to modalities


def hear(connection: Connection, number: int, arrivals: Sequence[Arrival]) -> None:
    """Let series know of what arrived that speaks of them, and what arrived of what speaks of it already."""
    series = {arrival.kept.series_key for arrival in arrivals}
    found: Found = defaultdict(set)
    speaking = {arrival.kept.sop_instance_uid for arrival in arrivals if arrival.mentions}
    if speaking:
        _collect(found, connection, (query.where(among(SPEAKING.SOPInstanceUID, speaking)) for query in _named()))
    images, wholes = _named()
    uids = [arrival.kept.sop_instance_uid for arrival in arrivals]
    whole = select(S.SeriesInstanceUID).where(among(S.key, series))
    _collect(found, connection, [images.where(among(R.target, uids)), wholes.where(R.target.in_(whole))])
    _collect(found, connection, [_doses().where(among(S.key, series)), _doses().where(among(SPEAKER.key, series))])
    told = connection.execute(select(S.key, S.Objects).where(among(S.key, found))).all()
    _write(connection, number, {key: _parts(text) | found[key] for key, text in told}, told)


def recount(connection: Connection, number: int, series_keys: Iterable[str]) -> None:
    """Find out anew who speaks of these series, and of those that these speak of."""
    keys = set(series_keys)
    named = select(R.target).join(SPEAKING.SOPInstanceUID.table, SPEAKING.SOPInstanceUID == R.source)
    targets = set(connection.scalars(named.where(among(SPEAKING.series_key, keys))))
    if targets:
        keys |= set(connection.scalars(select(O.series_key).where(among(O.SOPInstanceUID, targets))))
        keys |= set(connection.scalars(select(S.key).where(among(S.SeriesInstanceUID, targets))))
    keys |= set(connection.scalars(_dosed().where(among(SPEAKER.key, keys))))
    found: Found = defaultdict(set)
    images, wholes = _named()
    _collect(found, connection, [images.where(among(O.series_key, keys)), wholes.where(among(S.key, keys))])
    _collect(found, connection, [_doses().where(among(S.key, keys))])
    told = connection.execute(select(S.key, S.Objects).where(among(S.key, keys))).all()
    _write(connection, number, {key: found[key] for key, _ in told}, told)


@cache
def _named() -> tuple[Select[Any], Select[Any]]:
    """Series that are named by one of their objects, and as a whole, with the modality of what names them."""
    speaking, speaker = SPEAKING.SOPInstanceUID.table, SPEAKER.key.table
    same = (SPEAKING.SOPInstanceUID == R.source) & (SPEAKING.dataset_digest == R.digest) & SPEAKING.current
    source = schema.reference.join(speaking, same).join(speaker, SPEAKER.key == SPEAKING.series_key)
    images = source.join(schema.objects, (O.SOPInstanceUID == R.target) & O.current)
    wholes = source.join(schema.series, S.SeriesInstanceUID == R.target)
    other, said = SPEAKER.key != O.series_key, SPEAKER.Modality.is_not(None)
    return (
        select(O.series_key, SPEAKER.Modality).select_from(images).where(other, said).distinct(),
        select(S.key, SPEAKER.Modality).select_from(wholes).where(SPEAKER.key != S.key, said).distinct(),
    )


def _dosed() -> Select[Any]:
    """Series in the frame of reference of a dose of their study."""
    same = (SPEAKER.study_key == S.study_key) & (SPEAKER.FrameOfReferenceUID == S.FrameOfReferenceUID)
    both = schema.series.join(SPEAKER.key.table, same)
    return select(S.key).select_from(both).where(SPEAKER.key != S.key, SPEAKER.Modality == DOSE).distinct()


@cache
def _doses() -> Select[Any]:
    return _dosed().add_columns(SPEAKER.Modality).where(SPEAKER.visible)


def _collect(found: Found, connection: Connection, queries: Iterable[Select[Any]]) -> None:
    for query in queries:
        for key, modality in connection.execute(query):
            found[key].add(modality)


def _parts(text: str | None) -> set[str]:
    return set(text.split("\\")) if text else set()


def _write(connection: Connection, number: int, wanted: Found, told: Iterable[Any]) -> None:
    columns = {key: joined(BY_KEYWORD["Objects"], sorted(values)) for key, values in wanted.items()}
    rows = [{"this": key, "change": number, **columns[key]} for key, text in told if columns[key]["Objects"] != text]
    if rows:
        names = rows[0].keys() - {"this"}
        put = update(schema.series).where(S.key == bindparam("this")).values({name: bindparam(name) for name in names})
        connection.execute(put, rows)
