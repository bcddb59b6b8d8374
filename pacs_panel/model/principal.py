"""Who asks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. Until there is sign-in, `LOCAL` is the one who may do everything."""

    name: str
    roles: frozenset[str] = frozenset()


LOCAL = Principal("local", frozenset({"admin"}))
