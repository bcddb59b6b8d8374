"""Collections by rule and saved searches, as Browse offers them: by their names."""

from __future__ import annotations

from typing import Any, Literal

from pacs_panel.errors import BadQuery

Of = Literal["rule", "search"]


def named(archive: Any) -> list[dict[str, str]]:
    """What there is, in the order of names; nothing where nobody can make any."""
    if not hasattr(archive, "organise") or getattr(archive, "read_only", False):
        return []
    organise = archive.organise
    rules = [{"of": "rule", "name": name} for name in organise.rules()]
    return rules + [{"of": "search", "name": saved.name} for saved in organise.searches()]


def found(archive: Any, of: str, name: str) -> Any:
    """The search that goes by that name.

    Raises
    ------
    BadQuery
        It asks something of every series of a study, which cannot be narrowed further.
    NotFound, Damaged
    """
    search = archive.organise.collection(name) if of == "rule" else archive.organise.saved(name)
    if search.criteria.every is not None:
        raise BadQuery("this search asks something of all series of a study: choose that here, and the rest by facets")
    return search
