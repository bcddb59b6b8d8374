"""Folders of any shape, and what lies in them."""

from __future__ import annotations

import os
import pickle
import socket
import tracemalloc
from pathlib import Path

import pytest

from pacs_panel.errors import TooLarge
from pacs_panel.receive.sources import Candidate, Refusal, candidates, open_candidate
from pacs_panel.settings import Settings
from tests.receive.makers import SETTINGS, dicom, only, received, written


def origins(*paths: Path | str) -> list[str]:
    return [item.origin for item in candidates(paths, SETTINGS)]


def test_any_name_in_the_order_of_names(tmp_path: Path) -> None:
    files = {"b/IM1": dicom(b"1"), "b/a/x": dicom(b"2"), "a.txt": b"text", ".hidden": b"", "c": dicom(b"3")}
    taken, refused = received([written(tmp_path, files)])
    expected = [".hidden", "a.txt", "c", "b/IM1", "b/a/x"]
    assert list(taken) == [str(tmp_path / name) for name in expected]
    assert taken == {str(tmp_path / name): data for name, data in files.items()}
    assert refused == {}


def test_candidates_of_files_name_the_file_and_pickle(tmp_path: Path) -> None:
    path = written(tmp_path, {"x": dicom(b"abc")}) / "x"
    item = only(candidates([str(path)], SETTINGS))
    assert (item.path, item.size, item.member, item.spool, item.data) == (path, 135, None, None, None)
    with pickle.loads(pickle.dumps(item)).open(SETTINGS) as file:
        file.seek(132)
        assert file.read() == b"abc"


def test_deep_tree(tmp_path: Path) -> None:
    deep = "/".join(["d"] * 200)
    taken, _ = received([written(tmp_path, {f"{deep}/x": dicom()})])
    assert list(taken) == [f"{tmp_path}/{deep}/x"]


def test_loops_of_links_end(tmp_path: Path) -> None:
    written(tmp_path, {"a/b/x": dicom(), "a/y": dicom()})
    os.symlink(tmp_path / "a", tmp_path / "a" / "b" / "up")
    os.symlink("self", tmp_path / "self")
    os.symlink("nowhere", tmp_path / "broken")
    os.symlink(tmp_path / "a" / "y", tmp_path / "link")
    taken, refused = received([tmp_path])
    assert sorted(Path(origin).name for origin in taken) == ["link", "x", "y"]
    assert {Path(origin).name: reason for origin, reason in refused.items()} == {
        "up": "folder read already",
        "self": "cannot be read",
        "broken": "not found",
    }


def test_a_folder_is_read_once_however_often_it_is_given(tmp_path: Path) -> None:
    written(tmp_path, {"a/x": dicom()})
    taken, refused = received([tmp_path, tmp_path / "a"])
    assert (list(taken), refused) == ([f"{tmp_path}/a/x"], {f"{tmp_path}/a": "folder read already"})


def test_pipes_and_sockets_are_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "fifo")
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        taken, refused = received([tmp_path, tmp_path / "fifo", "/dev/zero"])
    assert taken == {}
    assert refused == {f"{tmp_path}/fifo": "not a file", f"{tmp_path}/socket": "not a file", "/dev/zero": "not a file"}


def test_a_file_that_became_a_pipe_or_vanished_is_refused_on_opening(tmp_path: Path) -> None:
    written(tmp_path, {"x": dicom(), "y": dicom()})
    first, second = candidates([tmp_path], SETTINGS)
    (tmp_path / "x").unlink()
    (tmp_path / "y").unlink()
    os.mkfifo(tmp_path / "y")
    for item, reason in ((first, "cannot be read"), (second, "not a file")):
        assert isinstance(item, Candidate)
        with pytest.raises(Exception, match=reason):
            open_candidate(item, SETTINGS)


def test_what_cannot_be_read_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, {"a/x": dicom(), "b/x": dicom()})
    real = os.listdir

    def listdir(path: str) -> list[str]:
        if path.endswith("/a"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "listdir", listdir)  # modes do not bind root
    taken, refused = received([tmp_path, tmp_path / "none", "with\0nul"])
    assert list(taken) == [f"{tmp_path}/b/x"]
    assert refused == {
        f"{tmp_path}/a": "cannot be read",
        f"{tmp_path}/none": "not found",
        "with\\x00nul": "not found",
    }


def test_system_files_are_counted_not_taken(tmp_path: Path) -> None:
    fork = b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X"
    names = [".DS_Store", "a/Thumbs.db", "a/desktop.ini", "__MACOSX/._x", "a/._IM1"]
    written(tmp_path, dict.fromkeys(names, fork) | {"a/._real": dicom()})
    taken, refused = received([tmp_path])
    assert list(taken) == [f"{tmp_path}/a/._real"]
    assert set(refused.values()) == {"system file"}
    assert len(refused) == 5


def test_objects_beyond_the_limit_are_refused_before_and_on_opening(tmp_path: Path) -> None:
    path = written(tmp_path, {"x": dicom(bytes(1000))}) / "x"
    _, refused = received([path], Settings(max_object_bytes=1000))
    assert refused == {str(path): "beyond the limits"}
    item = only(candidates([path], SETTINGS))
    with pytest.raises(TooLarge):
        open_candidate(item, Settings(max_object_bytes=1000))


def test_names_are_printable_whatever_they_are(tmp_path: Path) -> None:
    with open(os.fsencode(tmp_path) + b"/\xff\x1b[31m\n", "wb") as file:
        file.write(dicom())
    (origin,) = origins(tmp_path)
    assert origin == f"{tmp_path}/\\udcff\\x1b[31m\\n"
    assert origin.encode("utf-8").isascii()


def test_paths_are_asked_for_one_by_one(tmp_path: Path) -> None:
    def endless() -> object:
        number = 0
        while True:
            number += 1
            yield tmp_path / f"none{number}"

    stream = candidates(endless(), SETTINGS)  # type: ignore[arg-type]
    assert [isinstance(next(stream), Refusal) for _ in range(3)] == [True] * 3


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_folders_files(tmp_path: Path) -> None:
    for folder in range(20):
        written(tmp_path / str(folder), {f"{number:04}": b"" for number in range(100)})
    peaks = []
    for paths in ([tmp_path / "0"], [tmp_path]):
        tracemalloc.start()
        count = sum(1 for _ in candidates(paths, SETTINGS))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert count == 2000
    assert peaks[1] < peaks[0] + 100_000
