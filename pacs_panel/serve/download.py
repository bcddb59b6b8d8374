"""Downloads of what was selected: a zip that is made while it is sent, or a table of what it would hold.

Names are made of UIDs. Every series is asked for anew as whoever downloads may see it at that moment. What cannot be
read is left out, and named at the end in ``ERRORS.txt``; ``manifest.csv`` has the digest of every file.
"""

from __future__ import annotations

import hashlib
import logging
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import IO, Any, Literal

from fastapi import APIRouter, Depends, Response
from fastapi.responses import PlainTextResponse

from pacs_panel.archive import Archive
from pacs_panel.errors import BadQuery, Damaged, NotFound, PacsPanelError
from pacs_panel.model import Kept
from pacs_panel.serve.listed import Listed, folder_of, listed, name_of, to_csv, to_line, to_parquet, uid
from pacs_panel.serve.pieces import Pieces
from pacs_panel.serve.selections import Search, Selections
from pacs_panel.serve.zipped import PIECE, Zipped
from pacs_panel.storage import layout

log = logging.getLogger(__name__)

FORMS = ("dicom", "nifti", "zarr")
TABLES: dict[str, Callable[[Iterable[Listed]], Iterator[bytes]]] = {"csv": to_csv, "parquet": to_parquet}
MEDIA = {"zip": "application/zip", "csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}
COLUMNS = ("file", "bytes", "sha256", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "revision")
WORDS = (".json", ".bval", ".bvec")  # of files that are worth compressing
AT_ONCE = 16 * PIECE  # bytes of an object that are checked before they are sent, without reading them twice
FORGOTTEN = (
    "This selection is not known any more: the server was restarted since, or many others were made.\n"
    "Go back to the page it came from, and press Download again.\n"
)
LEFT_OUT = "What could not be read or written, and so is not in this download, by series or file:\n\n"

Asking = Callable[..., Archive]
Row = Mapping[str, Any]


def download_routes(asking: Asking, selections: Selections) -> APIRouter:
    """The routes by which a browser fetches what was selected.

    Parameters
    ----------
    asking : callable
        A dependency of FastAPI that gives the archive as whoever sent a request may see it.
    selections : Selections
        Where tokens come from. They must stand for searches of series.

    Returns
    -------
    APIRouter
        ``/download/{token}.zip?format=dicom|nifti|zarr``, ``/download/{token}.csv`` and ``/download/{token}.parquet``.
        A link to them needs no ``download`` attribute: a browser saves what comes, and shows what is said instead.
    """
    routes = APIRouter(prefix="/download")
    as_asking: Any = Depends(asking)

    @routes.get("/{token}.{ending}")
    def download(
        token: str, ending: Literal["zip", "csv", "parquet"], format: str = "dicom", archive: Archive = as_asking
    ) -> Response:
        if (search := selections.get(token)) is None:
            return PlainTextResponse(FORGOTTEN, 404, {"Cache-Control": "no-store"})
        if search.level != "series":
            raise BadQuery("a download holds whole series: select series")
        if format not in FORMS:
            raise BadQuery(f"no format {format!r}: one of {', '.join(FORMS)}")
        archive.may("read")
        made = zipped(archive, search, format) if ending == "zip" else TABLES[ending](objects(archive, search))
        return _streamed(made, ending, format if ending == "zip" else "manifest")

    return routes


def _streamed(made: Iterator[bytes], ending: str, what: str) -> Response:
    name = f"pacs-panel-{what}-{time.strftime('%Y%m%d-%H%M%S')}.{ending}"
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return Pieces(made, media_type=MEDIA[ending], headers=headers)


# -- tables ------------------------------------------------------------------------------------------------------------


def objects(archive: Archive, search: Search) -> Iterator[Listed]:
    """The objects of all series that a search finds, as far as the archive's principal may see them now."""
    for row in search.rows():
        try:
            kept = archive.objects(str(row["key"]))
        except NotFound:
            continue
        yield from (listed(row, one) for one in kept)


# -- zip ---------------------------------------------------------------------------------------------------------------


def zipped(archive: Archive, search: Search, form: str) -> Iterator[bytes]:
    """A zip of the series that a search finds: received bytes (``dicom``), or volumes.

    Memory does not grow with the series' sizes, and nothing but a series' volumes, one after another, is written to
    the archive's disk.
    """
    spool = archive.root / layout.spool()
    spool.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="download-", dir=spool) as folder:
        yield from _Download(archive, form, Path(folder)).make(search)


