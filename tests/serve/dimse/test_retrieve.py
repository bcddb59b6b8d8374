"""C-GET and C-MOVE give objects as they are kept, and tell of those that cannot go."""

from __future__ import annotations

import io
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, MRImageStorage, RLELossless
from pynetdicom import AE, build_role, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    PatientRootQueryRetrieveInformationModelGet,
    PatientRootQueryRetrieveInformationModelMove,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

from pacs_panel.archive import Archive, open_archive
from pacs_panel.peer import Peer
from pacs_panel.serve.dimse.listener import Listening, listening
from pacs_panel.serve.dimse.peers import Callers
from pacs_panel.settings import Settings
from pacs_panel.testing import Study, Subject, ct_phantom, mr_oblique, write
from tests.serve.dimse.sending import TITLE, data_set

PATIENT_GET, STUDY_GET = PatientRootQueryRetrieveInformationModelGet, StudyRootQueryRetrieveInformationModelGet
PATIENT_MOVE, STUDY_MOVE = PatientRootQueryRetrieveInformationModelMove, StudyRootQueryRetrieveInformationModelMove
MAY = frozenset({"echo", "retrieve", "find"})
ALL_SYNTAXES = ((CTImageStorage, RLELossless), (MRImageStorage, ExplicitVRLittleEndian))
Address = tuple[str, int]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    base = tmp_path_factory.mktemp("retrieve")
    one = Study(Subject("One", "P-1"), "20240101", "101010", "One")
    two = Study(Subject("Two", "P-2"), "20250202", "111111", "Two")
    write(ct_phantom(study=one, slices=4, rows=16, columns=16), base / "in" / "ct", RLELossless)
    write(mr_oblique(study=one, slices=3, rows=16, columns=16), base / "in" / "mr")
    write(mr_oblique(study=two, slices=2, rows=16, columns=16), base / "in" / "other")
    with open_archive(base / "archive", settings=Settings(workers=0)) as opened:
        opened.ingest(base / "in", build=False)
        yield opened


class Got(dict[str, bytes]):
    """Data sets that arrived, byte for byte, by SOP Instance UID."""

    def take(self, event: Any) -> int:
        """Take one in."""
        self[str(event.request.AffectedSOPInstanceUID)] = data_set(event.dataset_path.read_bytes())
        return 0


@contextmanager
def destination(got: Got, *kinds: tuple[str, str], title: str = "DEST") -> Iterator[Peer]:
    """A peer that takes some kinds of object; any uncompressed one where none is named."""
    entity: Any = AE(title)
    for abstract, syntax in kinds:
        entity.add_supported_context(abstract, syntax)
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, got.take)])
    try:
        yield Peer("dest", title, *server.server_address[:2])
    finally:
        server.shutdown()


@contextmanager
def serving(archive: Archive, *peers: Peer, may: frozenset[Any] = MAY) -> Iterator[Address]:
    callers = Callers((Peer("asker", TITLE, may=may), *peers))
    with listening(archive, callers, Listening(port=0)) as address:
        yield address


def identifier(level: str, **keys: Any) -> Dataset:
    made = Dataset()
    made.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(made, keyword, value)
    return made


def retrieve(
    address: Address, asked: Dataset, model: Any, got: Got, kinds: Any = ALL_SYNTAXES, cancel: bool = False
) -> tuple[Dataset, Dataset | None, list[int]]:
    """The final status with its identifier, and the numbers of remaining sub-operations that were told before."""
    entity: Any = AE(TITLE)
    entity.add_requested_context(model)
    for abstract, syntax in kinds:
        entity.add_requested_context(abstract, syntax)
    roles = [build_role(abstract, scp_role=True) for abstract in dict.fromkeys(kind[0] for kind in kinds)]
    found = entity.associate(*address, ae_title="PACS_PANEL", ext_neg=roles, evt_handlers=[(evt.EVT_C_STORE, got.take)])
    assert found.is_established
    moving = model in (STUDY_MOVE, PATIENT_MOVE)
    answers = found.send_c_move(asked, "DEST", model) if moving else found.send_c_get(asked, model)
    told: list[int] = []
    last: tuple[Dataset, Dataset | None] = Dataset(), None
    for state, dataset in answers:
        if cancel and not told:
            found.send_c_cancel(1, query_model=model)
        if state.Status == 0xFF00:
            told.append(int(state.NumberOfRemainingSuboperations))
        last = (state, dataset)
    found.release()
    return *last, told


