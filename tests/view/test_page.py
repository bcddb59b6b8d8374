"""What every page has."""

from __future__ import annotations

import gc
import weakref

from panel.io.state import state

from pacs_panel.view.page import shell


def _followers() -> int:
    return len(state.param.watchers["busy"]["value"])


def test_a_page_does_not_follow_what_other_sessions_do() -> None:
    before = _followers()
    page = shell("Archive", main=[], sidebar=[])
    assert _followers() == before
    assert page.busy is False


def test_a_page_that_is_gone_is_not_kept() -> None:
    page = shell("Archive", main=[], sidebar=[])
    gone = weakref.ref(page)
    del page
    gc.collect()
    assert gone() is None
