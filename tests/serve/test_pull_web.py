"""Pulling from Orthanc, both ways, and sending to it by STOW-RS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom.uid import RLELossless

from pacs_panel.archive import Archive, open_archive
from pacs_panel.errors import Denied, Unreachable
from pacs_panel.peer import Peer
from pacs_panel.serve.dimse.sending import send
from pacs_panel.serve.peers import calling
from pacs_panel.serve.pulling import Pulled, pull
from pacs_panel.settings import Settings
from pacs_panel.storage import dicomweb
from pacs_panel.testing import Study, Subject, ct_phantom, mr_oblique, write
from tests.serve.dimse.test_pull import digests
from tests.serve.orthanc import Orthanc, orthanc

__all__ = ["orthanc"]
pytestmark = [pytest.mark.slow, pytest.mark.peer("Orthanc")]
SETTINGS = Settings(workers=0)
USERS = {"AuthenticationEnabled": True, "RegisteredUsers": {"reader": "geheim"}}


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Archive]:
    one = Study(Subject("Other^Name", "P2"), "20240303", "101010", "Other")
    write(ct_phantom(study=one, slices=4, rows=16, columns=16), tmp_path / "in" / "ct", RLELossless)
    write(mr_oblique(study=one, slices=3, rows=16, columns=16), tmp_path / "in" / "mr")
    with open_archive(tmp_path / "source", settings=SETTINGS) as opened:
        opened.ingest(tmp_path / "in", build=False)
        yield opened


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with open_archive(tmp_path / "archive", settings=SETTINGS) as opened:
        yield opened


def by_web(of: Orthanc, **more: str) -> Peer:
    return Peer("web", url=f"{str(of.http.base_url).rstrip('/')}/dicom-web", **more)  # type: ignore[arg-type]


def pulled(archive: Archive, peer: Peer, asked: dict[str, str]) -> Pulled:
    with closing(calling(archive, peer, title="US")) as called:
        return pull(archive, called, peer, asked)


def sent(source: Archive, peer: Peer) -> None:
    done = send(source, [str(row["key"]) for row in source.search().rows()], peer, "US")
    assert (done.sent, done.failed) == (7, {})


@pytest.mark.parametrize("how", ["web", "dimse"])
def test_to_and_fro_as_it_is_stored(
    source: Archive, archive: Archive, orthanc: Callable[..., Orthanc], how: str
) -> None:
    other = orthanc()
    there = by_web(other) if how == "web" else Peer("dimse", other.title, *other.dicom)
    sent(source, there)
    part = pulled(archive, there, {"PatientID": "P2", "Modality": "CT"})
    assert (part.found, part.accepted, part.failed) == (4, 4, {})
    rest = pulled(archive, there, {"PatientName": "Other*", "StudyDate": "20240101-20241231"})
    assert (rest.found, rest.here, rest.accepted, rest.failed) == (7, 4, 3, {})
    assert digests(archive) == digests(source)


def test_nobody_comes_in_without_a_password_and_none_is_told(
    source: Archive, archive: Archive, orthanc: Callable[..., Orthanc], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    there = by_web(orthanc(**USERS), user="reader", password="geheim")
    sent(source, there)
    assert pulled(archive, there, {"PatientID": "P2", "Modality": "MR"}).accepted == 3
    for wrong in (replace(there, password="falsch"), replace(there, user="", password=""), by_token(there)):
        with pytest.raises(Denied, match=r"\[peers\.web\]") as error:
            pulled(archive, wrong, {"PatientID": "P2"})
        assert not any(secret in str(error.value) + repr(wrong) for secret in ("falsch", "geheim", "P2"))
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith("httpx")]
    assert not any("geheim" in said or "P2" in said for said in ours)


def by_token(peer: Peer) -> Peer:
    return replace(peer, user="", password="", token="falsch")


def test_what_breaks_off_goes_on(
    source: Archive, archive: Archive, orthanc: Callable[..., Orthanc], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first answer breaks off after two objects: the others are asked for one by one, these not again."""
    there, asked = by_web(orthanc()), list[str]()
    sent(source, there)
    retrieve = dicomweb.DicomWeb.retrieve

    def breaking(self: dicomweb.DicomWeb, path: str, folder: Path) -> Iterator[Path]:
        asked.append(path)
        for number, file in enumerate(retrieve(self, path, folder)):
            yield file
            if len(asked) == 1 and number == 1:
                raise Unreachable("broken off")

    monkeypatch.setattr(dicomweb.DicomWeb, "retrieve", breaking)
    done = pulled(archive, there, {"Modality": "CT"})
    assert (done.accepted, done.failed, len(asked), len(set(asked))) == (4, {}, 3, 3)
    assert digests(archive) == digests(source, Modality="CT")
