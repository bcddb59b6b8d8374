"""Who may do what: one `authorize`, asked by every way in and every face out.

Access is denied unless a rule grants it. Until there is sign-in there is one rule: the local administrator may do
everything. Rules are values, so that later ones (a collection, a share link) are added here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pacs_panel.errors import Denied
from pacs_panel.model import Principal

Action = Literal["read", "write", "remove", "administer"]


@dataclass(frozen=True, slots=True)
class Rule:
    """Grants ``actions`` to a role, on objects that match ``criteria`` (search keywords; empty: on all)."""

    role: str
    actions: frozenset[Action]
    criteria: Mapping[str, object] = field(default_factory=dict)


ALLOW_LOCAL: tuple[Rule, ...] = (Rule("admin", frozenset({"read", "write", "remove", "administer"})),)


def authorize(rules: tuple[Rule, ...], principal: Principal, action: Action) -> tuple[Mapping[str, object], ...]:
    """The criteria under which ``principal`` may do ``action``: each grants what it matches.

    Raises
    ------
    Denied
        If no rule grants the action on anything.
    """
    granted = tuple(r.criteria for r in rules if r.role in principal.roles and action in r.actions)
    if not granted:
        raise Denied(f"{principal.name!r} may not {action} here; ask the archive's administrator for a rule")
    return granted
