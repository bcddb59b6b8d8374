"""Sending files from a page: a button, a page that takes what is dropped on it, and a tray that tells how far it is.

A page mounts one, wherever its button is wanted; the tray lies over the page at its lower right, and files may be
dropped anywhere:

>>> upload = Upload(shown={"collections": names})  # doctest: +SKIP
>>> upload.on_msg(lambda event: hear(event.data))  # doctest: +SKIP

Everything goes over HTTP to the application's own ``upload`` routes (`pacs_panel.serve.upload_routes`), relative to the
page; nothing goes through the page's WebSocket. Names and paths of files stay in the browser.
"""

from __future__ import annotations

from pathlib import Path

from pacs_panel.view.browse.parts import SOURCES as SHARED
from pacs_panel.view.browse.parts import Drawn, style
from pacs_panel.view.image.bundle import bundle

SOURCES = Path(__file__).resolve().parent / "js"


class Upload(Drawn):
    """``collections``: names that are proposed. Says ``arrived`` when an upload was taken in.

    ``arrived`` comes with ``accepted``, the number of new objects, and ``chosen``, a token of the series they are in
    (empty where nothing is new).
    """

    _esm = bundle("upload.js", SOURCES, SHARED)
    _stylesheets = style("upload.css", sources=SOURCES)
