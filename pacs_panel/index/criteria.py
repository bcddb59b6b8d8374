"""What a search asks for, as a value: DICOM attribute matching (PS3.4 §C.2.2.2) and free text.

A value may be given as

- one value, matched without regard to case where it is text; a person's name matches by any of its component groups;
- text with wildcards ``*`` and ``?``, except for UIDs, dates, times and numbers;
- several values, of which any may match: a list, or text with backslashes; in a list ``None`` stands for "missing";
- a range, ends included: ``"20250101-20250630"``, ``"20250101-"``, ``"-20250630"``, or a pair ``(low, high)`` with
  ``None`` for an open end. Dates and times may be shortened: ``"2025"`` is the whole year, ``"2025-"`` from then on;
- ``'""'``: the attribute is missing (PS3.4, empty value matching);
- ``None``, ``""``, ``"*"`` or an empty list: anything (universal matching).

Where an attribute holds several values, any of them may match. A criterion on an attribute of a lower level means:
there is a study, series or instance below that meets all criteria of its level. ``text=`` looks for words in the
attributes marked so in `pacs_panel.attributes`, of one series and what is above it; the last word may be the beginning
of one.
"""

from __future__ import annotations

import datetime
import difflib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from pacs_panel.attributes import ATTRIBUTES, BY_KEYWORD, LEVELS, Attribute, Level
from pacs_panel.errors import BadQuery
from pacs_panel.index.values import EXACT, MULTIPLE, Value, fold, name_groups, words

LONGEST = 1024  # characters of one asked value
MOST_PATTERNS = 100  # values with wildcards in one list
MISSING = '""'


@dataclass(frozen=True, slots=True)
class Equal:
    """The value, folded where it is text."""

    value: str | int | float


@dataclass(frozen=True, slots=True)
class Like:
    """A folded pattern with wildcards ``*`` and ``?``."""

    pattern: str


@dataclass(frozen=True, slots=True)
class Between:
    """A range with both ends included; ``None`` is open."""

    low: str | int | float | None
    high: str | int | float | None


@dataclass(frozen=True, slots=True)
class Missing:
    """The attribute has no value."""


@dataclass(frozen=True, slots=True)
class Groups:
    """A person's name asked for with several component groups: each must match."""

    parts: tuple[Equal | Like, ...]


Test = Equal | Like | Between | Missing | Groups


@dataclass(frozen=True, slots=True)
class Criterion:
    """One attribute and the tests of which any must hold."""

    keyword: str
    tests: tuple[Test, ...]

    @property
    def attribute(self) -> Attribute:
        """The row of the table of attributes."""
        return BY_KEYWORD[self.keyword]


@dataclass(frozen=True, slots=True)
class Criteria:
    """What a search asks for: all of ``wanted``, and all words of ``text``, the last of which may be a beginning."""

    level: Level
    wanted: tuple[Criterion, ...] = ()
    text: tuple[str, ...] = ()

    def without(self, keyword: str) -> Criteria:
        """The same but for what it asks of one attribute."""
        return replace(self, wanted=tuple(c for c in self.wanted if c.keyword != keyword))


def criteria(level: Level = "series", **keywords: object) -> Criteria:
    """What ``keywords`` ask for, checked.

    Parameters
    ----------
    level : str
        ``patient``, ``study``, ``series`` or ``instance``.
    **keywords
        DICOM keywords and what they must match; ``text`` for free text.

    Raises
    ------
    BadQuery
        Unknown level or attribute, or a value that does not fit it. The message does not repeat the value.
    """
    if level not in LEVELS:
        raise BadQuery(f"unknown level {level!r}: one of {', '.join(LEVELS)}")
    text = keywords.pop("text", None)
    wanted = []
    for keyword, value in keywords.items():
        tests = _tests(known(keyword), value)
        if tests:
            wanted.append(Criterion(keyword, tests))
    return Criteria(level, tuple(wanted), _text(text))


