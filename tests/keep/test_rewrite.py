from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from pacs_panel.errors import Damaged
from pacs_panel.keep.pack import PackLog, member_name, members, seal
from pacs_panel.keep.rewrite import part, rewrite, successor
from pacs_panel.settings import Settings

CONTENTS = (b"one", b"", b"three" * 400, b"f" * 512)


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    log = PackLog(tmp_path / "log" / "a-1.tar", Settings())
    for number, content in enumerate(CONTENTS):
        log.append(member_name(number, f"{number:064x}"), len(content), [content])
    log.sync()
    log.close()
    seal(log.path, tmp_path / "pack" / "a-1.tar")
    return tmp_path / "pack" / "a-1.tar"


@pytest.mark.parametrize("dropped", [(), (0,), (1, 2), (3,), (0, 3)])
def test_what_is_not_dropped_stays_as_it_is(pack: Path, dropped: tuple[int, ...]) -> None:
    before, old = list(members(pack)), pack.read_bytes()
    new = pack.with_name("a-2.tar")
    moves = rewrite(pack, new, {before[number].offset for number in dropped}, Settings())
    after, data = list(members(new)), new.read_bytes()
    stay = [number for number in range(4) if number not in dropped]
    assert [one.name for one in after] == [before[number].name for number in stay]
    assert [data[one.offset : one.offset + one.length] for one in after] == [CONTENTS[number] for number in stay]
    assert moves == {before[number].offset: one.offset for number, one in zip(stay, after, strict=True)}
    assert pack.read_bytes() == old
    assert not part(new).exists()
    with tarfile.open(new) as tar:
        assert tar.getnames() == [one.name for one in after]


def test_nothing_is_written_where_nothing_stays(pack: Path) -> None:
    new = pack.with_name("a-2.tar")
    assert rewrite(pack, new, {one.offset for one in members(pack)}, Settings()) == {}
    assert sorted(path.name for path in pack.parent.iterdir()) == ["a-1.tar"]


def test_a_damaged_pack_is_refused(pack: Path) -> None:
    third = list(members(pack))[2]
    data = bytearray(pack.read_bytes())
    data[third.offset - 400] ^= 1
    pack.write_bytes(data)
    with pytest.raises(Damaged, match="restore it"):
        rewrite(pack, pack.with_name("a-2.tar"), set(), Settings())


def test_a_successor_is_of_the_same_series_and_session() -> None:
    name = successor("series/session-12")
    assert name.startswith("series/session-")
    assert name not in ("series/session-12", successor("series/session-12", 10**9))
