from __future__ import annotations

import os
from pathlib import Path

import pytest

from pacs_panel.errors import Busy
from pacs_panel.storage import layout
from pacs_panel.storage.files import lock, make_folder, open_range, write_atomic


def test_a_range_is_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"0123456789")
    with open_range(tmp_path / "f", 2, 5) as file:
        assert file.read() == b"23456"
        file.seek(-2, os.SEEK_END)
        assert (file.tell(), file.read(9)) == (3, b"56")
    with open_range(tmp_path / "f", 8, 5) as file:
        assert file.read() == b"89"


def test_a_failed_write_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_atomic(tmp_path / "a" / "f", b"old")

    def fail(_fd: int) -> None:
        raise OSError("no space")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="no space"):
        write_atomic(tmp_path / "a" / "f", b"new")
    assert [(p.name, p.read_bytes()) for p in (tmp_path / "a").iterdir()] == [("f", b"old")]


def test_locks_alone_and_shared(tmp_path: Path) -> None:
    one, two = lock(tmp_path / "l", shared=True), lock(tmp_path / "l", shared=True, wait=False)
    with one, two, pytest.raises(Busy), lock(tmp_path / "l", wait=False):
        pass
    with lock(tmp_path / "l", wait=False), pytest.raises(Busy), lock(tmp_path / "l", wait=False, shared=True):
        pass


def test_folders_are_made_to_any_depth(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b" / "c")
    make_folder(tmp_path / "a" / "b" / "c")
    assert (tmp_path / "a" / "b" / "c").is_dir()


@pytest.mark.parametrize("text", ["../../etc", "/", "a\0b", "\udcff", "ä" * 999, ""])
def test_keys_are_safe_names(text: str) -> None:
    for key in (
        layout.study_key(text, text, text),
        layout.series_key(text, text),
        layout.patient_key(text, "", "", ""),
    ):
        assert len(key) == 26
        assert key.isascii()
        assert key.isalnum()


def test_a_log_and_its_pack_have_one_id() -> None:
    pack = layout.pack_id("ab" * 13, "0123", 7)
    assert layout.log(pack).startswith(layout.session("0123") + "/")
    assert layout.pack(pack).startswith("originals/ab/")
