"""What a peer has comes in as it has it, once; what is amiss is told, and what is broken off goes on."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from pynetdicom import AE, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    CTImageStorage,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    Verification,
)

from pacs_panel.archive import Archive, open_archive
from pacs_panel.cli import main
from pacs_panel.errors import BadQuery, PacsPanelError, Unreachable
from pacs_panel.peer import Peer, Retrieval
from pacs_panel.serve.dimse.finding import find
from pacs_panel.serve.dimse.listener import Listening
from pacs_panel.serve.dimse.sending import send
from pacs_panel.serve.peers import calling
from pacs_panel.serve.pulling import Pulled, pull
from pacs_panel.settings import Settings
from pacs_panel.testing import Study, Subject, ct_phantom, mr_oblique, write

pytestmark = pytest.mark.slow
SETTINGS = Settings(workers=0)
WHO = {"PatientID": "P2"}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """What the peers hold: a CT and an MR of one patient and a CT of another one."""
    base = tmp_path_factory.mktemp("source")
    one = Study(Subject("Other^Önë", "P2"), "20240303", "101010", "Other")
    write(ct_phantom(study=one, slices=4, rows=16, columns=16), base / "in" / "ct")
    write(mr_oblique(study=one, slices=3, rows=16, columns=16), base / "in" / "mr")
    write(ct_phantom(slices=2, rows=16, columns=16), base / "in" / "first")
    with open_archive(base / "archive", settings=SETTINGS) as opened:
        opened.ingest(base / "in", build=False)
        yield opened


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with open_archive(tmp_path / "archive", settings=SETTINGS) as opened:
        yield opened


def digests(archive: Archive, **asked: Any) -> dict[str, tuple[str, str]]:
    """Digest of the data set, and transfer syntax, by SOP Instance UID."""
    kept = (kept for row in archive.search(**asked).rows() for kept in archive.objects(str(row["key"])))
    return {each.sop_instance_uid: (each.digests.dataset, each.transfer_syntax) for each in kept}


def pulled(archive: Archive, peer: Peer, listen: Listening | None = None, **how: Any) -> Pulled:
    asked = how.pop("asked", WHO)
    with closing(calling(archive, peer, title="US", listen=listen)) as called:
        return pull(archive, called, peer, asked, **how)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


# -- DCMTK -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def dcmqrscp(tmp_path: Path, source: Archive, peer: Callable[[str], Path]) -> Iterator[Callable[[Retrieval], Peer]]:
    """DCMTK's archive with all of the source in it; it moves to ``US``, whose port is 1 above its own."""
    port, ours = free_port(), free_port()
    (tmp_path / "db").mkdir()
    config = tmp_path / "dcmqrscp.cfg"
    config.write_text(
        f"NetworkTCPPort = {port}\nMaxPDUSize = 16384\nMaxAssociations = 16\nHostTable BEGIN\n"
        f"us = (US, 127.0.0.1, {ours})\nHostTable END\nVendorTable BEGIN\nVendorTable END\n"
        f"AETable BEGIN\nQR {tmp_path / 'db'} RW (200, 1024mb) ANY\nAETable END\n"
    )
    command = [str(peer("dcmqrscp")), "-c", str(config)]
    with subprocess.Popen(command, env={"TCP_NODELAY": "1"}, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for(port)
            keys = [str(row["key"]) for row in source.search().rows()]
            sent = send(source, keys, Peer("qr", "QR", "127.0.0.1", port), "US")
            assert (sent.sent, sent.failed) == (9, {})
            yield lambda how: Peer("qr", "QR", "127.0.0.1", port, retrieve=how, collection=str(ours))
        finally:
            process.terminate()


def wait_for(port: int) -> None:
    """Until somebody listens."""
    entity = AE("US")
    entity.add_requested_context(Verification)
    for _ in range(300):
        if (found := entity.associate("127.0.0.1", port, ae_title="QR")).is_established:
            found.release()
            return
    raise AssertionError("nobody listens")


@pytest.mark.peer("dcmqrscp")
@pytest.mark.parametrize("how", ["get", "move"])
def test_dcmtk_gives_what_it_has_once(
    dcmqrscp: Callable[[Retrieval], Peer], source: Archive, archive: Archive, how: Retrieval
) -> None:
    there = dcmqrscp(how)
    listen = Listening(port=int(there.collection))
    done = pulled(archive, there, listen)
    assert (done.found, done.here, done.accepted, done.failed, done.stopped) == (7, 0, 7, {}, "")
    assert digests(archive) == digests(source, PatientID="P2")
    assert {row["Collection"] for row in archive.search().rows()} == {there.collection}
    again = pulled(archive, there, listen)
    assert (again.found, again.here, again.accepted) == (7, 7, 0)


@pytest.mark.peer("dcmqrscp")
def test_levels_and_criteria(dcmqrscp: Callable[[Retrieval], Peer], archive: Archive) -> None:
    there = dcmqrscp("get")
    assert pulled(archive, there, asked={"Modality": "MR"}).accepted == 3
    assert pulled(archive, there, asked={"PatientName": "Other*", "InstanceNumber": "2"}, level="instance").found == 2
    assert pulled(archive, there, asked={"Modality": "MR", "StudyDate": "20240101-"}, level="study").found == 7
    assert pulled(archive, there, asked={"StudyDate": "-20000101"}).found == 0


@pytest.mark.peer("dcmqrscp")
def test_the_command(
    dcmqrscp: Callable[[Retrieval], Peer], tmp_path: Path, archive: Archive, capsys: pytest.CaptureFixture[str]
) -> None:
    there, file = dcmqrscp("get"), tmp_path / "settings.toml"
    file.write_text(f'[peers.qr]\nae_title = "QR"\nhost = "127.0.0.1"\nport = {there.port}\n')
    command = ["--settings", str(file), "pull", "--archive", str(archive.root), "qr", "PatientID=P2"]
    assert main([*command, "--dry-run"]) == 0
    assert "7 of 7 objects would come" in capsys.readouterr().out
    assert archive.search().count() == 0
    assert main([*command, "Modality=MR", "--collection", "lung"]) == 0
    assert "3 found, 0 already here, 3 accepted, 0 failed" in capsys.readouterr().out
    assert archive.search(Collection="lung").count() == 1
    assert main([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["accepted"] == 4
    assert main([*command, "NoSuch=1"]) == 2
    assert "'NoSuch'" in capsys.readouterr().err


# -- peers that are not as they should be ------------------------------------------------------------------------------


@contextmanager
def answering(source: Archive, get: Callable[[Any, list[Any]], Iterator[Any]]) -> Iterator[Peer]:
    """A peer that finds as the source does, and answers C-GET as ``get`` says, given the datasets asked for."""
    import pydicom

    def found(event: Any) -> Iterator[Any]:
        yield from find(source, event.identifier, "ODD", lambda: False)

    def give(event: Any) -> Iterator[Any]:
        asked = {k: str(event.identifier.get(k, "")) for k in ("SeriesInstanceUID", "SOPInstanceUID")}
        rows = source.search("instance", **{k: v for k, v in asked.items() if v}).rows()
        datasets = [pydicom.dcmread(_file(source, str(row["SOPInstanceUID"]))) for row in rows]
        yield from get(event, datasets)

    entity: Any = AE("ODD")
    entity.add_supported_context(StudyRootQueryRetrieveInformationModelFind)
    entity.add_supported_context(StudyRootQueryRetrieveInformationModelGet)
    entity.add_supported_context(CTImageStorage, scu_role=True, scp_role=True)
    handlers = [(evt.EVT_C_FIND, found), (evt.EVT_C_GET, give)]
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    try:
        yield Peer("odd", "ODD", *server.server_address[:2])
    finally:
        server.shutdown()


def break_off(event: Any) -> None:
    """As where a cable is pulled."""
    event.assoc.dul.socket.socket.shutdown(socket.SHUT_RDWR)


def _file(archive: Archive, uid: str) -> Any:
    import io

    return io.BytesIO(archive.read(uid))


CT = WHO | {"Modality": "CT"}


def test_a_broken_association_goes_on_and_nothing_is_asked_for_twice(source: Archive, archive: Archive) -> None:
    asked: list[list[str]] = []

    def get(event: Any, datasets: list[Any]) -> Iterator[Any]:
        asked.append([str(each.SOPInstanceUID) for each in datasets])
        yield len(datasets)
        for number, each in enumerate(datasets):
            if len(asked) == 1 and number == 2:
                break_off(event)
                return
            yield 0xFF00, each

    with answering(source, get) as odd:
        done = pulled(archive, odd, asked=CT)
    assert (done.accepted, done.failed, done.stopped) == (4, {}, "")
    assert digests(archive) == digests(source, PatientID="P2", Modality="CT")
    whole, *rest = asked
    assert len(whole) == 4
    assert sorted(uid for each in rest for uid in each) == sorted(whole[2:])


def test_who_breaks_again_and_again_is_left_and_the_next_run_goes_on(source: Archive, archive: Archive) -> None:
    broken = [True]

    def get(event: Any, datasets: list[Any]) -> Iterator[Any]:
        yield len(datasets)
        for number, each in enumerate(datasets):
            if broken[0] and (number == 1 or len(datasets) == 1):
                break_off(event)
                return
            yield 0xFF00, each

    with answering(source, get) as odd:
        done = pulled(archive, odd, asked=CT)
        assert (done.accepted, "breaks the association" in done.stopped) == (1, True)
        broken[0] = False
        again = pulled(archive, odd, asked=CT)
    assert (again.here, again.accepted, again.stopped) == (1, 3, "")


@pytest.mark.parametrize("fault", ["admit.decided", "admit.committed", "seal.committed"])
def test_a_run_that_is_killed_is_gone_on_with_and_nothing_is_asked_for_twice(
    source: Archive, archive: Archive, tmp_path: Path, fault: str
) -> None:
    asked: list[str] = []

    def get(event: Any, datasets: list[Any]) -> Iterator[Any]:
        asked.extend(str(each.SOPInstanceUID) for each in datasets)
        yield len(datasets)
        yield from ((0xFF00, each) for each in datasets)

    with answering(source, get) as odd:
        file = tmp_path / "settings.toml"
        file.write_text(f'[peers.odd]\nae_title = "ODD"\nhost = "127.0.0.1"\nport = {odd.port}\n')
        run = "import sys; from pacs_panel.cli import main; sys.exit(main(sys.argv[1:]))"
        words = ["--settings", str(file), "pull", "--archive", str(archive.root), "odd", "PatientID=P2", "Modality=CT"]
        killed = subprocess.run(
            [sys.executable, "-c", run, *words], env={**os.environ, "PACS_PANEL_FAULT": fault}, check=False
        )
        assert killed.returncode == -signal.SIGKILL
        assert len(asked) == 4
        done = pulled(archive, odd, asked=CT)
    assert (done.found, done.here, done.accepted, done.failed) == (4, 4, 0, {})
    assert len(asked) == 4
    assert digests(archive) == digests(source, PatientID="P2", Modality="CT")


def test_another_object_than_was_asked_for_is_refused(source: Archive, archive: Archive) -> None:
    def get(event: Any, datasets: list[Any]) -> Iterator[Any]:
        yield len(datasets)
        for number, each in enumerate(datasets):
            if number == 0:
                each.SeriesInstanceUID = "1.2.3"
            if number == 1:
                each.SOPInstanceUID = "1.2.4"
            yield 0xFF00, each

    with answering(source, get) as odd:
        done = pulled(archive, odd, asked=CT)
    assert (done.found, done.accepted, len(done.failed), done.refused) == (4, 2, 2, 2)
    assert digests(archive).items() <= digests(source).items()


def test_who_cannot_be_asked_is_told(archive: Archive) -> None:
    with pytest.raises(Unreachable, match="does not answer"):
        pulled(archive, Peer("p", "P", "127.0.0.1", free_port()))
    with pytest.raises(PacsPanelError, match=r"\[peers\.p\]"):
        pulled(archive, Peer("p", "P"))
    with pytest.raises(BadQuery, match="say what to pull"):
        pulled(archive, Peer("p", "P", "127.0.0.1", 9), asked={})


def test_who_finds_and_gives_nothing_is_told(source: Archive, archive: Archive) -> None:
    entity: Any = AE("ODD")
    entity.add_supported_context(StudyRootQueryRetrieveInformationModelFind)

    def found(event: Any) -> Iterator[Any]:
        yield from find(source, event.identifier, "ODD", lambda: False)

    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_FIND, found)])
    try:
        done = pulled(archive, Peer("odd", "ODD", *server.server_address[:2]), Listening(port=free_port()), asked=CT)
    finally:
        server.shutdown()
    assert (done.found, done.accepted, len(done.failed)) == (4, 0, 4)
    assert all("refuses" in why or "does not" in why for why in done.failed.values()), done.failed
