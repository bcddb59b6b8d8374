"""What a person is looking for: one small state that the parts of the Browse page share, and other pages can be in."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import param

from pacs_panel.attributes import BY_KEYWORD
from pacs_panel.view.browse.columns import columns, sortable
from pacs_panel.view.browse.facets import FACETS

FIRST_ORDER = ("StudyDate", "desc")
NONE = "~"  # stands in an address for "has no value"
TO = ".."  # between the ends of a range in an address
LEVELS = ("series", "study")
MATCHING = ("any", "all")  # of a study: some series of it matches, or each
SIZES = (25, 50, 100)
MOST_MARKS = 20  # pages back that an address remembers
LONGEST_TEXT = 200
_MARK = re.compile(r"[0-9A-Za-z]{1,64}")
_TOKEN = re.compile(r"[\w-]{1,64}", re.ASCII)

Range = tuple[str, str]


class BrowseState(param.Parameterized):
    """Filters, order, and place in the list.

    Values may be set from any side: by hand on the page, from an address, or in a notebook.
    """

    level: str = param.Selector(default="series", objects=list(LEVELS), doc="What is a row.")  # type: ignore[assignment]
    matching: str = param.Selector(default="any", objects=list(MATCHING), doc="Which series of a study must match.")  # type: ignore[assignment]
    text = param.String(default="", doc="Words that may stand anywhere. Never part of an address.")
    since = param.String(default="", doc="First study date, as ``2025-01-31``.")
    until = param.String(default="", doc="Last study date.")
    chosen = param.Dict(default={}, doc="Keyword to tuple of values of which any may match; `None` is no value.")
    ranges = param.Dict(default={}, doc="Keyword to first and last value as text; empty for an open end.")
    given = param.String(default="", doc="Token of a selection that another page handed over.")
    order = param.Tuple(default=FIRST_ORDER, length=2, doc="Keyword, and `asc` or `desc`.")
    rows: int = param.Selector(default=SIZES[0], objects=list(SIZES), doc="Rows of a page.")  # type: ignore[assignment]
    columns = param.Parameter(default=(), doc="Names of the columns shown; none for the usual ones.")
    marks = param.Parameter(default=(), doc="Where each page after the first begins, up to the one shown.")
    skipped = param.Integer(default=0, doc="Pages before the first of `marks`, as an address told.")

    def criteria(self) -> dict[str, Any]:
        """What to search by: keywords for `archive.search`."""
        asked: dict[str, Any] = {keyword: list(values) for keyword, values in self.chosen.items() if values}
        asked |= {keyword: _asked(keyword, ends) for keyword, ends in self.ranges.items()}
        if self.since or self.until:
            asked["StudyDate"] = _asked("StudyDate", (self.since, self.until))
        if self.text.strip():
            asked["text"] = self.text
        return asked

    # -- changing ------------------------------------------------------------------------------------------------------

    def narrow(self, **values: Any) -> None:
        """Change what is looked for, and go back to the first page."""
        self.param.update(**values, marks=(), skipped=0)

    def toggle(self, keyword: str, value: str | float | None) -> None:
        """Choose a value of a facet, or no longer."""
        if keyword not in FACETS or FACETS[keyword].kind != "values":
            return
        old = self.chosen.get(keyword, ())
        self.choose(keyword, tuple(v for v in old if v != value) if value in old else (*old, value))

    def choose(self, keyword: str, values: Sequence[Any]) -> None:
        """Choose exactly these values of a facet."""
        if keyword in FACETS:
            chosen = {**self.chosen, keyword: tuple(values)}
            self.narrow(chosen={keyword: some for keyword, some in chosen.items() if some})

    def limit(self, keyword: str, low: str, high: str) -> None:
        """Narrow by a range of a facet; without ends, no longer."""
        if keyword == "StudyDate":
            self.narrow(since=checked_date(low), until=checked_date(high))
        elif keyword in FACETS and FACETS[keyword].kind != "values":
            ends = _checked(keyword, low, high)
            others = {name: known for name, known in self.ranges.items() if name != keyword}
            self.narrow(ranges=others | ({keyword: ends} if any(ends) else {}))

    def drop(self, name: str, value: Any = None) -> None:
        """Take back one of the things that the list is narrowed by, as `narrowed` names them."""
        if name in ("text", "since", "until", "given"):
            self.narrow(**{name: ""})
        elif name in self.ranges:
            self.limit(name, "", "")
        else:
            self.toggle(name, value)

    def sort(self, keyword: str) -> None:
        """Order by a keyword; the second time, the other way round."""
        if keyword in sortable(self.level):
            turned = self.order == (keyword, "asc")
            self.narrow(order=(keyword, "desc" if turned else "asc"))

    def unfold(self, level: str) -> None:
        """Make studies or series the rows."""
        if level in LEVELS:
            order = self.order if self.order[0] in sortable(level) else FIRST_ORDER
            self.narrow(level=level, order=order, columns=())

    def match(self, matching: str) -> None:
        """Have studies listed of which any series matches, or all do."""
        if matching in MATCHING:
            self.narrow(matching=matching)

    @property
    def strict(self) -> bool:
        """Whether studies are listed, and only those whose series all match."""
        return self.level == "study" and self.matching == "all"

    def clear(self) -> None:
        """Look for everything."""
        self.narrow(text="", since="", until="", chosen={}, ranges={}, given="", matching="any")

    def turn(self, by: int, following: str | None = None) -> None:
        """Go a page on, to the one that begins after ``following``; or one back; or (0) to the first."""
        if by > 0 and following:
            self.marks = (*self.marks, following)
        elif by < 0 and len(self.marks) > 1:
            self.marks = self.marks[:-1]
        else:
            self.param.update(marks=(), skipped=0)

    @property
    def page(self) -> int:
        """Number of the page shown, from 0."""
        return self.skipped + len(self.marks)

    # -- addresses -----------------------------------------------------------------------------------------------------

    def address(self) -> list[tuple[str, str]]:
        """The part of an address that brings this back, save for `private`: never what could name a patient."""
        open_to_all = {k: values for k, values in self.chosen.items() if not FACETS[k].private}
        pairs = [(k, NONE if v is None else _spelled(v)) for k, values in open_to_all.items() for v in values]
        pairs += [(k, TO.join(ends)) for k, ends in self.ranges.items()]
        pairs += [(name, getattr(self, name)) for name in ("since", "until") if getattr(self, name)]
        pairs += [("chosen", self.given)] if self.given else []
        pairs += [("level", self.level)] if self.level != LEVELS[0] else []
        pairs += [("matching", self.matching)] if self.strict else []
        pairs += [("order", "-".join(self.order))] if self.order != FIRST_ORDER else []
        pairs += [("columns", ".".join(self.columns))] if self.columns else []
        pairs += [("rows", str(self.rows))] if self.rows != SIZES[0] else []
        if self.marks:
            kept = self.marks[-MOST_MARKS:]
            skipped = self.skipped + len(self.marks) - len(kept)
            pairs += [("after", ".".join(kept)), *([("skipped", str(skipped))] if skipped else [])]
        return pairs

    def private(self) -> dict[str, Any]:
        """What an address must not hold: typed words, and values that somebody typed."""
        chosen = {keyword: list(values) for keyword, values in self.chosen.items() if FACETS[keyword].private}
        return {**({"text": self.text} if self.text.strip() else {}), **({"chosen": chosen} if chosen else {})}

    def take(self, address: Mapping[str, Sequence[str]], private: Mapping[str, Any] | None = None) -> None:
        """Be what an address, and what was kept besides, say; what makes no sense in them is left out."""
        first = {name: values[0] for name, values in address.items() if values}
        level = first.get("level") if first.get("level") in LEVELS else LEVELS[0]
        keyword, _, direction = first.get("order", "").partition("-")
        ordered = keyword in sortable(str(level)) and direction in ("asc", "desc")
        known = {column.name for column in columns(str(level))}
        self.param.update(
            **self._facets(address),
            level=level,
            matching="all" if first.get("matching") == "all" else "any",
            since=checked_date(first.get("since", "")),
            until=checked_date(first.get("until", "")),
            given=_matching(_TOKEN, first.get("chosen", "")),
            order=(keyword, direction) if ordered else FIRST_ORDER,
            columns=tuple(name for name in first.get("columns", "").split(".") if name in known),
            rows=_one_of(SIZES, first.get("rows", "")),
            marks=tuple(mark for mark in first.get("after", "").split(".") if _matching(_MARK, mark)),
            skipped=min(int(first["skipped"]), 10**6) if first.get("skipped", "").isdecimal() else 0,
            text="",
        )
        self._take_private(private or {})

    def _facets(self, address: Mapping[str, Sequence[str]]) -> dict[str, Any]:
        chosen: dict[str, Any] = {}
        ranges: dict[str, Range] = {}
        for keyword, facet in FACETS.items():
            if not (values := address.get(keyword)) or facet.private:
                continue
            if facet.kind == "values":
                chosen[keyword] = tuple(None if v == NONE else _read(keyword, v) for v in values)
            elif any(ends := _checked(keyword, *[*values[0].split(TO), ""][:2])):
                ranges[keyword] = ends
        return {"chosen": chosen, "ranges": ranges}

    def _take_private(self, kept: Mapping[str, Any]) -> None:
        text, chosen = kept.get("text"), kept.get("chosen")
        more = chosen if isinstance(chosen, Mapping) else {}
        typed = {k: tuple(v) for k, v in more.items() if k in FACETS and FACETS[k].private and isinstance(v, list)}
        if isinstance(text, str) or typed:
            self.param.update(text=str(text or "")[:LONGEST_TEXT], chosen={**self.chosen, **typed})

    # -- words ---------------------------------------------------------------------------------------------------------

    def narrowed(self) -> list[dict[str, Any]]:
        """What the list is narrowed by, each as ``name``, ``value`` and words."""
        chips: list[dict[str, Any]] = []
        if self.given:
            chips.append({"name": "given", "value": "", "words": "a selection"})
        if self.text.strip():
            chips.append({"name": "text", "value": "", "words": f"“{self.text.strip()}”"})
        for name, words in (("since", "from"), ("until", "until")):
            if value := getattr(self, name):
                chips.append({"name": name, "value": "", "words": f"{words} {value}"})
        for keyword, (low, high) in self.ranges.items():
            chips.append({"name": keyword, "value": "", "words": _range_words(keyword, low, high)})
        for keyword, values in self.chosen.items():
            none = f"no {FACETS[keyword].words.lower()}"
            said = FACETS[keyword].said
            chips += [{"name": keyword, "value": v, "words": none if v is None else said(v)} for v in values]
        return chips


def checked_date(text: str) -> str:
    """A date as ``2025-01-31``; empty where it is none."""
    try:
        return datetime.date.fromisoformat(text).isoformat()
    except ValueError:
        return ""


def _checked(keyword: str, low: str, high: str) -> Range:
    if FACETS[keyword].kind == "dates":
        return checked_date(low), checked_date(high)
    return _checked_number(low), _checked_number(high)


def _checked_number(text: str) -> str:
    try:
        value = float(text)
    except ValueError:
        return ""
    return _spelled(value) if math.isfinite(value) else ""


def _asked(keyword: str, ends: Range) -> Any:
    """A range as a search takes it."""
    if FACETS[keyword].kind == "dates":
        return "-".join(date.replace("-", "") for date in ends)
    low, high = (float(end) if end else None for end in ends)
    return (low, high)


def _range_words(keyword: str, low: str, high: str) -> str:
    facet = FACETS[keyword]
    ends = f"{low} – {high}" if low and high else f"from {low}" if low else f"up to {high}"
    return f"{facet.words} {ends} {facet.unit}".rstrip()


def _read(keyword: str, text: str) -> Any:
    """A value of a facet from an address."""
    return float(number) if BY_KEYWORD[keyword].number and (number := _checked_number(text)) else text


def _spelled(value: Any) -> str:
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _matching(pattern: re.Pattern[str], text: str) -> str:
    return text if pattern.fullmatch(text) else ""


def _one_of(numbers: Sequence[int], text: str) -> int:
    return int(text) if text.isdecimal() and int(text) in numbers else numbers[0]
