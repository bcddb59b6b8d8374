"""What a path names: objects of a study, of a series in it, or one. A UID counts only below what stands before it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fastapi import Request

from pacs_panel.archive import Archive
from pacs_panel.errors import NotFound
from pacs_panel.model import Kept

UIDS = {"study": "StudyInstanceUID", "series": "SeriesInstanceUID", "instance": "SOPInstanceUID"}


@dataclass(frozen=True, slots=True)
class Found:
    """One object, and the UIDs by which it is addressed."""

    kept: Kept
    study: str
    series: str
    modality: str


def base(request: Request) -> str:
    """Address of the service."""
    return str(request.base_url).rstrip("/") + "/dicomweb"


def address(base: str, study: str, series: str = "", instance: str = "") -> str:
    """Address of a study, a series or an instance."""
    parts = [("studies", study), ("series", series), ("instances", instance)]
    return base + "".join(f"/{name}/{uid}" for name, uid in parts if uid)


def criteria(study: str = "", series: str = "", instance: str = "") -> dict[str, Any]:
    """What a path asks for, as criteria of a search."""
    given = {"study": study, "series": series, "instance": instance}
    if any("\\" in uid for uid in given.values()):
        raise NotFound("there is nothing of this UID here")
    return {UIDS[level]: uid for level, uid in given.items() if uid}


def rows(archive: Archive, study: str, series: str = "") -> list[dict[str, Any]]:
    """Rows of the series of a study; `NotFound` where there are none."""
    archive.may("read")
    found: list[dict[str, Any]] = list(archive.search("series", **criteria(study, series)).rows())
    if not found:
        raise NotFound(f"there is no {'series' if series else 'study'} {series or study} here")
    return found


def objects(archive: Archive, study: str, series: str = "") -> Iterator[Found]:
    """All objects of a study or series, by series and number; nothing is held but one series' list."""
    for row in rows(archive, study, series):
        for kept in archive.objects(str(row["key"])):
            yield _found(row, kept)


def instance(archive: Archive, study: str, series: str, uid: str) -> Found:
    """One object; `NotFound` where it is not in that series of that study."""
    archive.may("read")
    found = next(iter(archive.search("instance", **criteria(study, series, uid)).rows()), None)
    if found is None:
        raise NotFound(f"there is no instance {uid} in series {series} of study {study}")
    kept = archive.object(uid)
    if kept.series_key != found["series_key"]:  # the same UID in another series
        kept = next(one for one in archive.objects(str(found["series_key"])) if one.sop_instance_uid == uid)
    return _found(found, kept)


def _found(row: Any, kept: Kept) -> Found:
    series, modality = str(row["SeriesInstanceUID"] or ""), str(row["Modality"] or "")
    return Found(kept, str(row["StudyInstanceUID"] or ""), series, modality)
