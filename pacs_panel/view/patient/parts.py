"""The component that draws a patient's history."""

from __future__ import annotations

from pathlib import Path

from pacs_panel.view.browse.parts import SOURCES as SHARED
from pacs_panel.view.browse.parts import Drawn, style
from pacs_panel.view.image.bundle import bundle

SOURCES = Path(__file__).resolve().parent / "js"


class History(Drawn):
    """``who``, ``differs``, ``studies``, ``remarks`` by key, ``known`` tags, ``said`` by key and ``state``.

    Says ``tag``, ``untag``, ``note``, ``unnote`` and ``rate``, each with ``level``, ``key`` and ``value``.
    """

    _esm = bundle("patient.js", SOURCES, SHARED)
    _stylesheets = style("patient.css", "timeline.css", "remarks.css", sources=SOURCES)
