"""The page of charts as a server gives it: each call makes one session's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import panel as pn

from pacs_panel.view.browse.pages import asked, background
from pacs_panel.view.browse.state import BrowseState
from pacs_panel.view.charts.parts import Summary
from pacs_panel.view.charts.selection import Selection
from pacs_panel.view.page import Subscribe, follow, shell

TITLE = "Charts – pacs_panel"
GONE = {
    "state": "message",
    "title": "This selection is not kept any more",
    "words": "What one page hands to another is forgotten after a while. Choose the series again in Browse.",
    "link": ["browse", "Back to Browse"],
}


def charts_page(
    archive: Any,
    subscribe: Subscribe | None = None,
    *,
    hand_over: Callable[[Any], str] | None = None,
    taken: Callable[[str], Any] | None = None,
) -> Any:
    """The page of charts: of what its address narrows, or of a selection that was handed over (``?chosen=``).

    Parameters
    ----------
    archive : Archive
        As whoever opened the page may see it.
    subscribe : callable, optional
        Has a function called after each change of the archive; what it returns ends that.
    hand_over : callable, optional
        Keeps a search for another page, under a token that it gives.
    taken : callable, optional
        Gives the search of such a token, or ``None``.
    """
    words, state = asked(), BrowseState()
    state.take(words)
    handed = taken(state.given) if state.given and taken else None
    main = pn.Column(waiting(), sizing_mode="stretch_width", margin=0)
    page = shell(TITLE, [main], [])
    if "chosen" in words and handed is None:
        main[:] = [Summary(shown=GONE, sizing_mode="stretch_width", margin=0)]
    else:
        pn.state.onload(partial(_load, page, main, Selection(archive, state, handed, hand_over), subscribe))
    return page


def waiting() -> Summary:
    """What stands on the page while it counts."""
    return Summary(shown={"state": "loading"}, sizing_mode="stretch_width", margin=0)


def _load(page: Any, main: pn.Column, selection: Selection, subscribe: Subscribe | None) -> None:
    """Read and draw, once the page is there."""
    later, words = background(), selection.words()

    def draw() -> Iterator[Any]:
        from pacs_panel.view.charts import board  # only now are HoloViews and pandas imported, if no page did before

        yield board

    def show(board: Any) -> None:
        shown = board.Overview(
            selection.search(),
            base=words,
            browse=selection.browse,
            freeze=selection.freeze,
            dark=page.dark_theme,
            later=later,
        )
        page.param.watch(lambda event: shown.paint(event.new), "dark_theme")
        main[:] = [shown.whole]
        follow(subscribe, lambda: None, lambda _: shown.changed())

    later(draw, show)
