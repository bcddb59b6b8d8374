"""Every real object that can be stored comes back: byte for byte as stored, or with the same pixels uncompressed."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Iterator
from itertools import batched
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from pacs_panel.archive import Archive, open_archive
from pacs_panel.dicom import header
from pacs_panel.errors import BadPixels
from pacs_panel.pixels.decode import Frames, why_not
from pacs_panel.pixels.render import View
from pacs_panel.serve.app import make_app
from pacs_panel.serve.dicomweb.retrieve import EXPLICIT_LE, NEVER
from pacs_panel.settings import Settings
from tests.serve.dimse.sending import data_set
from tests.serve.dimse.test_real import storable

FOLDERS = ("pydicom_test_files", "syntaxes_multiframe_small", "charsets")
STORED = {"Accept": "application/dicom; transfer-syntax=*"}
STOW = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=here'}


@pytest.fixture(scope="module")
def real(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    with open_archive(tmp_path_factory.mktemp("real") / "archive", settings=Settings(workers=0)) as archive:
        archive.ingest([data / folder for folder in FOLDERS], build=False)
        yield archive


@pytest.fixture(scope="module")
def asks(real: Archive) -> TestClient:
    return TestClient(make_app(real, settle=False), base_url="http://127.0.0.1:5006")


def every(archive: Archive) -> Iterator[tuple[str, Any]]:
    for row in archive.search("instance").rows():
        study, series, uid = (row[name] or "" for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"))
        if study and series:
            yield f"/dicomweb/studies/{study}/series/{series}/instances/{uid}", archive.object(uid)


def test_as_stored_byte_for_byte(asks: TestClient, real: Archive) -> None:
    seen = 0
    for path, kept in every(real):
        answer = asks.get(path, headers=STORED)
        if kept.transfer_syntax in NEVER:
            assert answer.headers["content-type"].endswith(EXPLICIT_LE)
            continue
        assert answer.content == real.read(kept.sop_instance_uid)
        seen += 1
    assert seen > 50


def test_uncompressed(asks: TestClient, real: Archive) -> None:
    """By default; what cannot be decoded is refused in words, as our decoder refuses it."""
    same = 0
    for path, kept in every(real):
        answer = asks.get(path, headers={"Accept": "application/dicom"})
        if kept.image is not None and why_not(kept.transfer_syntax):
            assert answer.status_code == 406, path
            continue
        if answer.status_code == 422:
            assert kept.image is not None
            with pytest.raises(BadPixels), Frames(kept.image, real.read(kept.sop_instance_uid)) as frames:
                [frames.read(index) for index in range(kept.image.frames)]
            continue
        assert answer.status_code == 200, answer.text
        made = answer.content
        read = header.read(io.BytesIO(made), len(made), Settings())
        assert read.identity.transfer_syntax == EXPLICIT_LE
        if kept.image is None or read.image is None:
            continue
        with Frames(kept.image, real.read(kept.sop_instance_uid)) as before, Frames(read.image, made) as after:
            for one, other in zip(before, after, strict=True):
                if isinstance(one, Exception):
                    assert isinstance(other, Exception)
                else:
                    np.testing.assert_array_equal(one, other)
                    same += 1
    assert same > 60


def test_metadata_frames_and_pictures_of_all(asks: TestClient, real: Archive) -> None:
    """All but one image, whose file was cut off."""
    shown, refused = 0, []
    for path, kept in every(real):
        (told,) = asks.get(f"{path}/metadata").json()
        assert told["00080018"]["Value"] == [kept.sop_instance_uid]
        if kept.image is None:
            assert asks.get(f"{path}/rendered").status_code == 406
            continue
        statuses = {asks.get(f"{path}/{what}").status_code for what in ("frames/1", "rendered")}
        if statuses == {200}:
            shown += 1
        else:
            assert statuses == {422}
            refused.append(kept.image.rows)
    assert shown > 50
    assert len(refused) == 1


def test_codecs_work_in_processes_of_their_own(real: Archive) -> None:
    """What they give is what they give here."""
    kept = next(k for _, k in every(real) if k.transfer_syntax == "1.2.840.10008.1.2.4.90")
    with open_archive(real.root, create=False, settings=Settings(workers=1)) as apart:
        assert apart.decoding.frame(kept, 0) == real.decoding.frame(kept, 0)
        with apart.decoding.transcoded(kept) as made, real.decoding.transcoded(kept) as here:
            assert made.read() == here.read()
        assert apart.decoding.picture(kept, 0, "MR", View()) == real.decoding.picture(kept, 0, "MR", View())


def test_stored_frames_keep_their_media_type(asks: TestClient, real: Archive) -> None:
    path, kept = next((p, k) for p, k in every(real) if k.transfer_syntax == "1.2.840.10008.1.2.4.90")
    answer = asks.get(f"{path}/frames/1", headers={"Accept": 'multipart/related; type="image/jp2"; transfer-syntax=*'})
    assert f"Content-Type: image/jp2; transfer-syntax={kept.transfer_syntax}".encode() in answer.content
    assert asks.get(f"{path}/frames/1", headers={"Accept": "image/jls"}).status_code == 406


def test_every_result_leads_to_its_study_where_that_has_a_uid(asks: TestClient) -> None:
    """And ModalitiesInStudy is there with values, or not at all."""
    found = asks.get("/dicomweb/studies").json()
    assert all("Value" in study.get("00080061", {"Value": ()}) for study in found)
    leading = [study for study in found if "00081190" in study]
    assert [study for study in found if "Value" in study["0020000D"]] == leading
    assert 20 < len(leading) < len(found)
    for study in leading:
        assert asks.get(study["00081190"]["Value"][0] + "/series").status_code == 200


@pytest.mark.slow
def test_all_of_the_real_data_by_stow(data: Path, tmp_path: Path) -> None:
    """Every storable object goes in; its data set comes out byte for byte; by folder, it is known then."""
    files = storable(data)
    assert len(files) > 500
    with open_archive(tmp_path / "archive", settings=Settings(workers=0)) as archive:
        with TestClient(make_app(archive, settle=False), base_url="http://127.0.0.1:5006") as web:
            for portion in batched(files, 50):
                answer = web.post("/dicomweb/studies", content=body(content for _, content in portion), headers=STOW)
                assert answer.status_code == 200, answer.text
                told = [each["00081155"]["Value"][0] for each in answer.json()["00081199"]["Value"]]
                assert told == [uid for uid, _ in portion]
            out = [
                web.get(path, headers=STORED).content for path, k in every(archive) if k.transfer_syntax not in NEVER
            ]
        sent = {hashlib.sha256(data_set(content)).hexdigest() for _, content in files}
        assert len(out) > 500
        assert {hashlib.sha256(data_set(content)).hexdigest() for content in out} <= sent
        assert archive.search("instance").count() == len({uid for uid, _ in files})
        assert archive.ingest(data, build=False).new_versions == 0
        assert archive.verify().clean


def body(contents: Iterable[bytes]) -> bytes:
    """A multipart message of objects."""
    parts = (b"--here\r\nContent-Type: application/dicom\r\n\r\n" + content + b"\r\n" for content in contents)
    return b"".join(parts) + b"--here--\r\n"
