"""The columns of the table: what each shows of a row, and what it can be ordered by."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from pacs_panel.attributes import BY_KEYWORD, LEVELS
from pacs_panel.view.words import day, number, person, state, thumbnail

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes
    ----------
    name : str
        A keyword, or a name of ours where it shows several attributes.
    words : str
        Its heading.
    sort : str
        Keyword that it orders by; empty for one that cannot be ordered by.
    first : bool
        Whether it is shown to whoever never chose.
    number : bool
        Whether it holds numbers.
    """

    name: str
    words: str
    sort: str = ""
    first: bool = False
    number: bool = False


def _plain(keyword: str, words: str, number: bool = False) -> Column:
    return Column(keyword, words, keyword, number=number)


PATIENT = (
    _plain("PatientSex", "Sex"),
    _plain("PatientAge", "Age"),
    _plain("PatientBirthDate", "Born"),
    _plain("PatientWeight", "Weight (kg)", number=True),
)
STUDY = (_plain("AccessionNumber", "Accession"), _plain("StudyID", "Study ID"), Column("StudyInstanceUID", "Study UID"))
COLUMNS: dict[str, tuple[Column, ...]] = {
    "series": (
        Column("image", "Image", first=True),
        Column("patient", "Patient", "PatientName", first=True),
        Column("date", "Study date", "StudyDate", first=True),
        Column("modality", "Modality", "Modality", first=True),
        Column("part", "Body part", "BodyPartExamined", first=True),
        Column("description", "Series", "SeriesDescription", first=True),
        Column("images", "Images", "NumberOfSeriesRelatedInstances", first=True, number=True),
        Column("state", "Shown as", "Verdict", first=True),
        Column("collection", "Collection", "Collection", first=True),
        Column("Tags", "Tags"),
        Column("study", "Study", "StudyDescription"),
        *PATIENT,
        _plain("SeriesNumber", "Number", number=True),
        _plain("ProtocolName", "Protocol"),
        _plain("Laterality", "Side"),
        _plain("Manufacturer", "Manufacturer"),
        _plain("ManufacturerModelName", "Scanner"),
        _plain("InstitutionName", "Institution"),
        _plain("MagneticFieldStrength", "Field (T)", number=True),
        _plain("SliceThickness", "Thickness (mm)", number=True),
        _plain("SpacingBetweenSlices", "Spacing (mm)", number=True),
        Column("PixelSpacing", "Pixel (mm)", number=True),
        _plain("KVP", "Tube voltage (kV)", number=True),
        _plain("RepetitionTime", "TR (ms)", number=True),
        _plain("EchoTime", "TE (ms)", number=True),
        _plain("ConvolutionKernel", "Kernel"),
        _plain("ContrastBolusAgent", "Contrast agent"),
        _plain("ScanningSequence", "Sequence"),
        Column("Objects", "Has objects"),
        Column("bytes", "Size", number=True),
        Column("arrived", "Arrived", "received"),
        *STUDY,
        Column("SeriesInstanceUID", "Series UID"),
    ),
    "study": (
        Column("patient", "Patient", "PatientName", first=True),
        Column("date", "Study date", "StudyDate", first=True),
        Column("study", "Study", "StudyDescription", first=True),
        Column("modalities", "Modalities", "ModalitiesInStudy", first=True),
        Column("series", "Series", "NumberOfStudyRelatedSeries", first=True, number=True),
        Column("images", "Images", "NumberOfStudyRelatedInstances", first=True, number=True),
        *PATIENT,
        Column("arrived", "Arrived", "received"),
        *STUDY,
    ),
}
OURS = {"image", "patient", "date", "modality", "part", "description", "images", "state", "collection"}
OURS |= {"study", "modalities", "series", "arrived", "bytes"}


def columns(level: str) -> tuple[Column, ...]:
    """The columns of rows of a level."""
    return COLUMNS[level]


def sortable(level: str) -> frozenset[str]:
    """What rows of a level can be ordered by."""
    return frozenset(column.sort for column in columns(level) if _orders(column.sort, level))