def known(keyword: str) -> Attribute:
    """The attribute of that keyword; `BadQuery` names similar ones where there is none."""
    attribute = BY_KEYWORD.get(keyword)
    if attribute is None:
        near = difflib.get_close_matches(keyword, BY_KEYWORD, cutoff=0.5)
        near = near or [a.keyword for a in ATTRIBUTES if a.keyword.lower() == keyword.lower()]
        raise BadQuery(f"unknown attribute {keyword!r}" + (f": did you mean {' or '.join(near)}?" if near else ""))
    return attribute


def _text(text: object) -> tuple[str, ...]:
    if text is None:
        return ()
    if not isinstance(text, str) or len(text) > LONGEST:
        raise BadQuery(f"text: give words, at most {LONGEST} characters")
    return words([text])


def _tests(attribute: Attribute, value: object) -> tuple[Test, ...]:
    pair = isinstance(value, tuple) and len(value) == 2
    if pair and (attribute.number or attribute.vr in ("DA", "TM")):
        return _range(attribute, value[0], value[1])  # type: ignore[index]
    if isinstance(value, str):
        if len(value) > LONGEST:
            raise BadQuery(f"{attribute.keyword}: at most {LONGEST} characters")
        parts: list[object] = [part for part in value.split("\\") if part.strip()]
    elif isinstance(value, Iterable) and not isinstance(value, bytes | Mapping):
        parts = [part for part in value if part != ""]
    else:
        parts = [] if value is None else [value]
    tests = [_test(attribute, part) for part in parts]
    if None in tests:
        return ()
    if sum(isinstance(test, Like | Groups) for test in tests) > MOST_PATTERNS:
        raise BadQuery(f"{attribute.keyword}: at most {MOST_PATTERNS} values with wildcards")
    return tuple(dict.fromkeys(test for test in tests if test is not None))


def _test(attribute: Attribute, value: object) -> Test | None:
    """What one value asks; ``None`` for anything."""
    if value is None or value == MISSING:
        return Missing()
    if attribute.number:
        return _number_test(attribute, value)
    if attribute.vr in ("DA", "TM"):
        return _moment_test(attribute, value)
    if not isinstance(value, str):
        raise BadQuery(f"{attribute.keyword}: give text")
    value = value.encode("utf-8", "replace").decode().replace("\0", "").strip()
    if len(value) > LONGEST:
        raise BadQuery(f"{attribute.keyword}: at most {LONGEST} characters")
    if attribute.vr == "UI":
        if "*" in value or "?" in value:
            raise BadQuery(f"{attribute.keyword}: a UID has no wildcards; give it whole")
        return Equal(value)
    if not value.strip("*"):
        return None
    if attribute.vr != "PN":
        return _text_test(fold(value))
    parts = tuple(_text_test(group) for group in name_groups(value) if group is not None and group.strip("*"))
    return Groups(parts) if len(parts) > 1 else parts[0] if parts else None


def _text_test(folded: str) -> Equal | Like:
    return Like(folded) if "*" in folded or "?" in folded else Equal(folded)


# -- numbers -----------------------------------------------------------------------------------------------------------

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_NUMBERS = re.compile(rf"\s*({_NUMBER})\s*-\s*({_NUMBER})?\s*")


def _number_test(attribute: Attribute, value: object) -> Test:
    if isinstance(value, str) and (found := _NUMBERS.fullmatch(value)):
        return Between(_number(attribute, found[1]), None if found[2] is None else _number(attribute, found[2]))
    return Equal(_number(attribute, value))


def _number(attribute: Attribute, value: object) -> int | float:
    try:
        number = float(value) if not isinstance(value, bool) else math.nan  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise BadQuery(f"{attribute.keyword}: give a number, a range such as 1-5, or a pair (low, high)")
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


# -- dates and times ---------------------------------------------------------------------------------------------------

