"""Cards of charts that narrow each other, and the line above them that says what they show."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any

import holoviews as hv
import numpy as np
import panel as pn
import param

from pacs_panel.errors import PacsPanelError
from pacs_panel.view.browse.browse import Later, at_once
from pacs_panel.view.charts import bins as sorting
from pacs_panel.view.charts import draw, live
from pacs_panel.view.charts.bins import Bins
from pacs_panel.view.charts.crossfilter import CrossFilter
from pacs_panel.view.charts.measures import VOXELS, measure, searched
from pacs_panel.view.charts.parts import Card, Summary
from pacs_panel.view.charts.saying import rows_of, said

FIRST = 3  # charts that are drawn before the page is sent any
JOINT = "voxels"  # the card that shows two measures at once
GRID = {
    "display": "grid",
    "grid-template-columns": "repeat(auto-fill, minmax(min(360px, 100%), 1fr))",
    "gap": "14px",
    "grid-auto-rows": "292px",
}
FILL: dict[str, Any] = {"sizing_mode": "stretch_width", "margin": 0}
HINT = "Click a bar or drag over a range: all other charts then show only those series."


def counted(frame: Any) -> CrossFilter:
    """A table of series, sorted into the bars of its charts; a column without any value has none."""
    found = {name: sorting.of(measure(name), frame[name]) for name in frame.columns if name != "key"}
    return CrossFilter({name: bins for name, bins in found.items() if bins.said}, len(frame))


class Board(pn.viewable.Viewer):
    """A grid of charts over the same rows.

    Parameters
    ----------
    rows : CrossFilter
    dark : bool
        Whether it lies on a dark page.
    """

    brushed = param.Event(doc="What is chosen has changed.")
    dark = param.Boolean(default=False, doc="Whether it lies on a dark page.")

    def __init__(self, rows: CrossFilter, *, dark: bool = False) -> None:
        super().__init__(dark=dark)
        self.filter = rows
        self._tables: set[str] = set()
        self._drawn: dict[str, list[live.Handles]] = {}
        self.cards = {name: self._card(name) for name in self._names()}
        self.grid = pn.Column(*self.cards.values(), styles=GRID, sizing_mode="stretch_width", margin=(0, 20, 20, 20))
        self._tell()
        self._waiting = list(self.cards)
        self._go_on()
        self.param.watch(lambda _: self.redraw(), "dark")

    def __panel__(self) -> pn.viewable.Viewable:
        return self.grid

    def _names(self) -> list[str]:
        names = list(self.filter.charts)
        if all(name in names for name in VOXELS):
            names.insert(max(names.index(name) for name in VOXELS) + 1, JOINT)
        return names

    def _go_on(self) -> None:
        """Draw: on a page some charts at once, and each other when the one before is there; elsewhere all."""
        document = pn.state.curdoc
        served = document is not None and document.session_context is not None
        size = len(self._waiting) if not served else FIRST if len(self._waiting) == len(self.cards) else 1
        some, self._waiting = self._waiting[:size], self._waiting[size:]
        for name in some:
            drawn = hv.DynamicMap(partial(self.draw, name))
            self.cards[name].chart[:] = [pn.pane.HoloViews(drawn, height=draw.HEIGHT, linked_axes=False, **FILL)]
        if self._waiting and document is not None:
            document.add_next_tick_callback(self._go_on)

    # -- drawing -------------------------------------------------------------------------------------------------------

    def _card(self, name: str) -> Card:
        card = Card(chart=pn.Column(height=draw.HEIGHT, **FILL), **FILL)
        card.on_msg(lambda event: self.hear(name, event.data))
        return card

    def draw(self, name: str) -> hv.Element:
        """One chart as of now."""
        ink, now, hooks = draw.inks(self.dark), self.filter, [partial(self._keep, name)]
        if name == JOINT:
            across, up = (now.charts[each] for each in VOXELS)
            return draw.density(across, up, now.joint(*VOXELS), ink, hooks)
        return draw.chart(now.charts[name], now.counts(name), now.chosen.get(name, ()), ink, hooks)

    def _keep(self, name: str, plot: Any, _element: Any) -> None:
        """Keep what was drawn, and hear of clicks and drags in it."""
        known = self._drawn.setdefault(name, [])
        if all(handles is not plot.handles for handles in known):
            known.append(plot.handles)
            figure = plot.handles["plot"]
            figure.on_event("tap", lambda event: self.tapped(name, event.x, event.y))
            figure.on_event(
                "selectiongeometry", lambda event: self.dragged(name, event.geometry) if event.final else None
            )

    def redraw(self) -> None:
        """Show everything as of now, in one message to the page."""
        ink, now = draw.inks(self.dark), self.filter
        with pn.io.hold():
            self._tell()
            for name, drawn in self._drawn.items():
                if name == JOINT:
                    counts = now.joint(*VOXELS)
                    for handles in drawn:
                        live.update_density(handles, counts, ink)
                    continue
                for handles in drawn:
                    live.update(handles, now.charts[name], now.counts(name), now.chosen.get(name, ()), ink)

    def _tell(self) -> None:
        for name, card in self.cards.items():
            card.shown = self._shown(name)

    def _shown(self, name: str) -> dict[str, Any]:
        now = self.filter
        if name == JOINT:
            return {"title": "Voxel size", "note": "stronger colour: more series", "brushed": False, "alone": True}
        bins, chosen = now.charts[name], now.chosen.get(name, frozenset())
        without = int(now.counts(name)[bins.ranges]) if bins.ranges else 0
        note = said(bins, chosen) if chosen else f"{without:,} without" if without else ""
        shown = {"title": bins.measure.title, "note": note, "brushed": bool(chosen), "table": name in self._tables}
        return shown | (rows_of(bins, now.counts(name), now.whole(name), chosen) if name in self._tables else {})

    # -- hearing -------------------------------------------------------------------------------------------------------

    def hear(self, name: str, message: Mapping[str, Any]) -> None:
        """Do what a message from a card says; what makes no sense is left."""
        kind, bar = message.get("kind"), message.get("bar")
        if kind == "table" and name in self.filter.charts:
            self._tables ^= {name}
            self.cards[name].shown = self._shown(name)
        elif kind == "toggle" and name in self.filter.charts and isinstance(bar, int):
            self.filter.toggle(name, bar)
            self._after()
        elif kind == "clear" and name in self.filter.charts:
            self.brush({name: ()})

    def brush(self, chosen: Mapping[str, Collection[int]]) -> None:
        """Choose bars of some charts, by their numbers; none for all again."""
        for name, bars in chosen.items():
            self.filter.brush(name, bars)
        self._after()

    def clear(self) -> None:
        """Choose nothing."""
        self.brush(dict.fromkeys(self.filter.chosen, ()))

    def _after(self) -> None:
        self.redraw()
        self.param.trigger("brushed")

    def tapped(self, name: str, x: float, y: float) -> None:
        """A click into a chart: choose that bar, or no longer."""
        if name == JOINT or (bar := self._bar_at(name, x, y)) is None:
            return
        self.filter.toggle(name, bar)
        self._after()

    def _bar_at(self, name: str, x: float, y: float) -> int | None:
        bins = self.filter.charts[name]
        if bins.edges is not None:
            place = int(np.searchsorted(_numbers(bins), x, side="right")) - 1
            return place if 0 <= place < bins.ranges else None
        counts = self.filter.counts(name)
        shown = draw.slots(bins, counts, self.filter.chosen.get(name, ()))
        slot = round(-y)
        return shown[slot] if 0 <= slot < len(shown) else None

    def dragged(self, name: str, geometry: Mapping[str, Any]) -> None:
        """A box over a chart: choose the bars that it touches."""
        if geometry.get("type") != "rect":
            return
        if name == JOINT:
            across, up = VOXELS
            self.brush({across: self._between(across, geometry, "x"), up: self._between(up, geometry, "y")})
        elif self.filter.charts[name].ranges:
            self.brush({name: self._between(name, geometry, "x")})

    def _between(self, name: str, geometry: Mapping[str, Any], axis: str) -> range:
        bins = self.filter.charts[name]
        at = _numbers(bins)
        low, high = sorted((geometry[f"{axis}0"], geometry[f"{axis}1"]))
        first = max(int(np.searchsorted(at, low, side="right")) - 1, 0)
        return range(first, min(int(np.searchsorted(at, high, side="left")), bins.ranges))


def _numbers(bins: Bins) -> Any:
    """Edges as a page tells places: dates are ms since 1970."""
    assert bins.edges is not None
    return bins.edges.astype("datetime64[ms]").astype(float) if bins.edges.dtype.kind == "M" else bins.edges


class Overview(pn.viewable.Viewer):
    """Charts of a selection, with the number of series that the brushes leave above them.

    Parameters
    ----------
    found : Search or pandas.DataFrame
    base : sequence of str
        In words, by what it is narrowed already.
    browse : callable, optional
        Gives the address at which brushed criteria are listed, or ``None``.
    freeze : callable, optional
        Keeps what brushed criteria find, under a name.
    """

    def __init__(
        self,
        found: Any,
        *,
        base: Sequence[str] = (),
        browse: Callable[[Mapping[str, Any]], str | None] | None = None,
        freeze: Callable[[Mapping[str, Any], str], object] | None = None,
        dark: bool = False,
        later: Later = at_once,
    ) -> None:
        super().__init__()
        self._found, self._base, self._browse, self._freeze = found, list(base), browse, freeze
        self._dark, self._said, self._frozen, self.stale = dark, "", "", False
        self._later = later
        self.board: Board | None = None
        self.summary = Summary(shown={"state": "loading"}, sizing_mode="stretch_width", margin=0)
        self.summary.on_msg(lambda event: self.hear(event.data))
        self.whole = pn.Column(self.summary, sizing_mode="stretch_width", margin=0)
        self.load()

    def __panel__(self) -> pn.viewable.Viewable:
        return self.whole

    def load(self) -> None:
        """Read the columns, and draw them."""
        self._later(lambda: iter([self.read()]), self.put)

    def read(self) -> Any:
        """All there is to count, in whatever thread; on an error, that."""
        try:
            return counted(self._found.columns(*searched()) if callable(self._found.columns) else self._found)
        except PacsPanelError as error:
            return error

    def put(self, found: Any) -> None:
        """Draw what was read."""
        self.stale = False
        if isinstance(found, PacsPanelError):
            self.message("These series cannot be counted", str(found), again=True)
            return
        if not found.rows:
            self.message("Nothing here matches", "No series of this archive meets all that is asked.", link=True)
            return
        self.board = Board(found, dark=self._dark)
        self.board.param.watch(lambda _: self._brushed(), "brushed")
        self._tell()
        self.whole[:] = [self.summary, self.board.grid]

    def paint(self, dark: bool) -> None:
        """Go on dark, or light."""
        self._dark = dark
        if self.board is not None:
            self.board.dark = dark

    def criteria(self) -> dict[str, list[Any]]:
        """What the brushes ask of a search, beside what was asked already."""
        return self.board.filter.criteria() if self.board else {}

    def selected(self) -> Any:
        """Which rows the brushes leave, as an array of bool in the order of the table."""
        return self.board.filter.selected() if self.board else np.zeros(0, np.bool_)

    def message(self, title: str, words: str, *, again: bool = False, link: bool = False) -> None:
        """Show words instead of charts."""
        self.board = None
        self.whole[:] = [self.summary]
        back = ["browse", "Back to Browse"] if link and self._browse else None
        self.summary.shown = {"state": "message", "title": title, "words": words, "again": again, "link": back}

    def changed(self) -> None:
        """Say that there may be more by now; nothing that somebody is looking at moves."""
        if self.board is not None and not self.stale:
            self.stale = True
            self._tell()

    def hear(self, message: Mapping[str, Any]) -> None:
        """Do what a message from the line above the charts says."""
        kind, board = message.get("kind"), self.board
        if kind == "again":
            self.summary.shown = {"state": "loading"}
            self.load()
        elif board is None:
            return
        elif kind == "clear":
            board.clear()
        elif kind == "drop" and message.get("keyword") in board.filter.charts:
            board.brush({str(message["keyword"]): ()})
        elif kind == "freeze" and self._freeze is not None:
            self._keep(str(message.get("name") or ""))

    def _keep(self, name: str) -> None:
        assert self._freeze is not None
        self._said = self._frozen = ""
        try:
            self._freeze(self.criteria(), name)
            self._frozen = name
        except PacsPanelError as error:
            self._said = str(error)
        self._tell()

    def _brushed(self) -> None:
        self._said = self._frozen = ""
        self._tell()

    def _tell(self) -> None:
        assert self.board is not None
        now = self.board.filter
        brushes = [
            {"keyword": name, "words": f"{now.charts[name].measure.title}: {said(now.charts[name], chosen)}"}
            for name, chosen in now.chosen.items()
        ]
        self.summary.shown = {
            "state": "shown",
            "count": now.count(),
            "whole": now.rows,
            "base": self._base,
            "brushes": brushes,
            "browse": self._browse(self.criteria()) if self._browse else None,
            "freezes": self._freeze is not None,
            "frozen": self._frozen,
            "said": self._said,
            "stale": self.stale,
            "hint": HINT,
        }
