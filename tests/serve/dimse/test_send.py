"""What is sent arrives as it is kept; what cannot be sent is named with its reason."""

from __future__ import annotations

import hashlib
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydicom.uid import RLELossless
from pynetdicom import AE, evt
from pynetdicom.sop_class import CTImageStorage  # type: ignore[attr-defined]

from pacs_panel.archive import Archive, open_archive
from pacs_panel.cli import main
from pacs_panel.errors import PacsPanelError, Unreachable
from pacs_panel.peer import Peer
from pacs_panel.serve.dimse.listener import Listening, listening
from pacs_panel.serve.dimse.peers import Callers
from pacs_panel.serve.dimse.sending import Sent, send
from pacs_panel.settings import Settings
from pacs_panel.testing import Study, Subject, ct_phantom, mr_oblique, write

pytestmark = pytest.mark.slow
ANYONE = Callers(anyone=frozenset({"echo", "store"}))


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    write(ct_phantom(slices=4, rows=16, columns=16), tmp_path / "in" / "ct", RLELossless)
    other = Study(Subject("Other", "P2"), "20240303", "101010", "Other")
    write(mr_oblique(study=other, slices=3, rows=16, columns=16), tmp_path / "in" / "mr")
    with open_archive(tmp_path / "archive", settings=Settings(workers=0)) as opened:
        opened.ingest(tmp_path / "in", build=False)
        yield opened


def keys(archive: Archive) -> list[str]:
    return [str(row["key"]) for row in archive.search().rows()]


def digests(archive: Archive) -> set[str]:
    return {kept.digests.dataset for key in keys(archive) for kept in archive.objects(key)}


def test_objects_arrive_as_they_are_kept(archive: Archive, tmp_path: Path) -> None:
    seen: list[int] = []
    with open_archive(tmp_path / "other", settings=Settings(workers=0)) as other:
        with listening(other, ANYONE, Listening(port=0)) as (host, port):
            done = send(archive, keys(archive), Peer("p", "PACS_PANEL", host, port), "US", seen.append)
        assert (done.sent, done.failed) == (7, {})
        assert seen == list(range(1, 8))
        assert digests(other) == digests(archive)
        for row in other.search("instance").rows():
            content = other.read(str(row["SOPInstanceUID"]))
            kept = other.objects(str(row["series_key"]))
            offsets = {each.dataset_offset for each in kept if each.sop_instance_uid == row["SOPInstanceUID"]}
            assert hashlib.sha256(content[offsets.pop() :]).hexdigest() in digests(archive)


@pytest.mark.peer("storescp")
def test_what_a_peer_does_not_take_is_named(archive: Archive, tmp_path: Path, peer: Callable[[str], Path]) -> None:
    """DCMTK's receiver takes what is not compressed, unless it is told otherwise."""
    (tmp_path / "out").mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(peer("storescp")), "-aet", "PICKY", "-od", str(tmp_path / "out"), str(port)]
    with subprocess.Popen(command, env={"TCP_NODELAY": "1"}) as process:
        try:
            done = when_it_answers(
                lambda: send(archive, keys(archive), Peer("picky", "PICKY", "127.0.0.1", port), "US")
            )
        finally:
            process.terminate()
    assert (done.sent, len(done.failed)) == (3, 4)
    assert all(RLELossless in reason for reason in done.failed.values())
    assert len(list((tmp_path / "out").iterdir())) == 3


def when_it_answers(ask: Callable[[], Sent]) -> Sent:
    """What is answered once the other side listens."""
    for _ in range(300):
        try:
            return ask()
        except Unreachable:
            threading.Event().wait(0.1)
    return ask()


@contextmanager
def receiver(store: Callable[[Any], int]) -> Iterator[Peer]:
    """A peer that answers each object as ``store`` says."""
    entity: Any = AE("OTHER")
    entity.add_supported_context(CTImageStorage, RLELossless)
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, store)])
    try:
        yield Peer("other", "OTHER", *server.server_address[:2])
    finally:
        server.shutdown()


def test_what_a_peer_refuses_keeps_nothing_else(archive: Archive) -> None:
    got: list[str] = []

    def store(event: Any) -> int:
        got.append(str(event.request.AffectedSOPInstanceUID))
        return 0xA700 if len(got) == 2 else 0

    with receiver(store) as other:
        done = send(archive, keys(archive), other, "US")
    assert done.sent == 6
    assert done.failed == {got[1]: "other answered 0xA700"}


def test_a_broken_association_is_begun_anew(archive: Archive) -> None:
    got: list[str] = []

    def store(event: Any) -> int:
        if len(got) == 2:
            got.append("broken")
            event.assoc.abort()
            return 0x0110
        got.append(str(event.request.AffectedSOPInstanceUID))
        return 0

    with receiver(store) as other:
        done = send(archive, [next(str(row["key"]) for row in archive.search(Modality="CT").rows())], other, "US")
    assert (done.sent, done.failed) == (4, {})
    assert got.count("broken") == 1


def test_who_cannot_be_called_is_told(archive: Archive) -> None:
    with pytest.raises(PacsPanelError, match=r"\[peers\.p\]"):
        send(archive, keys(archive), Peer("p", "P"), "US")
    with pytest.raises(Unreachable, match="does not answer"):
        send(archive, keys(archive), Peer("p", "P", "127.0.0.1", 9), "US")


def test_the_command(archive: Archive, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "settings.toml"
    command = ["--settings", str(file), "send"]
    with (
        open_archive(tmp_path / "other", settings=Settings(workers=0)) as other,
        listening(other, ANYONE, Listening(port=0)) as (host, port),
    ):
        file.write_text(f'[peers.next]\nae_title = "PACS_PANEL"\nhost = "{host}"\nport = {port}\n')
        assert main([*command, "next", "Modality=CT", "--archive", str(archive.root)]) == 0
        assert main([*command, "nobody", "Modality=CT", "--archive", str(archive.root)]) == 2
    said = capsys.readouterr()
    assert said.out.startswith("4 objects sent, 0 not")
    assert "[peers.nobody]" in said.err
