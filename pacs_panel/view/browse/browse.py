"""The Browse page: what the archive holds, narrowed by filters, a page at a time."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Protocol
from urllib.parse import parse_qs, urlencode

import panel as pn
import param

from pacs_panel.errors import BadQuery, NotFound, PacsPanelError
from pacs_panel.view.browse import counts
from pacs_panel.view.browse.actions import MOST_PICKED, Actions, HandOver
from pacs_panel.view.browse.columns import columns, heads, series_row, study_row
from pacs_panel.view.browse.facets import FACETS, Counted
from pacs_panel.view.browse.named import found as found_by_name
from pacs_panel.view.browse.named import named
from pacs_panel.view.browse.parts import Filters, SeriesTable
from pacs_panel.view.browse.state import LONGEST_TEXT, SIZES, BrowseState

HELP = "pacs-panel import FOLDER"
GONE = "The selection of this address is no longer kept: it was made before the last restart, or long ago."
MOST_UNFOLDED = 500  # series of one study
NARROWING = ["level", "matching", "text", "since", "until", "chosen", "ranges", "given"]
REFRESHING = [*NARROWING, "order", "rows", "marks", "skipped"]

Steps = Callable[[], Iterable[Mapping[str, Any]]]
Show = Callable[[Mapping[str, Any]], Any]
Later = Callable[[Steps, Show], None]


class HasSeries(Protocol):
    """What is asked of an archive here."""

    def search(self, level: Any = "series", *, order: Any = None, **keywords: Any) -> Any:
        """What meets some criteria, lazily: ``count()``, ``page()``, ``facets()``."""
        ...


def at_once(steps: Steps, show: Show) -> None:
    """Do it now."""
    for found in steps():
        show(found)


class Browse(pn.viewable.Viewer):
    """Filters and table over one state.

    Parameters
    ----------
    archive : HasSeries
    state : BrowseState, optional
        One of its own where it is not given.
    later : callable
        Has steps read where they do not hold up the page, and each shown in it.
    hand_over, taken : callable, optional
        Keep a search for another page under a token, and find it again.
    pages : collection of str
        What other pages there are to lead to.
    waiting : bool
        Show nothing before the page has said which words its address stands for.
    """

    archive = param.Parameter(doc="What is looked into.")
    state: BrowseState = param.ClassSelector(class_=BrowseState, doc="What is looked for.")  # type: ignore[assignment]

    def __init__(
        self,
        archive: HasSeries,
        state: BrowseState | None = None,
        *,
        later: Later = at_once,
        hand_over: HandOver | None = None,
        taken: Callable[[str], Any] = lambda _token: None,
        pages: Collection[str] = (),
        waiting: bool = False,
    ) -> None:
        super().__init__(archive=archive, state=state or BrowseState())
        self.filters = Filters(sizing_mode="stretch_width", margin=0)
        self.table = SeriesTable(sizing_mode="stretch_both", margin=0, can=_can(pages, hand_over, archive))
        self.filters.on_msg(lambda event: self.hear(event.data))
        self.table.on_msg(lambda event: self.hear(event.data))
        self.actions = Actions(archive, self._everything, self._listed, self._as_rule, hand_over)
        self.later, self.taken, self.pages = later, taken, pages
        self._lock, self._stamp = threading.Lock(), 0
        self._counted: dict[str, Counted] = {}
        self._named: list[dict[str, str]] = []
        self._next: str | None = None
        self._held = self._typing = self._replacing = False
        self._open: tuple[str, ...] = tuple(k for k, facet in FACETS.items() if facet.open)
        self._kept: tuple[str, dict[str, Any]] = ("", {})
        if waiting:
            self.table.shown = self._about() | {"waiting": True}
        else:
            self.put(self._rows())
        self.state.param.watch(lambda *_: None if self._held else self.refresh(), REFRESHING)

    def __panel__(self) -> pn.viewable.Viewable:
        return pn.Row(self.filters, self.table)

    # -- reading and showing -------------------------------------------------------------------------------------------

    def refresh(self, push: bool | None = True) -> None:
        """Show what there is now: the rows at once, the counts when they are there.

        ``push`` says whether this is a step to go back from; ``None`` leaves the address alone.
        """
        if push is not None:
            self._write(push)
        self.table.below = {}
        self.put(self._rows())
        self.count()

    def count(self) -> None:
        """Show the counts, as they come."""
        if not self.table.shown.get("waiting"):
            self.later(self._steps, self.put)

    def read(self) -> dict[str, Any]:
        """Rows and counts as of now, in whatever thread."""
        found = self._rows()
        for step in self._steps():
            counted = {**found.get("counted", {}), **step.get("counted", {})}
            found |= {**step, "counted": counted}
        return found

    def put(self, found: Mapping[str, Any]) -> None:
        """Show what was read, unless the filters have been changed since."""
        with self._lock:
            if found["asked"] != self._asked():
                return
            if "rows" in found:
                self._stamp += 1
                self._next = found["next"]
                hidden = ("asked", "counted", "total", "done", "next")
                shown = {name: found[name] for name in found if name not in hidden}
                self.table.param.update(shown={**shown, "stamp": self._stamp}, total=found.get("total"))
            elif "total" in found:
                self.table.total = found["total"]
            self._named = found.get("named", self._named)
            self.filters.counting = "done" not in found and "failed" not in found
            if "failed" in found:
                self.filters.shown = {**self.filters.shown, "failed": f"Not counted: {found['failed']}"}
            elif "counted" in found:  # with the rows alone, nothing is drawn but that counts are to come
                self._counted = {**self._counted, **found["counted"]}
                facets = counts.drawn(self._counted, self.state)
                self.filters.shown = {"facets": facets, "named": self._named, "failed": ""}

    def _asked(self) -> tuple[Any, ...]:
        now = self.state
        return (now.level, now.strict, now.criteria(), now.given, now.order, now.rows, now.marks)

    def _search(self, level: str = "series", order: Any = None, **more: Any) -> Any:
        matching = {"matching": "all"} if level == "study" and self.state.strict else {}
        found = self.archive.search(level, order=order, **self.state.criteria(), **matching, **more)
        if not self.state.given:
            return found
        if (given := self.taken(self.state.given)) is None:
            raise NotFound(GONE)
        both = {name: getattr(given.criteria, name) + getattr(found.criteria, name) for name in ("wanted", "text")}
        return replace(found, criteria=replace(found.criteria, **both))

    def _listed(self) -> Any:
        return self._search(self.state.level, [self.state.order])

    def _everything(self, **more: Any) -> Any:
        """The series that match; where all series of a study must, those of the studies listed only."""
        if not self.state.strict or "study_key" in more:
            return self._search(**more)
        studies = self._search("study")
        if not 0 < (count := studies.count()) <= MOST_PICKED:
            raise BadQuery(f"{count:,} studies cannot be chosen at once; at most {MOST_PICKED:,}")
        return self._search(study_key=[str(row["key"]) for row in studies.rows()], **more)

    def _as_rule(self) -> dict[str, Any] | None:
        return None if self.state.given or self.state.strict else self.state.criteria()

    def _about(self) -> dict[str, Any]:
        """What the table shows besides rows."""
        now = self.state
        about = {"level": now.level, "order": list(now.order), "chips": now.narrowed(), "text": now.text}
        more = {
            "matching": now.matching,
            "columns": list(now.columns),
            "heads": heads(now.level),
            "size": now.rows,
            "sizes": list(SIZES),
        }
        return {**about, **more, "help": HELP, "error": "", "first": now.page * now.rows + 1, "query": self._query()}

    def _rows(self) -> dict[str, Any]:
        """The page's rows; on an error, what went wrong."""
        now = self.state
        try:
            page = self._listed().page(now.rows, now.marks[-1] if now.marks else None)
        except PacsPanelError as error:
            if now.marks and isinstance(error, BadQuery):  # a page of an old address may begin after what is gone
                self._quietly(lambda: now.turn(0))
                return self._rows()
            gone = "selection" if str(error) == GONE else ""
            shown = {"rows": [], "more": False, "next": None, **self._about()}
            return {"asked": self._asked(), **shown, "error": str(error), "gone": gone}
        drawn = series_row if now.level == "series" else study_row
        rows = [drawn(row, "patient" in self.pages) for row in page.rows]
        more = {"more": page.next is not None, "next": page.next}
        return {"asked": self._asked(), "rows": rows, **more, **self._about()}

    def _steps(self) -> Iterator[dict[str, Any]]:
        """The counts, bit by bit; ends where the filters have been changed meanwhile."""
        asked = self._asked()
        try:
            found = self._listed()
            names = {"named": named(self.archive)} if self.actions.hand_over is not None else {}
            yield {"asked": asked, "total": found.count(), **names}
            for counted in counts.paced(counts.in_turn(found, self._open)):
                yield {"asked": asked, "counted": counted}
                if asked != self._asked():
                    return
            yield {"asked": asked, "done": True}
        except PacsPanelError as error:
            yield {"asked": asked, "failed": str(error)}

    # -- hearing -------------------------------------------------------------------------------------------------------

    def hear(self, message: Mapping[str, Any]) -> None:
        """Do what a message from the page says; what makes no sense is left."""
        kind = message.get("kind")
        typing = kind == "set" and message.get("typing") is True
        self._replacing, self._typing = typing and self._typing, typing
        does = {
            "set": self._set,
            "toggle": lambda m: self.state.toggle(str(m.get("keyword")), _plain(m.get("value"))),
            "range": lambda m: self.state.limit(str(m.get("keyword")), str(m.get("low")), str(m.get("high"))),
            "none": lambda m: self.state.choose(str(m.get("keyword")), ()),
            "drop": lambda m: self.state.drop(str(m.get("name")), _plain(m.get("value"))),
            "sort": lambda m: self.state.sort(str(m.get("keyword"))),
            "level": lambda m: self.state.unfold(str(m.get("level"))),
            "matching": lambda m: self.state.match(str(m.get("matching"))),
            "clear": lambda _m: self.state.clear(),
            "page": self._turn,
            "rows": self._size,
            "columns": self._columns,
            "address": self._address,
            "open": self._opened,
            "seek": self._seek,
            "look": self._look,
            "unfold": self._unfold,
            "act": self._act,
        }.get(str(kind))
        if does is not None:
            does(message)

    def _set(self, message: Mapping[str, Any]) -> None:
        name, value = message.get("name"), str(message.get("value") or "")
        if name == "text" and value[:LONGEST_TEXT] != self.state.text:
            self.state.narrow(text=value[:LONGEST_TEXT])
        elif name in ("since", "until"):
            ends = {"since": self.state.since, "until": self.state.until, name: value}
            self.state.limit("StudyDate", ends["since"], ends["until"])

    def _turn(self, message: Mapping[str, Any]) -> None:
        by, before = message.get("by"), self.state.marks
        if by in (1, -1):
            self.state.turn(by, self._next)
        elif by == "first":
            self.state.turn(0)
        if self.state.marks == before:
            self.refresh(None)

    def _size(self, message: Mapping[str, Any]) -> None:
        if message.get("rows") in SIZES:
            self.state.narrow(rows=message["rows"])

    def _columns(self, message: Mapping[str, Any]) -> None:
        known, said = {column.name for column in columns(self.state.level)}, message.get("columns")
        self.state.columns = tuple(name for name in said if name in known) if isinstance(said, list) else ()
        self._write(push=False)

    def _address(self, message: Mapping[str, Any]) -> None:
        """Back, Forward, or what a tab kept for the address with which the page was opened."""
        private = message.get("private")
        query = parse_qs(str(message.get("query") or "").removeprefix("?"))
        kept = private if isinstance(private, Mapping) else {}
        self._kept = (query.get("words", [""])[0], dict(kept))
        self._quietly(lambda: self.state.take(query, kept))
        self.refresh(None)

    def _opened(self, message: Mapping[str, Any]) -> None:
        said = message.get("keywords")
        self._open = tuple(k for k in said if k in FACETS) if isinstance(said, list) else self._open

    def _seek(self, message: Mapping[str, Any]) -> None:
        keyword, words = str(message.get("keyword")), str(message.get("words") or "")[:LONGEST_TEXT]
        if keyword not in FACETS:
            return
        chosen = self.state.chosen.get(keyword, ())

        def steps() -> Iterator[dict[str, Any]]:
            found = counts.sought(self._listed(), keyword, words, chosen)
            yield {"keyword": keyword, "words": words, "values": found}

        self.later(steps, lambda found: self.filters.param.update(sought=dict(found)))

    def _look(self, message: Mapping[str, Any]) -> None:
        """Show a collection by rule, or a saved search, to be narrowed further."""
        if self.actions.hand_over is None:
            return
        try:
            search = found_by_name(self.archive, str(message.get("of")), str(message.get("name")))
        except PacsPanelError as error:
            self.filters.shown = {**self.filters.shown, "failed": str(error)}
            return
        self._quietly(lambda: self.state.unfold(search.level))
        self.state.narrow(given=self.actions.hand_over(search))

    def _unfold(self, message: Mapping[str, Any]) -> None:
        """Show the series of a study that match."""
        key, asked = str(message.get("key")), self._asked()

        def steps() -> Iterator[dict[str, Any]]:
            try:
                page = self._search("series", [("SeriesNumber", "asc")], study_key=[key]).page(MOST_UNFOLDED)
                rows = [series_row(row) for row in page.rows]
                yield {"rows": rows, "more": page.next is not None, "error": ""}
            except PacsPanelError as error:
                yield {"rows": [], "more": False, "error": str(error)}

        def show(found: Mapping[str, Any]) -> None:
            if asked == self._asked():
                self.table.below = {**self.table.below, key: dict(found)}

        self.later(steps, show)

    def _act(self, message: Mapping[str, Any]) -> None:
        def show(answer: Mapping[str, Any]) -> None:
            self.table.answer = dict(answer)
            if message.get("action") in ("tag", "untag", "collect", "save") and "error" not in answer:
                self.refresh(None)

        self.later(lambda: iter([self.actions.do(message)]), show)

    # -- the address ---------------------------------------------------------------------------------------------------

    def _quietly(self, change: Callable[[], None]) -> None:
        self._held = True
        try:
            change()
        finally:
            self._held = False

    def _query(self) -> str:
        """The address that brings this back in another tab, too: without what must not stand in one."""
        return urlencode(self.state.address())

    def _write(self, push: bool) -> None:
        """Have the page's address say what is shown. What must not stand in it is kept by the tab, under an id."""
        private = self.state.private()
        if private != self._kept[1]:
            self._kept = (secrets.token_urlsafe(6) if private else "", private)
        name = self._kept[0]
        pairs = self.state.address() + ([("words", name)] if name else [])
        step = push and not self._replacing
        self.table.place = {"query": urlencode(pairs), "push": step, "name": name, "private": private}


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int | float) else str(value)


def _can(pages: Collection[str], hand_over: HandOver | None, archive: Any) -> dict[str, bool]:
    """What there is to be done with a selection."""
    able = {name: name in pages for name in ("compare", "charts", "cohorts", "patient")}
    organise = hasattr(archive, "organise") and not getattr(archive, "read_only", False)
    return able | {"hand": hand_over is not None, "organise": organise}
