"""Storage commitment tells of each object whether its bytes are kept, however often it takes to tell."""

from __future__ import annotations

import queue
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, MRImageStorage, generate_uid
from pynetdicom import AE, evt
from pynetdicom.sop_class import StorageCommitmentPushModel  # type: ignore[attr-defined]

from pacs_panel.archive import Archive, open_archive
from pacs_panel.peer import Operation, Peer
from pacs_panel.serve.dimse.committing import INSTANCE
from pacs_panel.serve.dimse.listener import Listening, listening
from pacs_panel.serve.dimse.peers import Callers
from pacs_panel.settings import Settings
from pacs_panel.testing import ct_phantom
from tests.serve.dimse.sending import TITLE, association, objects, send

MAY: frozenset[Operation] = frozenset({"store", "commit"})
Reports = queue.Queue[tuple[int, Dataset]]


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with open_archive(tmp_path / "archive", settings=Settings(workers=0)) as opened:
        yield opened


@contextmanager
def told(reports: Reports, port: int = 0, refused: int = 0) -> Iterator[int]:
    """A sender that can be called back, and says of the first reports that it has not understood them."""
    left = [refused]

    def take(event: Any) -> tuple[int, None]:
        if left[0]:
            left[0] -= 1
            return 0x0110, None
        reports.put((event.event_type, event.event_information))
        return 0, None

    entity: Any = AE(TITLE)
    entity.add_supported_context(StorageCommitmentPushModel, scu_role=True, scp_role=True)
    server = entity.start_server(("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, take)])
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()


def ask(address: tuple[str, int], named: Mapping[str, str], transaction: str) -> int:
    """Status of a request for commitment."""
    information = Dataset()
    information.TransactionUID, information.ReferencedSOPSequence = transaction, []
    for uid, kind in named.items():
        item = Dataset()
        item.ReferencedSOPInstanceUID, item.ReferencedSOPClassUID = uid, kind
        information.ReferencedSOPSequence.append(item)
    with association(address, [(StorageCommitmentPushModel, "1.2.840.10008.1.2")]) as found:
        state, _ = found.send_n_action(information, 1, StorageCommitmentPushModel, INSTANCE)
    return int(state.Status)


def callers(port: int, may: frozenset[Operation] = MAY) -> Callers:
    return Callers((Peer("sender", TITLE, "127.0.0.1", port, may),))


def test_each_object_is_told_of(archive: Archive, tmp_path: Path) -> None:
    reports: Reports = queue.Queue()
    sent = objects(ct_phantom(slices=3, rows=16, columns=16))
    good, damaged, conflict = sent
    missing, transaction = generate_uid(), generate_uid()
    with told(reports) as port, listening(archive, callers(port), Listening(port=0)) as address:
        assert set(send(address, sent, tmp_path).values()) == {0}
        assert ask(address, dict.fromkeys(sent, CTImageStorage), transaction) == 0
        kind, report = reports.get(timeout=60)
        assert (kind, report.TransactionUID) == (1, transaction)
        assert {item.ReferencedSOPInstanceUID for item in report.ReferencedSOPSequence} == set(sent)
        spoil(archive, damaged)
        named = dict.fromkeys((good, damaged, missing), CTImageStorage) | {conflict: MRImageStorage}
        assert ask(address, named, generate_uid()) == 0
        kind, report = reports.get(timeout=60)
    assert kind == 2
    assert [item.ReferencedSOPInstanceUID for item in report.ReferencedSOPSequence] == [good]
    reasons = {item.ReferencedSOPInstanceUID: item.FailureReason for item in report.FailedSOPSequence}
    assert reasons == {damaged: 0x0110, missing: 0x0112, conflict: 0x0119}
    assert not archive.promised()


def spoil(archive: Archive, uid: str) -> None:
    """Change a byte of an object where it is kept."""
    content = archive.read(uid)
    (pack,) = [path for path in archive.root.rglob("*.tar") if content in path.read_bytes()]
    whole = bytearray(pack.read_bytes())
    whole[whole.index(content) + len(content) - 1] ^= 1
    pack.write_bytes(whole)


def test_a_restart_and_a_peer_that_is_away_forget_nothing(archive: Archive, tmp_path: Path) -> None:
    reports: Reports = queue.Queue()
    sent, transaction = objects(ct_phantom(slices=1, rows=16, columns=16)), generate_uid()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with listening(archive, callers(port), Listening(port=0)) as address:
        assert set(send(address, sent, tmp_path).values()) == {0}
        assert ask(address, dict.fromkeys(sent, CTImageStorage), transaction) == 0
    assert [each.transaction for each in archive.promised()] == [transaction]
    with listening(archive, callers(port), Listening(port=0, retry=0.05)), told(reports, port, refused=2):
        kind, report = reports.get(timeout=60)
    assert (kind, report.TransactionUID) == (1, transaction)


def test_only_who_may_is_promised_anything(archive: Archive) -> None:
    with listening(archive, callers(1, frozenset({"store"})), Listening(port=0)) as address:
        assert ask(address, {"1.2": CTImageStorage}, generate_uid()) == 0x0124
    with listening(archive, Callers((Peer("sender", TITLE, may=MAY),)), Listening(port=0)) as address:
        assert ask(address, {"1.2": CTImageStorage}, generate_uid()) == 0x0110
    assert not archive.promised()