def kept(archive: Archive, **criteria: Any) -> dict[str, bytes]:
    """Data sets in the archive by SOP Instance UID."""
    uids = [str(row["SOPInstanceUID"]) for row in archive.search("instance", **criteria).rows()]
    return {uid: data_set(archive.read(uid)) for uid in uids}


def ask(archive: Archive, level: str, **criteria: Any) -> Dataset:
    """An identifier that names what a search of instances finds, at some level."""
    rows = list(archive.search("instance", **criteria).rows())
    keyword = {"PATIENT": "PatientID", "STUDY": "StudyInstanceUID", "SERIES": "SeriesInstanceUID"}
    name = keyword.get(level, "SOPInstanceUID")
    uids = list(dict.fromkeys(str(row[name]) for row in rows))
    return identifier(level, **{name: uids if len(uids) > 1 else uids[0]})


@pytest.mark.parametrize(
    ("model", "level", "criteria"),
    [
        (PATIENT_GET, "PATIENT", {"PatientID": "P-1"}),
        (STUDY_GET, "STUDY", {"PatientID": ["P-1", "P-2"]}),
        (STUDY_GET, "SERIES", {"Modality": "MR"}),
        (PATIENT_GET, "IMAGE", {"Modality": "CT"}),
        (PATIENT_MOVE, "PATIENT", {"PatientID": "P-1"}),
        (STUDY_MOVE, "STUDY", {"PatientID": "P-2"}),
        (STUDY_MOVE, "SERIES", {"Modality": "MR"}),
        (STUDY_MOVE, "IMAGE", {"Modality": "CT"}),
    ],
)
def test_objects_go_out_as_they_are_kept(archive: Archive, model: Any, level: str, criteria: dict[str, str]) -> None:
    got, expected = Got(), kept(archive, **criteria)
    with destination(got, *ALL_SYNTAXES) as dest, serving(archive, dest) as address:
        state, _, told = retrieve(address, ask(archive, level, **criteria), model, got)
    assert (state.Status, state.NumberOfCompletedSuboperations) == (0, len(expected))
    assert told == list(range(len(expected) - 1, -1, -1))
    assert got == expected


def test_what_a_peer_does_not_take_fails_with_its_reason(archive: Archive) -> None:
    got, mr = Got(), ((MRImageStorage, ExplicitVRLittleEndian),)
    with serving(archive) as address:
        state, failed, _ = retrieve(address, identifier("PATIENT", PatientID="P-1"), PATIENT_GET, got, mr)
    assert state.Status == 0xB000
    assert RLELossless in state.ErrorComment
    assert (state.NumberOfCompletedSuboperations, state.NumberOfFailedSuboperations) == (3, 4)
    assert failed is not None
    assert set(failed.FailedSOPInstanceUIDList) == set(kept(archive, Modality="CT"))
    assert got == kept(archive, Modality="MR", PatientID="P-1")


def test_what_is_compressed_is_decoded_where_the_peer_takes_nothing_else(archive: Archive) -> None:
    got, kinds = Got(), ((CTImageStorage, ExplicitVRLittleEndian),)
    with serving(archive) as address:
        state, _, _ = retrieve(address, ask(archive, "SERIES", Modality="CT"), STUDY_GET, got, kinds)
    assert (state.Status, state.NumberOfCompletedSuboperations) == (0, 4)
    for uid, content in got.items():
        same_pixels(archive, uid, pydicom.filereader.read_dataset(io.BytesIO(content), False, True))


@pytest.mark.peer("storescp")
def test_dcmtk_is_moved_to(archive: Archive, tmp_path: Path, peer: Callable[[str], Path]) -> None:
    """Its receiver takes what is not compressed."""
    (tmp_path / "out").mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(peer("storescp")), "-aet", "DEST", "-od", str(tmp_path / "out"), str(port)]
    with subprocess.Popen(command, env={"TCP_NODELAY": "1"}) as process:
        try:
            with serving(archive, Peer("dest", "DEST", "127.0.0.1", port)) as address:
                when_it_listens(port)
                state, _, _ = retrieve(address, identifier("PATIENT", PatientID="P-1"), PATIENT_MOVE, Got())
        finally:
            process.terminate()
    assert (state.Status, state.NumberOfCompletedSuboperations) == (0, 7)
    for path in (tmp_path / "out").iterdir():
        found = pydicom.dcmread(path)
        same_pixels(archive, str(found.SOPInstanceUID), found)
    assert len(list((tmp_path / "out").iterdir())) == 7


