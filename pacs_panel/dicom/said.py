"""What files say in some attributes, as bytes: to tell without parsing that two of them say the same."""

from __future__ import annotations

import io
from collections.abc import Hashable, Sequence
from functools import lru_cache
from typing import BinaryIO

from pydicom.datadict import tag_for_keyword

from pacs_panel.dicom.scan import scan
from pacs_panel.settings import Settings

BLOCKS = range(0x10, 0x20)  # private ones beyond are rare, and not looked at
Private = tuple[int, int]
"""Group and element, the latter without its block."""


def said(
    source: BinaryIO, sequence: str, keywords: Sequence[str], private: Sequence[Private], settings: Settings
) -> Hashable | None:
    """A value that two files share where they say the same in these attributes, each as a whole.

    Parameters
    ----------
    source : binary file
        The object's whole file.
    sequence : str
        Keyword of a top-level sequence.
    keywords : sequence of str
        Of other top-level elements.
    private : sequence of (group, element)
        Private elements, in whatever block; their creators count, too.

    Returns
    -------
    hashable or None
        ``None`` where the bytes do not tell: there is no such sequence, or none that states its length.

    Raises
    ------
    NotDicom, Unreadable, TooLarge
    """
    size = source.seek(0, io.SEEK_END)
    found = scan(source, size, _tags((sequence, *keywords), tuple(private)), settings)
    _, items = found.elements.get(tag_for_keyword(sequence) or 0, (b"", b""))
    return (found.implicit, found.little, *sorted(found.elements.items())) if items else None


@lru_cache(maxsize=8)
def _tags(keywords: tuple[str, ...], private: tuple[Private, ...]) -> frozenset[int]:
    named = {int(tag) for keyword in keywords if (tag := tag_for_keyword(keyword)) is not None}
    creators = {group << 16 | block for group, _ in private for block in BLOCKS}
    return frozenset(named | creators | {group << 16 | block << 8 | one for group, one in private for block in BLOCKS})
