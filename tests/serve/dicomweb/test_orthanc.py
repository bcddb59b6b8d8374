"""Orthanc's client of DICOMweb asks us, and takes what it finds; it sends in `test_stow`."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.uid import ExplicitVRLittleEndian, RLELossless

from pacs_panel.archive import Archive, open_archive
from pacs_panel.serve.app import make_app
from pacs_panel.settings import Settings
from pacs_panel.testing import Study, Subject, ct_phantom, mr_oblique, write
from tests.browser_fixtures import run
from tests.serve.orthanc import Orthanc, orthanc

__all__ = ["orthanc"]
pytestmark = [pytest.mark.slow, pytest.mark.peer("Orthanc")]
SYNTAXES = {RLELossless, ExplicitVRLittleEndian}
SUBJECT = Study(Subject("Weiß^Jörg", "P2", character_set="ISO_IR 192"), "20240303", "101010", "Other")


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    write(ct_phantom(study=SUBJECT, slices=4, rows=16, columns=16), tmp_path / "in" / "ct", RLELossless)
    write(mr_oblique(study=SUBJECT, slices=3, rows=16, columns=16), tmp_path / "in" / "mr", ExplicitVRLittleEndian)
    write(ct_phantom(slices=2, rows=16, columns=16), tmp_path / "in" / "other")
    with open_archive(tmp_path / "archive", settings=Settings(workers=0)) as opened:
        opened.ingest(tmp_path / "in", build=False)
        yield opened


@pytest.fixture
def other(archive: Archive, orthanc: Callable[..., Orthanc]) -> Iterator[Orthanc]:
    """One that knows us."""
    address, stop = run(make_app(archive, settle=False))
    one = orthanc()
    one.add_server("us", f"{address}/dicomweb/")
    yield one
    stop()


def asks(other: Orthanc, how: str, **what: Any) -> Any:
    answer = other.http.post(f"/dicom-web/servers/us/{how}", json=what)
    assert answer.status_code == 200, answer.text
    return answer


def values(answer: Any, tag: str) -> list[Any]:
    return [each[tag]["Value"] for each in answer.json()]


def test_it_queries(other: Orthanc, archive: Archive) -> None:
    study = asks(other, "qido", Uri="/studies", Arguments={"00100020": "P2"})
    assert values(study, "00100010") == ["Weiß^Jörg"]
    assert values(study, "00080061") == ["CT"]  # it tells the first of several values
    series = asks(other, "qido", Uri="/series", Arguments={"Modality": "CT"})
    assert sorted(values(series, "0020000E")) == sorted(uids(archive, "series", Modality="CT"))
    instances = asks(other, "qido", Uri=f"/studies/{values(study, '0020000D')[0]}/instances", Arguments={"limit": "5"})
    assert len(values(instances, "00080018")) == 5
    assert asks(other, "qido", Uri="/instances", Arguments={"PatientID": "nobody"}).json() == []
    name = {"PatientName": "wei*"}
    told = asks(other, "get", Uri="/studies", Arguments=name, HttpHeaders={"Accept": "application/dicom+json"}).json()
    assert [each["00100010"]["Value"] for each in told] == [[{"Alphabetic": "Weiß^Jörg"}]]
    assert [each["00080061"]["Value"] for each in told] == [["CT", "MR"]]


def test_it_retrieves_what_is_stored_byte_for_byte(other: Orthanc, archive: Archive) -> None:
    (study,) = uids(archive, "study", PatientID="P2")
    (series,) = uids(archive, "series", PatientID="P2", Modality="MR")
    one = uids(archive, "instance", SeriesInstanceUID=series)[0]
    for resource, count in (
        ({"Study": study, "Series": series, "Instance": one}, 1),
        ({"Study": study, "Series": series}, 3),
        ({"Study": study}, 7),
    ):
        told = asks(other, "retrieve", Resources=[resource], Synchronous=True).json()
        assert told["ReceivedInstancesCount"] == str(count)
        assert len(other.find()) == count
    there = {other.http.get(f"/instances/{key}/file").content for key in other.find()}
    assert there == {archive.read(uid) for uid in uids(archive, "instance", PatientID="P2")}
    assert {pydicom.dcmread(io.BytesIO(file)).file_meta.TransferSyntaxUID for file in there} == SYNTAXES


def uids(archive: Archive, level: Any, **asked: str) -> list[str]:
    name = {"study": "StudyInstanceUID", "series": "SeriesInstanceUID", "instance": "SOPInstanceUID"}[level]
    return [str(row[name]) for row in archive.search(level, **asked).rows()]
