"""Opening and making archives, who may do what, and settings."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pacs_panel.archive import Archive, open_archive
from pacs_panel.errors import ArchiveError, Denied, NotFound, PacsPanelError
from pacs_panel.model import LOCAL, Principal
from pacs_panel.peer import Peer
from pacs_panel.policy import Rule
from pacs_panel.settings import Settings
from tests.archive.made import QUICK, ct, opened, put

SERIES = ct(2)
UID = SERIES.series_uid


def test_an_archive_keeps_its_id(tmp_path: Path) -> None:
    for address in (tmp_path / "a", f"file://{tmp_path}/a"):
        with open_archive(address, settings=QUICK) as archive:
            assert archive.root == tmp_path / "a"
            toml = (archive.root / "archive.toml").read_text()
    assert tomllib.loads(toml)["format"] == 1
    open_archive(tmp_path / "a", settings=QUICK).close()
    assert (tmp_path / "a" / "archive.toml").read_text() == toml


def test_an_archive_whose_making_was_cut_short_is_made(tmp_path: Path) -> None:
    for name in ("incoming", "locks"):
        (tmp_path / name).mkdir()
    (tmp_path / ".part-x").write_bytes(b"form")
    opened(tmp_path).close()
    assert (tmp_path / "archive.toml").exists()


def test_memory_vanishes() -> None:
    with open_archive("memory://", settings=QUICK) as archive:
        root = archive.root
        assert root.is_dir()
    assert not root.exists()


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="no archive"):
        open_archive(tmp_path / "none", create=False)
    assert not (tmp_path / "none").exists()
    with pytest.raises(ArchiveError, match="s3"):
        open_archive("s3://bucket/a")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    with pytest.raises(ArchiveError, match="not empty"):
        open_archive(tmp_path / "full")
    with pytest.raises(ArchiveError, match="not an archive"):
        open_archive(tmp_path / "full" / "notes.txt")
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(("text", "message"), [("format = 99\n", "format 99"), ("format = [", "damaged")])
def test_another_format_is_refused(tmp_path: Path, text: str, message: str) -> None:
    opened(tmp_path / "a").close()
    (tmp_path / "a" / "archive.toml").write_text(text)
    with pytest.raises(ArchiveError, match=message):
        open_archive(tmp_path / "a")


ACTIONS: dict[str, Callable[[Archive], Any]] = {
    "search": lambda a: a.search().to_frame(),
    "find": lambda a: a.find(UID),
    "objects": lambda a: a.objects(UID),
    "header": lambda a: a.header(UID),
    "read": lambda a: a.read(UID),
    "revision": lambda a: a.revision(UID),
    "volume": lambda a: a.volume(UID),
    "volumes": lambda a: a.volumes(UID),
    "thumbnail": lambda a: a.thumbnail(UID),
    "export": lambda a: a.export(UID, a.root.parent / "out"),
    "ingest": lambda a: a.ingest(a.root.parent / "in"),
    "recover": lambda a: a.recover(),
    "settle": lambda a: a.settle(),
    "verify": lambda a: a.verify(),
    "remove": lambda a: a.remove(UID),
    "restore": lambda a: a.restore(UID),
    "trash": lambda a: a.trash(),
    "empty_trash": lambda a: a.empty_trash(),
    "imports": lambda a: a.imports(),
    "quarantine": lambda a: a.quarantine(),
    "status": lambda a: a.status(),
    "change": lambda a: a.change(),
    "reindex": lambda a: a.reindex(),
}


@pytest.mark.parametrize("action", ACTIONS)
def test_nobody_may_do_anything_without_a_rule(archive: Archive, tmp_path: Path, action: str) -> None:
    archive.ingest(put(tmp_path / "in", SERIES.datasets[0]), build=False)
    with pytest.raises(Denied):
        ACTIONS[action](archive.as_(Principal("guest")))
    assert not (tmp_path / "out").exists()
    assert archive.status()["instances"] == 1


def test_a_rule_with_criteria_grants_what_it_matches(archive: Archive, tmp_path: Path) -> None:
    other = ct(1, seed=9)
    archive.ingest(put(tmp_path / "1", *SERIES.datasets), collection="open", build=False)
    archive.ingest(put(tmp_path / "2", *other.datasets), collection="closed", build=False)
    rules = (
        Rule("reader", frozenset({"read"})),
        Rule("keeper", frozenset({"read", "remove"}), {"Collection": "open"}),
    )
    reader = Archive(archive.root, QUICK, Principal("r", frozenset({"reader"})), rules)
    both = Archive(archive.root, QUICK, Principal("k", frozenset({"reader", "keeper"})), rules)
    keeper = Archive(archive.root, QUICK, Principal("k", frozenset({"keeper"})), rules)
    assert reader.status()["series"] == 2
    with pytest.raises(Denied):
        reader.remove(UID)
    assert list(keeper.search().to_frame()["SeriesInstanceUID"]) == [UID]
    for call in (keeper.read, keeper.header):
        with pytest.raises(NotFound):
            call(str(other.datasets[0].SOPInstanceUID))
    with pytest.raises(NotFound):  # may be read, but not removed
        both.remove(other.series_uid)
    assert keeper.remove(UID) == 2
    for each in (reader, both, keeper):
        each.close()


def test_settings_from_file_environment_and_keywords(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("[settings]\nbatch = 10\nworkers = 1\nmax_depth = 7\n")
    environ = {"PACS_PANEL_WORKERS": "2", "PACS_PANEL_MAX_DEPTH": "8", "PACS_PANEL_DATA": "elsewhere"}
    found = Settings.load(file, environ, max_depth=9)
    assert (found.batch, found.workers, found.max_depth) == (10, 2, 9)
    assert found.cache_bytes == Settings().cache_bytes
    assert Settings.load(environ={"PACS_PANEL_POLL_SECONDS": "0.5"}).poll_seconds == 0.5
    assert Settings.load(environ={"PACS_PANEL_FAULT": "keep.synced:2"}).fault == "keep.synced:2"


@pytest.mark.parametrize("wrong", [{"wrkers": 1}, {"workers": "many"}, {"workers": 1.5}, {"batch": -1}])
def test_wrong_settings_are_told(wrong: dict[str, Any]) -> None:
    with pytest.raises(PacsPanelError, match=next(iter(wrong))):
        Settings.load(environ={}, **wrong)


def test_peers_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(
        '[settings]\nae_title = "OURS"\n'
        '[peers.ward]\nae_title = "WARD"\nhost = "192.0.2.7"\nport = 104\nmay = ["store", "find"]\n'
        'collection = "ward 7"\n[peers.asker]\nae_title = "ASKER"\n'
    )
    found = Settings.load(file, {})
    assert found.ae_title == "OURS"
    assert found.peers == (
        Peer("ward", "WARD", "192.0.2.7", 104, frozenset({"store", "find"}), "ward 7"),
        Peer("asker", "ASKER", may=frozenset({"echo", "store"})),
    )


def test_credentials_of_a_peer_come_from_file_or_environment_and_are_not_told(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('[peers.next-door]\nurl = "https://pacs.example/dicom-web/"\nuser = "me"\npassword = "from file"\n')
    (peer,) = Settings.load(file, {"PACS_PANEL_PEER_NEXT_DOOR_PASSWORD": "from environment"}).peers
    assert (peer.url, peer.user, peer.password) == ("https://pacs.example/dicom-web", "me", "from environment")
    assert "from" not in repr(peer) + repr(Settings.load(file, {}))
    with pytest.raises(PacsPanelError, match="a token, or user") as error:
        Settings.load(file, {"PACS_PANEL_PEER_NEXT_DOOR_TOKEN": "secret"})
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    "wrong",
    [
        'url = "ftp://a"',
        'url = "http://me:it@a/"',
        'url = "http://a/?b=c"',
        'url = "http://a"\ntoken = "a\\nb"',
        'ae_title = "A"\nretrieve = "pull"',
    ],
)
def test_wrong_addresses_of_peers_are_told(tmp_path: Path, wrong: str) -> None:
    test_wrong_peers_are_told(tmp_path, wrong)


@pytest.mark.parametrize(
    "wrong", ['ae_title = ""', 'ae_title = "A"\nport = 70000', 'ae_title = "A"\nmay = ["all"]', 'title = "A"']
)
def test_wrong_peers_are_told(tmp_path: Path, wrong: str) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(f"[peers.ward]\n{wrong}\n")
    with pytest.raises(PacsPanelError, match=r"\[peers\.ward\]"):
        Settings.load(file, {})


@pytest.mark.parametrize("text", [None, "[settings"])
def test_a_settings_file_that_cannot_be_read_is_told(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "settings.toml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(PacsPanelError, match="settings file"):
        Settings.load(file, {})


def test_the_local_principal_is_an_administrator(archive: Archive) -> None:
    assert archive.principal == LOCAL
    assert archive.status()["instances"] == 0


def test_an_error_does_not_repeat_a_patients_id(tmp_path: Path) -> None:
    with opened(tmp_path) as archive, pytest.raises(NotFound) as told:
        archive.find("Doe-1970", "patient")
    assert "Doe" not in str(told.value)
