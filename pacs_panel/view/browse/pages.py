"""The two pages as a server gives them: each call makes one session's."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import panel as pn

from pacs_panel.view.browse.actions import HandOver
from pacs_panel.view.browse.browse import Browse, Later, Show, Steps, at_once
from pacs_panel.view.browse.series import SeriesPage
from pacs_panel.view.browse.state import BrowseState
from pacs_panel.view.page import Subscribe, follow, shell
from pacs_panel.view.transfer.upload import Upload

log = logging.getLogger(__name__)


def browse_page(
    archive: Any,
    subscribe: Subscribe | None = None,
    *,
    hand_over: HandOver | None = None,
    taken: Callable[[str], Any] = lambda _token: None,
    pages: Collection[str] = (),
) -> Any:
    """The Browse page. What it is narrowed by stands in its address, save for words and names.

    Parameters
    ----------
    archive : Archive
        As whoever opened the page may see it.
    subscribe : callable, optional
        Has a function called after each change of the archive; what it returns ends that.
    hand_over, taken : callable, optional
        Keep a search under a token, for downloads and other pages; and find one again, or ``None``.
    pages : collection of str
        Names of the pages that there are: what leads to others is left out.
    """
    state, address = BrowseState(), asked()
    state.take(address)
    waiting = "words" in address
    browse = Browse(archive, state, later=background(), hand_over=hand_over, taken=taken, pages=pages, waiting=waiting)
    upload = Upload(sizing_mode="stretch_width", margin=(14, 14, 0, 14))
    pn.state.onload(browse.count)
    pn.state.onload(
        lambda: browse.later(lambda: [_collections(archive)], lambda names: upload.param.update(shown=names))
    )
    follow(subscribe, browse.read, browse.put)
    above = [] if archive.read_only else [upload]
    return shell("Browse – pacs_panel", [browse.table], [*above, browse.filters])


def _collections(archive: Any) -> dict[str, Any]:
    """Names that are proposed for what is sent here."""
    counted = archive.search().facets("Collection")["Collection"]
    return {"collections": [name for name, _ in counted if name]}


def view_page(archive: Any, subscribe: Subscribe | None = None, base: str = "") -> Any:
    """The View page: ``?series=<key or UID>&stack=<number>``."""
    words = asked()
    series, stack = (words.get(name, [""])[0] for name in ("series", "stack"))
    shown = SeriesPage(archive, series, int(stack) if stack.isdecimal() else 0, base)
    pn.state.onload(shown.read_header)
    follow(subscribe, shown.read, shown.put)
    return shell("View – pacs_panel", [shown.main], [shown.details], sidebar_width=320)


def asked() -> dict[str, list[str]]:
    """What the page's address asks."""
    return {name: [v.decode("utf-8", "replace") for v in values] for name, values in pn.state.session_args.items()}


def background() -> Later:
    """Read in a thread of the session's own, and show in its page; without a session, at once."""
    document = pn.state.curdoc
    if document is None or document.session_context is None:
        return at_once
    reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="counts")
    pn.state.on_session_destroyed(lambda _context: reader.shutdown(wait=False, cancel_futures=True))

    def work(steps: Steps, show: Show) -> None:
        try:
            for found in steps():
                document.add_next_tick_callback(partial(show, found))
        except Exception:  # nobody waits for this thread's answer
            log.exception("a page could not be filled")

    return lambda steps, show: (reader.submit(work, steps, show), None)[1]