class _Download:
    """One zip on its way."""

    def __init__(self, archive: Archive, form: str, folder: Path) -> None:
        self._archive, self._form, self._folder = archive, form, folder
        self._zip = Zipped()
        self._manifest, self._errors = (folder / "manifest.csv").open("w+b"), (folder / "ERRORS.txt").open("w+b")

    def make(self, search: Search) -> Iterator[bytes]:
        """All of it."""
        with self._manifest, self._errors:
            self._manifest.write(to_line(COLUMNS))
            put = self._objects if self._form == "dicom" else self._volumes
            try:
                for row in search.rows():
                    yield from put(row)
            except PacsPanelError as error:
                log.warning("a list changed while it was downloaded: %s", error)
                self._failed("all that follows", "the list changed while it was read; download it again")
            yield from self._told("manifest.csv", self._manifest)
            if self._errors.tell():
                yield from self._told("ERRORS.txt", self._errors, LEFT_OUT.encode())
        yield from self._zip.end()

    # -- received bytes ------------------------------------------------------------------------------------------------

    def _objects(self, row: Row) -> Iterator[bytes]:
        try:
            kept = self._archive.objects(str(row["key"]))
        except NotFound:
            self._failed(folder_of(row), "it is not there any more")
            return
        for one in kept:
            name = f"{folder_of(row)}/{name_of(one)}"
            try:
                yield from self._object(row, one, name)
            except (PacsPanelError, OSError) as error:
                self._failed(name, _words(error))

    def _object(self, row: Row, kept: Kept, name: str) -> Iterator[bytes]:
        with self._opened(kept) as source:
            yield from self._zip.add(name, _checked(source, kept), kept.location.length)
        self._listed(name, kept.location.length, kept.digests.file, row, uid(kept.sop_instance_uid))

    def _opened(self, kept: Kept) -> IO[bytes]:
        """An object's bytes, although a pack may have been written anew since it was looked up."""
        try:
            return self._archive.original(kept)
        except Damaged:
            for now in self._archive.objects(kept.series_key, versions=True):
                if now.digests == kept.digests and now.location != kept.location:
                    return self._archive.original(now)
            raise

    # -- volumes -------------------------------------------------------------------------------------------------------

    def _volumes(self, row: Row) -> Iterator[bytes]:
        """The files of a series' volumes, as the archive exports them."""
        key, place = str(row["key"]), folder_of(row)
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            try:
                self._archive.export(key, folder, self._form)
            except (PacsPanelError, OSError) as error:
                self._failed(place, _words(error))
            except Exception:  # whatever a damaged volume makes a library raise: the other series are whole
                log.exception("series %s could not be written as %s", key, self._form)
                self._failed(place, f"it could not be written as {self._form}; the server's log says why")
            for path in sorted(Path(folder).rglob("*")):
                if path.is_file():
                    name = f"{place}{str(path.relative_to(folder)).removeprefix(key)}"
                    yield from self._file(row, path, name)

    def _file(self, row: Row, path: Path, name: str) -> Iterator[bytes]:
        digest = hashlib.sha256()
        size = path.stat().st_size
        with path.open("rb") as source:
            yield from self._zip.add(name, _parts(source, digest.update), size, pack=path.suffix in WORDS)
        self._listed(name, size, digest.hexdigest(), row)

    # -- what is told at the end ---------------------------------------------------------------------------------------

    def _listed(self, name: str, size: int, digest: str, row: Row, sop: str = "") -> None:
        uids = uid(row["StudyInstanceUID"]), uid(row["SeriesInstanceUID"]), sop
        self._manifest.write(to_line((name, size, digest, *uids, row["revision"] or "")))

    def _failed(self, what: str, why: str) -> None:
        self._errors.write(f"{what}: {why}\n".encode())

    def _told(self, name: str, file: IO[bytes], head: bytes = b"") -> Iterator[bytes]:
        size = file.tell()
        file.seek(0)
        yield from self._zip.add(name, chain([head], _parts(file)), size + len(head), pack=True)


def _checked(source: IO[bytes], kept: Kept) -> Iterable[bytes]:
    """An object's bytes, once it is known that they are those that were received.

    Raises
    ------
    Damaged
        They are not; or, while they are taken, there are fewer of them than a moment ago.
    """
    if kept.location.length <= AT_ONCE:
        parts: Iterable[bytes] = [source.read()]
        digest = hashlib.sha256(*parts)
    else:
        digest = hashlib.sha256()
        for part in _parts(source):
            digest.update(part)
        source.seek(0)
        parts = _whole(source, kept.location.length)
    if digest.hexdigest() != kept.digests.file:
        raise Damaged("its bytes have changed since they were received; run `pacs-panel verify`")
    return parts


def _whole(source: IO[bytes], length: int) -> Iterator[bytes]:
    for part in _parts(source):
        length -= len(part)
        yield part
    if length:
        raise Damaged("its bytes changed while they were read: what is here of it is cut short")


def _parts(source: IO[bytes], seen: Callable[[bytes], object] = lambda _: None) -> Iterator[bytes]:
    while part := source.read(PIECE):
        seen(part)
        yield part


def _words(error: Exception) -> str:
    """What went wrong, without the path on this machine that the system's own words have."""
    return f"it cannot be read or written ({error.strerror})" if isinstance(error, OSError) else str(error)
