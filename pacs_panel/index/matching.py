"""Criteria in memory: the twin of `pacs_panel.index.clauses.where`, for rows and values that are there already."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from pacs_panel.attributes import AGE, ATTRIBUTES, KEYS, Attribute
from pacs_panel.index.criteria import Between, Criteria, Criterion, Equal, Groups, Like, Missing, Test
from pacs_panel.index.values import EXACT, MULTIPLE, Value, fold, name_groups, several, words, years


def matches(asked: Criteria, row: Mapping[str, Value]) -> bool:
    """Whether a row, keyword to value, meets criteria on its own level and those above."""
    return all(_meets(c, _value(row, c.keyword)) for c in asked.wanted) and _has_words(asked.text, row)


def _value(row: Mapping[str, Value], keyword: str) -> Value:
    """A row calls the key of its own level ``key``."""
    return row.get(keyword, row.get("key")) if keyword in KEYS else row.get(keyword)


def _meets(criterion: Criterion, value: Value) -> bool:
    return any(_holds(criterion.attribute, test, value) for test in criterion.tests)


def _holds(attribute: Attribute, test: Test, value: Value) -> bool:
    if value is None or isinstance(test, Missing):
        return value is None and isinstance(test, Missing)
    if attribute.number and isinstance(value, str):
        return any(_holds(attribute, test, one) for one in several(attribute, value))
    if attribute.vr == AGE:
        value = years(value) if isinstance(value, str) else value
    if isinstance(test, Groups):
        return all(_holds(attribute, part, value) for part in test.parts)
    if isinstance(test, Between):
        return (test.low is None or test.low <= value) and (test.high is None or value <= test.high)  # type: ignore[operator]
    if attribute.measured or attribute.vr in EXACT:
        return isinstance(test, Equal) and value == test.value
    return _holds_text(attribute, test, str(value))


def holds(attribute: Attribute, test: Test, folded: Value) -> bool:
    """Whether a test holds for a value that is folded already, where it is text, and not a person's name."""
    if isinstance(test, Equal | Like) and not (folded is None or attribute.measured or attribute.vr in EXACT):
        return _holds_folded(attribute, test, str(folded))
    return _holds(attribute, test, folded)


def _holds_text(attribute: Attribute, test: Equal | Like, value: str) -> bool:
    if attribute.vr == "PN":
        return any(_is(test, text) for text in name_groups(value) if text is not None)
    return _holds_folded(attribute, test, fold(value))


def _holds_folded(attribute: Attribute, test: Equal | Like, folded: str) -> bool:
    if attribute.keyword not in MULTIPLE:
        return _is(test, folded)
    if isinstance(test, Equal):
        return f"\\{test.value}\\" in f"\\{folded}\\"
    return any(_is(test, text) for text in folded.split("\\"))


def _is(test: Equal | Like, text: str) -> bool:
    return text == test.value if isinstance(test, Equal) else _expression(test.pattern).fullmatch(text) is not None


@lru_cache
def _expression(pattern: str) -> re.Pattern[str]:
    first, *rest = (re.escape(part).replace(r"\?", ".") for part in re.split(r"\*+", pattern))
    if not rest:
        return re.compile(first, re.DOTALL)
    # Atomic groups: each part is taken where it fits first, and never tried elsewhere.
    middle = "".join(f"(?>.*?{part})" for part in rest[:-1] if part)
    return re.compile(f"{first}{middle}.*{rest[-1]}", re.DOTALL)


def _has_words(asked: tuple[str, ...], row: Mapping[str, Value]) -> bool:
    if not asked:
        return True
    *whole, beginning = asked
    found = set(words(row.get(a.keyword) for a in ATTRIBUTES if a.text))
    return found.issuperset(whole) and any(word.startswith(beginning) for word in found)
