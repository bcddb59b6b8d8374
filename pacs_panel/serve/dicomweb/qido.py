"""QIDO-RS: searches over HTTP (PS3.18 §10.6), by the same `archive.search` as everybody's."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from pacs_panel.archive import Archive
from pacs_panel.attributes import BY_KEYWORD, Level, down_to
from pacs_panel.dicom.answer_json import answer, is_told, keyword_of
from pacs_panel.errors import BadQuery
from pacs_panel.serve.dicomweb import asked
from pacs_panel.serve.dicomweb.accept import choose

MOST = 10_000  # results of one response
DICOM_JSON = "application/dicom+json"
MODALITIES = "00080061"
OWN = ("limit", "offset", "includefield", "fuzzymatching", "accept", "charset")
# What is returned in any case (PS3.18 §10.6.3.3), as far as the archive holds it.
STUDY = (
    *("StudyDate", "StudyTime", "AccessionNumber", "ModalitiesInStudy", "ReferringPhysicianName", "PatientName"),
    *("PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyID", "StudyDescription"),
    *("NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances"),
)
SERIES = (
    *("Modality", "SeriesDescription", "SeriesInstanceUID", "SeriesNumber", "SeriesDate", "SeriesTime"),
    *("NumberOfSeriesRelatedInstances", "BodyPartExamined"),
)
INSTANCE = (
    *("SOPClassUID", "SOPInstanceUID", "InstanceNumber", "Rows", "Columns", "NumberOfFrames", "TransferSyntaxUID"),
)
STATE = {"00080005": {"vr": "CS", "Value": ["ISO_IR 192"]}, "00080056": {"vr": "CS", "Value": ["ONLINE"]}}


def search_routes(asking: Callable[..., Archive]) -> APIRouter:
    """The routes of searches: of studies, series and instances, everywhere or below what a path names."""
    routes = APIRouter()
    as_asking: Any = Depends(asking)

    @routes.get("/studies")
    def studies(request: Request, archive: Archive = as_asking) -> Response:
        return search(request, archive, "study", STUDY)

    @routes.get("/series")
    def all_series(request: Request, archive: Archive = as_asking) -> Response:
        return search(request, archive, "series", STUDY + SERIES)

    @routes.get("/studies/{study}/series")
    def series(request: Request, study: str, archive: Archive = as_asking) -> Response:
        return search(request, archive, "series", ("StudyInstanceUID", *SERIES), study)

    @routes.get("/instances")
    def all_instances(request: Request, archive: Archive = as_asking) -> Response:
        return search(request, archive, "instance", STUDY + SERIES + INSTANCE)

    @routes.get("/studies/{study}/instances")
    def instances(request: Request, study: str, archive: Archive = as_asking) -> Response:
        return search(request, archive, "instance", ("StudyInstanceUID", *SERIES, *INSTANCE), study)

    @routes.get("/studies/{study}/series/{series}/instances")
    def instances_of(request: Request, study: str, series: str, archive: Archive = as_asking) -> Response:
        shown = ("StudyInstanceUID", "SeriesInstanceUID", *INSTANCE)
        return search(request, archive, "instance", shown, study, series)

    return routes


def search(
    request: Request, archive: Archive, level: Level, shown: tuple[str, ...], study: str = "", series: str = ""
) -> Response:
    """The answer to a search at a level: status 200, of nothing, too (204 in former editions: Orthanc fails on it).

    Raises
    ------
    BadQuery
        A parameter is neither one of QIDO-RS nor an attribute, or its value does not fit it.
    """
    choose(request, (DICOM_JSON, "application/json"))
    archive.may("read")
    warnings: list[str] = []
    wanted = _matched(request, warnings) | asked.criteria(study, series)
    limit, offset = _number(request, "limit", MOST), _number(request, "offset", 0)
    known = {attribute.keyword for attribute in down_to(level)}
    keywords = dict.fromkeys((*shown, *_included(request, level), *(k for k in wanted if k in known and is_told(k))))
    found = archive.search(level, **wanted)
    count = min(limit, MOST)
    size = max(1, min(MOST, offset + count + 1))
    rows = list(islice(found.rows(size), offset, offset + count + 1))
    if len(rows) > count:
        rows.pop()
        if limit >= MOST:
            warnings.append("there are more results than the server gives at once: ask on with offset")
    headers = {"Cache-Control": "no-store"}
    if warnings:
        headers["Warning"] = ", ".join(f'299 pacs_panel "{text}"' for text in warnings)
    at = asked.base(request)
    made = [_told(row, keywords) | STATE | _place(at, row, level) for row in rows]
    text = json.dumps(made, ensure_ascii=False, separators=(",", ":"))
    return Response(text, media_type=DICOM_JSON, headers=headers)


def _told(row: Mapping[str, Any], keywords: Iterable[str]) -> dict[str, Any]:
    told = answer(row, keywords)
    if "Value" not in told.get(MODALITIES, {}):
        told.pop(MODALITIES, None)  # where none is known: OHIF lists no study at all if one has this without a value
    return told


def _place(at: str, row: Mapping[str, Any], level: Level) -> dict[str, Any]:
    uids = [str(row.get(asked.UIDS[each]) or "") for each in ("study", "series", "instance")]
    place = uids[: ("study", "series", "instance").index(level) + 1]
    return {"00081190": {"vr": "UR", "Value": [asked.address(at, *place)]}} if all(place) else {}


def _matched(request: Request, warnings: list[str]) -> dict[str, Any]:
    wanted: dict[str, Any] = {}
    for name, value in request.query_params.multi_items():
        if name == "fuzzymatching" and value == "true":
            warnings.append("fuzzymatching is not supported: names are matched literally")
        if name in OWN:
            continue
        keyword = keyword_of(name)
        if keyword is None:
            raise BadQuery(f"parameter {name[:64]!r} is neither of QIDO-RS nor a DICOM attribute")
        attribute = BY_KEYWORD.get(keyword)
        if attribute is None or "." in name:
            warnings.append(f"matching by {keyword} is not supported: it was left out of account")
        elif value:
            wanted[keyword] = value.replace(",", "\\") if attribute.vr == "UI" else value
    return wanted


def _included(request: Request, level: Level) -> list[str]:
    held = [attribute.keyword for attribute in down_to(level) if is_told(attribute.keyword)]
    asked_for = ",".join(request.query_params.getlist("includefield")).split(",")
    if "all" in asked_for:
        return held
    found = [keyword_of(name.strip()) for name in asked_for if name.strip()]
    if None in found:
        raise BadQuery("includefield: attributes by keyword or tag, or `all`")
    return [keyword for keyword in found if keyword in held]


def _number(request: Request, name: str, otherwise: int) -> int:
    text = request.query_params.get(name, str(otherwise))
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise BadQuery(f"{name}: a whole number from 0 on")
    return int(text)
