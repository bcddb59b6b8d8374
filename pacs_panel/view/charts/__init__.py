"""Charts of whatever was searched for: each narrows all others, and has its table behind it.

In a notebook, `overview` gives the whole, and `chart` a single one as a HoloViews element. HoloViews and pandas are
imported when something is drawn, and not before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def overview(found: Any) -> Any:
    """Charts that narrow each other, of a search, or of a table of series as `Search.columns` gives it.

    Parameters
    ----------
    found : Search or pandas.DataFrame
        One row a series; columns are DICOM keywords, of which those in `pacs_panel.view.charts.measures.MEASURES` are
        drawn.

    Returns
    -------
    panel.viewable.Viewer
        Its ``selected()`` tells which rows the brushes leave, and ``criteria()`` what to search by to find them.
    """
    from pacs_panel.view.charts.board import Overview

    return Overview(found)


def chart(frame: pd.DataFrame, keyword: str) -> Any:
    """One chart of a table of series, as a HoloViews element: bars of values, or a histogram of numbers or dates."""
    from pacs_panel.view.charts import bins, draw
    from pacs_panel.view.charts.measures import measure

    found = bins.of(measure(keyword), frame[keyword])
    return draw.chart(found, found.counts())
