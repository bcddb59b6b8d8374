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


def _style(*names: str) -> list[str]:
    return [(SOURCES / name).read_text("utf-8") for name in ("tokens.css", *names)]


class _Drawn(JSComponent):
    """A component that draws one value."""

    shown: dict[str, Any] = param.Dict(default={}, doc="All that is drawn.")  # type: ignore[assignment]

    __abstract = True


class Filters(_Drawn):
    """``text``, ``since``, ``until`` and ``facets``; says ``set`` (name, value), ``toggle`` (keyword, value)."""

    _esm = bundle("filters.js", SOURCES)
    _stylesheets = _style("filters.css")


class SeriesTable(_Drawn):
    """``rows``, ``total``, ``chips``, ``order``, paging; says ``sort``, ``page``, ``drop`` and ``clear``."""

    _esm = bundle("table.js", SOURCES)
    _stylesheets = _style("table.css")


class Details(_Drawn):
    """``who``, ``facts``, ``passport``, ``stacks`` and the ``header``'s rows of one series."""

    _esm = bundle("details.js", SOURCES)
    _stylesheets = _style("details.css")


class Note(_Drawn):
    """``title``, ``words`` and, if given, ``link``: what stands where there is no image."""

    _esm = bundle("note.js", SOURCES)
    _stylesheets = _style("note.css")


class Memory(_Drawn):
    """Keeps light or dark in a cookie of this site, and says if the window is ``narrow``; draws nothing."""

    _esm = bundle("memory.js", SOURCES)
