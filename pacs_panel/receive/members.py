"""A member of an archive as its reader finds it, whatever the format."""

from __future__ import annotations

from dataclasses import dataclass

from pacs_panel.errors import Rejected


@dataclass(frozen=True, slots=True)
class Entry:
    """One member, as the archive describes it.

    Attributes
    ----------
    name : str
        As written in the archive; never used as a path.
    offset, length : int
        Its bytes, compressed or not, from the archive's first byte.
    method : str
        ``stored`` or a key of `pacs_panel.receive.streams.METHODS`.
    size : int, optional
        Bytes uncompressed, as claimed.
    crc : int, optional
        CRC-32 of the uncompressed bytes, as claimed.
    problem : Rejected, optional
        Why it cannot be read.
    """

    name: str
    offset: int = 0
    length: int = 0
    method: str = "stored"
    size: int | None = None
    crc: int | None = None
    problem: Rejected | None = None
