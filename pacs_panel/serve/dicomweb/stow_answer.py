"""What a sender is told of each of its objects (PS3.18 §10.5.3, Annex I; PS3.4 §B.2.3 for the reasons)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import Response
from fastapi.responses import JSONResponse

from pacs_panel.model import Stored
from pacs_panel.serve.errors import NO_STORE

JSON = "application/dicom+json"
OTHER_STUDY = 0xA900  # the data set is not of the study that the address names


@dataclass(frozen=True, slots=True)
class Failed:
    """An object that was not stored; without UIDs where it could not be read."""

    reason: int
    sop_class_uid: str = ""
    sop_instance_uid: str = ""


class _Answer(JSONResponse):
    media_type = JSON


def answer(outcomes: Sequence[Stored | Failed], base: str) -> Response:
    """The response to a request, where ``base`` is the address of the services.

    Status 200 where all is stored, 202 where some is, 409 where nothing is.
    """
    stored = [each for each in outcomes if isinstance(each, Stored)]
    failed = [each for each in outcomes if isinstance(each, Failed)]
    known = [each for each in failed if each.sop_instance_uid]
    told: dict[str, Any] = {}
    studies = {each.study_uid for each in stored}
    if len(studies) == 1 and (study := studies.pop()):
        told["00081190"] = _url(f"{base}/studies/{study}")
    if known:
        told["00081198"] = _sequence([_reference(each) | _reason(each) for each in known])
    if stored:
        told["00081199"] = _sequence([_reference(each) | _retrieve(each, base) for each in stored])
    if len(known) < len(failed):
        told["0008119A"] = _sequence([_reason(each) for each in failed if not each.sop_instance_uid])
    headers = dict(NO_STORE)
    if newer := sum(each.new_version for each in stored):
        headers["Warning"] = f'299 pacs-panel "{newer} stored as new versions; the older ones are kept"'
    status = (202 if failed else 200) if stored else 409
    return _Answer(told, status, headers)


def _reference(each: Stored | Failed) -> dict[str, Any]:
    return {
        "00081150": {"vr": "UI", "Value": [each.sop_class_uid]},
        "00081155": {"vr": "UI", "Value": [each.sop_instance_uid]},
    }


def _retrieve(each: Stored, base: str) -> dict[str, Any]:
    if not each.study_uid or not each.series_uid:
        return {}
    where = f"studies/{each.study_uid}/series/{each.series_uid}/instances/{each.sop_instance_uid}"
    return {"00081190": _url(f"{base}/{where}")}


def _reason(each: Failed) -> dict[str, Any]:
    return {"00081197": {"vr": "US", "Value": [each.reason]}}


def _url(address: str) -> dict[str, Any]:
    return {"vr": "UR", "Value": [address]}


def _sequence(items: list[dict[str, Any]]) -> dict[str, Any]:
    return {"vr": "SQ", "Value": items}
