from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from pacs_panel.errors import Busy, Damaged
from pacs_panel.keep import session as sessions
from pacs_panel.keep.pack import PackLog, complete_length, member_name, members, seal, whole
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
