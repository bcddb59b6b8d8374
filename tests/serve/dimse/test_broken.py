"""Associations that break: nothing of what came half stays, and nothing is held on to."""

from __future__ import annotations

import socket
import struct
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from pynetdicom.dimse_messages import C_FIND_RQ, C_STORE_RQ
from pynetdicom.dimse_primitives import C_FIND, C_STORE
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind  # type: ignore[attr-defined]

from pacs_panel.archive import Archive, open_archive
from pacs_panel.peer import Peer
from pacs_panel.serve.dimse.coming import MOST_IN_MEMORY
from pacs_panel.serve.dimse.listener import Listening, listening
from pacs_panel.serve.dimse.peers import Callers
from pacs_panel.settings import Settings
from pacs_panel.testing import ct_phantom
from tests.serve.dimse.sending import TITLE, association, objects, send

CALLERS = Callers((Peer("sender", TITLE, may=frozenset({"echo", "store", "find"})),))
CT, FIND = str(CTImageStorage), str(StudyRootQueryRetrieveInformationModelFind)


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with open_archive(tmp_path / "archive", settings=Settings(workers=0)) as opened:
        yield opened


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where objects lie while they come."""
    made = tmp_path / "coming"
    made.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(made))
    return made


def until(true: Callable[[], bool]) -> None:
    for _ in range(200):
        if true():
            return
        threading.Event().wait(0.05)
    raise AssertionError("it did not come to this")


def pieces(request: Any, message: Any, context: int) -> list[Any]:
    """The parts of a message, which may be sent one by one."""
    message.primitive_to_message(request)
    return list(message.encode_msg(context, 4096))


def storing(found: Any, uid: str, content: bytes) -> list[Any]:
    request = C_STORE()
    request.MessageID, request.Priority = 1, 2
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = CT, uid
    request.DataSet = BytesIO(content)
    return pieces(request, C_STORE_RQ(), found.accepted_contexts[0].context_id)


@pytest.mark.parametrize("how", ["abort", "lost"])
def test_half_an_object_does_not_stay(archive: Archive, folder: Path, how: str) -> None:
    with (
        listening(archive, CALLERS, Listening(port=0)) as address,
        association(address, [(CT, ExplicitVRLittleEndian)]) as found,
    ):
        for piece in storing(found, "1.2.3", bytes(100_000))[:5]:
            found.dul.send_pdu(piece)
        until(lambda: bool(list(folder.iterdir())))
        if how == "abort":
            found.abort()
        else:
            found.dul.socket.socket.shutdown(socket.SHUT_RDWR)
        until(lambda: not list(folder.iterdir()))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # the library's own thread
def test_what_nobody_can_write_ends_its_association(
    archive: Archive, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = objects(ct_phantom(slices=1, rows=16, columns=16))
    with listening(archive, CALLERS, Listening(port=0)) as address:
        with association(address, [(CT, ExplicitVRLittleEndian)]) as found:
            (uid, content), *_ = sent.items()
            path = tmp_path / "one.dcm"
            path.write_bytes(content)
            assert found.send_c_store(path).Status == 0
            monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "not there"))
            for piece in storing(found, "1.2.3", bytes(100)):
                found.dul.send_pdu(piece)
            until(lambda: not list((archive.root / "incoming").glob("*")))  # its door is closed
            until(lambda: not found.is_established)
        monkeypatch.setattr(tempfile, "tempdir", str(folder))
        assert send(address, sent, tmp_path) == {uid: 0}


def test_what_would_fill_memory_is_not_read(archive: Archive, folder: Path) -> None:
    with listening(archive, CALLERS, Listening(port=0)) as address:
        with socket.create_connection(address, timeout=20) as line:
            line.sendall(struct.pack(">BBL", 1, 0, 0xFFFFFFF0))
            assert line.recv(100) == b""
        with association(address, [(FIND, ExplicitVRLittleEndian)]) as found:
            request = C_FIND()
            request.MessageID, request.Priority, request.AffectedSOPClassUID = 1, 2, FIND
            request.Identifier = BytesIO(bytes(MOST_IN_MEMORY + 100_000))
            for piece in pieces(request, C_FIND_RQ(), found.accepted_contexts[0].context_id):
                found.dul.send_pdu(piece)
            until(lambda: not found.is_established)


REQUEST = struct.pack(">BBL", 1, 0, 68) + struct.pack(">HH", 1, 0) + b"PACS_PANEL".ljust(16) + b"SENDER".ljust(16)


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\nHost: here\r\n\r\n",
        bytes(1000),
        b"\xff" * 1000,
        struct.pack(">BBL", 4, 0, 20) + bytes(20),  # data before any association
        struct.pack(">BBL", 9, 0, 4) + bytes(4),  # of no known type
        REQUEST + bytes(32),  # proposes nothing
        REQUEST + bytes(28) + struct.pack(">BBH", 0x10, 0, 0xFFFF),  # an item that is longer than its message
        struct.pack(">BBL", 1, 0, 2) + bytes(2),  # shorter than any
    ],
)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # the library's own thread
def test_garbage_ends_its_own_line_only(archive: Archive, folder: Path, tmp_path: Path, garbage: bytes) -> None:
    sent = objects(ct_phantom(slices=1, rows=16, columns=16))
    with listening(archive, CALLERS, Listening(port=0, timeout=2)) as address:
        with socket.create_connection(address, timeout=20) as line:
            line.sendall(garbage)
            line.shutdown(socket.SHUT_WR)
            with suppress(ConnectionResetError):
                while line.recv(1000):
                    pass
        assert send(address, sent, tmp_path) == dict.fromkeys(sent, 0)
    assert not list(folder.iterdir())


def test_who_stalls_amid_an_object_is_cut(archive: Archive, folder: Path) -> None:
    with (
        listening(archive, CALLERS, Listening(port=0, timeout=0.5)) as address,
        association(address, [(CT, ExplicitVRLittleEndian)]) as found,
    ):
        for piece in storing(found, "1.2.3", bytes(100_000))[:5]:
            found.dul.send_pdu(piece)
        until(lambda: not found.is_established)
        until(lambda: not list(folder.iterdir()))
    assert archive.status()["instances"] == 0


def test_lines_on_which_nothing_is_said_are_no_more_than_some(archive: Archive) -> None:
    with ExitStack() as stack:
        address = stack.enter_context(listening(archive, CALLERS, Listening(port=0, associations=1)))
        lines = [stack.enter_context(socket.create_connection(address, timeout=20)) for _ in range(12)]
        assert lines[-1].recv(1) == b""
