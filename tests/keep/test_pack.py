from __future__ import annotations

import os
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pacs_panel.errors import Busy, Damaged
from pacs_panel.keep import session as sessions
from pacs_panel.keep.pack import (
    BLOCK,
    Heading,
    PackLog,
    complete_length,
    header,
    member_name,
    members,
    parsed,
    seal,
    whole,
)
from pacs_panel.settings import Settings

NAME, OTHER = (member_name(number, "ab" * 32) for number in (1, 2))


def filled(path: Path) -> None:
    log = PackLog(path, Settings())
    assert log.append(NAME, 5, [b"he", b"llo"]) == 512
    assert log.append(OTHER, 3, [b"you"]) == 1536
    log.sync()
    log.close()


def test_a_sealed_log_is_a_tar_file(tmp_path: Path) -> None:
    filled(tmp_path / "log.tar")
    seal(tmp_path / "log.tar", tmp_path / "new" / "pack.tar")
    seal(tmp_path / "log.tar", tmp_path / "new" / "pack.tar")  # again, after a crash
    with tarfile.open(tmp_path / "new" / "pack.tar") as tar:
        assert {m.name: tar.extractfile(m).read() for m in tar} == {NAME: b"hello", OTHER: b"you"}  # type: ignore[union-attr]
    assert [(m.received, m.offset, m.length) for m in members(tmp_path / "new" / "pack.tar")] == [
        (1, 512, 5),
        (2, 1536, 3),
    ]
    assert whole(tmp_path / "new" / "pack.tar")


def test_a_pack_is_never_overwritten(tmp_path: Path) -> None:
    filled(tmp_path / "log.tar")
    (tmp_path / "pack.tar").write_bytes(b"kept")
    with pytest.raises(Damaged):
        seal(tmp_path / "log.tar", tmp_path / "pack.tar")
    assert (tmp_path / "pack.tar").read_bytes() == b"kept"


@pytest.mark.parametrize("cut", [1, 511, 512, 513, 1023])
def test_a_half_written_member_is_left_out(tmp_path: Path, cut: int) -> None:
    filled(tmp_path / "log.tar")
    content = (tmp_path / "log.tar").read_bytes()
    (tmp_path / "log.tar").write_bytes(content[: 1024 + cut])
    assert complete_length(tmp_path / "log.tar") == 1024
    seal(tmp_path / "log.tar", tmp_path / "pack.tar")
    with tarfile.open(tmp_path / "pack.tar") as tar:
        assert tar.getnames() == [NAME]


@pytest.mark.parametrize("chunks", [[b"he"], [b"hello", b"more"]])
def test_a_source_that_changes_is_taken_back(tmp_path: Path, chunks: list[bytes]) -> None:
    log = PackLog(tmp_path / "log.tar", Settings())
    with pytest.raises(Damaged):
        log.append(NAME, 5, chunks)
    log.append(OTHER, 3, [b"you"])
    log.close()
    assert [member.name for member in members(tmp_path / "log.tar")] == [OTHER]


def test_a_session_has_one_owner_and_is_abandoned_without(tmp_path: Path) -> None:
    session = sessions.new_session()
    with sessions.hold(tmp_path, session) as folder:
        assert folder.is_dir()
        assert sessions.abandoned(tmp_path) == []
        with pytest.raises(Busy), sessions.hold(tmp_path, session):
            pass
    assert sessions.abandoned(tmp_path) == [session]
    with sessions.hold(tmp_path, session):
        sessions.discard(tmp_path, session)
    assert list((tmp_path / "locks").iterdir()) == []


def test_a_late_writer_cannot_add_to_a_sealed_pack(tmp_path: Path) -> None:
    session, series = sessions.new_session(), "ab" * 13
    with sessions.SeriesLogs(tmp_path, session, 1, Settings()) as logs:
        logs.append(series, NAME, 5, [b"hello"])
    sessions.finish(tmp_path, session, Settings())
    with sessions.SeriesLogs(tmp_path, session, 1, Settings()) as logs, pytest.raises(Busy):
        logs.append(series, OTHER, 3, [b"you"])


@pytest.mark.parametrize("size", [0, 1, 512, (8 << 30) - 1, 8 << 30, 1 << 40])
def test_headers_are_those_that_tar_writes(size: int) -> None:
    info = tarfile.TarInfo(member_name(1_700_000_000 * 10**9, "cd" * 32))
    info.size, info.mtime, info.mode = size, 1_700_000_000, 0o444
    block = info.tobuf(tarfile.GNU_FORMAT)
    assert header(info.name, size) == block
    assert parsed(block) == Heading(info.name, size)


@pytest.mark.parametrize("position", [0, 40, 124, 130, 148, 153, 154, 156, 257, 511])
def test_any_damage_of_a_header_is_seen(position: int) -> None:
    block = bytearray(header(NAME, 5))
    block[position] ^= 1
    assert parsed(bytes(block)) is None


@pytest.mark.parametrize("block", [b"", bytes(BLOCK), b"\xff" * BLOCK, b" " * BLOCK])
def test_what_is_no_header(block: bytes) -> None:
    assert parsed(block) is None


def test_what_was_appended_is_durable_by_its_name_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    fsync = os.fsync

    def watched(descriptor: int) -> None:
        synced.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")))
        fsync(descriptor)

    session = sessions.new_session()
    monkeypatch.setattr(os, "fsync", watched)
    with sessions.hold(tmp_path, session) as folder:
        assert {tmp_path, tmp_path / "incoming"} <= set(synced)
        synced.clear()
        with sessions.SeriesLogs(tmp_path, session, 1, Settings()) as logs, ThreadPoolExecutor(2) as behind:
            logs.append("ab" * 13, NAME, 5, [b"hello"])
            logs.append("cd" * 13, NAME, 5, [b"hello"])
            begun = logs.flush(behind)
            logs.append("ab" * 13, OTHER, 3, [b"you"])
            logs.sync(begun)
            files = [folder / series / f"{session}-1.tar" for series in ("ab" * 13, "cd" * 13)]
            assert sorted(path for path in synced if path.suffix) == sorted([files[0], *files])
            assert {folder, *(path.parent for path in files)} <= set(synced)


def test_an_error_of_the_disk_reaches_whoever_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError("no space")

    with sessions.SeriesLogs(tmp_path, "1", 1, Settings()) as logs, ThreadPoolExecutor(1) as behind:
        logs.append("ab" * 13, NAME, 5, [b"hello"])
        monkeypatch.setattr(os, "fsync", full)
        begun = logs.flush(behind)
        with pytest.raises(OSError, match="no space"):
            logs.sync(begun)
