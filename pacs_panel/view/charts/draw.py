"""One chart each, as a HoloViews element: pure functions, which a notebook may compose.

One visual language: one hue, whose strength says what is chosen; bars that are told by their own labels; an axis with
its unit where a number needs one; nothing else. Contrast does not rest on hue.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import holoviews as hv
import holoviews.plotting.bokeh  # can draw then; `hv.extension` would do more, and take longer
import numpy as np
from bokeh.models import BasicTicker, NumeralTickFormatter
from numpy.typing import NDArray

from pacs_panel.view.charts.bins import NONE, Bins, Counts

SLOTS = 8  # bars that are drawn of values, and one of all others
MOST = 2 * SLOTS + 2  # with all that is chosen
LONGEST = 24  # characters of a label
HEIGHT = 236
NARROWEST, LETTER = 330, 7  # px: a chart, and a letter
BAR = 0.36  # half of a bar, of what it has for itself
FLAT: dict[str, Any] = {
    "toolbar": None,
    "default_tools": [],
    "responsive": True,
    "height": HEIGHT,
    "framewise": True,
    "show_legend": False,
    "show_frame": False,
    "backend_opts": {"plot.outline_line_color": None},  # the theme of a page draws one even so
    "fontsize": {"labels": "12px", "ticks": "12px"},
}
Hook = Callable[[Any, Any], None]


@dataclass(frozen=True, slots=True)
class Ink:
    """Colours: of what counts, of what is not chosen, of text, of the page, and the steps of a density."""

    full: str
    pale: str
    text: str
    page: str
    steps: tuple[str, ...]


LIGHT = Ink(
    full="#2f6f9f",
    pale="#c3d3df",
    text="#4d555c",
    page="#ffffff",
    steps=("#d6e4ee", "#aecbe0", "#7fabca", "#5089b2", "#2f6f9f", "#1a5078", "#0b3454"),
)
DARK = Ink(
    full="#6aa9d6",
    pale="#33485a",
    text="#b4bcc3",
    page="#121316",
    steps=("#1d3245", "#264a68", "#33658e", "#4582b2", "#6aa9d6", "#98c8ea", "#cfe6f7"),
)


def inks(dark: bool) -> Ink:
    """The colours on a dark page, or a light one."""
    return DARK if dark else LIGHT


def backend() -> None:
    """Have Bokeh draw where nothing else was chosen."""
    if hv.Store.current_backend != "bokeh":
        hv.Store.set_current_backend("bokeh")


@dataclass(frozen=True, slots=True)
class Told:
    """Bars of values as they are drawn, from above."""

    labels: tuple[str, ...]
    counts: tuple[int, ...]
    strength: tuple[float, ...]

    @property
    def columns(self) -> dict[str, Any]:
        """Rectangles in the order of the bars, and what stands beside them."""
        at = 0.0 - np.arange(len(self.labels))
        places = {"x0": np.zeros(len(at)), "y0": at - BAR, "x1": np.array(self.counts, float), "y1": at + BAR, "at": at}
        words = [f" {count:,}" for count in self.counts]
        named = {"name": list(self.labels), "count": list(self.counts), "words": words}
        return {**places, **named, "strength": np.array(self.strength, float)}

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Names of the bars, at their places."""
        return [(0.0 - place, short(label)) for place, label in enumerate(self.labels)] or [(0.0, "no series")]

    @property
    def limits(self) -> tuple[float, float, float]:
        """How far the axes go: to the right; down and up, so that bars are as thick however few there are."""
        largest = max(self.counts, default=0) or 1
        names = max((len(short(label)) for label in self.labels), default=0)
        room = max(NARROWEST - LETTER * names, 120)  # what the names leave to bars, and to the counts at their ends
        return largest * room / (room - LETTER * len(f"{largest:,}") - 12), 0.5 - max(len(self.labels), SLOTS), 0.5


