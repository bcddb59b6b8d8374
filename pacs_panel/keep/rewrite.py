"""Packs without some of their members: sealed packs never change, so another takes the place of one."""

from __future__ import annotations

import os
from collections.abc import Container
from itertools import pairwise
from pathlib import Path
from time import time_ns

from pacs_panel.errors import Damaged
from pacs_panel.keep.pack import BLOCK, END, complete_length, members, whole
from pacs_panel.settings import Settings
from pacs_panel.storage import layout
from pacs_panel.storage.faults import reach
from pacs_panel.storage.files import PART, move

CHUNK = 1 << 20


def successor(pack_id: str, number: int = 0) -> str:
    """A fresh id for what takes the place of a pack: of the same series and session."""
    series, name = pack_id.split("/")
    return layout.pack_id(series, name.rpartition("-")[0], time_ns() + number)


def rewrite(old: Path, new: Path, drop: Container[int], settings: Settings) -> dict[int, int]:
    """Write a sealed pack without some of its members, durably; where none is left, nothing is written.

    Parameters
    ----------
    old, new : Path
    drop : container of int
        Offsets of the members that are left out.
    settings : Settings

    Returns
    -------
    dict
        Old to new offset of each member that stays.

    Raises
    ------
    Damaged
        The pack cannot be read to its end, so members behind the damage would be lost.
    """
    if not whole(old):
        raise Damaged(f"pack {old.stem} is damaged, so it is left as it is; restore it from a copy")
    extents, moves, position = [], {}, 0
    starts = [member.offset - BLOCK for member in members(old)]
    for start, end in pairwise([*starts, complete_length(old)]):
        if start + BLOCK not in drop:
            moves[start + BLOCK] = position + BLOCK
            extents.append((start, end - start))
            position += end - start
    if moves:
        _write(old, part(new), extents)
        reach(settings, "purge.copied")
        move(part(new), new)
    return moves


def part(pack: Path) -> Path:
    """What a pack is called while it is being written: no pack yet to whoever lists them."""
    return pack.with_name(PART + pack.stem)


def _write(old: Path, target: Path, extents: list[tuple[int, int]]) -> None:
    with old.open("rb") as source, target.open("wb") as file:
        for start, length in extents:
            source.seek(start)
            while length:
                if not (piece := source.read(min(CHUNK, length))):
                    raise Damaged(f"pack {old.stem} ends early; restore it from a copy")
                file.write(piece)
                length -= len(piece)
        file.write(END)
        file.flush()
        os.fsync(file.fileno())
