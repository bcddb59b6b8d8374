"""DICOMweb beside Orthanc's: objects sent, searched and fetched, over HTTP on loopback."""

from __future__ import annotations

import re
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import batched
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlencode

import httpx

import pacs_panel
from pacs_panel.testing import write_small_files
from tests.benchmarks.measure import MB, ROOT, Row, Scale, alternate, rates, sync, timed, times
from tests.benchmarks.series import write_ct
from tests.serve.orthanc import running

TITLE = "DICOMweb"
NOTES = """
Both serve in a process of their own on loopback, and are asked in turn by one client. STOW-RS: 50 objects a request,
each durable (fsync), known to the index and compared with what is there when the answer comes; all are counted
afterwards, and ours are verified. QIDO-RS and WADO-RS: medians of requests one after the other. A study is fetched as
it is stored, and read to its end.
"""
SERVE = "from pacs_panel.cli import main; raise SystemExit(main())"
AT_ONCE = 50  # objects a request
JSON = {"Accept": "application/dicom+json"}
AS_STORED = 'multipart/related; type="application/dicom"; transfer-syntax=*'
FRAME = 'multipart/related; type="application/octet-stream"; transfer-syntax=*'


@dataclass(frozen=True)
class Web:
    """One that answers DICOMweb."""

    client: httpx.Client

    def store(self, contents: Sequence[bytes]) -> None:
        boundary = uuid.uuid4().hex
        head = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        body = b"".join(head + content + b"\r\n" for content in contents) + f"--{boundary}--\r\n".encode()
        kind = f'multipart/related; type="application/dicom"; boundary={boundary}'
        answer = self.client.post("studies", content=body, headers={"Content-Type": kind, **JSON})
        assert answer.status_code == 200, answer.status_code

    def search(self, path: str, **asked: Any) -> list[dict[str, Any]]:
        query = urlencode(asked, safe="*")  # Orthanc takes an encoded wildcard for a letter
        answer = self.client.get(f"{path}?{query}", headers=JSON)
        return list(answer.raise_for_status().json()) if answer.content else []

    def fetch(self, path: str, accept: str) -> int:
        """Bytes that came, read as they come."""
        with self.client.stream("GET", path, headers={"Accept": accept}) as answer:
            answer.raise_for_status()
            return sum(len(part) for part in answer.iter_raw(1 << 20))


def run(folder: Path, scale: Scale) -> list[Row]:
    small, large, size = scale.of(20_000, 2_000, 60), scale.of(200, 100, 6), scale.of(512, 512, 32)
    write_small_files(folder / "small", small, scale.of(400, 40, 6))
    write_ct(folder / "large", 2, large, size)
    sync()
    with ours(folder / "archive") as own, theirs(folder / "orthanc") as peer:
        rows = [
            _stored("10 kB", _files(folder / "small"), own, peer, scale.of(2_000, 500, 20)),
            _stored("526 kB", _files(folder / "large"), own, peer, scale.of(200, 100, 6)),
        ]
        rows += _searched(own, peer, scale.of(40, 20, 2))
        rows += _fetched(own, peer, size, scale.of(40, 20, 2))
    with pacs_panel.open_archive(folder / "archive") as archive:
        assert archive.verify().clean
        assert archive.status()["instances"] == small + 2 * large
    return rows


@contextmanager
def ours(archive: Path) -> Iterator[Web]:
    """A new archive, served as by `pacs-panel serve`."""
    pacs_panel.open_archive(archive).close()
    command = [sys.executable, "-c", SERVE, "serve", "--port", "0", "--archive", str(archive)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        try:
            found = re.search(r"http://\S+", process.stdout.readline())
            assert found, "it does not serve"
            with httpx.Client(base_url=f"{found[0]}/dicomweb/", timeout=120) as client:
                yield Web(client)
        finally:
            process.terminate()


@contextmanager
def theirs(folder: Path) -> Iterator[Web]:
    with running(folder) as peer, httpx.Client(base_url=peer.http.base_url.join("/dicom-web/"), timeout=600) as client:
        yield Web(client)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _stored(what: str, files: list[Path], own: Web, peer: Web, count: int) -> Row:
    """Rates at which the first ``count`` are taken in; both hold all of them afterwards."""
    portions = [[path.read_bytes() for path in some] for some in batched(files[:count], AT_ONCE)]
    seconds = [timed(partial(_all, web, portions)) for web in (own, peer)]
    for some in batched(files[count:], AT_ONCE):
        for web in (own, peer):
            web.store([path.read_bytes() for path in some])
    return rates(f"STOW-RS, objects of {what}", count / seconds[0], count / seconds[1], "objects/s", "≥ 3")


def _all(web: Web, portions: list[list[bytes]]) -> None:
    for portion in portions:
        web.store(portion)


def _searched(own: Web, peer: Web, rounds: int) -> Iterator[Row]:
    questions = {
        "QIDO-RS, 25 studies": ({"limit": 25}, 25, "≤ 10 ms"),
        "QIDO-RS, all studies": ({}, None, "≤ 50 ms"),
        "QIDO-RS, a wildcard": ({"PatientID": "PB-00*"}, None, "≤ 20 ms"),
    }
    for what, (asked, most, aim) in questions.items():
        found = [{_uid(study) for study in web.search("studies", **asked)} for web in (own, peer)]
        assert found[0], what
        assert len(found[0]) == len(found[1]) if most else found[0] == found[1], what
        both = alternate(rounds, *(partial(_search, web, asked) for web in (own, peer)))
        yield times(what, *map(median, both), aim)


def _search(web: Web, asked: dict[str, Any], _number: int) -> float:
    return timed(lambda: web.search("studies", **asked))


def _fetched(own: Web, peer: Web, size: int, rounds: int) -> Iterator[Row]:
    study, series, instance = _middle(own, size)
    where = f"studies/{study}/series/{series}/instances/{instance}"
    asked = {
        "WADO-RS, a frame": (f"{where}/frames/1", FRAME, "≤ 6.5 ms"),
        "WADO-RS, rendered as PNG": (f"{where}/rendered", "image/png", "≤ 15 ms"),
        "WADO-RS, rendered as JPEG": (f"{where}/rendered", "image/jpeg", ""),
    }
    for what, (path, accept, aim) in asked.items():
        both = alternate(rounds, *(partial(_fetch, web, path, accept) for web in (own, peer)))
        yield times(what, *map(median, both), aim)
    length = own.fetch(f"studies/{study}", AS_STORED)
    both = alternate(3, *(partial(_fetch, web, f"studies/{study}", AS_STORED) for web in (own, peer)))
    yield rates("WADO-RS, a study", *(length / MB / median(each) for each in both), "MB/s", "≥ 0.8")


def _fetch(web: Web, path: str, accept: str, _number: int) -> float:
    return timed(lambda: web.fetch(path, accept))


def _middle(web: Web, size: int) -> tuple[str, str, str]:
    """Study, series and an instance of a CT of this size."""
    found = web.search("instances", Modality="CT", Rows=size)
    return tuple(found[len(found) // 2][tag]["Value"][0] for tag in ("0020000D", "0020000E", "00080018"))  # type: ignore[return-value]


def _uid(study: dict[str, Any]) -> str:
    return str(study["0020000D"]["Value"][0])
