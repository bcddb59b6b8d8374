"""The components that the pages are made of: each draws one value, and says in messages what its user does.

All text reaches the page as text nodes, so nothing that a header says can become markup.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import param
from panel.custom import JSComponent

from pacs_panel.view.image.bundle import bundle

SOURCES = Path(__file__).resolve().parent / "js"


def style(*names: str, sources: Path = SOURCES) -> list[str]:
    """The colours of the pages, and style sheets of ``sources``."""
    return [(SOURCES / "tokens.css").read_text("utf-8"), *((sources / name).read_text("utf-8") for name in names)]


class Drawn(JSComponent):
    """A component that draws one value."""

    shown: dict[str, Any] = param.Dict(default={}, doc="All that is drawn.")  # type: ignore[assignment]

    __abstract = True


class Filters(Drawn):
    """``text``, ``since``, ``until`` and ``facets``; says ``set`` (name, value), ``toggle`` (keyword, value)."""

    _esm = bundle("filters.js", SOURCES)
    _stylesheets = style("filters.css")


class SeriesTable(Drawn):
    """``rows``, ``total``, ``chips``, ``order``, paging; says ``sort``, ``page``, ``drop`` and ``clear``."""

    _esm = bundle("table.js", SOURCES)
    _stylesheets = style("table.css")


class Details(Drawn):
    """``who``, ``facts``, ``sections``, ``partners``, ``stacks`` and the ``header``'s rows of one series."""

    _esm = bundle("details.js", SOURCES)
    _stylesheets = style("details.css")


class Note(Drawn):
    """``title``, ``words`` and, if given, ``link``: what stands where there is no image."""

    _esm = bundle("note.js", SOURCES)
    _stylesheets = style("note.css")


class Memory(Drawn):
    """Keeps light or dark in a cookie of this site, and says if the window is ``narrow``; draws nothing."""

    _esm = bundle("memory.js", SOURCES)
