"""The component that draws what peers have, and what is pulled of it."""

from __future__ import annotations

from pathlib import Path

from pacs_panel.view.browse.parts import SOURCES as SHARED
from pacs_panel.view.browse.parts import Drawn, style
from pacs_panel.view.image.bundle import bundle

SOURCES = Path(__file__).resolve().parent / "js"


class PullView(Drawn):
    """``peers`` to ask, ``finding``, ``trouble``, what was ``found``, and the ``pulls``.

    Says ``find`` (peer, and what must match by keyword), ``pull`` (number of the question, UIDs of studies, and whether
    only series of the modality that was asked for) and ``stop`` (key of a pull). What is typed stays in the form and in
    these messages.
    """

    _esm = bundle("pull.js", SOURCES, SHARED)
    _stylesheets = style("pull.css", sources=SOURCES)
