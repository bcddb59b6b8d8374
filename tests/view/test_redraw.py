"""What is drawn anew under somebody's hands."""

from __future__ import annotations

from typing import Any

import pytest

from pacs_panel.view.browse.parts import SOURCES
from pacs_panel.view.image.bundle import bundle

pytestmark = pytest.mark.browser
DRAW = """
window.clicks = [];
const one = (words) => button(words, () => clicks.push(words), { "data-focus": "it" });
window.draw = (words) => redraw(document.querySelector("main"), one(words));
draw("first");
"""


@pytest.fixture
def drawn(page: Any) -> Any:
    page.set_content("<main></main>")
    page.add_script_tag(content=bundle("elements.js", SOURCES) + DRAW, type="module")
    page.wait_for_function("() => window.draw")
    return page


def test_a_click_is_not_lost_where_something_is_drawn_between_press_and_release(drawn: Any) -> None:
    drawn.get_by_text("first").hover()
    drawn.mouse.down()
    drawn.evaluate("() => { draw('second'); draw('third'); }")
    assert drawn.locator("button").all_text_contents() == ["first"]
    drawn.mouse.up()
    drawn.wait_for_selector("button >> text=third")
    assert drawn.evaluate("() => clicks") == ["first"]


def test_what_is_drawn_by_the_click_itself_stays(drawn: Any) -> None:
    drawn.evaluate("() => document.querySelector('button').addEventListener('click', () => draw('by the click'))")
    drawn.get_by_text("first").hover()
    drawn.mouse.down()
    drawn.evaluate("() => draw('waiting')")
    drawn.mouse.up()
    drawn.wait_for_selector("button >> text=by the click")
    drawn.evaluate("() => new Promise((after) => setTimeout(after))")
    assert drawn.locator("button").all_text_contents() == ["by the click"]


def test_the_keyboard_stays_where_it_was(drawn: Any) -> None:
    drawn.locator("button").focus()
    drawn.evaluate("() => draw('again')")
    drawn.keyboard.press("Enter")
    assert drawn.evaluate("() => clicks") == ["again"]