_ISO = {"DA": re.compile(r"(\d{4})-(\d\d)-(\d\d)"), "TM": re.compile(r"(\d\d):(\d\d)(?::(\d\d(?:\.\d{1,6})?))?")}
_PART = {"DA": re.compile(r"\d{4}(\d\d(\d\d)?)?"), "TM": re.compile(r"\d\d(\d\d(\d\d(\.\d{1,6})?)?)?")}
_FORM = {"DA": "YYYYMMDD", "TM": "HHMMSS"}
_AFTER = "~"  # sorts behind digits and dot: "2025~" lies behind all of 2025


def _moment_test(attribute: Attribute, value: object) -> Test:
    if isinstance(value, str):
        text = value.strip()
        if not _ISO[attribute.vr].fullmatch(text) and "-" in text:
            low, _, high = text.partition("-")
            if not (low or high):
                raise BadQuery(f"{attribute.keyword}: a range needs a start or an end")
            return _range(attribute, low or None, high or None)[0]
    moment = _moment(attribute, value)
    if attribute.vr == "DA" and len(moment) == 8:
        return Equal(moment)
    return Between(_low(attribute, moment), moment + _AFTER)


def _range(attribute: Attribute, low: object, high: object) -> tuple[Test, ...]:
    """The test for a range; none where both ends are open."""
    read = _number if attribute.number else _moment
    start, end = (None if each in (None, "") else read(attribute, each) for each in (low, high))
    if start is None and end is None:
        return ()
    if attribute.number:
        return (Between(start, end),)
    return (Between(None if start is None else _low(attribute, str(start)), None if end is None else f"{end}{_AFTER}"),)


def _moment(attribute: Attribute, value: object) -> str:
    vr = attribute.vr
    if isinstance(value, datetime.date) and vr == "DA":
        return f"{value.year:04}{value.month:02}{value.day:02}"
    if isinstance(value, datetime.time) and vr == "TM":
        return value.strftime("%H%M%S")
    text = value.strip() if isinstance(value, str) else ""
    if iso := _ISO[vr].fullmatch(text):
        text = "".join(part for part in iso.groups() if part)
    if not text.isascii() or not _PART[vr].fullmatch(text):
        raise BadQuery(f"{attribute.keyword}: give {_FORM[vr]} or its beginning, or a range with a hyphen")
    return text


def _low(attribute: Attribute, moment: str) -> str:
    """Where a range starts among stored values, which may be shortened: ``12`` is noon as much as ``120000``."""
    return moment.rstrip("0").rstrip(".").rstrip("0") if attribute.vr == "TM" else moment


# -- the same in memory ------------------------------------------------------------------------------------------------


def matches(asked: Criteria, row: Mapping[str, Value]) -> bool:
    """Whether a row, keyword to value, meets criteria on its own level and those above.

    The twin of `pacs_panel.index.clauses.where`, for rows that are in memory already.
    """
    return all(_meets(c, row.get(c.keyword)) for c in asked.wanted) and _has_words(asked.text, row)


def _meets(criterion: Criterion, value: Value) -> bool:
    return any(_holds(criterion.attribute, test, value) for test in criterion.tests)


def _holds(attribute: Attribute, test: Test, value: Value) -> bool:
    if value is None or isinstance(test, Missing):
        return value is None and isinstance(test, Missing)
    if isinstance(test, Groups):
        return all(_holds(attribute, part, value) for part in test.parts)
    if isinstance(test, Between):
        return (test.low is None or test.low <= value) and (test.high is None or value <= test.high)  # type: ignore[operator]
    if attribute.number or attribute.vr in EXACT:
        return isinstance(test, Equal) and value == test.value
    return _holds_text(attribute, test, str(value))


def holds(attribute: Attribute, test: Test, folded: Value) -> bool:
    """Whether a test holds for a value that is folded already, where it is text, and not a person's name."""
    if isinstance(test, Equal | Like) and not (folded is None or attribute.number or attribute.vr in EXACT):
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
