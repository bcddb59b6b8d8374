"""What somebody set right, without touching what was received."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self

CorrectionKind = Literal["set", "merge", "move", "accept"]


@dataclass(frozen=True, slots=True)
class Correction:
    """One correction. They hold in the order of their numbers, over what the received objects state.

    Attributes
    ----------
    number : int
        By which it can be undone; they only grow.
    kind : str
        ``set`` gives other values, ``merge`` makes patients one, ``move`` takes a study to another patient or a series
        to another study, ``accept`` shows what was rejected.
    level : str
        Of what is corrected.
    keys : tuple of str
        What is corrected, by key; of objects, by SOP Instance UID.
    to : str
        Key of the patient or study to which it goes.
    values : mapping of str to str, int, float or None
        By keyword; ``None``: it has none.
    reason : str
        In the words of who corrected it.
    at : int
        ns since 1970.
    by : str
        Name of the principal.
    undone : int or None
        When it was taken back, ns since 1970.
    undone_by : str
    """

    number: int
    kind: CorrectionKind
    level: Literal["patient", "study", "series", "instance"]
    keys: tuple[str, ...]
    to: str = ""
    values: Mapping[str, str | int | float | None] = field(default_factory=dict)
    reason: str = ""
    at: int = 0
    by: str = ""
    undone: int | None = None
    undone_by: str = ""

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON types."""
        return asdict(self) | {"keys": list(self.keys), "values": dict(self.values)}

    def to_json(self) -> str:
        """As JSON, for `from_json`."""
        return json.dumps(self.to_dict(), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What `to_json` wrote."""
        told = json.loads(text)
        return cls(**told | {"keys": tuple(told["keys"])})
