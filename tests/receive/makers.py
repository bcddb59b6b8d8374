"""Files and archives that the tests of `pacs_panel.receive` are made of."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from pacs_panel.errors import Rejected
from pacs_panel.receive.sources import Candidate, Refusal, candidates, open_candidate
from pacs_panel.settings import Settings

SETTINGS = Settings()


def dicom(body: bytes = b"") -> bytes:
    """Bytes with DICOM's mark where it belongs."""
    return bytes(128) + b"DICM" + body


def zipped(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def tarred(files: Mapping[str, bytes], mode: str = "w", form: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode, format=form) as archive:  # type: ignore[call-overload]
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def written(folder: Path, files: Mapping[str, bytes]) -> Path:
    """The folder, with the files in it."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def received(
    paths: Iterable[str | Path], settings: Settings = SETTINGS, **options: object
) -> tuple[dict[str, bytes], dict[str, str]]:
    """What comes in: bytes by origin, and, where the stream or the opening refuses, reasons by origin."""
    taken: dict[str, bytes] = {}
    refused: dict[str, str] = {}
    for item in candidates(paths, settings, **options):  # type: ignore[arg-type]
        assert item.origin not in taken
        if isinstance(item, Refusal):
            refused[item.origin] = item.error.reason
            continue
        try:
            with open_candidate(item, settings) as file:
                taken[item.origin] = file.read()
            assert item.size is None or item.size == len(taken[item.origin])
        except Rejected as error:
            refused[item.origin] = error.reason
        item.discard()
    return taken, refused


def reasons(refused: Mapping[str, str]) -> Counter[str]:
    return Counter(refused.values())


def only(items: Iterable[Candidate | Refusal]) -> Candidate:
    """The one candidate there is."""
    (found,) = items
    assert isinstance(found, Candidate)
    return found
