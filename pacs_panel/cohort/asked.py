"""Criteria as text that a file can hold, and back."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from typing import Any

from pacs_panel.errors import Damaged
from pacs_panel.index.criteria import Between, Criteria, Criterion, Equal, Every, Groups, Like, Missing

PARTS = {each.__name__: each for each in (Between, Criteria, Criterion, Equal, Every, Groups, Like, Missing)}


def to_text(asked: Criteria) -> str:
    """The criteria as JSON."""
    return json.dumps(_plain(asked), sort_keys=True)


def from_text(text: str) -> Criteria:
    """The criteria that `to_text` gave.

    Raises
    ------
    Damaged
        They are of another version of this software.
    """
    try:
        found = _made(json.loads(text))
    except (KeyError, TypeError, ValueError) as error:
        raise Damaged("the criteria of this cohort are of another version of this software") from error
    assert isinstance(found, Criteria)
    return found


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {"is": type(value).__name__} | {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    return [_plain(each) for each in value] if isinstance(value, tuple) else value


def _made(value: Any) -> Any:
    if isinstance(value, dict):
        values = {name: _made(each) for name, each in value.items() if name != "is"}
        return PARTS[value["is"]](**values)
    return tuple(_made(each) for each in value) if isinstance(value, list) else value
