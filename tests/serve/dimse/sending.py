"""Associations to a listener, and what their sender knows of the objects that it sends."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pydicom
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE, _config

from pacs_panel.serve.dimse.line import HURRY
from pacs_panel.testing import PhantomSeries, encode

TITLE = "SENDER"
_config.STORE_SEND_CHUNKED_DATASET = True  # a file goes out byte for byte


@contextmanager
def association(address: tuple[str, int], contexts: Iterable[tuple[str, str]], **titles: str) -> Iterator[Any]:
    """An association that asks for pairs of class and transfer syntax."""
    entity = AE(titles.get("calling", TITLE))
    for abstract, syntax in dict.fromkeys(contexts):
        entity.add_requested_context(abstract, syntax)
    found = entity.associate(*address, ae_title=titles.get("called", "PACS_PANEL"), evt_handlers=[HURRY])
    try:
        yield found
    finally:
        if found.is_established:
            found.release()


def objects(series: PhantomSeries, syntax: str = ExplicitVRLittleEndian) -> dict[str, bytes]:
    """Files of a series by SOP Instance UID."""
    return {str(each.SOPInstanceUID): encode(each, syntax) for each in series.datasets}


def data_set(file: bytes) -> bytes:
    """A file's data set, as it stands there after the file meta information."""
    source = io.BytesIO(file)
    pydicom.filereader.read_preamble(source, force=False)
    pydicom.filereader._read_file_meta_info(source)
    return file[source.tell() :]


def context_of(file: bytes) -> tuple[str, str]:
    """Class and transfer syntax that an association has to ask for."""
    meta = pydicom.dcmread(io.BytesIO(file), stop_before_pixels=True).file_meta
    return str(meta.MediaStorageSOPClassUID), str(meta.TransferSyntaxUID)


def send(address: tuple[str, int], files: Mapping[str, bytes], folder: Path, **titles: str) -> dict[str, int | None]:
    """Status of each object, sent byte for byte; ``None`` where there was no answer."""
    answers: dict[str, int | None] = {}
    with association(address, map(context_of, files.values()), **titles) as open_one:
        if not open_one.is_established:
            return dict.fromkeys(files)
        for uid, content in files.items():
            answers[uid] = _store(open_one, content, folder / f"{uid}.dcm")
    return answers


def _store(open_one: Any, content: bytes, path: Path) -> int | None:
    path.write_bytes(content)
    try:
        status = open_one.send_c_store(path)
    except (RuntimeError, ValueError):  # the other side has gone
        return None
    if "Status" in status:
        return int(status.Status)
    open_one.abort()  # it counts as open until its thread looks; whoever used it meanwhile would wait for its timeout
    return None
