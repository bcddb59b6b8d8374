"""What a person is looking for: one small state that the parts of the Browse page share."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

import param

FACETS = {
    "Modality": "Modality",
    "BodyPartExamined": "Body part",
    "Collection": "Collection",
    "Kind": "Kind",
}
SORTABLE = ("PatientName", "StudyDate", "Modality", "BodyPartExamined", "SeriesDescription", "received")
FIRST_ORDER = ("StudyDate", "desc")
NONE = "~"  # stands in an address for "has no value"


class BrowseState(param.Parameterized):
    """Filters, order, and place in the list.

    Values may be set from any side: by hand on the page, from an address, or in a notebook.
    """

    text = param.String(default="", doc="Words that may stand anywhere. Never part of an address.")
    since = param.String(default="", doc="First study date, as ``2025-01-31``.")
    until = param.String(default="", doc="Last study date.")
    chosen = param.Dict(default={}, doc="Keyword to tuple of values of which any may match; `None` is no value.")
    order = param.Tuple(default=FIRST_ORDER, length=2, doc="Keyword, and `asc` or `desc`.")
    marks = param.Parameter(default=(), doc="Where each page after the first begins, up to the one shown.")

    def criteria(self) -> dict[str, Any]:
        """What to search by: keywords for `archive.search`."""
        asked: dict[str, Any] = {keyword: list(values) for keyword, values in self.chosen.items() if values}
        if self.since or self.until:
            low, high = (_compact(date) for date in (self.since, self.until))
            asked["StudyDate"] = f"{low}-{high}"
        if self.text.strip():
            asked["text"] = self.text
        return asked

    def narrow(self, **values: Any) -> None:
        """Change what is looked for, and go back to the first page."""
        self.param.update(**values, marks=())

    def toggle(self, keyword: str, value: str | None) -> None:
        """Choose a value of a facet, or no longer."""
        if keyword not in FACETS:
            return
        old = self.chosen.get(keyword, ())
        new = tuple(v for v in old if v != value) if value in old else (*old, value)
        chosen = {**self.chosen, keyword: new}
        self.narrow(chosen={keyword: values for keyword, values in chosen.items() if values})

    def sort(self, keyword: str) -> None:
        """Order by a keyword; the second time, the other way round."""
        if keyword in SORTABLE:
            turned = self.order == (keyword, "asc")
            self.narrow(order=(keyword, "desc" if turned else "asc"))

    def clear(self) -> None:
        """Look for everything."""
        self.narrow(text="", since="", until="", chosen={})

    def address(self) -> list[tuple[str, str]]:
        """The part of an address that brings this back: what is said about studies, never about a patient."""
        pairs = [(k, NONE if v is None else str(v)) for k, values in self.chosen.items() for v in values]
        pairs += [(name, getattr(self, name)) for name in ("since", "until") if getattr(self, name)]
        if self.order != FIRST_ORDER:
            pairs.append(("order", "-".join(self.order)))
        return pairs

    def take(self, address: Mapping[str, Sequence[str]]) -> None:
        """Be what an address says; what makes no sense in it is left out."""
        chosen = {k: tuple(None if v == NONE else v for v in address[k]) for k in FACETS if address.get(k)}
        dates = {name: checked_date(address[name][0]) for name in ("since", "until") if address.get(name)}
        keyword, _, direction = next(iter(address.get("order", ())), "").partition("-")
        ordered = keyword in SORTABLE and direction in ("asc", "desc")
        self.narrow(chosen=chosen, **dates, **({"order": (keyword, direction)} if ordered else {}))

    def narrowed(self) -> list[dict[str, Any]]:
        """What the list is narrowed by, each as ``name``, ``value`` and words."""
        chips: list[dict[str, Any]] = []
        if self.text.strip():
            chips.append({"name": "text", "value": "", "words": f"“{self.text.strip()}”"})
        for name, words in (("since", "from"), ("until", "until")):
            if value := getattr(self, name):
                chips.append({"name": name, "value": "", "words": f"{words} {value}"})
        for keyword, values in self.chosen.items():
            none = f"no {FACETS[keyword].lower()}"
            chips += [{"name": keyword, "value": v, "words": none if v is None else str(v)} for v in values]
        return chips


def checked_date(text: str) -> str:
    """A date as ``2025-01-31``; empty where it is none."""
    try:
        return datetime.date.fromisoformat(text).isoformat()
    except ValueError:
        return ""


def _compact(date: str) -> str:
    return date.replace("-", "")
