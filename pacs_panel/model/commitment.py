"""What a peer was promised to be told."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Commitment:
    """Objects for which a peer waits to be told whether they are kept safely (PS3.4 §J.3).

    Attributes
    ----------
    transaction : str
        Transaction UID.
    peer : str
        Its name in the table of peers.
    objects : str
        Pairs of SOP Instance UID and SOP Class UID, as JSON.
    at : int
        ns since 1970.
    """

    transaction: str
    peer: str
    objects: str
    at: int
