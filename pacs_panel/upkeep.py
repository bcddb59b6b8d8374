"""Looking after an archive: what is kept is checked, removed, restored and listed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from pacs_panel.attributes import Level
from pacs_panel.errors import Busy, NotFound
from pacs_panel.index.corrected import correct
from pacs_panel.keep.originals import damage
from pacs_panel.keep.quarantine import Refused, count, quarantined
from pacs_panel.model import Commitment, Revision
from pacs_panel.pipeline.activity import Activity, activity
from pacs_panel.pipeline.admit import recover
from pacs_panel.pipeline.purge import DAY, Pins, Purged, purge
from pacs_panel.pipeline.reindex import reindex
from pacs_panel.pipeline.settle import settle
from pacs_panel.pipeline.trash import remove, restore
from pacs_panel.pipeline.verify import Verification, verify
from pacs_panel.receive.report import Report
from pacs_panel.records.values import Session, Trashed
from pacs_panel.scoped import Scoped
from pacs_panel.storage import layout
from pacs_panel.storage.files import lock


class Upkeep(Scoped):
    """What keeps an archive sound; see `pacs_panel.archive.Archive`."""

    def recover(self) -> Report:
        """Finish what interrupted imports and corrections left behind; every import begins with it."""
        self._may("write")
        report = recover(self.root, self._index, self.settings)
        with lock(self.root / layout.admit_lock()):
            correct(self._index.database, self._records.corrections())
        return report

    def settle(self, *, executor: Any = None, progress: Callable[[str], None] = lambda _: None) -> list[Revision]:
        """Build and publish the volumes of every series that has changed since it was last built."""
        self._may("write")
        with self._reading():
            return settle(self.root, self._index, self.settings, executor=executor, progress=progress)

    def verify(self, *, executor: Any = None, progress: Callable[[int], None] = lambda _: None) -> Verification:
        """Re-hash everything that is kept."""
        self._may("administer")
        with self._reading():
            return verify(self.root, self._index, self.settings, executor=executor, progress=progress)

    def unsafe(self, objects: Mapping[str, str]) -> dict[str, str]:
        """Re-hash objects that somebody relies on, by SOP Instance UID and Class UID; gives what is not kept safely.

        Each with its reason: ``missing``, ``conflict`` (it is of another class) or ``damaged``.
        """
        return {uid: reason for uid, kind in objects.items() if (reason := self._unsafe(uid, kind))}

    def _unsafe(self, uid: str, sop_class_uid: str) -> str:
        try:
            self._find(uid, "instance", self._scope("instance"))
            kept = self._index.object(uid)
        except NotFound:
            return "missing"
        if kept.sop_class_uid != sop_class_uid:
            return "conflict"
        return "damaged" if damage(self.root, kept) else ""

    def promise(self, commitment: Commitment) -> None:
        """Note that a peer waits to be told whether objects are kept safely."""
        self._may("write")
        self._records.promise(commitment)

    def promised(self) -> list[Commitment]:
        """Peers that wait."""
        self._may("read")
        return self._records.promised()

    def keep_promise(self, commitment: Commitment) -> None:
        """Note that a peer was told."""
        self._may("write")
        self._records.keep_promise(commitment)

    def remove(self, uid: str, level: Level = "series") -> int:
        """Put a study, a series or an object into the trash; gives the number of object versions."""
        scope = self._scope(level, "remove")
        key = str(self._find(uid, level, scope)["SOPInstanceUID" if level == "instance" else "key"])
        return remove(self._index, self._records, level, key, self.principal, self.settings)

    def trash(self) -> list[Trashed]:
        """What is in the trash."""
        self._may("remove")
        return self._records.trashed()

    def restore(self, uid: str, level: Level = "series") -> int:
        """Take out of the trash what `remove` put there; ``uid`` is what was removed, or its key."""
        self._may("remove")
        return restore(self._index, self._records, level, uid)

    def empty_trash(
        self,
        older_than_days: float = 0,
        *,
        even_frozen: bool = False,
        progress: Callable[[int], None] = lambda _: None,
    ) -> Purged:
        """Remove for good what was put into the trash at least so many days ago; it cannot be brought back.

        Its bytes, its rows, and the volumes that showed it go. Files that were recorded in place are never touched.
        What a cohort names stays in the trash, as `Purged.left` tells, unless ``even_frozen``.

        Raises
        ------
        Busy
            An import, a build or a verify is under way.
        """
        self._may("remove")
        self._may("administer")
        self.recover()
        self.settle()
        pins = Pins if even_frozen else self._pins
        parts = (self.root, self._index, self._records, self.settings)
        return purge(*parts, older_than_days=older_than_days, pins=pins, progress=progress)

    def expire_trash(self) -> Purged:
        """Empty the trash of what has been there for ``settings.trash_days``; nothing where these are 0, or if busy."""
        days = self.settings.trash_days
        until = time.time_ns() - days * DAY
        if not days or not any(each.at <= until for each in self.trash()):
            return Purged()
        try:
            return self.empty_trash(days)
        except Busy:
            return Purged()

    def _pins(self) -> Pins:
        """What must not be removed for good."""
        return Pins()

    def imports(self) -> list[Session]:
        """Imports that were begun, oldest first; one without an end runs, or was interrupted."""
        self._may("administer")
        return self._records.sessions()

    def quarantine(self) -> list[Refused]:
        """What was refused, and why."""
        self._may("administer")
        return list(quarantined(self.root))

    def status(self) -> dict[str, Any]:
        """Counts, bytes, and what waits to be done."""
        self._may("read")
        waiting = {"unbuilt": len(self._index.unsettled()), "quarantined": count(self.root)}
        return {"archive": self.root.name, "format": layout.FORMAT_VERSION, **self._index.status(), **waiting}

    def activity(self) -> Activity:
        """What comes in, what waits, what failed, how full the disk is."""
        self._may("administer")
        return activity(self.root, self._index, self._records)

    def came(self) -> list[tuple[str, Mapping[str, int]]]:
        """All that ever came, by door: objects by what became of them, and bytes."""
        self._may("administer")
        return self._records.came()

    def change(self) -> int:
        """The number of the latest change; it grows with every one, in whichever process."""
        self._may("read")
        return self._index.change()

    def reindex(self, progress: Callable[[int], None] = lambda _: None) -> Report:
        """Make the index anew from what is kept and recorded, then publish the volumes again."""
        self._may("administer")
        report = reindex(self.root, self._index, self._records, self.settings, progress)
        self.settle()
        return report

    def _reading(self) -> AbstractContextManager[None]:
        """While this is held, no pack goes away: the trash is not emptied, and the index is not made anew."""
        return lock(self.root / layout.reindex_lock(), shared=True)
