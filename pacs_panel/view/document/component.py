"""The component that draws a document's blocks."""

from __future__ import annotations

from pathlib import Path

from pacs_panel.view.browse.parts import Drawn, style
from pacs_panel.view.image.bundle import bundle

SOURCES = Path(__file__).resolve().parent / "js"


class DocumentView(Drawn):
    """``title``, ``kind`` and ``blocks``, as `pacs_panel.view.document.blocks` makes them."""

    _esm = bundle("document.js", SOURCES)
    _stylesheets = style("document.css", "waves.css", sources=SOURCES)
