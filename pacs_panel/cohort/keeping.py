"""An archive's cohorts: made by freezing what a search found, and found again by name."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from pacs_panel.attributes import Level
from pacs_panel.cohort import frozen as files
from pacs_panel.cohort.asked import to_text
from pacs_panel.cohort.frozen import Facts, Frozen, Row, freeze
from pacs_panel.cohort.opened import Cohort
from pacs_panel.cohort.select import select
from pacs_panel.cohort.values import Source
from pacs_panel.errors import NotFound
from pacs_panel.index.search import Search
from pacs_panel.pipeline.purge import Pins
from pacs_panel.upkeep import Upkeep


class Cohorts(Upkeep):
    """What keeps selections; see `pacs_panel.archive.Archive`."""

    def search(
        self, level: Level = "series", *, order: Sequence[tuple[str, str]] | None = None, **keywords: Any
    ) -> Search:
        """Search lazily, as `pacs_panel.scoped.Scoped.search`; what is found can be frozen as a `cohort`."""
        return replace(super().search(level, order=order, **keywords), freezer=self._freeze)

    def cohort(self, name: str) -> Cohort:
        """What was frozen under a name, as far as the principal may see it.

        Parameters
        ----------
        name : str
            As given to ``search(...).freeze(name)``. That keeps the criteria, the change number, and UIDs, revisions
            and digests of the series found (of studies and patients: of all their series) as one Parquet file, and
            takes the name for good.

        Raises
        ------
        NotFound
            There is none, or nothing in it may be seen.
        Damaged
            Its file is not as it was written.
        """
        source = self._source()
        scope = source.scope()  # first: whoever may read nothing is not told what there is
        whole = Cohort(files.get(self.root, name), source)
        if scope is None:
            return whole
        allowed = whole.visible()
        rows = tuple(row for row in whole.rows if row.series_key in allowed)
        if not rows:
            raise NotFound(f"there is no cohort {name!r} here")
        if not (withheld := len(whole) - len(allowed)):
            return whole
        return Cohort(Frozen(replace(whole.facts, asked=""), rows), source, withheld)

    def cohorts(self) -> list[Facts]:
        """The cohorts of which the principal may see something, the earliest first."""
        everything = self._scope("series") is None
        return list(files.every(self.root) if everything else self._seen())

    def _pins(self) -> Pins:
        objects: dict[tuple[str, str], str] = {}
        revisions: dict[str, set[str]] = defaultdict(set)
        for facts in files.every(self.root):
            for row in files.get(self.root, facts.name).rows:
                objects.setdefault((row.SOPInstanceUID, row.file_digest), facts.name)
                revisions[row.series_key].add(row.revision)
        return Pins(objects, revisions)

    def _seen(self) -> Iterator[Facts]:
        for facts in files.every(self.root):
            try:
                yield self.cohort(facts.name).facts
            except NotFound:
                continue

    def _freeze(self, search: Search, name: str) -> Cohort:
        self._may("write")
        files.checked_name(name)
        found = select(self._index, search).built()
        asked = to_text(search.criteria)
        about: dict[str, Any] = {
            "level": search.level,
            "change": found.change,
            "at": time.time_ns(),
            "by": self.principal.name,
        }
        made = freeze(found.rows, name=name, asked=asked, **about)
        return self._keep(made.facts, made.rows)

    def _keep(self, facts: Facts, rows: tuple[Row, ...]) -> Cohort:
        self._may("write")
        made = Frozen(replace(facts, by=self.principal.name), rows)  # of a part, whoever keeps it
        files.put(self.root, made)
        return Cohort(made, self._source())

    def _source(self) -> Source:
        return Source(self.root, self._index, self.settings, lambda: self._scope("series"), self._keep)
