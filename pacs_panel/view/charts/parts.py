"""The components of the page of charts: what frames a chart, and what tells of all of them."""

from __future__ import annotations

from pathlib import Path

from panel.custom import Child  # type: ignore[attr-defined]

from pacs_panel.view.browse.parts import SOURCES as SHARED
from pacs_panel.view.browse.parts import Drawn, style
from pacs_panel.view.image.bundle import bundle

SOURCES = Path(__file__).resolve().parent / "js"


class Card(Drawn):
    """A chart with ``title``, its ``rows`` as a table behind it; says ``table``, ``toggle`` (bar) and ``clear``."""

    chart = Child(doc="What is drawn.")

    _esm = bundle("card.js", SOURCES, SHARED)
    _stylesheets = style("card.css", sources=SOURCES)


class Summary(Drawn):
    """How many series, narrowed by what, and where to go with them; says ``clear``, ``drop``, ``freeze``, ``again``."""

    _esm = bundle("summary.js", SOURCES, SHARED)
    _stylesheets = style("summary.css", sources=SOURCES)
