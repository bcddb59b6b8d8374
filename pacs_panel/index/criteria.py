"""What a search asks for, as a value: DICOM attribute matching (PS3.4 §C.2.2.2) and free text.

A value may be given as

- one value, matched without regard to case where it is text; a person's name matches by any of its component groups;
- text with wildcards ``*`` and ``?``, except for UIDs, dates, times and numbers;
- several values, of which any may match: a list, or text with backslashes; in a list ``None`` stands for "missing";
- a range, ends included: ``"20250101-20250630"``, ``"20250101-"``, ``"-20250630"``, or a pair ``(low, high)`` with
  ``None`` for an open end. Dates and times may be shortened: ``"2025"`` is the whole year, ``"2025-"`` from then on;
- an age as DICOM writes it (``"045Y"``) or in years: ``(40, 49.9)``, ``"18-"``, ``"006M-002Y"``;
- ``'""'``: the attribute is missing (PS3.4, empty value matching);
- ``None``, ``""``, ``"*"`` or an empty list: anything (universal matching).

``key=`` asks for exact keys of the rows of the level itself, ``series_key=``, ``study_key=`` and ``patient_key=`` for
those of what a row belongs to or has below it: one, or a list, of which an empty one means none.

Where an attribute holds several values, any of them may match. A criterion on an attribute of a lower level means:
there is a study, series or instance below that meets all criteria of its level; with ``matching="all"``, for which
studies and patients can be asked: each of their series meets all of them. ``text=`` looks for words in the
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

from pacs_panel.attributes import AGE, ATTRIBUTES, BY_KEYWORD, KEYS, LEVELS, Attribute, Level
from pacs_panel.errors import BadQuery
from pacs_panel.index.values import fold, name_groups, words, years

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
        """The row of the table of attributes, or a key."""
        return BY_KEYWORD.get(self.keyword) or KEYS[self.keyword]


@dataclass(frozen=True, slots=True)
class Criteria:
    """What a search asks for: all of ``wanted``, and all words of ``text``, the last of which may be a beginning.

    ``every``: what each series of a study or a patient must meet, as far as it may be seen.
    """

    level: Level
    wanted: tuple[Criterion, ...] = ()
    text: tuple[str, ...] = ()
    every: Every | None = None

    def without(self, keyword: str) -> Criteria:
        """The same but for what it asks of one attribute."""
        every = self.every and replace(self.every, asked=self.every.asked.without(keyword))
        return replace(self, wanted=tuple(c for c in self.wanted if c.keyword != keyword), every=every)


@dataclass(frozen=True, slots=True)
class Every:
    """What each series must meet that meets any of ``scopes``, which are ``None`` where all may be seen."""

    asked: Criteria
    scopes: tuple[Criteria, ...] | None = None


def criteria(level: Level = "series", **keywords: object) -> Criteria:
    """What ``keywords`` ask for, checked.

    Parameters
    ----------
    level : str
        ``patient``, ``study``, ``series`` or ``instance``.
    **keywords
        DICOM keywords and what they must match; ``text`` for free text; ``matching``: ``any`` (the default) or ``all``.

    Raises
    ------
    BadQuery
        Unknown level or attribute, or a value that does not fit it. The message does not repeat the value.
    """
    if level not in LEVELS:
        raise BadQuery(f"unknown level {level!r}: one of {', '.join(LEVELS)}")
    text, matching = keywords.pop("text", None), keywords.pop("matching", "any")
    wanted = (_wanted(level, keyword, value) for keyword, value in keywords.items())
    asked = Criteria(level, tuple(each for each in wanted if each), _text(text))
    if matching == "any":
        return asked
    if matching != "all" or level not in ("patient", "study"):
        raise BadQuery("matching: 'any', or for studies and patients 'all'")
    return _of_every_series(asked)


def _of_every_series(asked: Criteria) -> Criteria:
    own = tuple(c for c in asked.wanted if LEVELS.index(c.attribute.level) <= LEVELS.index(asked.level))
    below = Criteria("series", tuple(c for c in asked.wanted if c not in own), asked.text)
    return Criteria(asked.level, own, every=Every(below) if below.wanted or below.text else None)


def known(keyword: str) -> Attribute:
    """The attribute of that keyword; `BadQuery` names similar ones where there is none."""
    attribute = BY_KEYWORD.get(keyword)
    if attribute is None:
        near = difflib.get_close_matches(keyword, BY_KEYWORD, cutoff=0.5)
        near = near or [a.keyword for a in ATTRIBUTES if a.keyword.lower() == keyword.lower()]
        raise BadQuery(f"unknown attribute {keyword!r}" + (f": did you mean {' or '.join(near)}?" if near else ""))
    return attribute


def scope(level: Level, **keywords: object) -> Criteria:
    """What may be seen, as `criteria`; ``Collection`` is the import's alone, for people make lists themselves."""
    return criteria(level, **{"ImportCollection" if name == "Collection" else name: v for name, v in keywords.items()})


def _wanted(level: Level, keyword: str, value: object) -> Criterion | None:
    """What one keyword asks for; ``None`` for anything."""
    if keyword == "key" or keyword in KEYS:
        return None if value is None else _keys(level, keyword, value)
    tests = _tests(known(keyword), value)
    return Criterion(keyword, tests) if tests else None


def _keys(level: Level, keyword: str, value: object) -> Criterion:
    """Exact keys, or SOP Instance UIDs: without tests, where none is given."""
    found = [value] if isinstance(value, str) else list(value) if isinstance(value, Iterable) else [value]
    if not all(isinstance(each, str) and len(each) <= LONGEST for each in found):
        raise BadQuery(f"{keyword}: give keys as text")
    own = "SOPInstanceUID" if level == "instance" else f"{level}_key"
    return Criterion(own if keyword == "key" else keyword, tuple(Equal(str(each)) for each in dict.fromkeys(found)))


def _text(text: object) -> tuple[str, ...]:
    if text is None:
        return ()
    if not isinstance(text, str) or len(text) > LONGEST:
        raise BadQuery(f"text: give words, at most {LONGEST} characters")
    return words([text])


def _tests(attribute: Attribute, value: object) -> tuple[Test, ...]:
    pair = isinstance(value, tuple) and len(value) == 2
    if pair and (attribute.measured or attribute.vr in ("DA", "TM")):
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
    if attribute.measured:
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

NUMBERS = "give a number, a range such as 1-5, or a pair (low, high)"
AGES = "give years, an age such as 006M, a range such as 18-65, or a pair (low, high)"
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_NUMBERS = re.compile(rf"\s*({_NUMBER})\s*-\s*({_NUMBER})?\s*")


def _number_test(attribute: Attribute, value: object) -> Test:
    if attribute.vr == AGE and isinstance(value, str) and "-" in value:
        low, _, high = value.partition("-")
        return Between(*(_number(attribute, end) if end.strip() else None for end in (low, high)))
    if isinstance(value, str) and (found := _NUMBERS.fullmatch(value)):
        return Between(_number(attribute, found[1]), None if found[2] is None else _number(attribute, found[2]))
    return Equal(_number(attribute, value))


def _number(attribute: Attribute, value: object) -> int | float:
    if attribute.vr == AGE and isinstance(value, str):
        value = years(value)
    try:
        number = float(value) if not isinstance(value, bool) else math.nan  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise BadQuery(f"{attribute.keyword}: {AGES if attribute.vr == AGE else NUMBERS}")
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
    read = _number if attribute.measured else _moment
    start, end = (None if each in (None, "") else read(attribute, each) for each in (low, high))
    if start is None and end is None:
        return ()
    if attribute.measured:
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
