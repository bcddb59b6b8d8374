"""The trash: what is removed is hidden at once, recorded, and can be brought back until it is emptied."""

from __future__ import annotations

import time
from contextlib import suppress

from pacs_panel.attributes import Level
from pacs_panel.errors import Ambiguous, NotFound
from pacs_panel.index.store import Index
from pacs_panel.index.trash import Removals, led_to, removals
from pacs_panel.model import Principal
from pacs_panel.records.store import Records
from pacs_panel.records.values import Trashed
from pacs_panel.settings import Settings
from pacs_panel.storage.faults import reach


def remove(index: Index, records: Records, level: Level, key: str, who: Principal, settings: Settings) -> int:
    """Hide what ``key`` names; the record comes first, so that a reindex finds it whatever happens.

    Where corrections led series to a study or patient, or away from it, the series that are seen there are removed one
    by one: undoing a correction then brings nothing back and hides nothing.
    """
    with index.database.read() as connection:
        wanted = removals(connection, level, key)
    at, hidden = time.time_ns(), 0
    for each, its_key in wanted:
        records.trash(Trashed(each, its_key, at, who.name))
    reach(settings, "trash.recorded")
    for each, its_key in wanted:
        hidden += index.trash(each, its_key)
    return hidden


def restore(index: Index, records: Records, level: Level, name: str) -> int:
    """Bring back what was removed under a UID or key; what was removed on its own as well stays in the trash.

    Raises
    ------
    NotFound, Ambiguous
    """
    waiting = {(trashed.level, trashed.key): trashed.at for trashed in records.trashed()}
    found = {key: _removed(index, level, key, waiting) for key in index.keys_of(name, level)}
    keys = tuple(key for key, removed in found.items() if removed)
    if not keys:
        raise NotFound(f"there is no {level} {name} in the trash")
    if len(keys) > 1:
        raise Ambiguous(f"{len(keys)} of {level} {name} are in the trash; ask by key: {', '.join(keys)}", keys)
    for removed in found[keys[0]]:
        del waiting[removed]
    restored = 0
    for each, its_key in found[keys[0]]:
        with suppress(NotFound):  # removing it was cut short, so it was never hidden
            restored += index.restore(each, its_key, waiting)
        records.restore(each, its_key)
    return restored


def _removed(index: Index, level: Level, key: str, waiting: Removals) -> list[tuple[Level, str]]:
    """What was removed when what ``key`` names was: itself, or the series that were seen there, at one time."""
    if (level, key) in waiting or level in ("instance", "series"):
        return [(level, key)] if (level, key) in waiting else []
    with index.database.read() as connection:
        below = [each for each in led_to(connection, level, key) if each in waiting]
    last = max((waiting[each] for each in below), default=0)
    return [each for each in below if waiting[each] == last]
