"""What an object says of others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Mention:
    """What an object names.

    Attributes
    ----------
    target : str
        UID.
    level : str
        What that is: ``instance``, ``series`` or ``study``.
    role : str
        Keyword of the sequence that names it.
    sop_class_uid, series_uid : str
        Of the target, as far as the object tells.
    """

    target: str
    level: Literal["instance", "series", "study"] = "instance"
    role: str = ""
    sop_class_uid: str = ""
    series_uid: str = ""
