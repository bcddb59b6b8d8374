"""Objects come by STOW: they are kept as they were sent, and each outcome is told."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
from dicomweb_client.api import DICOMwebClient
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian, RLELossless
from starlette.testclient import TestClient

from pacs_panel.archive import Archive, open_archive
from pacs_panel.keep.pack import PackLog
from pacs_panel.serve.app import make_app
from pacs_panel.settings import Settings
from pacs_panel.testing import ct_phantom, encode
from tests.browser_fixtures import run
from tests.serve.dimse.sending import objects
from tests.serve.orthanc import Orthanc, orthanc

__all__ = ["orthanc"]
KIND = 'multipart/related; type="application/dicom"; boundary=b0unDary'
JSON = KIND.replace("dicom", "dicom+json")


def body(parts: Iterable[bytes], kind: str = "application/dicom") -> bytes:
    return b"".join(part(each, kind) for each in parts) + b"--b0unDary--\r\n"


def part(content: bytes, kind: str, place: str = "") -> bytes:
    located = f"Content-Location: {place}\r\n" if place else ""
    return b"--b0unDary\r\n" + f"Content-Type: {kind}\r\n{located}\r\n".encode() + content + b"\r\n"


def uids(answer: Any, sequence: str) -> dict[str, Any]:
    items = answer.json().get(sequence, {}).get("Value", ())
    return {item["00081155"]["Value"][0]: item for item in items}


STORED, FAILED, OTHER = "00081199", "00081198", "0008119A"


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with open_archive(tmp_path / "archive", settings=Settings(workers=0)) as opened:
        yield opened


@pytest.fixture
def client(archive: Archive) -> Iterator[TestClient]:
    with TestClient(make_app(archive, settle=False), base_url="http://127.0.0.1:5006") as made:
        yield made


def post(client: TestClient, content: Any, kind: str = KIND, study: str = "") -> Any:
    path = f"/dicomweb/studies/{study}".rstrip("/")
    return client.post(path, content=content, headers={"Content-Type": kind})


def ct(slices: int = 3, **how: Any) -> Any:
    return ct_phantom(slices=slices, rows=16, columns=16, **how)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless])
def test_objects_are_kept_as_they_were_sent(archive: Archive, client: TestClient, syntax: str) -> None:
    sent = objects(ct(), syntax)
    answer = post(client, body(sent.values()))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/dicom+json"
    assert uids(answer, STORED).keys() == sent.keys()
    for uid, file in sent.items():
        assert archive.read(uid) == file
        dataset = pydicom.dcmread(io.BytesIO(file))
        address = uids(answer, STORED)[uid]["00081190"]["Value"][0]
        assert address == (
            f"http://127.0.0.1:5006/dicomweb/studies/{dataset.StudyInstanceUID}"
            f"/series/{dataset.SeriesInstanceUID}/instances/{uid}"
        )


def test_one_object_without_multipart(archive: Archive, client: TestClient) -> None:
    ((uid, file),) = objects(ct(1)).items()
    assert uids(post(client, file, "application/dicom"), STORED).keys() == {uid}
    assert archive.read(uid) == file


def test_large_objects_pass_through_the_spool(archive: Archive, client: TestClient) -> None:
    ((uid, file),) = objects(ct_phantom(slices=1, rows=900, columns=900)).items()

    def pieces() -> Iterator[bytes]:
        content = body([file])
        yield from (content[start : start + 70_001] for start in range(0, len(content), 70_001))

    assert post(client, pieces()).status_code == 200
    assert archive.read(uid) == file
    assert not [path for path in (archive.root / "spool").rglob("*") if path.is_file()]


def test_the_same_again_is_a_success_and_a_new_version_is_noted(archive: Archive, client: TestClient) -> None:
    series = ct(1)
    first = encode(series.datasets[0])
    series.datasets[0].SeriesDescription = "corrected"
    answers = [post(client, body([file])) for file in (first, first, encode(series.datasets[0]))]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert ["Warning" in answer.headers for answer in answers] == [False, False, True]
    key = str(next(archive.search().rows())["key"])
    assert len(archive.objects(key, versions=True)) == 2


def test_each_outcome_is_told(archive: Archive, client: TestClient) -> None:
    sent = objects(ct(2))
    answer = post(client, body([*sent.values(), b"no DICOM at all"]))
    assert answer.status_code == 202
    assert uids(answer, STORED).keys() == sent.keys()
    assert answer.json()[OTHER]["Value"] == [{"00081197": {"vr": "US", "Value": [0xC000]}}]
    assert post(client, body([b"no DICOM at all"])).status_code == 409


def test_objects_of_another_study_are_refused(archive: Archive, client: TestClient) -> None:
    sent = objects(ct(1))
    study = str(pydicom.dcmread(io.BytesIO(*sent.values())).StudyInstanceUID)
    answer = post(client, body(sent.values()), study="1.2.3")
    assert answer.status_code == 409
    assert [item["00081197"]["Value"] for item in uids(answer, FAILED).values()] == [[0xA900]]
    assert archive.search().count() == 0
    assert post(client, body(sent.values()), study=study).status_code == 200


def test_a_full_disk_is_told(archive: Archive, client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_log: PackLog) -> None:
        raise OSError(28, "No space left on device")

    sent = objects(ct(1))
    with monkeypatch.context() as patch:
        patch.setattr(PackLog, "sync", full)
        answer = post(client, body(sent.values()))
    assert (answer.status_code, answer.json()[OTHER]["Value"][0]["00081197"]["Value"]) == (409, [0xA700])
    assert post(client, body(sent.values())).status_code == 200


def test_metadata_with_bulk_data(archive: Archive, client: TestClient) -> None:
    dataset = ct(1).datasets[0]
    pixels = bytes(dataset.PixelData)
    item = dataset.to_json_dict()
    item["7FE00010"] = {"vr": "OW", "BulkDataURI": "bulk/1"}
    content = part(json.dumps([item]).encode(), "application/dicom+json")
    content += part(pixels, "application/octet-stream", "bulk/1") + b"--b0unDary--"
    answer = post(client, content, JSON)
    assert uids(answer, STORED).keys() == {dataset.SOPInstanceUID}
    kept = pydicom.dcmread(io.BytesIO(archive.read(dataset.SOPInstanceUID)))
    assert kept == dataset
    missing = post(client, body([json.dumps([item]).encode()], "application/dicom+json"), JSON)
    assert (missing.status_code, list(uids(missing, FAILED))) == (409, [dataset.SOPInstanceUID])


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("text/plain", 415),
        ("", 415),
        ('multipart/related; type="image/png"; boundary=x', 415),
        ("multipart/form-data; boundary=x", 415),
        ("multipart/related", 400),
        ("multipart/related; boundary=" + "x" * 999, 400),
        (KIND, 400),
    ],
)
def test_other_bodies_are_refused(client: TestClient, kind: str, status: int) -> None:
    assert post(client, b"hello", kind).status_code == status


def test_a_body_that_is_cut_keeps_what_was_whole(archive: Archive, client: TestClient) -> None:
    sent = objects(ct(2))
    content = body(sent.values())
    answer = post(client, content[: len(content) - 200])
    assert answer.status_code == 202
    assert len(uids(answer, STORED)) == len(answer.json()[OTHER]["Value"]) == 1
    assert archive.search("instance").count() == 1


@pytest.mark.peer("Orthanc")
def test_orthanc_sends(archive: Archive, orthanc: Callable[..., Orthanc]) -> None:
    sent = objects(ct(12))
    address, stop = run(make_app(archive, settle=False))
    try:
        one = orthanc()
        ids = [one.upload(file) for file in sent.values()]
        one.add_server("us", f"{address}/dicomweb/")
        told = one.http.post("/dicom-web/servers/us/stow", json={"Resources": ids, "Synchronous": True})
        assert told.status_code == 200, told.text
    finally:
        stop()
    assert {str(row["SOPInstanceUID"]) for row in archive.search("instance").rows()} == sent.keys()


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, RLELossless])
def test_dicomweb_client_sends(archive: Archive, syntax: str) -> None:
    """It writes files anew, so what counts is that data sets are the same."""
    sent = {uid: pydicom.dcmread(io.BytesIO(file)) for uid, file in objects(ct(3), syntax).items()}
    address, stop = run(make_app(archive, settle=False))
    try:
        told = DICOMwebClient(f"{address}/dicomweb").store_instances(list(sent.values()))
    finally:
        stop()
    assert {item.ReferencedSOPInstanceUID for item in told.ReferencedSOPSequence} == sent.keys()
    assert "FailedSOPSequence" not in told
    for uid, dataset in sent.items():
        kept = pydicom.dcmread(io.BytesIO(archive.read(uid)))
        assert kept == dataset
        assert kept.file_meta.TransferSyntaxUID == syntax
