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
    """``facets`` and ``named``.

    Says ``toggle`` (keyword, value), ``range`` (keyword, low, high), ``seek`` (keyword, words), ``look`` (of, name).
    """

    counting: bool = param.Boolean(default=True, doc="Whether there are more counts to come.")  # type: ignore[assignment]
    sought: dict[str, Any] = param.Dict(default={}, doc="Values that were looked for.")  # type: ignore[assignment]

    _esm = bundle("filters.js", SOURCES)
    _stylesheets = style("filters.css")


class SeriesTable(Drawn):
    """``rows``, ``heads``, ``chips``, ``order``, paging; says what its user does, as `Browse.hear` knows it."""

    total = param.Integer(default=None, allow_None=True, doc="How many rows there are; none while they are counted.")
    below: dict[str, Any] = param.Dict(default={}, doc="Series of unfolded studies, by key.")  # type: ignore[assignment]
    answer: dict[str, Any] = param.Dict(default={}, doc="What came of the last action.")  # type: ignore[assignment]
    place: dict[str, Any] = param.Dict(default={}, doc="What the address shall say.")  # type: ignore[assignment]
    can: dict[str, Any] = param.Dict(default={}, doc="What there is to be done.")  # type: ignore[assignment]

    _esm = bundle("table.js", SOURCES)
    _stylesheets = style("table.css", "rows.css", "menus.css")


class Navigation(Drawn):
    """``links`` to the pages that there are, in the dark bar."""

    _esm = bundle("navigation.js", SOURCES)
    _stylesheets = style("navigation.css")


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