def _orders(keyword: str, level: str) -> bool:
    known = BY_KEYWORD.get(keyword)
    return keyword == "received" or (known is not None and LEVELS.index(known.level) <= LEVELS.index(level))


def heads(level: str) -> list[dict[str, Any]]:
    """The columns as the page draws their headings."""
    able = sortable(level)
    return [
        {
            "name": c.name,
            "words": c.words,
            "sort": c.sort if c.sort in able else "",
            "first": c.first,
            "number": c.number,
        }
        for c in columns(level)
    ]


# -- rows --------------------------------------------------------------------------------------------------------------


def series_row(row: Row, patients: bool = False) -> dict[str, Any]:
    """A series as the table shows it; ``patients`` says whether there are pages of patients to lead to."""
    verdict, words = state(row)
    key = str(row["key"])
    own = {
        "modality": row["Modality"],
        "part": row["BodyPartExamined"],
        "images": _count(row["NumberOfSeriesRelatedInstances"]),
        "collection": _several(row["Collection"]),
        "bytes": size(row.get("bytes")),
    }
    return {
        "key": key,
        "level": "series",
        "href": f"view?{urlencode({'series': key, 'stack': 0})}",
        "thumbnail": thumbnail(row),
        "modality": row["Modality"] or "",
        "title": row["SeriesDescription"] or row["StudyDescription"] or "",
        "kind": row["Kind"] or "",
        "state": verdict,
        "words": words,
        **_common(row, "series", patients, own),
    }


def study_row(row: Row, patients: bool = False) -> dict[str, Any]:
    """A study as the table shows it."""
    own = {
        "modalities": _several(row["ModalitiesInStudy"]),
        "series": _count(row["NumberOfStudyRelatedSeries"]),
        "images": _count(row["NumberOfStudyRelatedInstances"]),
    }
    title = row["StudyDescription"] or ""
    return {"key": str(row["key"]), "level": "study", "title": title, **_common(row, "study", patients, own)}


def _common(row: Row, level: str, patients: bool, own: Row) -> dict[str, Any]:
    cells = {
        "date": day(row["StudyDate"]),
        "study": row["StudyDescription"],
        "arrived": arrived(row.get("received")),
        **own,
        **{c.name: text(c.name, row.get(c.name)) for c in columns(level) if c.name not in OURS},
    }
    leads = f"patient?{urlencode({'patient': row['patient_key']})}" if patients and row.get("patient_key") else ""
    return {
        "name": person(row["PatientName"]),
        "id": row["PatientID"] or "",
        "patient": leads,
        "cells": {name: value for name, value in cells.items() if value not in (None, "")},
    }


def text(keyword: str, value: Any) -> str:
    """A value of an attribute as people read it."""
    if value is None:
        return ""
    vr = BY_KEYWORD[keyword].vr if keyword in BY_KEYWORD else ""
    if vr == "DA":
        return day(value)
    if vr == "AS":
        return age(str(value))
    if isinstance(value, float):
        return number(value, 3)
    return _several(value)


def age(value: str) -> str:
    """An age (AS, PS3.5 §6.2), as ``54 y`` or ``10 m``."""
    figures, unit = value[:-1], value[-1:].lower()
    return f"{int(figures)} {unit}" if figures.isdecimal() and unit in ("y", "m", "w", "d") else value


def size(value: Any) -> str:
    """A number of bytes in words."""
    if value is None:
        return ""
    for unit, step in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if value >= step:
            return f"{value / step:.1f} {unit}"
    return f"{value} B"


def arrived(value: Any) -> str:
    """A time in ns since 1970 as date and minute, UTC."""
    if not value:
        return ""
    return datetime.datetime.fromtimestamp(value / 1e9, datetime.UTC).strftime("%Y-%m-%d %H:%M")


def _count(value: Any) -> str:
    return f"{value or 0:,}"


def _several(value: Any) -> str:
    return str(value).replace("\\", ", ") if value is not None else ""
