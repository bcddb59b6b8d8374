"""The trash: what is removed is hidden at once, recorded, and can be brought back until it is emptied."""

from __future__ import annotations

import time

from pacs_panel.attributes import Level
from pacs_panel.errors import Ambiguous, NotFound
from pacs_panel.index.store import Index
from pacs_panel.model import Principal
from pacs_panel.records.store import Records
from pacs_panel.records.values import Trashed
from pacs_panel.settings import Settings
from pacs_panel.storage.faults import reach


def remove(index: Index, records: Records, level: Level, key: str, who: Principal, settings: Settings) -> int:
    """Hide what ``key`` names; the record comes first, so that a reindex finds it whatever happens."""
    records.trash(Trashed(level, key, time.time_ns(), who.name))
    reach(settings, "trash.recorded")
    return index.trash(level, key)


def restore(index: Index, records: Records, level: Level, name: str) -> int:
    """Bring back what was removed under a UID or key; what was removed on its own as well stays in the trash.

    Raises
    ------
    NotFound, Ambiguous
    """
    waiting = {(trashed.level, trashed.key): trashed.at for trashed in records.trashed()}
    keys = tuple(key for key in index.keys_of(name, level) if (level, key) in waiting)
    if not keys:
        raise NotFound(f"there is no {level} {name} in the trash")
    if len(keys) > 1:
        raise Ambiguous(f"{len(keys)} of {level} {name} are in the trash; ask by key: {', '.join(keys)}", keys)
    del waiting[level, keys[0]]
    try:
        restored = index.restore(level, keys[0], waiting)
    except NotFound:
        restored = 0  # removing it was cut short, so it was never hidden
    records.restore(level, keys[0])
    return restored
