"""The component that draws cohorts."""

from __future__ import annotations

from pathlib import Path

from pacs_panel.view.browse.parts import SOURCES as SHARED
from pacs_panel.view.browse.parts import Drawn, style
from pacs_panel.view.image.bundle import bundle

SOURCES = Path(__file__).resolve().parent / "js"


class CohortsView(Drawn):
    """``state`` and what goes with it: a list, or one cohort with its facts, a page of its rows and what was found.

    Says ``page`` (by), ``verify``, ``diff`` and ``again``.
    """

    _esm = bundle("cohorts.js", SOURCES, SHARED)
    _stylesheets = style("cohorts.css", sources=SOURCES)
