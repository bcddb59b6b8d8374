"""Encapsulated frames: which fragments are whose (PS3.5 §A.4)."""

from __future__ import annotations

import struct

from pacs_panel.errors import BadPixels
from pacs_panel.pixels.source import Source, need, take

ITEM, DELIMITER = 0xFFFEE000, 0xFFFEE0DD
# Of JPEG and JPEG-LS, a JPEG 2000 codestream, a JPEG 2000 file.
STARTS = (b"\xff\xd8\xff", b"\xff\x4f\xff\x51", b"\x00\x00\x00\x0cjP")
MAX_FRAGMENTS = 10_000_000

Fragment = tuple[int, int]
"""Offset and length, in bytes."""


def frame(source: Source, offset: int, frames: int, index: int) -> bytes:
    """Compressed bytes of one frame.

    Parameters
    ----------
    source : file or bytes
    offset : int
        First byte of the value of Pixel Data.
    frames, index : int
        Number of frames of the object; the one wanted, from 0.

    Raises
    ------
    BadPixels
        Fragments are damaged, or it can't be told which belong to the frame.
    """
    table, fragments = items(source, offset)
    wanted = group(source, table, fragments, frames)[index]
    return b"".join(need(source, start, length) for start, length in wanted)


def items(source: Source, offset: int) -> tuple[tuple[int, ...], list[Fragment]]:
    """Basic Offset Table and fragments of the pixel data whose value begins at ``offset``."""
    found: list[Fragment] = []
    position = offset
    while len(found) < MAX_FRAGMENTS:
        head = take(source, position, 8)
        if len(head) < 8:
            break  # the delimiter is missing: what is there may do
        group, element, length = struct.unpack("<HHI", head)
        tag = group << 16 | element
        if tag == DELIMITER:
            break
        if tag != ITEM or length == 0xFFFFFFFF:
            raise BadPixels(f"({group:04X},{element:04X}) stands where a fragment of pixel data should be")
        found.append((position + 8, length))
        position += 8 + length
    if not found:
        raise BadPixels("encapsulated pixel data without any item")
    start, length = found[0]
    table = need(source, start, length // 4 * 4)
    return struct.unpack(f"<{length // 4}I", table), found[1:]


def group(source: Source, table: tuple[int, ...], fragments: list[Fragment], frames: int) -> list[list[Fragment]]:
    """Fragments of each frame: by their number, the offset table, or where codestreams begin."""
    if frames == 1 and fragments:
        return [fragments]
    if len(fragments) == frames:
        return [[fragment] for fragment in fragments]
    if len(table) == frames and fragments:
        first = fragments[0][0] - 8
        marks = {first + offset for offset in table}
        starts = [start - 8 in marks for start, _ in fragments]
    else:
        starts = [bytes(take(source, start, 6)).startswith(STARTS) for start, _ in fragments]
    out: list[list[Fragment]] = []
    for begins, fragment in zip(starts, fragments, strict=True):
        if begins:
            out.append([])
        if out:
            out[-1].append(fragment)
    if len(out) != frames:
        raise BadPixels(f"{len(fragments)} fragments cannot be told apart into {frames} frames")
    return out
