"""DCMTK's programs and this archive: whatever they propose is kept as it is sent, and given in what they take."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import ExplicitVRLittleEndian

from pacs_panel.archive import Archive, open_archive
from pacs_panel.serve.dimse.listener import Listening, listening
from pacs_panel.serve.dimse.peers import Callers
from pacs_panel.settings import Settings
from pacs_panel.testing import ct_phantom

JPEG = "1.2.840.10008.1.2.4."
PROPOSED = {
    "-xs": f"{JPEG}70",
    "-xy": f"{JPEG}50",
    "-xx": f"{JPEG}51",
    "-xv": f"{JPEG}90",
    "-xw": f"{JPEG}91",
    "-xt": f"{JPEG}80",
    "-xu": f"{JPEG}81",
    "-xm": f"{JPEG}100",
    "-xh": f"{JPEG}101",
    "-xn": f"{JPEG}102",
    "-xl": f"{JPEG}103",
    "-x2": f"{JPEG}104",
    "-x3": f"{JPEG}105",
    "-xo": f"{JPEG}106",
    "-x4": f"{JPEG}107",
    "-x5": f"{JPEG}108",
    "-xr": "1.2.840.10008.1.2.5",
}
PREFERRED = {"4.dcm": "+xr", "5.dcm": "+xs", "6.dcm": "+xs", "7.dcm": "+xt", "8.dcm": "+xt", "9.dcm": "+xv"}
UNCOMPRESSED = "1.dcm"
PIXELS = 0x7FE00010
Peer = Callable[[str], Path]

pytestmark = pytest.mark.slow


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with open_archive(tmp_path / "archive", settings=Settings(workers=0)) as opened:
        yield opened


@contextmanager
def listener(archive: Archive) -> Iterator[tuple[str, str]]:
    callers = Callers(anyone=frozenset({"echo", "store", "find", "retrieve"}))
    with listening(archive, callers, Listening(port=0)) as (host, port):
        yield host, str(port)


def run(program: Path, *arguments: str | Path) -> None:
    command = [str(program), "-aec", "PACS_PANEL", *map(str, arguments)]
    subprocess.run(command, check=True, timeout=100, env={"TCP_NODELAY": "1"}, capture_output=True)


@pytest.mark.peer("echoscu")
def test_echo(archive: Archive, peer: Peer) -> None:
    with listener(archive) as (host, port):
        run(peer("echoscu"), host, port)


@pytest.mark.peer("storescu")
def test_every_compressed_syntax_is_kept_as_it_is_sent(tmp_path: Path, archive: Archive, peer: Peer) -> None:
    """Also those that nothing here decodes: the pixel data are no image at all."""
    images, sent = ct_phantom(slices=len(PROPOSED), rows=16, columns=16).datasets, {}
    with listener(archive) as (host, port):
        for image, (option, syntax) in zip(images, PROPOSED.items(), strict=True):
            image.PixelData = encapsulate([bytes(range(100))])
            image["PixelData"].is_undefined_length = True
            image.file_meta.TransferSyntaxUID = syntax
            image.save_as(tmp_path / "image", enforce_file_format=True)
            run(peer("storescu"), option, host, port, tmp_path / "image")
            sent[str(image.SOPInstanceUID)] = image
    for uid, image in sent.items():
        same(archive, uid, image)


@pytest.mark.peer("getscu")
def test_compressed_objects_go_out_as_they_are_or_uncompressed(
    tmp_path: Path, archive: Archive, peer: Peer, data: Path
) -> None:
    """All are of one image, which `UNCOMPRESSED` has in the clear."""
    source = data / "transfer_syntaxes_mr"
    pixels = pydicom.dcmread(source / UNCOMPRESSED).pixel_array
    archive.ingest([source / name for name in PREFERRED], build=False)
    with listener(archive) as (host, port):
        for name, option in PREFERRED.items():
            sent = pydicom.dcmread(source / name)
            same_as(sent, get(peer, host, port, sent, option, tmp_path / f"{name} as it is"))
            got = get(peer, host, port, sent, "+x=", tmp_path / f"{name} uncompressed")
            assert got.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
            np.testing.assert_array_equal(got.pixel_array, pixels)


def get(peer: Peer, host: str, port: str, sent: Any, prefer: str, folder: Path) -> Any:
    """One object, in a syntax that is preferred."""
    uids = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
    wanted = ("QueryRetrieveLevel=IMAGE", *(f"{keyword}={sent[keyword].value}" for keyword in uids))
    folder.mkdir()
    run(peer("getscu"), "-S", prefer, *(part for one in wanted for part in ("-k", one)), "-od", folder, host, port)
    [file] = folder.iterdir()
    return pydicom.dcmread(file)


@pytest.mark.peer("storescu")
def test_real_compressed_objects_are_kept_as_they_are_sent(archive: Archive, peer: Peer, data: Path) -> None:
    source = data / "transfer_syntaxes_mr"
    with listener(archive) as (host, port):
        for name, option in PREFERRED.items():
            run(peer("storescu"), option.replace("+", "-"), host, port, source / name)
    for name in PREFERRED:
        sent = pydicom.dcmread(source / name)
        same(archive, str(sent.SOPInstanceUID), sent)


def same(archive: Archive, uid: str, sent: Any) -> None:
    """That what is kept is what was sent."""
    same_as(sent, pydicom.dcmread(io.BytesIO(archive.read(uid))))


def same_as(sent: Any, got: Any) -> None:
    """That syntax, frames and attributes are the same: DCMTK writes data sets in its own way."""
    assert got.file_meta.TransferSyntaxUID == sent.file_meta.TransferSyntaxUID
    frames = [list(generate_frames(one.PixelData, number_of_frames=1)) for one in (got, sent)]
    assert frames[0] == frames[1]
    assert {e.tag: e for e in got if e.tag != PIXELS} == {e.tag: e for e in sent if e.tag != PIXELS}
