"""What every page has: the dark bar, light or dark below it, and the line on what it is for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any

import panel as pn
from panel.util.parameters import edit_readonly
from panel_material_ui.template.base import Page

from pacs_panel.view.browse.parts import Memory, Navigation

RESEARCH = "Research use only – not for diagnosis"
BAR = "#16181b"
BREAKS = {"values": {"xs": 0, "sm": 820, "md": 1000, "lg": 1200, "xl": 1536}}  # below sm the side lies over the page
THEME = {
    "light": {
        "breakpoints": BREAKS,
        "palette": {"primary": {"main": BAR}, "background": {"default": "#ffffff", "paper": "#ffffff"}},
    },
    "dark": {
        "breakpoints": BREAKS,
        "palette": {"primary": {"main": BAR}, "background": {"default": "#121316", "paper": "#16181b"}},
    },
}
LOOK = {
    ".MuiAppBar-root": {"backgroundColor": BAR, "backgroundImage": "none", "color": "#e6e8ea", "boxShadow": "none"},
    ".MuiLinearProgress-root": {"display": "none"},  # drawn although there is no busy indicator, and room left for it
    ".MuiToolbar-root": {"margin": 0},
    ".MuiToolbar-root > .MuiTypography-h5": {"visibility": "hidden"},  # keeps room, and would be an empty heading
    ".MuiDrawer-paper": {"backgroundImage": "none"},
}
NOTE = f"<p>{RESEARCH.replace(' – ', '<span> – ')}</span></p>"
NOTE_LOOK = """p { margin: 0; font: 13px/1.3 Roboto, system-ui, sans-serif; color: #d9b876; white-space: nowrap }
@media (width < 760px) { span { display: none } }"""

PAGES = {
    "browse": "Browse",
    "charts": "Charts",
    "cohorts": "Cohorts",
    "pull": "Pull",
    "activity": "Activity",
}  # that lead to one another, in this order

Subscribe = Callable[[Callable[[], None]], Callable[[], None]]


def shell(title: str, main: Sequence[Any], sidebar: Sequence[Any], *, sidebar_width: int = 280) -> Page:
    """A page of the dashboard."""
    dark = pn.state.cookies.get("theme") == "dark"
    memory = Memory(width=0, height=0, margin=0)
    page = Page(
        title="pacs_panel",
        meta_title=title,
        site_url="browse",
        main=list(main),
        sidebar=list(sidebar),
        header=[pn.pane.HTML(NOTE, margin=(0, 12), align="center", stylesheets=[NOTE_LOOK]), memory],
        sidebar_width=sidebar_width,
        sidebar_resizable=False,
        busy_indicator=None,
        dark_theme=dark,
        theme_config=THEME,
        sx=LOOK,
    )
    _stand_alone(page)
    page.param.watch(lambda event: memory.param.update(shown={"theme": "dark" if event.new else "light"}), "dark_theme")
    memory.on_msg(lambda _narrow: page.param.update(sidebar_open=False))
    return page


def navigated(page: Page, here: str, pages: Collection[str]) -> Page:
    """The page, with the ways to the others in its bar: to those of `PAGES` that there are."""
    links = [{"href": name, "words": words, "here": name == here} for name, words in PAGES.items() if name in pages]
    if len(links) > 1:
        page.header = [Navigation(shown={"links": links}, margin=0, align="center"), *page.header]
    return page


def _stand_alone(page: Page) -> None:
    """Cut a page off from the busy state of the process.

    A Page follows it even without a light that shows it. So each callback of any session would change every other
    session's document from a thread of its own, fail where that one has ended, and keep it in memory for good.
    """
    with edit_readonly(page):
        page.busy = False
    for _, watcher in page._param__private.ref_watchers:  # which param keeps although the reference is gone
        watcher.inst.param.unwatch(watcher)
    page._param__private.ref_watchers = []


def follow(subscribe: Subscribe | None, read: Callable[[], Any], show: Callable[[Any], None]) -> None:
    """Keep an open page up to date: after each change ``read`` in the teller's thread, then ``show`` in the page's.

    Ends when the session does.
    """
    document = pn.state.curdoc
    if subscribe is None or document is None:
        return

    def tell() -> None:
        document.add_next_tick_callback(partial(show, read()))

    unsubscribe = subscribe(tell)
    pn.state.on_session_destroyed(lambda _context: unsubscribe())
