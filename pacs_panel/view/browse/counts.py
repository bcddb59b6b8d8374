"""The counts beside a list, in the order in which they are wanted, and as the filters draw them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import batched
from typing import Any

from pacs_panel.view.browse.facets import FACETS, FEW, Counted, Facet, bars
from pacs_panel.view.browse.state import BrowseState

TOGETHER = 4  # facets asked for at once: short enough that rows never wait long
PAUSE = 0.4  # seconds between two drawings of the filters: each is sent whole, and holds up what the user does next
MOST_VALUES = 100_000  # of a range, or where one is looked for


def in_turn(found: Any, open_first: Iterable[str] = ()) -> Iterator[dict[str, Counted]]:
    """Values of all facets with counts, those that are seen first."""
    seen = set(open_first)
    order = sorted(FACETS, key=lambda keyword: keyword not in seen)
    ranges = [keyword for keyword in order if FACETS[keyword].kind != "values"]
    values = [keyword for keyword in order if FACETS[keyword].kind == "values"]
    for some in batched(values, TOGETHER):
        yield found.facets(*some, limit=FEW + 1)
    for keyword in ranges:
        yield found.facets(keyword, limit=MOST_VALUES)


def paced(counted: Iterable[dict[str, Counted]], pause: float = PAUSE) -> Iterator[dict[str, Counted]]:
    """The same with less to draw: what comes within ``pause`` seconds is one step."""
    waiting: dict[str, Counted] = {}
    since = time.monotonic()
    for some in counted:
        waiting |= some
        if time.monotonic() - since >= pause:
            yield waiting
            waiting, since = {}, time.monotonic()
    if waiting:
        yield waiting


def drawn(counted: Mapping[str, Counted], state: BrowseState) -> list[dict[str, Any]]:
    """The facets that have values, or are chosen from."""
    both = [_drawn(FACETS[k], counted[k], state) for k in FACETS if k in counted]
    return [facet for facet in both if facet is not None]


def _drawn(facet: Facet, counted: Counted, state: BrowseState) -> dict[str, Any] | None:
    keyword = facet.keyword
    head = {"keyword": keyword, "words": facet.words, "kind": facet.kind, "unit": facet.unit, "open": facet.open}
    if facet.kind != "values":
        ends = (state.since, state.until) if keyword == "StudyDate" else state.ranges.get(keyword, ("", ""))
        histogram = bars(facet.kind, counted)
        none = dict(counted).get(None, 0)
        few = len(histogram.get("counts", ())) == 0 and not any(ends)
        return None if few else {**head, "ends": list(ends), "bars": histogram, "none": none}
    chosen = state.chosen.get(keyword, ())
    if not chosen and all(value is None for value, _ in counted):
        return None
    return {**head, "values": values(facet, counted[:FEW], chosen), "whole": len(counted) <= FEW}


def values(facet: Facet, counted: Counted, chosen: Iterable[Any] = ()) -> list[dict[str, Any]]:
    """Values as the filters draw them: by count, those without a value last."""
    chosen = tuple(chosen)
    counts = dict(counted) | {value: 0 for value in chosen if value not in dict(counted)}
    ordered = sorted(counts.items(), key=lambda pair: (pair[0] is None, -pair[1]))
    return [{"value": v, "words": facet.said(v), "count": n, "chosen": v in chosen} for v, n in ordered]


def sought(found: Any, keyword: str, words: str, chosen: Iterable[Any]) -> list[dict[str, Any]]:
    """The values of a facet that have words in them, however many values it has."""
    facet, low = FACETS[keyword], words.lower().strip()
    counted = found.facets(keyword, limit=MOST_VALUES)[keyword]
    fitting = [(value, count) for value, count in counted if value is not None and low in facet.said(value).lower()]
    chosen = set(chosen) & {value for value, _ in fitting}
    return values(facet, fitting[:FEW], chosen)