def told(bins: Bins, counts: Counts, chosen: Collection[int] = ()) -> Told:
    """The bars of a chart of values: the largest, and one of all that are not drawn."""
    places = slots(bins, counts, chosen)
    labels, shown = [bins.labels[place] for place in places], [int(counts[place]) for place in places]
    strength = [float(not chosen or place in chosen) for place in places]
    if rest := others(counts, places):
        labels, shown = [*labels, f"{rest} others"], [*shown, int(counts.sum() - counts[places].sum())]
        strength.append(0.0)
    return Told(tuple(labels), tuple(shown), tuple(strength))


def chart(
    bins: Bins, counts: Counts, chosen: Collection[int] = (), ink: Ink = LIGHT, hooks: Sequence[Hook] = ()
) -> hv.Element:
    """Bars or a histogram, as the measure wants it."""
    if bins.edges is None:
        return bars(told(bins, counts, chosen), bins.measure.title, ink, hooks)
    size = bins.ranges
    strength = strengths(size, chosen)
    return histogram(
        bins.edges, counts[:size], bins.measure.axis, bins.labels[:size], strength, ink, log=bins.log, hooks=hooks
    )


def strengths(bars: int, chosen: Collection[int]) -> NDArray[np.float64]:
    """1 for each bar that is chosen, or if none is; else 0."""
    return np.array([float(not chosen or bar in chosen) for bar in range(bars)])


def slots(bins: Bins, counts: Counts, chosen: Collection[int] = (), most: int = SLOTS) -> list[int]:
    """Which bars are drawn, from above: the largest, what is chosen, and last what has no value; no empty ones."""
    order = [int(each) for each in np.argsort(-counts, kind="stable") if counts[each] or int(each) in chosen]
    last = [each for each in order if bins.labels[each] == NONE]
    named = [each for each in order if each not in last]
    if len(order) > most + 1:
        room = most - len(last)
        named = named[:room] + [each for each in named[room:] if each in chosen][:most]
    return named + last


def others(counts: Counts, shown: Collection[int]) -> int:
    """How many bars with rows are not among those drawn."""
    return int(np.count_nonzero(np.delete(counts, list(shown))))


def bars(told: Told, title: str = "", ink: Ink = LIGHT, hooks: Sequence[Hook] = ()) -> hv.Rectangles:
    """Horizontal bars, from above, each with its name and its count; those of strength 0 are pale."""
    backend()
    right, low, high = told.limits
    values = ["name", "count", "words", "at", "strength"]
    return hv.Rectangles(told.columns, ["x0", "y0", "x1", "y1"], values, label=title).opts(
        **FLAT,
        **_faces(ink),
        hooks=[_beside(ink), *hooks],
        title="",
        hover_tooltips=[("", "@name"), ("series", "@count{0,0}")],
        tools=["hover"],
        xaxis=None,
        ylabel="",
        xlim=(0, right),
        ylim=(low, high),
        yticks=told.ticks,
    )


def histogram(
    edges: NDArray[Any],
    counts: Counts,
    axis: str = "",
    labels: Sequence[str] = (),
    strength: Sequence[float] | NDArray[np.float64] = (),
    ink: Ink = LIGHT,
    *,
    log: bool = False,
    hooks: Sequence[Hook] = (),
) -> hv.Histogram:
    """Counts between edges, which are numbers or dates."""
    backend()
    dates = edges.dtype.kind == "M"
    dimension = hv.Dimension("dates" if dates else "numbers", label=axis or "value")
    columns = [counts, list(labels) or [""] * len(counts), list(strength) or [1.0] * len(counts)]
    at = edges.astype("datetime64[ns]") if dates else edges
    ticks: dict[str, Any] = {} if dates else {"xticks": _ticks(edges, log)}
    return hv.Histogram((at, *columns), kdims=dimension, vdims=["count", "name", "strength"]).opts(
        **FLAT,
        **_faces(ink),
        **ticks,
        hooks=list(hooks),
        hover_tooltips=[("", "@name"), ("series", "@count{0,0}")],
        tools=["hover", "xbox_select"],
        active_tools=["xbox_select"],
        logx=log,
        xlabel="" if dates else axis,
        ylabel="series",
        xlim=(at[0], at[-1]),
        ylim=(0, top(counts)),
        yticks=_whole_numbers(),
        yformatter=_thousands(),
    )


