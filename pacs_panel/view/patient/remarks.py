"""What people said of a patient, a study or a series: read, and changed as a page's user asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from pacs_panel.errors import BadQuery

LEVELS = ("patient", "study", "series")


def read(organise: Any, keys: Iterable[str], level: str) -> dict[str, dict[str, Any]]:
    """Tags, notes and ratings of patients, studies or series, by key.

    Parameters
    ----------
    organise : pacs_panel.organise.Organise
    keys : iterable of str
    level : str
    """
    asked = list(keys)
    tags, notes, ratings = (organise.marks_of(kind, asked, level) for kind in ("tag", "note", "rating"))
    own = organise.archive.principal.name
    return {
        key: {
            "tags": sorted(mark.name for mark in tags[key]),
            "notes": [{"id": n.name, "text": n.value, "by": n.by, "at": _day(n.at)} for n in notes.get(key, ())],
            "ratings": [[mark.name, int(mark.value)] for mark in ratings.get(key, ()) if mark.name != own],
            "mine": next((int(mark.value) for mark in ratings.get(key, ()) if mark.name == own), 0),
        }
        for key in tags
    }


def change(organise: Any, key: str, level: str, message: Mapping[str, Any]) -> None:
    """Do what a message asks: ``tag``, ``untag``, ``note``, ``unnote`` (with ``value``), or ``rate`` (0 takes it back).

    Raises
    ------
    PacsPanelError
        It cannot be done; the words say why.
    """
    value = message.get("value")
    acts: dict[str, Callable[[], Any]] = {
        "tag": lambda: organise.tag(key, _text(value), level),
        "untag": lambda: organise.untag(key, _text(value), level),
        "note": lambda: organise.note(key, _text(value), level),
        "unnote": lambda: organise.unnote(key, _text(value), level),
        "rate": lambda: organise.rate(key, value, level) if value else organise.unrate(key, level),
    }
    act = acts.get(str(message.get("kind")))
    if act is None or level not in LEVELS:
        raise BadQuery("there is no such thing to say of it")
    act()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _day(at: int) -> str:
    return datetime.fromtimestamp(at / 1e9, UTC).strftime("%Y-%m-%d")
