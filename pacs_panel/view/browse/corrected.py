"""What was set right of a series, its study and its patient: told beside what is shown, with what was received."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pacs_panel.errors import PacsPanelError

LEVELS = ("patient", "study", "series")
DONE = {"merge": "Merged", "move": "Moved", "accept": "Shown again"}


def corrected(archive: Any, row: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Keywords whose values were corrected, or what else was done, each with why; the last correction of each holds."""
    corrections = getattr(archive, "corrections", None)
    if corrections is None:
        return []
    found: dict[str, str] = {}
    try:
        for level in LEVELS:
            for one in corrections.list(str(row["key" if level == "series" else f"{level}_key"]), level):
                what = tuple(one.values) if one.kind == "set" else (DONE.get(one.kind, one.kind),)
                found |= dict.fromkeys(what, one.reason)
    except PacsPanelError:
        return []
    return list(found.items())


def told(changes: Sequence[tuple[str, str]], header: Sequence[Sequence[Any]] = ()) -> list[list[str]]:
    """Pairs of words; with the rows of the header, also what was received."""
    received = {row[1]: str(row[3]) for row in header if not row[4]}
    pairs = []
    for what, reason in changes:
        before = f"received: {received[what] or 'empty'}" if what in received else ""
        before = before or ("received without" if header and what not in DONE.values() else "")
        pairs.append([what, " · ".join(part for part in (reason, before) if part) or "corrected"])
    return pairs