def when_it_listens(port: int) -> None:
    """Wait until somebody answers on a port."""
    entity: Any = AE(TITLE)
    entity.add_requested_context("1.2.840.10008.1.1")
    for _ in range(300):
        found = entity.associate("127.0.0.1", port)
        if found.is_established:
            found.release()
            return
        threading.Event().wait(0.1)
    raise AssertionError("nobody listens")


def same_pixels(archive: Archive, uid: str, found: Any) -> None:
    """Uncompressed, and what decoding by an independent implementation gives."""
    own = pydicom.dcmread(io.BytesIO(archive.read(uid)))
    size = own.Rows * own.Columns * 2
    assert found.PixelData[:size] == own.pixel_array.astype("<u2" if not own.PixelRepresentation else "<i2").tobytes()
    assert len(found.PixelData) == size


@pytest.mark.parametrize("model", [PATIENT_GET, PATIENT_MOVE])
def test_what_cannot_be_asked(archive: Archive, model: Any) -> None:
    got = Got()
    with destination(got, *ALL_SYNTAXES) as dest, serving(archive, dest) as address:

        def status(level: str, **keys: Any) -> int:
            return int(retrieve(address, identifier(level, **keys), model, got)[0].Status)

        assert status("WARD") == 0xA900
        assert status("STUDY", PatientID="P-1") == 0xA900
        assert status("PATIENT", PatientID="*") == 0xA900
        assert status("PATIENT", PatientID="nobody") == 0
    with destination(got, *ALL_SYNTAXES) as dest, serving(archive, dest, may=frozenset({"find"})) as address:
        assert status("PATIENT", PatientID="P-1") == 0x0124
    assert not got


def test_an_unknown_destination_is_told(archive: Archive) -> None:
    with serving(archive, Peer("nowhere", "DEST")) as address:
        state, _, _ = retrieve(address, identifier("PATIENT", PatientID="P-1"), PATIENT_MOVE, Got())
        assert state.Status == 0xA801


def test_a_retrieval_can_be_cancelled(archive: Archive) -> None:
    got = Got()
    with serving(archive) as address:
        state, _, _ = retrieve(address, identifier("PATIENT", PatientID="P-1"), PATIENT_GET, got, cancel=True)
    assert state.Status == 0xFE00
    assert state.NumberOfRemainingSuboperations + state.NumberOfCompletedSuboperations == 7
    assert len(got) == state.NumberOfCompletedSuboperations < 7


@pytest.mark.peer("getscu")
def test_dcmtk_gets(archive: Archive, tmp_path: Path, peer: Callable[[str], Path]) -> None:
    with serving(archive) as (host, port):
        keys = ["-k", "QueryRetrieveLevel=SERIES", "-k", f"SeriesInstanceUID={series(archive, 'P-2')}"]
        command = [str(peer("getscu")), "-S", "-aet", TITLE, "-aec", "PACS_PANEL", "+B", "-od", str(tmp_path)]
        run([*command, *keys, host, str(port)])
    assert files(tmp_path) == kept(archive, PatientID="P-2")


@pytest.mark.peer("movescu")
def test_dcmtk_moves(archive: Archive, tmp_path: Path, peer: Callable[[str], Path]) -> None:
    got = Got()
    with destination(got, *ALL_SYNTAXES) as dest, serving(archive, dest) as (host, port):
        command = [str(peer("movescu")), "-P", "-aet", TITLE, "-aec", "PACS_PANEL", "-aem", "DEST"]
        run([*command, "-k", "QueryRetrieveLevel=PATIENT", "-k", "PatientID=P-1", host, str(port)])
    assert got == kept(archive, PatientID="P-1")


def run(command: list[str]) -> None:
    subprocess.run(command, check=True, timeout=100, env={"TCP_NODELAY": "1"}, capture_output=True)


def series(archive: Archive, patient: str) -> str:
    return str(next(archive.search(PatientID=patient).rows())["SeriesInstanceUID"])


def files(folder: Path) -> dict[str, bytes]:
    """Data sets of files in a folder by SOP Instance UID."""
    found = [path.read_bytes() for path in folder.iterdir()]
    return {str(pydicom.dcmread(io.BytesIO(content)).SOPInstanceUID): data_set(content) for content in found}
