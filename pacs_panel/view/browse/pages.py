"""The two pages as a server gives them: each call makes one session's."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import panel as pn

from pacs_panel.view.browse.browse import Browse
from pacs_panel.view.browse.series import SeriesPage
from pacs_panel.view.page import Subscribe, follow, shell


def browse_page(archive: Any, subscribe: Subscribe | None = None) -> Any:
    """The Browse page. What it is narrowed by stands in its address, save for words and names.

    Parameters
    ----------
    archive : Archive
        As whoever opened the page may see it.
    subscribe : callable, optional
        Has a function called after each change of the archive; what it returns ends that.
    """
    browse = Browse(archive)
    browse.state.take(asked())
    browse.state.param.watch(lambda *_: _write(browse.state.address()), ["since", "until", "chosen", "order"])
    pn.state.onload(browse.count)
    follow(subscribe, browse.read, browse.put)
    return shell("Browse – pacs_panel", [browse.table], [browse.filters])


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


def _write(pairs: list[tuple[str, str]]) -> None:
    if pn.state.location is not None:
        pn.state.location.search = f"?{urlencode(pairs)}" if pairs else ""
