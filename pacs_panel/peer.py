"""Who may call over the network, and who may be called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Operation = Literal["echo", "store", "find", "retrieve", "commit"]
OPERATIONS: frozenset[Operation] = frozenset(get_args(Operation))


@dataclass(frozen=True, slots=True)
class Peer:
    """An application entity that is known here (PS3.8 §7.1.1).

    Attributes
    ----------
    name : str
        By which commands and pages name it.
    ae_title : str
        Its application entity title, at most 16 characters.
    host : str
        Name or address. Where it is given, calls under this title from any other address are refused.
    port : int
        On which it can be called; 0 where it cannot.
    may : frozenset of str
        What it may do when it calls: of ``echo``, ``store``, ``find``, ``retrieve`` and ``commit``
        (ask whether what it sent is kept safely).
    collection : str
        Name under which what it sends can be found.
    """

    name: str
    ae_title: str
    host: str = ""
    port: int = 0
    may: frozenset[Operation] = frozenset({"echo", "store"})
    collection: str = ""
