"""The component that draws what goes on."""

from __future__ import annotations

from pathlib import Path

from pacs_panel.view.browse.parts import SOURCES as SHARED
from pacs_panel.view.browse.parts import Drawn, style
from pacs_panel.view.image.bundle import bundle

SOURCES = Path(__file__).resolve().parent / "js"


class ActivityView(Drawn):
    """``state``, and ``cards``, ``failed``, ``refused`` and ``sessions``; or ``title`` and ``words`` of an error."""

    _esm = bundle("activity.js", SOURCES, SHARED)
    _stylesheets = style("activity.css", sources=SOURCES)
