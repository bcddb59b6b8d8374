"""Encapsulated frames: which fragments are whose (PS3.5 §A.4)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from pacs_panel.errors import BadPixels
from pacs_panel.pixels import codestream
from pacs_panel.pixels.source import Source, need, take

ITEM, DELIMITER, UNDEFINED = 0xFFFEE000, 0xFFFEE0DD, 0xFFFFFFFF
MAX_FRAGMENTS = 2_000_000
HEAD = 12  # bytes at the start of a fragment that tell whether a frame begins there

Fragment = tuple[int, int]
"""Offset and length, in bytes."""


@dataclass(frozen=True, slots=True)
class Items:
    """The items of encapsulated pixel data.

    Attributes
    ----------
    table : tuple of int
        Offsets of frames, from the first byte of the first fragment's item: the Basic Offset Table, or where that is
        empty and there are several frames the Extended one (PS3.3 §C.7.6.3.1.8).
    fragments : list of (offset, length)
        In the source.
    heads : list of bytes
        First bytes of each fragment.
    """

    table: tuple[int, ...]
    fragments: list[Fragment]
    heads: list[bytes]


def frame(source: Source, fragments: Sequence[Fragment]) -> bytes:
    """Compressed bytes of one frame, out of its fragments; `BadPixels` where the source ends before they do."""
    return b"".join(need(source, start, length) for start, length in fragments)


def frames(source: Source, offset: int, count: int, transfer_syntax: str = "") -> list[list[Fragment]]:
    """Fragments of each frame, found in one walk.

    Parameters
    ----------
    source : file or bytes
    offset : int
        First byte of the value of Pixel Data.
    count : int
        Number of frames of the object.
    transfer_syntax : str
        Tells by which signature a frame begins.

    Returns
    -------
    list
        Of at most ``count`` frames; fewer where the pixel data end early.

    Raises
    ------
    BadPixels
        There are no fragments, or it can't be told which belong to which frame.
    """
    return group(items(source, offset, count), count, transfer_syntax)


def items(source: Source, offset: int, count: int = 1) -> Items:
    """Walk over the items of the pixel data whose value begins at ``offset``.

    Ends at the delimiter; also, as files may be damaged, where the source ends or something else than an item stands.
    """
    fragments: list[Fragment] = []
    heads: list[bytes] = []
    position = offset
    while len(fragments) <= MAX_FRAGMENTS:
        head = bytes(take(source, position, 8 + HEAD))
        if len(head) < 8 or _tag(head) != ITEM:
            padded = fragments and fragments[-1][1] % 2 and _tag(head[1:9]) == ITEM  # padded, but not counted
            if not padded:
                break
            position += 1
            continue
        length = int.from_bytes(head[4:8], "little")
        if length == UNDEFINED:
            break
        fragments.append((position + 8, length))
        heads.append(head[8 : 8 + min(length, HEAD)])
        position += 8 + length
    else:
        raise BadPixels(f"pixel data in more than {MAX_FRAGMENTS} fragments")
    if not fragments:
        raise BadPixels("encapsulated pixel data without any item; a fragment should stand there")
    start, length = fragments[0]
    if length // 4 > MAX_FRAGMENTS:
        raise BadPixels(f"an offset table for more than {MAX_FRAGMENTS} frames")
    table = struct.unpack(f"<{length // 4}I", need(source, start, length // 4 * 4))
    extended = _extended(source, offset, count) if count > 1 and not table else ()
    return Items(table or extended, fragments[1:], heads[1:])


def _tag(head: bytes) -> int:
    return int.from_bytes(head[:2], "little") << 16 | int.from_bytes(head[2:4], "little")


def _extended(source: Source, offset: int, count: int) -> tuple[int, ...]:
    """The Extended Offset Table (7FE0,0001): it and its lengths (7FE0,0002) stand right before Pixel Data."""
    size = 8 * count
    for between in (12, 12 + 20):  # Pixel Data's own header; Encapsulated Pixel Data Value Total Length (7FE0,0003)
        start = offset - between - 2 * (12 + size)
        if start < 0:
            continue
        heads = bytes(take(source, start, 12)), bytes(take(source, start + 12 + size, 12))
        wanted = [struct.pack("<HH2sHI", 0x7FE0, element, b"OV", 0, size) for element in (1, 2)]
        if heads == tuple(wanted):
            return struct.unpack(f"<{count}Q", need(source, start + 12, size))
    return ()


def group(found: Items, count: int, transfer_syntax: str = "") -> list[list[Fragment]]:
    """Fragments of each frame: by where codestreams begin, the offset table, or their number.

    A signature that tells as many frames as there should be counts for more than an offset table, which may be wrong.
    """
    fragments = found.fragments
    if not fragments:
        raise BadPixels("encapsulated pixel data without any fragment")
    signed = [codestream.begins(head, transfer_syntax) for head in found.heads]
    known = sum(signed) if signed[0] else 0
    if known == count:
        return _split(fragments, signed)
    if count == 1:
        return _split(fragments, signed)[:1] if known else [list(fragments)]
    listed = _listed(found, count)
    if listed:
        return listed
    if len(fragments) == count:
        return [[fragment] for fragment in fragments]
    if known:  # too few where the data are cut short, too many where the header counts wrong
        return _split(fragments, signed)[:count]
    raise BadPixels(f"{len(fragments)} fragments cannot be told apart into {count} frames")


def _listed(found: Items, count: int) -> list[list[Fragment]] | None:
    """Frames as the offset table tells, fewer where the data end early; ``None`` where it is not consistent."""
    table, first = found.table, found.fragments[0][0] - 8
    if len(table) != count or table[0] != 0 or any(a >= b for a, b in pairwise(table)):
        return None
    positions = {start - 8 - first for start, _ in found.fragments}
    start, length = found.fragments[-1]
    end = start + length - first
    if any(offset not in positions for offset in table if offset < end):
        return None
    marks = set(table)
    return _split(found.fragments, [start - 8 - first in marks for start, _ in found.fragments])


def _split(fragments: Sequence[Fragment], begins: Sequence[bool]) -> list[list[Fragment]]:
    out: list[list[Fragment]] = []
    for begin, fragment in zip(begins, fragments, strict=True):
        if begin:
            out.append([])
        if out:
            out[-1].append(fragment)
    return out
