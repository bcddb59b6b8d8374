"""From a search to the rows of a cohort."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import batched
from typing import Any

from pacs_panel.attributes import BY_KEYWORD, Level
from pacs_panel.cohort.frozen import Row
from pacs_panel.errors import BadQuery, Busy, NotYetShown
from pacs_panel.index.criteria import Criteria, Criterion, Equal, Missing
from pacs_panel.index.freezing import Snapshot, snapshot
from pacs_panel.index.search import MOST_ROWS, Search
from pacs_panel.index.store import Index
from pacs_panel.index.values import EXACT, fold

UIDS: dict[Level, str] = {
    "patient": "PatientID",
    "study": "StudyInstanceUID",
    "series": "SeriesInstanceUID",
}
PART = 200  # values in one question
TRIES = 3


@dataclass(frozen=True, slots=True)
class Selection:
    """The objects of all series that a search found at one change; ``revision`` is empty where none is built."""

    change: int
    rows: tuple[Row, ...]

    def built(self) -> Selection:
        """The same.

        Raises
        ------
        NotYetShown
            The volumes of some series are not built.
        """
        waiting = {row.series_key for row in self.rows if not row.revision}
        if waiting:
            raise NotYetShown(f"{len(waiting)} of these series are not built yet; settle the archive, then freeze them")
        return self


def select(index: Index, search: Search) -> Selection:
    """Read what a search finds, in one state of the index.

    Raises
    ------
    BadQuery
        It is a search of instances.
    Busy
        The archive changes faster than it can be read.
    """
    if search.level == "instance":
        raise BadQuery("a cohort holds whole series: search for series, studies or patients")
    for _ in range(TRIES):
        before = index.change()
        found = snapshot(index.database, _keys(index, search))
        if found.change == before:
            return Selection(found.change, tuple(_rows(found)))
    raise Busy("the archive changes faster than these series can be read; try again when an import or a build is done")


def _rows(found: Snapshot) -> Iterator[Row]:
    for study, series, key, uid, length, file, dataset in found.objects:
        revision, stacks = found.built.get(key, ("", 0))
        yield Row(study, series, key, revision, stacks, uid, length, file, dataset)


def _keys(index: Index, search: Search) -> set[str]:
    """Keys of the series that a search means: of studies and patients, all that may be seen."""
    if search.level == "series":
        return {str(row["key"]) for row in search.rows(MOST_ROWS)}
    uid, own = UIDS[search.level], f"{search.level}_key"
    named = {str(row["key"]): str(row[uid] or "") for row in search.rows(MOST_ROWS)}
    return {str(row["key"]) for row in series_of(index, uid, named.values(), search.scopes) if row[own] in named}


def series_of(index: Index, keyword: str, values: Iterable[str], scope: Any) -> Iterator[dict[str, Any]]:
    """Rows of the series with any of these values of an attribute that identifies; empty: with none."""
    exact = BY_KEYWORD[keyword].vr in EXACT
    for part in batched(sorted(set(values)), PART):
        tests = tuple(Equal(value if exact else fold(value)) if value else Missing() for value in part)
        asked = Criteria("series", (Criterion(keyword, tests),))
        yield from index.search("series", asked, scope=scope).rows(MOST_ROWS)
