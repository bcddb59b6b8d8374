"""A disk that is really full: senders are told, nothing is lost or half there, and with room it goes on."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from pacs_panel.archive import Archive, open_archive
from pacs_panel.serve.app import make_app
from pacs_panel.serve.dimse.listener import Listening, listening
from pacs_panel.serve.dimse.peers import Callers
from pacs_panel.settings import MIB, Settings
from pacs_panel.testing import ct_phantom
from tests.serve.dicomweb.test_real import STOW, body
from tests.serve.dimse.sending import data_set, objects, send

pytestmark = pytest.mark.slow
FULL = 0xA700  # PS3.4 B.2.3: out of resources
DISK, FREE = 64 * MIB, 6 * MIB
ANYONE = Callers(anyone=frozenset({"store"}))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, small."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a small file system cannot be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def archive(disk: Path) -> Iterator[Archive]:
    with open_archive(disk / "archive", settings=Settings(workers=0)) as opened:
        yield opened


def fill(disk: Path) -> Path:
    """A file that leaves `FREE` bytes of the disk."""
    state = os.statvfs(disk)
    path = disk / "filler"
    path.write_bytes(bytes(state.f_bavail * state.f_frsize - FREE))
    return path


def whole(archive: Archive, sent: dict[str, bytes]) -> None:
    """That the archive has exactly what was sent."""
    assert archive.status()["instances"] == len(sent)
    assert {uid: data_set(archive.read(uid)) for uid in sent} == {uid: data_set(file) for uid, file in sent.items()}
    assert archive.verify().clean


def test_by_c_store(archive: Archive, disk: Path, tmp_path: Path) -> None:
    sent = objects(ct_phantom(slices=30, rows=512, columns=512))
    with listening(archive, ANYONE, Listening(port=0)) as address:
        filler = fill(disk)
        answers = send(address, sent, tmp_path)
        refused = {uid: sent[uid] for uid, answer in answers.items() if answer == FULL}
        assert 0 < len(refused) < len(sent)
        assert set(answers.values()) == {0, FULL}
        filler.unlink()
        assert set(send(address, refused, tmp_path).values()) == {0}
    whole(archive, sent)


def test_by_stow(archive: Archive, disk: Path) -> None:
    sent = objects(ct_phantom(slices=30, rows=512, columns=512))
    with TestClient(make_app(archive, settle=False), base_url="http://127.0.0.1:5006") as web:
        filler = fill(disk)
        refused = {}
        for uid, content in sent.items():
            answer = web.post("/dicomweb/studies", content=body([content]), headers=STOW)
            if answer.status_code == 409:
                [failed] = answer.json()["0008119A"]["Value"]
                assert failed["00081197"]["Value"] == [FULL]
                refused[uid] = content
        assert 0 < len(refused) < len(sent)
        filler.unlink()
        assert web.post("/dicomweb/studies", content=body(refused.values()), headers=STOW).status_code == 200
    whole(archive, sent)
