"""Every real object that can be stored goes in by C-STORE, and its data set comes out byte for byte."""

from __future__ import annotations

import hashlib
import io
import subprocess
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pydicom
import pytest

from pacs_panel.archive import open_archive
from pacs_panel.dicom import header
from pacs_panel.errors import Rejected
from pacs_panel.serve.dimse.listener import Listening, listening
from pacs_panel.serve.dimse.peers import Callers
from pacs_panel.settings import Settings
from pacs_panel.testing import ct_phantom, write
from tests.serve.dimse.sending import context_of, data_set, send

pytestmark = pytest.mark.slow
ANYONE = Callers(anyone=frozenset({"store"}))
MANY = Listening(port=0, associations=64)  # one counts as open until what came by it is sealed
MOST = 100  # objects of one association
MOST_CONTEXTS = 100  # of one association; PS3.8 has room for 128


def storable(folder: Path) -> list[tuple[str, bytes]]:
    """Files with file meta information, whose objects have an identity: SOP Instance UID and bytes."""
    found = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        if content[128:132] != b"DICM":
            continue
        try:
            identity = header.read(io.BytesIO(content), len(content), Settings()).identity
            meta = pydicom.filereader.read_file_meta_info(path)
        except (Rejected, pydicom.errors.InvalidDicomError):
            continue
        if identity.sop_class_uid != header.DICOMDIR_CLASS and "TransferSyntaxUID" in meta:
            found.append((identity.sop_instance_uid, content))
    return found


def test_all_of_the_real_data(data: Path, tmp_path: Path) -> None:
    files = storable(data)
    assert len(files) > 500
    digests = {hashlib.sha256(data_set(content)).hexdigest() for _, content in files}
    with open_archive(tmp_path / "archive", settings=Settings(workers=0)) as archive:
        with listening(archive, ANYONE, MANY) as address:
            assert_sent(address, files, tmp_path)
        kept = [kept for row in archive.search().rows() for kept in archive.objects(str(row["key"]), versions=True)]
        assert {each.digests.dataset for each in kept} <= digests
        assert archive.search("instance").count() == len({uid for uid, _ in files})
        report = archive.ingest(data, build=False)
        assert report.new_versions == 0
        assert archive.verify().clean


def test_by_folder_and_then_by_the_network(data: Path, tmp_path: Path) -> None:
    """What was imported comes out byte for byte, file meta information too; one of each kind of it adds nothing."""
    received = {hashlib.sha256(path.read_bytes()).digest() for path in data.rglob("*") if path.is_file()}
    with open_archive(tmp_path / "archive", settings=Settings(workers=0)) as archive:
        archive.ingest(data, build=False)
        for row in archive.search().rows():
            archive.export(str(row["key"]), tmp_path / "out")
        exported = [path.read_bytes() for path in (tmp_path / "out").rglob("*.dcm")]
        assert len(exported) == archive.search("instance").count() > 500
        assert {hashlib.sha256(content).digest() for content in exported} <= received
        known = {str(row["SOPInstanceUID"]) for row in archive.search("instance").rows()}
        assert known >= {uid for uid, _ in storable(data)}
        kinds = list({context_of(content): (uid, content) for uid, content in storable(tmp_path / "out")}.values())
        with listening(archive, ANYONE, MANY) as address:
            assert_sent(address, kinds, tmp_path)
        came = dict(archive.came())["association"]
        assert {name: count for name, count in came.items() if count and name != "bytes"} == {"duplicates": len(kinds)}
        assert archive.search("instance").count() == len(exported)
        assert archive.verify().clean


def assert_sent(address: tuple[str, int], files: list[tuple[str, bytes]], folder: Path) -> None:
    """Send files by some associations at once; each is answered as it should be."""

    def answers(portion: dict[str, bytes]) -> dict[str, int | None]:
        return send(address, portion, Path(tempfile.mkdtemp(dir=folder)))

    several = portions(files)
    with ThreadPoolExecutor(4) as pool:
        for portion, answered in zip(several, pool.map(answers, several), strict=True):
            assert answered == {uid: expected(uid, content) for uid, content in portion.items()}


def expected(uid: str, content: bytes) -> int:
    """Success; a warning where file meta information, from which the command is made, names another object."""
    meta = pydicom.dcmread(io.BytesIO(content), stop_before_pixels=True).file_meta
    return 0 if meta.MediaStorageSOPInstanceUID == uid else 0xB007


def portions(files: list[tuple[str, bytes]]) -> list[dict[str, bytes]]:
    """Files in portions for one association each: no UID twice, not too many objects or contexts."""
    found: list[dict[str, bytes]] = [{}]
    contexts: set[tuple[str, str]] = set()
    for uid, content in files:
        context = context_of(content)
        if uid in found[-1] or len(found[-1]) == MOST or len(contexts | {context}) > MOST_CONTEXTS:
            found.append({})
            contexts = set()
        found[-1][uid] = content
        contexts.add(context)
    return found


@pytest.mark.peer("storescu")
@pytest.mark.parametrize("syntax", ["-xe", "-xi", "-xb", "-xs", "-xy", "-xv", "-xr", "-xd"])
def test_dcmtk_sends(tmp_path: Path, peer: Callable[[str], Path], syntax: str) -> None:
    """Whatever storescu proposes; it sends uncompressed where it cannot encode otherwise."""
    write(ct_phantom(slices=3, rows=16, columns=16), tmp_path / "in")
    with open_archive(tmp_path / "archive", settings=Settings(workers=0)) as archive:
        with listening(archive, ANYONE, Listening(port=0)) as (host, port):
            command = [
                str(peer("storescu")),
                syntax,
                "-aec",
                "PACS_PANEL",
                "+sd",
                host,
                str(port),
                str(tmp_path / "in"),
            ]
            subprocess.run(command, check=True, timeout=100, env={"TCP_NODELAY": "1"}, capture_output=True)
        assert archive.search("instance").count() == 3
        archive.settle()
        assert archive.volume(str(next(archive.search().rows())["key"]))["image"].shape == (3, 16, 16)
