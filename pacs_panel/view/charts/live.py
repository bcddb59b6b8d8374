"""A chart that is drawn already, brought up to date in place.

HoloViews draws each chart once. To brush is to change some columns and limits of what it drew: a twentieth of the work.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pacs_panel.view.charts import draw
from pacs_panel.view.charts.bins import Bins, Counts

SIDES = {"x0": "left", "y0": "bottom", "x1": "right", "y1": "top"}
Handles = Mapping[str, Any]  # of a HoloViews plot: models of Bokeh by name


def update(handles: Handles, bins: Bins, counts: Counts, chosen: Collection[int], ink: draw.Ink) -> None:
    """Show these counts in a chart that `draw.chart` gave."""
    handles["color_color_mapper"].palette = [ink.pale, ink.full]
    if bins.edges is None:
        _bars(handles, draw.told(bins, counts, chosen), ink)
    else:
        shown = counts[: bins.ranges]
        strength = draw.strengths(bins.ranges, chosen)
        _replace(handles, {"top": shown, "count": shown, "strength": strength, "color": strength})
        handles["y_range"].end = draw.top(shown)


def update_density(handles: Handles, counts: NDArray[np.int64], ink: draw.Ink) -> None:
    """Show these counts in what `draw.density` gave, whose cells go upwards, then to the right."""
    _replace(handles, {"count": draw.seen(counts).T.ravel()})
    handles["color_mapper"].update(high=draw.densest(counts), palette=list(ink.steps))


def _bars(handles: Handles, told: draw.Told, ink: draw.Ink) -> None:
    columns = told.columns
    sides = {side: columns[name] for name, side in SIDES.items()}
    handles["source"].data = {**columns, **sides, "color": columns["strength"]}
    right, low, high = told.limits
    handles["x_range"].end = right
    handles["y_range"].update(start=low, end=high)
    axis = handles["yaxis"]
    axis.ticker.ticks = [place for place, _ in told.ticks]
    # Always of the same places: Bokeh's page never forgets one that is left out, and complains of it later.
    axis.major_label_overrides = {0.0 - place: "" for place in range(draw.MOST)} | dict(told.ticks)
    handles["words"].text_color = ink.text


def _replace(handles: Handles, columns: Mapping[str, Any]) -> None:
    source = handles["source"]
    source.data = {**source.data, **columns}
