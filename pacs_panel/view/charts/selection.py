"""What the page of charts is of, and where it leads when the brushes narrow it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from pacs_panel.attributes import BY_KEYWORD
from pacs_panel.view.browse.facets import FACETS
from pacs_panel.view.browse.state import BrowseState

WHOLE = frozenset({"IS", "US", "DA"})  # of these an address tells a range exactly


@dataclass(frozen=True, slots=True)
class Selection:
    """A search of series: by what an address says and, perhaps, among what another page handed over.

    Attributes
    ----------
    archive : Archive
    state : BrowseState
    handed : Search, optional
    hand_over : callable, optional
        Keeps a search for another page; gives its token.
    """

    archive: Any
    state: BrowseState
    handed: Any = None
    hand_over: Callable[[Any], str] | None = None

    def search(self, brushed: Mapping[str, Any] | None = None) -> Any:
        """The series, or those of them that meet brushed criteria, too; lazily."""
        found = self.archive.search("series", **self.state.criteria())
        if self.handed is not None:
            found = _both(found, self.handed)
        return _both(found, self.archive.search("series", **brushed)) if brushed else found

    def words(self) -> list[str]:
        """By what it is narrowed, before any brush."""
        return [chip["words"] for chip in self.state.narrowed()]

    def browse(self, brushed: Mapping[str, Any]) -> str | None:
        """The address at which Browse lists them: in words where an address can say it, else by a token."""
        told = _address(self.state, brushed) if self.handed is None else None
        if told is not None:
            return f"browse?{urlencode(told)}" if told else "browse"
        if not brushed:
            return f"browse?{urlencode(self.state.address())}"
        if self.hand_over is None:
            return None
        return f"browse?{urlencode({'chosen': self.hand_over(self.search(brushed))})}"

    def freeze(self, brushed: Mapping[str, Any], name: str) -> None:
        """Keep them under a name, for good."""
        self.search(brushed).freeze(name)


def _both(found: Any, other: Any) -> Any:
    """What meets the criteria of two searches."""
    both = {name: getattr(found.criteria, name) + getattr(other.criteria, name) for name in ("wanted", "text")}
    return replace(found, criteria=replace(found.criteria, **both))


def _address(state: BrowseState, brushed: Mapping[str, Any]) -> list[tuple[str, str]] | None:
    """``None`` where an address cannot say it."""
    there = BrowseState()
    there.param.update(since=state.since, until=state.until, chosen=state.chosen, ranges=state.ranges)
    for keyword, values in brushed.items():
        facet = FACETS.get(keyword)
        if facet is None or facet.private:
            return None
        if facet.kind == "values":
            there.choose(keyword, values)
            continue
        span = str(values[0]).split("-")
        if len(values) > 1 or len(span) != 2 or BY_KEYWORD[keyword].vr not in WHOLE:
            return None
        there.limit(keyword, *(_spelled(facet.kind, end) for end in span))
    return there.address()


def _spelled(kind: str, end: str) -> str:
    return f"{end[:4]}-{end[4:6]}-{end[6:]}" if kind == "dates" else end
