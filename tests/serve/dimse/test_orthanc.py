"""Orthanc, both ways: it sends to us and asks whether that is safe, queries and retrieves; we send to it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydicom.uid import RLELossless

from pacs_panel.archive import Archive, open_archive
from pacs_panel.peer import OPERATIONS, Peer
from pacs_panel.serve.dimse.listener import Listening, listening
from pacs_panel.serve.dimse.peers import Callers
from pacs_panel.serve.dimse.sending import send
from pacs_panel.settings import Settings
from pacs_panel.testing import ct_phantom, write
from tests.serve.dimse.sending import data_set, objects
from tests.serve.orthanc import Orthanc, orthanc

__all__ = ["orthanc"]
pytestmark = [pytest.mark.slow, pytest.mark.peer("Orthanc")]
Start = Callable[..., Orthanc]


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with open_archive(tmp_path / "archive", settings=Settings(workers=0)) as opened:
        yield opened


@contextmanager
def beside(archive: Archive, other: Orthanc) -> Iterator[Peer]:
    """We and Orthanc, who know each other; gives it as a peer."""
    peer = Peer("orthanc", other.title, *other.dicom, may=OPERATIONS)
    with listening(archive, Callers((peer,)), Listening(port=0, retry=0.2)) as address:
        other.add_modality("us", "PACS_PANEL", address)
        yield peer


def asked(other: Orthanc, path: str, body: Any) -> Any:
    return other.http.post(path, json=body).raise_for_status().json()


def test_it_sends_and_asks_whether_that_is_safe(archive: Archive, orthanc: Start) -> None:
    sent, other = objects(ct_phantom(slices=3, rows=16, columns=16)), orthanc()
    ids = [other.upload(content) for content in sent.values()]
    with beside(archive, other):
        assert (
            asked(other, "/modalities/us/store", {"Resources": ids, "Synchronous": True})["FailedInstancesCount"] == 0
        )
        transaction = asked(other, "/modalities/us/storage-commitment", {"Resources": ids})["ID"]
        state: dict[str, Any] = {}
        for _ in range(300):
            state = other.http.get(f"/storage-commitment/{transaction}").json()
            if state["Status"] != "Pending":
                break
            threading.Event().wait(0.1)
        assert state["Status"] == "Success"
        assert len(state["Success"]) == 3
    assert {uid: data_set(archive.read(uid)) for uid in sent} == {uid: data_set(file) for uid, file in sent.items()}


def test_it_queries_and_retrieves_and_we_send_to_it(archive: Archive, orthanc: Start, tmp_path: Path) -> None:
    write(ct_phantom(slices=3, rows=16, columns=16), tmp_path / "in", RLELossless)
    archive.ingest(tmp_path / "in", build=False)
    uids = [str(row["SOPInstanceUID"]) for row in archive.search("instance").rows()]
    with ExitStack() as stack:
        other = orthanc()
        peer = stack.enter_context(beside(archive, other))
        query = asked(other, "/modalities/us/query", {"Level": "Series", "Query": {"Modality": "CT"}})["ID"]
        assert len(other.http.get(f"/queries/{query}/answers").json()) == 1
        asked(other, f"/queries/{query}/retrieve", {"TargetAet": other.title, "Synchronous": True})
        assert stored(other) == {uid: data_set(archive.read(uid)) for uid in uids}
        for name in other.find("Patient"):
            other.http.delete(f"/patients/{name}").raise_for_status()
        done = send(archive, [str(row["key"]) for row in archive.search().rows()], peer, "PACS_PANEL")
        assert (done.sent, done.failed) == (3, {})
        assert stored(other) == {uid: data_set(archive.read(uid)) for uid in uids}


def stored(other: Orthanc) -> dict[str, bytes]:
    """Data sets that it holds, by SOP Instance UID."""
    found = {}
    for name in other.find():
        uid = other.http.get(f"/instances/{name}").json()["MainDicomTags"]["SOPInstanceUID"]
        found[uid] = data_set(other.http.get(f"/instances/{name}/file").content)
    return found
