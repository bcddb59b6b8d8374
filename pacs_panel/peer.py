"""Who may call over the network, and who may be called."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

Operation = Literal["echo", "store", "find", "retrieve", "commit"]
Retrieval = Literal["get", "move"]
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
    retrieve : str
        How objects are asked of it: by C-``get``, or by C-``move`` to a listener of ours, which it must know.
    url : str
        Of its DICOMweb services (PS3.18), which are asked then instead of the application entity.
    token : str
        Bearer token for them; like the password in no message.
    user, password : str
        Or name and password for them.
    """

    name: str
    ae_title: str = ""
    host: str = ""
    port: int = 0
    may: frozenset[Operation] = frozenset({"echo", "store"})
    collection: str = ""
    retrieve: Retrieval = "get"
    url: str = ""
    token: str = field(default="", repr=False)
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @property
    def can_be_called(self) -> bool:
        """Whether it is known where."""
        return bool(self.url or (self.ae_title and self.host and self.port))
