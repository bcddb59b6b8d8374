"""SHA-256 of an object's bytes: of the file, and of its data set alone."""

from __future__ import annotations

import hashlib
from typing import BinaryIO

from pacs_panel.errors import Unreadable
from pacs_panel.model import Digests

CHUNK = 1 << 20


def file_and_dataset(source: BinaryIO, size: int, dataset_offset: int, chunk: int = CHUNK) -> Digests:
    """Digest an object in one pass, ``chunk`` bytes in memory at a time.

    Two files that differ only in preamble and file meta information (as network transfer makes them) have the same
    data-set digest, as long as the transfer syntax is the same.

    Parameters
    ----------
    source : binary file
        Seekable; the file begins at 0.
    size : int
        Bytes.
    dataset_offset : int
        First byte after group 2.
    chunk : int
        Bytes.

    Raises
    ------
    Unreadable
        The source ends before ``size``.
    """
    source.seek(0)
    head = source.read(min(dataset_offset, size))
    whole, dataset = hashlib.sha256(head), hashlib.sha256()
    left = size - len(head)
    while left > 0:
        piece = source.read(min(chunk, left))
        if not piece:
            raise Unreadable(f"the file ends {left} bytes early")
        whole.update(piece)
        dataset.update(piece)
        left -= len(piece)
    return Digests(whole.hexdigest(), dataset.hexdigest())
