"""Whenever a listener dies, what it answered with success is there after the next start, once, and whole."""

from __future__ import annotations

import multiprocessing
import signal
import subprocess
import sys
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest

from pacs_panel.archive import open_archive
from pacs_panel.serve.dimse.listener import Listening, listening
from pacs_panel.serve.dimse.peers import Callers
from pacs_panel.serve.live import Live
from pacs_panel.serve.settling import building
from pacs_panel.settings import Settings
from pacs_panel.testing import ct_phantom
from tests.archive.importing import ended, start
from tests.serve.dimse.sending import data_set, objects, send

pytestmark = pytest.mark.slow
ANYONE = Callers(anyone=frozenset({"store"}))
COMMAND = "from pacs_panel.cli import main; raise SystemExit(main())"
INTERRUPTED = 130


def listen(archive: Path, fault: str, ready: Connection) -> None:
    """Listen until it is over."""
    settings = Settings(workers=0, fault=fault)
    with open_archive(archive, settings=settings) as opened, listening(opened, ANYONE, Listening(port=0)) as address:
        ready.send(address)
        ready.recv()


def listen_and_build(archive: Path, fault: str, ready: Connection) -> None:
    """Listen, and build what comes, until it is over."""
    settings = Settings(workers=0, fault=fault, poll_seconds=0.05)
    with (
        open_archive(archive, settings=settings) as opened,
        listening(opened, ANYONE, Listening(port=0)) as address,
        Live(opened.change, settings.poll_seconds) as live,
        building(opened, live),
    ):
        ready.send(address)
        ready.recv()


@pytest.mark.parametrize("fault", ["build.started", "build.written", "build.published"])
def test_a_kill_while_a_volume_is_built_loses_nothing(tmp_path: Path, fault: str) -> None:
    phantom = ct_phantom(slices=6, rows=16, columns=16)
    here, there = multiprocessing.Pipe()
    process = start(listen_and_build, tmp_path / "archive", fault, there)
    sent = objects(phantom)
    answers = send(here.recv(), sent, tmp_path)
    assert ended(process) == -signal.SIGKILL
    done = {uid for uid, answer in answers.items() if answer == 0}
    assert done
    with open_archive(tmp_path / "archive", settings=Settings(workers=0)) as archive:
        archive.recover()
        kept = [str(row["SOPInstanceUID"]) for row in archive.search("instance").rows()]
        assert len(kept) == len(set(kept))
        assert done <= set(kept)
        archive.ingest(written(sent, tmp_path / "again"))
        [series] = archive.search().rows()
        np.testing.assert_array_equal(archive.volume(str(series["key"]))["image"], phantom.truth.physical())
        assert archive.verify().clean


def written(files: dict[str, bytes], folder: Path) -> Path:
    """Files in a folder."""
    folder.mkdir()
    for uid, content in files.items():
        (folder / uid).write_bytes(content)
    return folder


@pytest.mark.parametrize(
    "fault",
    [
        "keep.append.header:3",
        "keep.append.body:3",
        "keep.appended:3",
        "keep.synced:3",
        "admit.committed",
        "seal.renamed",
    ],
)
def test_a_kill_loses_nothing_that_was_answered(tmp_path: Path, fault: str) -> None:
    sent = objects(ct_phantom(slices=6, rows=16, columns=16))
    here, there = multiprocessing.Pipe()
    process = start(listen, tmp_path / "archive", fault, there)
    answers = send(here.recv(), sent, tmp_path)
    assert ended(process) == -signal.SIGKILL
    done = {uid for uid, answer in answers.items() if answer == 0}
    with open_archive(tmp_path / "archive", settings=Settings(workers=0)) as archive:
        with listening(archive, ANYONE, Listening(port=0)) as address:
            kept = [str(row["SOPInstanceUID"]) for row in archive.search("instance").rows()]
            assert len(kept) == len(set(kept))
            assert done <= set(kept)
            assert set(send(address, sent, tmp_path).values()) == {0}
        assert {uid: data_set(archive.read(uid)) for uid in sent} == {uid: data_set(sent[uid]) for uid in sent}
        assert archive.status()["instances"] == len(sent)
        assert archive.verify().clean


def test_a_listener_that_is_told_to_end_seals_what_came(tmp_path: Path) -> None:
    command = [sys.executable, "-c", COMMAND, "receive", "--archive", tmp_path / "archive", "--port", "0", "--anyone"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline().rpartition(" ")[2])
        sent = objects(ct_phantom(slices=2, rows=16, columns=16))
        assert set(send(("127.0.0.1", port), sent, tmp_path).values()) == {0}
        process.terminate()
    assert process.returncode == INTERRUPTED
    assert not list((tmp_path / "archive" / "incoming").glob("*/"))
    with open_archive(tmp_path / "archive", create=False, settings=Settings(workers=0)) as archive:
        assert archive.status()["instances"] == len(sent)
        assert archive.verify().clean
