"""Selections that pages hand over to other pages and to downloads: a search, under a token that tells nothing.

An application has one `Selections`. Its pages are given ``hand_over = selections.put`` (a search to a token) and, where
they show what was handed over, ``taken = selections.get`` (a token to a search, or ``None``). A token then stands where
words or keys must not: ``charts?chosen=<token>``, ``download/<token>.zip``.
"""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, Protocol

MOST = 1000


class Search(Protocol):
    """What an archive's ``search`` gives, as far as it matters here."""

    @property
    def level(self) -> str:
        """``patient``, ``study``, ``series`` or ``instance``."""

    def rows(self) -> Iterator[dict[str, Any]]:
        """All rows."""


class Selections:
    """The searches that were handed over last, in the memory of one process. Threads may share it.

    Parameters
    ----------
    most : int
        Searches that are remembered; the one that was not asked for the longest goes first.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._kept: OrderedDict[str, Search] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, search: Search) -> str:
        """Remember a search; gives its token: random, and safe in an address."""
        token = secrets.token_urlsafe(16)
        with self._lock:
            self._kept[token] = search
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return token

    def get(self, token: str) -> Search | None:
        """The search of a token; ``None`` where it is forgotten, or never was one."""
        with self._lock:
            if (found := self._kept.get(token)) is not None:
                self._kept.move_to_end(token)
            return found