def top(counts: Counts) -> float:
    """How far up the axis of a histogram goes."""
    return float((np.max(counts, initial=0) or 1) * 1.08)


def density(
    across: Bins, up: Bins, counts: NDArray[np.int64], ink: Ink = LIGHT, hooks: Sequence[Hook] = ()
) -> hv.QuadMesh:
    """How many rows have both, on a grid that is as large for a million rows as for ten; the colour is logarithmic."""
    backend()
    assert across.edges is not None
    assert up.edges is not None
    largest = densest(counts)
    names = [hv.Dimension("x", label=across.measure.axis), hv.Dimension("y", label=up.measure.axis)]
    number = hv.Dimension("count", label="series", range=(1, largest))
    return hv.QuadMesh((across.edges, up.edges, seen(counts)), names, number).opts(
        **FLAT,
        hooks=list(hooks),
        tools=["hover", "box_select"],
        active_tools=["box_select"],
        hover_tooltips=[("series", "@count{0,0}")],
        cmap=list(ink.steps),
        cnorm="log",
        clim=(1, largest),
        clipping_colors={"NaN": "transparent"},
        colorbar=False,
        line_width=0,
        logx=across.log,
        logy=up.log,
        xticks=_ticks(across.edges, across.log),
        yticks=_ticks(up.edges, up.log),
        xlim=(across.edges[0], across.edges[-1]),
        ylim=(up.edges[0], up.edges[-1]),
        nonselection_fill_alpha=1,
        nonselection_line_alpha=0,
    )


def seen(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Counts where there are some, and nothing elsewhere."""
    return np.where(counts > 0, counts, np.nan).astype(float)


def densest(counts: NDArray[np.int64]) -> int:
    """Which count has the last colour."""
    return max(int(counts.max(initial=0)), 2)


def short(text: str) -> str:
    """A label that leaves room for its bar."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1].rstrip()}…"


def _faces(ink: Ink) -> dict[str, Any]:
    """Bars, pale or full; they look the same whatever Bokeh itself takes for selected."""
    faces = {"color": hv.dim("strength"), "cmap": [ink.pale, ink.full], "clim": (0, 1), "colorbar": False}
    lines = {"line_alpha": 0, "selection_line_alpha": 0, "nonselection_line_alpha": 0}
    return {**faces, **lines, "selection_fill_alpha": 1, "nonselection_fill_alpha": 1}


def _beside(ink: Ink) -> Hook:
    """Write the counts at the ends of bars, from the same columns."""

    def hook(plot: Any, _element: Any) -> None:
        if "words" not in plot.handles:
            style = {"text_font_size": "12px", "text_baseline": "middle", "text_color": ink.text}
            drawn = plot.handles["plot"].text(x="right", y="at", text="words", source=plot.handles["source"], **style)
            drawn.nonselection_glyph = None
            plot.handles["words"] = drawn.glyph

    return hook


def _ticks(edges: NDArray[Any], log: bool) -> list[tuple[float, str]] | int:
    """On a logarithmic axis 1, 2 and 5 of each power of ten; fewer where that are many."""
    if not log:
        return 6
    low, high = float(edges[0]), float(edges[-1])
    powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    steps = (1, 2, 5) if high / low < 300 else (1,)
    found = [step * 10.0**power for power in powers for step in steps]
    return [(at, f"{at:,.10g}") for at in found if low * 0.999 <= at <= high * 1.001]


def _whole_numbers() -> BasicTicker:
    return BasicTicker(desired_num_ticks=3, min_interval=1, num_minor_ticks=0)


def _thousands() -> NumeralTickFormatter:
    return NumeralTickFormatter(format="0,0")
