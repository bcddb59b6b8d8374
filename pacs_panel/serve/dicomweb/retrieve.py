"""WADO-RS: objects, their headers, and bulk data (PS3.18 §10.4), one after another, none held as a whole."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import IO, Any

from fastapi import APIRouter, Depends, Request, Response

from pacs_panel.archive import Archive
from pacs_panel.dicom.bulk import value, with_addresses
from pacs_panel.dicom.full import full
from pacs_panel.dicom.header import image as image_of
from pacs_panel.errors import BadPixels, NotFound, TooLarge
from pacs_panel.pixels.decode import why_not
from pacs_panel.serve.dicomweb import asked
from pacs_panel.serve.dicomweb.accept import Range, accepted, choose, not_acceptable
from pacs_panel.serve.dicomweb.asked import Found
from pacs_panel.serve.dicomweb.multipart import Part, related
from pacs_panel.serve.dicomweb.qido import DICOM_JSON
from pacs_panel.serve.pieces import Pieces
from pacs_panel.serve.zipped import PIECE

DICOM, OCTETS = "application/dicom", "application/octet-stream"
EXPLICIT_LE = "1.2.840.10008.1.2.1"
NEVER = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.113619.5.2")  # on the wire (PS3.18 §8.7.3.5.2)
PIXELS = ("7FE00008", "7FE00009", "7FE00010")


def retrieve_routes(asking: Callable[..., Archive]) -> APIRouter:
    """The routes that give objects, metadata and bulk data of studies, series and instances."""
    routes = APIRouter()
    as_asking: Any = Depends(asking)

    @routes.get("/studies/{study}")
    def whole_study(request: Request, study: str, archive: Archive = as_asking) -> Response:
        return several(request, archive, asked.objects(archive, study))

    @routes.get("/studies/{study}/series/{series}")
    def whole_series(request: Request, study: str, series: str, archive: Archive = as_asking) -> Response:
        return several(request, archive, asked.objects(archive, study, series))

    @routes.get("/studies/{study}/series/{series}/instances/{instance}")
    def one(request: Request, study: str, series: str, instance: str, archive: Archive = as_asking) -> Response:
        return single(request, archive, asked.instance(archive, study, series, instance))

    @routes.get("/studies/{study}/metadata")
    def study_metadata(request: Request, study: str, archive: Archive = as_asking) -> Response:
        return metadata(request, archive, asked.objects(archive, study))

    @routes.get("/studies/{study}/series/{series}/metadata")
    def series_metadata(request: Request, study: str, series: str, archive: Archive = as_asking) -> Response:
        return metadata(request, archive, asked.objects(archive, study, series))

    @routes.get("/studies/{study}/series/{series}/instances/{instance}/metadata")
    def one_metadata(
        request: Request, study: str, series: str, instance: str, archive: Archive = as_asking
    ) -> Response:
        return metadata(request, archive, iter([asked.instance(archive, study, series, instance)]))

    @routes.get("/studies/{study}/series/{series}/instances/{instance}/bulkdata/{path:path}")
    def bulk(
        request: Request, study: str, series: str, instance: str, path: str, archive: Archive = as_asking
    ) -> Response:
        return bulkdata(request, archive, asked.instance(archive, study, series, instance), path)

    return routes


# -- objects -----------------------------------------------------------------------------------------------------------


def syntax_for(found: Found, ranges: Iterable[Range]) -> str:
    """The transfer syntax in which an object is sent: of the most wanted range that it can be had in.

    Raises
    ------
    Refused
        406: it can be had in none of them.
    """
    stored = found.kept.transfer_syntax
    why = "objects are application/dicom"
    for one in ranges:
        if not (one.takes(DICOM) or one.takes_parts(DICOM)):
            continue
        if one.syntax in ("*", stored) and stored not in NEVER:
            return stored
        if one.syntax not in ("", "*", EXPLICIT_LE):
            why = f"objects are sent in the transfer syntax in which they are stored ({stored}), or in {EXPLICIT_LE}"
        elif found.kept.image is not None and (reason := why_not(stored)):
            why = f"{reason}; transfer-syntax=* gives it as stored"
        else:
            return EXPLICIT_LE
    raise not_acceptable(why)


def several(request: Request, archive: Archive, found: Iterator[Found]) -> Response:
    """Objects as multipart/related. What can be told before the first byte is sent is told by the status."""
    ranges = [one for one in accepted(request) if one.takes_parts(DICOM)]
    if not ranges:
        raise not_acceptable('several objects are multipart/related; type="application/dicom"')
    first = next(found)
    begun = opened(archive, first, syntax_for(first, ranges))
    at = asked.base(request)
    rest = ((one, None) for one in found)
    parts = (
        _part(at, one, syntax_for(one, ranges), file or opened(archive, one, syntax_for(one, ranges)))
        for one, file in chain([(first, begun)], rest)
    )
    return related(parts, DICOM)


def single(request: Request, archive: Archive, found: Found) -> Response:
    """One object, alone or as the only part."""
    ranges = accepted(request)
    syntax = syntax_for(found, ranges)
    alone = next(one for one in ranges if one.takes(DICOM) or one.takes_parts(DICOM))
    tag = f'"{found.kept.digests.file[:32]}-{syntax}"'
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers={"ETag": tag})
    file = opened(archive, found, syntax)
    part = _part(asked.base(request), found, syntax, file)
    if alone.media == DICOM:
        return Pieces(iter(part.pieces), media_type=part.media, headers={"ETag": tag})
    made = related([part], DICOM)
    made.headers["ETag"] = tag
    return made


def opened(archive: Archive, found: Found, syntax: str) -> IO[bytes]:
    """An object's file in a transfer syntax that `syntax_for` gave."""
    if syntax == found.kept.transfer_syntax:
        return archive.original(found.kept)
    return archive.decoding.transcoded(found.kept)


