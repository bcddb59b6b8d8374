"""The Browse page: what the archive holds, narrowed by filters, a page at a time."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import urlencode

import panel as pn
import param

from pacs_panel.errors import PacsPanelError
from pacs_panel.view.browse.parts import Filters, SeriesTable
from pacs_panel.view.browse.state import FACETS, BrowseState, checked_date
from pacs_panel.view.words import day, person, state

ROWS = 25
HELP = "pacs-panel import FOLDER"


class Found(Protocol):
    """A search's lazy result."""

    def count(self) -> int:
        """How many there are."""
        ...

    def page(self, limit: int = 25, after: str | None = None) -> Any:
        """Some rows, and where the next ones begin."""
        ...

    def facets(self, *keywords: str, limit: int = 100) -> dict[str, list[tuple[Any, int]]]:
        """Values of keywords with their counts."""
        ...


class HasSeries(Protocol):
    """What is asked of an archive here."""

    def search(self, level: Any = "series", *, order: Any = None, **keywords: Any) -> Found:
        """What meets some criteria."""
        ...


class Browse(pn.viewable.Viewer):
    """Filters and table over one state.

    Parameters
    ----------
    archive : HasSeries
    state : BrowseState, optional
        One of its own where it is not given.
    """

    archive = param.Parameter(doc="What is looked into.")
    state: BrowseState = param.ClassSelector(class_=BrowseState, doc="What is looked for.")  # type: ignore[assignment]

    def __init__(self, archive: HasSeries, state: BrowseState | None = None) -> None:
        super().__init__(archive=archive, state=state or BrowseState())
        self.filters = Filters(sizing_mode="stretch_width", margin=0)
        self.table = SeriesTable(sizing_mode="stretch_width", margin=0)
        self.filters.on_msg(lambda event: self.hear(event.data))
        self.table.on_msg(lambda event: self.hear(event.data))
        self._lock, self._stamp = threading.Lock(), 0
        self.put(self._rows())
        self.state.param.watch(lambda *_: self.refresh(), ["text", "since", "until", "chosen", "order", "marks"])

    def __panel__(self) -> pn.viewable.Viewable:
        return pn.Row(self.filters, self.table)

    # -- reading and showing -------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Show what there is now: the rows at once, then the counts."""
        self.put(self._rows())
        self.put(self._counts())

    def count(self) -> None:
        """Show the counts."""
        self.put(self._counts())

    def read(self) -> dict[str, Any]:
        """Rows and counts as of now, in whatever thread."""
        return self._rows() | self._counts()

    def put(self, found: Mapping[str, Any]) -> None:
        """Show what was read, unless the filters have been changed since."""
        with self._lock:
            if found["asked"] != self._asked():
                return
            self._stamp += 1
            shown = {name: found[name] for name in found if name not in ("asked", "facets")}
            known = {} if "rows" in found and "total" not in found else self.table.shown
            self.table.shown = {**known, **shown, "stamp": self._stamp}
            facets = found.get("facets", self.filters.shown.get("facets", []))
            now = self.state
            self.filters.shown = {"text": now.text, "since": now.since, "until": now.until, "facets": facets}

    def _asked(self) -> tuple[Any, ...]:
        return (self.state.criteria(), self.state.order, self.state.marks)

    def _search(self) -> Found:
        return self.archive.search("series", order=[self.state.order], **self.state.criteria())

    def _rows(self) -> dict[str, Any]:
        """The page's rows; on an error, what went wrong."""
        now, asked = self.state, self._asked()
        shown = {"asked": asked, "chips": now.narrowed(), "order": list(now.order), "help": HELP, "error": ""}
        try:
            page = self._search().page(ROWS, now.marks[-1] if now.marks else None)
        except PacsPanelError as error:
            return {**shown, "rows": [], "more": False, "first": 1, "error": str(error)}
        self._next = page.next
        rows = [row_of(row) for row in page.rows]
        return {**shown, "rows": rows, "more": page.next is not None, "first": len(now.marks) * ROWS + 1}

    def _counts(self) -> dict[str, Any]:
        asked = self._asked()
        try:
            found = self._search()
            counted = {"total": found.count(), "facets": self._facets(found.facets(*FACETS))}
        except PacsPanelError as error:
            return {"asked": asked, "error": str(error)}
        return {"asked": asked, **counted}

    def _facets(self, counted: Mapping[str, list[tuple[Any, int]]]) -> list[dict[str, Any]]:
        return [
            {"keyword": keyword, "words": words, "values": self._values(keyword, counted[keyword])}
            for keyword, words in FACETS.items()
            if any(value is not None for value, _ in counted[keyword]) or self.state.chosen.get(keyword)
        ]

    def _values(self, keyword: str, counted: list[tuple[Any, int]]) -> list[dict[str, Any]]:
        chosen = self.state.chosen.get(keyword, ())
        counts = dict(counted) | {value: 0 for value in chosen if value not in dict(counted)}
        ordered = sorted(counts.items(), key=lambda pair: (pair[0] is None, -pair[1]))
        return [
            {"value": v, "words": "none" if v is None else str(v), "count": n, "chosen": v in chosen}
            for v, n in ordered
        ]

    # -- hearing -------------------------------------------------------------------------------------------------------

    def hear(self, message: Mapping[str, Any]) -> None:
        """Do what a message from the page says; what makes no sense is left."""
        kind, name, value = (message.get(key) for key in ("kind", "name", "value"))
        if kind == "set" and name == "text":
            self.state.narrow(text=str(value or "")[:200])
        elif kind == "set" and name in ("since", "until"):
            self.state.narrow(**{name: checked_date(str(value or ""))})
        elif kind == "toggle":
            self.state.toggle(str(message.get("keyword")), value)
        elif kind == "drop":
            self._drop(str(name), value)
        elif kind == "sort":
            self.state.sort(str(message.get("keyword")))
        elif kind == "clear":
            self.state.clear()
        elif kind == "page":
            self._turn(message.get("by"))

    def _drop(self, name: str, value: Any) -> None:
        if name in ("text", "since", "until"):
            self.state.narrow(**{name: ""})
        else:
            self.state.toggle(name, value)

    def _turn(self, by: Any) -> None:
        marks = self.state.marks
        if by == 1 and self._next is not None:
            self.state.marks = (*marks, self._next)
        elif by == -1 and marks:
            self.state.marks = marks[:-1]
        else:
            self.refresh()


def row_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """A series as the table shows it."""
    verdict, words = state(row)
    key, revision = str(row["key"]), row["revision"]
    return {
        "key": key,
        "href": f"view?{urlencode({'series': key, 'stack': 0})}",
        "thumbnail": f"thumbnails/{key}/{revision}.png" if row["Verdict"] else "",
        "name": person(row["PatientName"]),
        "id": row["PatientID"] or "",
        "date": day(row["StudyDate"]),
        "modality": row["Modality"] or "",
        "part": row["BodyPartExamined"] or "",
        "description": row["SeriesDescription"] or row["StudyDescription"] or "",
        "images": row["NumberOfSeriesRelatedInstances"] or 0,
        "state": verdict,
        "words": words,
        "kind": row["Kind"] or "",
        "collection": row["Collection"] or "",
    }
