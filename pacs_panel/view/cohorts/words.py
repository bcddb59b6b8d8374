"""Criteria that a cohort keeps as JSON, in words."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from pacs_panel.attributes import BY_KEYWORD
from pacs_panel.view.words import day

WITHHELD = "withheld: it may name what you may not see"
EVERYTHING = "everything"
MOST = 6  # values that are told one by one


def criteria_words(asked: str) -> list[str]:
    """What was asked for, one condition each.

    Parameters
    ----------
    asked : str
        As `Facts.asked` holds it; empty where it is withheld.
    """
    if not asked:
        return [WITHHELD]
    try:
        found = json.loads(asked)
        said = [_criterion(each) for each in found["wanted"]]
        said += [f"words “{' '.join(found['text'])}”"] if found["text"] else []
    except (ValueError, KeyError, TypeError):
        return ["criteria of another version of this software"]
    return said or [EVERYTHING]


def _criterion(told: Mapping[str, Any]) -> str:
    keyword = str(told["keyword"])
    if keyword.endswith("_key"):
        return f"{len(told['tests'])} {keyword.removesuffix('_key')} {_kept(len(told['tests']))} by hand"
    said = [_test(keyword, test) for test in told["tests"]]
    more = f" or {len(said) - MOST} more" if len(said) > MOST else ""
    return f"{keyword} {' or '.join(said[:MOST])}{more}"


def _kept(count: int) -> str:
    return "chosen" if count == 1 else "rows chosen"


def _test(keyword: str, test: Mapping[str, Any]) -> str:
    tests: dict[str, Callable[[], str]] = {
        "Equal": lambda: _value(keyword, test["value"]),
        "Like": lambda: _value(keyword, test["pattern"]),
        "Between": lambda: _range(keyword, test["low"], test["high"]),
        "Missing": lambda: "missing",
        "Groups": lambda: "=".join(_test(keyword, part) for part in test["parts"]),
    }
    return tests[str(test["is"])]()


def _range(keyword: str, low: Any, high: Any) -> str:
    first, last = _value(keyword, low), _value(keyword, high).rstrip("~")  # which stands for all that begin so
    if low is None or high is None:
        return f"from {first}" if high is None else f"until {last}"
    return first if first == last else f"from {first} to {last}"


def _value(keyword: str, value: Any) -> str:
    """A value as people write it; text was kept without regard to case."""
    vr = BY_KEYWORD[keyword].vr if keyword in BY_KEYWORD else ""
    if vr == "DA":
        return day(str(value).rstrip("~"))
    code = vr == "CS" and not BY_KEYWORD[keyword].ours
    return str(value).upper() if code else str(value)
