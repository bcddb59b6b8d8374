from __future__ import annotations

import io
import os

import pytest

from pacs_panel.storage.memory import Arena, MemoryFile


def test_pieces_do_not_overlap_until_all_are_given_back() -> None:
    arena = Arena(10)
    one, two = arena.take(4), arena.take(6)
    one[:], two[:] = b"aaaa", b"bbbbbb"
    assert (bytes(one), bytes(two)) == (b"aaaa", b"bbbbbb")
    arena.clear()
    arena.take(4)[:] = b"cccc"
    assert bytes(one) == b"cccc"


def test_what_does_not_fit_gets_bytes_of_its_own() -> None:
    arena = Arena(10)
    one, two, three = arena.take(9), arena.take(11), arena.take(1)
    one[:], two[:], three[:] = b"a" * 9, b"b" * 11, b"c"
    assert (bytes(one), bytes(two), bytes(three)) == (b"a" * 9, b"b" * 11, b"c")
    assert len(arena.take(0)) == 0


@pytest.mark.parametrize("position", [0, 3, 10, 12])
@pytest.mark.parametrize("size", [0, 4, 20, -1, None])
def test_reads_as_any_file_does(position: int, size: int | None) -> None:
    data = b"0123456789"
    ours, known = MemoryFile(memoryview(data)), io.BytesIO(data)
    for file in (ours, known):
        file.seek(position)
    assert ours.read(size) == known.read(size)
    assert ours.tell() == known.tell()


def test_is_sought_from_either_end_and_fills_buffers() -> None:
    file, room = MemoryFile(bytearray(b"0123456789")), bytearray(4)
    assert (file.seekable(), file.readable(), file.writable()) == (True, True, False)
    assert file.seek(-3, os.SEEK_END) == 7
    assert (file.readinto(room), bytes(room)) == (3, b"789\0")
    assert file.readinto(room) == 0
    assert file.seek(-8, os.SEEK_CUR) == 2
    assert io.BufferedReader(file).read() == b"23456789"
