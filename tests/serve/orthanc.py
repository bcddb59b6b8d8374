"""An Orthanc of its own for a test: in a folder of its own, on free ports of loopback, with DICOMweb where it is there.

Mark tests with ``@pytest.mark.peer("Orthanc")`` and take the fixture `orthanc`, imported from here.
"""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import find_peer

TITLE = "ORTHANC"
PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
ENOUGH = 60.0  # seconds for it to answer


@dataclass(frozen=True)
class Orthanc:
    """One that runs: ``http`` to its REST interface (DICOMweb under ``/dicom-web``), and its DICOM address."""

    http: httpx.Client
    dicom: tuple[str, int]
    title: str = TITLE

    def upload(self, content: bytes) -> str:
        """Give it an object; its id of the instance."""
        return str(self.http.post("/instances", content=content).raise_for_status().json()["ID"])

    def find(self, level: str = "Instance", **query: str) -> list[str]:
        """Its ids of what it holds."""
        asked = {"Level": level, "Query": query}
        return list(self.http.post("/tools/find", json=asked).raise_for_status().json())

    def add_modality(self, name: str, title: str, address: tuple[str, int]) -> None:
        """Let it know a DICOM peer, which then may do everything."""
        known = {"AET": title, "Host": address[0], "Port": address[1], "AllowStorageCommitment": True}
        self.http.put(f"/modalities/{name}", json=known).raise_for_status()

    def add_server(self, name: str, url: str, **headers: str) -> None:
        """Let it know a DICOMweb server, by the address of its services."""
        known = {"Url": url, "HttpHeaders": headers}
        self.http.put(f"/dicom-web/servers/{name}", json=known).raise_for_status()


@contextmanager
def running(folder: Path, **configuration: Any) -> Iterator[Orthanc]:
    """An Orthanc that runs while the block does; ``configuration`` goes before what is the default here."""
    program = find_peer("Orthanc")
    assert program, "mark the test with @pytest.mark.peer('Orthanc')"
    folder.mkdir(parents=True, exist_ok=True)
    http, dicom = free_ports(2)
    path = folder / "orthanc.json"
    path.write_text(json.dumps(_configuration(folder, http, dicom) | configuration), "utf-8")
    with ExitStack() as stack:
        log = stack.enter_context((folder / "orthanc.log").open("wb"))
        process = subprocess.Popen([program, str(path)], stdout=log, stderr=log)
        stack.callback(_end, process)
        client = stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{http}", timeout=ENOUGH))
        _answering(client, process, folder / "orthanc.log")
        yield Orthanc(client, ("127.0.0.1", dicom))


@pytest.fixture
def orthanc(tmp_path: Path) -> Iterator[Callable[..., Orthanc]]:
    """``orthanc(**configuration)``: start one, which is ended with the test."""
    with ExitStack() as stack:
        count = iter(range(100))
        yield lambda **how: stack.enter_context(running(tmp_path / f"orthanc-{next(count)}", **how))


def _configuration(folder: Path, http: int, dicom: int) -> dict[str, Any]:
    return {
        "Name": "peer of a test",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "Plugins": [str(PLUGIN)] if PLUGIN.exists() else [],
        "HttpPort": http,
        "RemoteAccessAllowed": True,
        "AuthenticationEnabled": False,
        "DicomAet": TITLE,
        "DicomPort": dicom,
        "DicomCheckCalledAet": False,
        "DicomAlwaysAllowEcho": True,
        "DicomAlwaysAllowStore": True,
        "DicomAlwaysAllowFind": True,
        "DicomAlwaysAllowGet": True,
        "DicomAlwaysAllowMove": True,
        "UnknownSopClassAccepted": True,
        "OverwriteInstances": True,
        "TcpNoDelay": True,
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }


def free_ports(count: int) -> list[int]:
    """Ports that are free now. It cannot be handed sockets, so another program might take one meanwhile."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _answering(client: httpx.Client, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until it answers."""
    for _ in range(int(ENOUGH / 0.1)):
        try:
            client.get("/system")
            return
        except httpx.TransportError:
            try:
                process.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
            break
    pytest.fail(f"Orthanc did not start:\n{log.read_text('utf-8', 'replace')[-2000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
