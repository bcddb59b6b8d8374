"""Whether a page can be used by everybody, as far as axe-core can tell: colours, names, roles, structure.

axe-core comes with the package axe-playwright-python; nothing is asked of any other machine.
"""

from __future__ import annotations

from importlib import resources
from typing import Any

LEFT = ("color-contrast-enhanced", "identical-links-same-purpose", "target-size")  # stricter than WCAG 2 AA
LIGHT_AND_DARK = ("light", "dark")


def accessible(page: Any, *left: str) -> None:
    """Assert that axe-core finds nothing wrong with what is shown, save for the rules ``left`` out."""
    found = violations(page, *left)
    assert not found, "\n".join(found)


def violations(page: Any, *left: str) -> list[str]:
    """What axe-core finds wrong, each with where it is."""
    if not page.evaluate("typeof window.axe === 'object'"):
        page.evaluate(resources.files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8"))
    page.evaluate(STILL)
    rules = {rule: {"enabled": False} for rule in (*LEFT, *left)}
    answer = page.evaluate("rules => axe.run(document, { rules, resultTypes: ['violations'] })", rules)
    return [
        f"{found['id']}: {found['help']}: {node['html'][:200]} at {node['target']}: {node.get('failureSummary', '')}"
        for found in answer["violations"]
        for node in found["nodes"]
    ]


# Colours are those at the end of every transition.
STILL = """() => Promise.all(document.getAnimations().filter(one => one.effect?.getTiming().iterations !== Infinity)
    .map(one => one.finished.catch(() => null)))"""


def in_theme(page: Any, address: str, theme: str) -> None:
    """Have pages of an address drawn in ``light`` or ``dark``, as the switch of the bar does."""
    page.context.add_cookies([{"name": "theme", "value": theme, "url": address}])