def _part(at: str, found: Found, syntax: str, file: IO[bytes]) -> Part:
    where = asked.address(at, found.study, found.series, found.kept.sop_instance_uid)
    return Part(f"{DICOM}; transfer-syntax={syntax}", pieces(file), where)


def pieces(file: IO[bytes]) -> Iterator[bytes]:
    """What is left of a file, which is closed then."""
    with file:
        while part := file.read(PIECE):
            yield part


# -- headers and bulk data ---------------------------------------------------------------------------------------------


def metadata(request: Request, archive: Archive, found: Iterator[Found]) -> Response:
    """Headers in the DICOM JSON model, with addresses in place of long values."""
    choose(request, (DICOM_JSON, "application/json"))
    first = next(found)
    at = asked.base(request)
    return Pieces(_listed(_header(archive, at, one) for one in chain([first], found)), media_type=DICOM_JSON)


def _listed(made: Iterator[bytes]) -> Iterator[bytes]:
    mark = b"["
    for one in made:
        yield mark + one
        mark = b","
    yield b"]"


def _header(archive: Archive, at: str, found: Found) -> bytes:
    where = asked.address(at, found.study, found.series, found.kept.sop_instance_uid)
    with archive.original(found.kept) as source:
        header = with_addresses(full(source, archive.settings), f"{where}/bulkdata")
    header["00081190"] = {"vr": "UR", "Value": [where]}
    return json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def bulkdata(request: Request, archive: Archive, found: Found, path: str) -> Response:
    """A long value, in little endian; pixel data without compression."""
    ranges = accepted(request)
    chosen = next((one for one in ranges if one.takes(OCTETS) or one.takes_parts(OCTETS)), None)
    if chosen is None:
        raise not_acceptable(f"bulk data are {OCTETS}")
    if path.upper() in PIXELS:
        made = _pixels(archive, opened(archive, found, EXPLICIT_LE), found)
    else:
        with _readable(archive, found) as file:
            made = iter([value(file, path.split("/"), archive.settings)])
    if chosen.takes_parts(OCTETS) and chosen.media != "*/*":
        return related([Part(OCTETS, made, str(request.url))], OCTETS)
    return Pieces(made, media_type=OCTETS)


def _readable(archive: Archive, found: Found) -> IO[bytes]:
    try:
        return opened(archive, found, EXPLICIT_LE)
    except (BadPixels, TooLarge):
        if found.kept.transfer_syntax in NEVER:
            raise
        return archive.original(found.kept)  # damaged pixels hinder no other value


def _pixels(archive: Archive, file: Any, found: Found) -> Iterator[bytes]:
    image = image_of(file, file.seek(0, 2), archive.settings)
    if image is None or image.pixel_length < 0:
        file.close()
        raise NotFound(f"object {found.kept.sop_instance_uid} has no pixel data")
    file.seek(image.pixel_offset)
    return _some(file, image.pixel_length)


def _some(file: IO[bytes], left: int) -> Iterator[bytes]:
    with file:
        while left > 0 and (part := file.read(min(PIECE, left))):
            left -= len(part)
            yield part
