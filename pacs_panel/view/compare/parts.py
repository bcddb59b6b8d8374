"""What the Compare page is made of, beside the viewers."""

from __future__ import annotations

from pathlib import Path

from pacs_panel.view.browse.parts import SOURCES as SHARED
from pacs_panel.view.browse.parts import Drawn, style
from pacs_panel.view.image.bundle import bundle

SOURCES = Path(__file__).resolve().parent / "js"


class LinkBar(Drawn):
    """``title``, ``links`` (name, words, about, on, able) and ``notes``; says ``link`` (name, on)."""

    _esm = bundle("linkbar.js", SOURCES, SHARED)
    _stylesheets = style("linkbar.css", sources=SOURCES)


class Label(Drawn):
    """``name``, ``id``, ``facts``, ``frame``, ``said`` and ``href`` of one series; says ``close``."""

    _esm = bundle("label.js", SOURCES, SHARED)
    _stylesheets = style("label.css", sources=SOURCES)
