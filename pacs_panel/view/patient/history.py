"""A patient's rows as a history: studies in order of time, their series, and objects beneath what they speak of.

Pure functions of rows as `archive.search` gives them.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from pacs_panel.view.words import day, person, state, thumbnail

Row = Mapping[str, Any]
SAME = {"PatientName": "Name", "PatientBirthDate": "Born", "PatientSex": "Sex", "PatientID": "ID"}
TAGS = {"PatientID": "00100020", "PatientName": "00100010", "PatientBirthDate": "00100030", "PatientSex": "00100040"}
SEXES = {"M": "male", "F": "female", "O": "other"}
FEW = 4  # studies that are named one by one
AGES = {"D": "days", "W": "weeks", "M": "months", "Y": "years"}


def who(row: Row) -> dict[str, Any]:
    """Name, ID and what else is known of a patient."""
    facts = {"Born": day(row["PatientBirthDate"]), "Sex": sex(row["PatientSex"]), "ID from": row["IssuerOfPatientID"]}
    return {
        "name": person(row["PatientName"]),
        "id": row["PatientID"] or "",
        "facts": [[what, str(how)] for what, how in facts.items() if how],
    }


def history(
    studies: Iterable[Row], series: Iterable[Row], speaks_of: Mapping[str, Sequence[str]]
) -> list[dict[str, Any]]:
    """Studies, the latest first and those without a date last, each with its series.

    Parameters
    ----------
    studies, series : iterable of rows
    speaks_of : mapping of str to sequence of str
        Of a series of objects, the keys of the series that it speaks of. It stands beneath the first of them that is
        here, else among the series of its study.
    """
    rows = [dict(row) for row in series]
    beneath: dict[str, list[Row]] = {}
    images = {str(row["key"]) for row in rows if not is_object(row)}
    placed = set()
    for row in rows:
        target = next((key for key in speaks_of.get(str(row["key"]), ()) if key in images), None)
        if target is not None and is_object(row):
            beneath.setdefault(target, []).append(row)
            placed.add(row["key"])
    within: dict[str, list[dict[str, Any]]] = {}
    for row in sorted(rows, key=_in_study):
        if row["key"] not in placed:
            told = line(row) | {"objects": [line(o) for o in sorted(beneath.get(str(row["key"]), ()), key=_in_study)]}
            within.setdefault(str(row["study_key"]), []).append(told)
    counted: dict[str, Counter[str]] = {}
    for row in rows:
        counted.setdefault(str(row["study_key"]), Counter())[row["Modality"] or "?"] += 1
    every = [_study(row, within.get(str(row["key"]), []), counted.get(str(row["key"]), Counter())) for row in studies]
    return sorted(every, key=lambda study: (study["day"] is not None, study["date"], study["time"]), reverse=True)


def is_object(row: Row) -> bool:
    """Whether a series holds no images, but what speaks of images or stands for itself."""
    return state(row)[0] in ("document", "overlay")


def line(row: Row) -> dict[str, Any]:
    """A series as one line."""
    verdict, words = state(row)
    key = str(row["key"])
    return {
        "key": key,
        "href": f"view?{urlencode({'series': key, 'stack': 0})}",
        "thumbnail": thumbnail(row),
        "modality": row["Modality"] or "",
        "description": row["SeriesDescription"] or "",
        "part": row["BodyPartExamined"] or "",
        "images": row["NumberOfSeriesRelatedInstances"] or 0,
        "state": verdict,
        "words": words,
        "kind": row["Kind"] or "",
    }


def _study(row: Row, series: list[dict[str, Any]], modalities: Counter[str]) -> dict[str, Any]:
    date = str(row["StudyDate"] or "")
    return {
        "key": str(row["key"]),
        "date": day(date),
        "time": _time(row["StudyTime"]),
        "day": ordinal(date),
        "title": row["StudyDescription"] or "",
        "age": age(row["PatientAge"]) or age_at(row["PatientBirthDate"], date),
        "facts": _study_facts(row),
        "modalities": [[name, count] for name, count in sorted(modalities.items())],
        "count": sum(modalities.values()),
        "series": series,
    }


def _study_facts(row: Row) -> list[list[str]]:
    """What was measured on that day, and by which number it is known."""
    size, weight = row["PatientSize"], row["PatientWeight"]
    facts = {
        "Height": f"{float(size):.2f} m" if size else "",
        "Weight": f"{float(weight):g} kg" if weight else "",
        "Accession": row["AccessionNumber"],
    }
    return [[what, str(how)] for what, how in facts.items() if how]


def differences(headers: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What studies of one patient say differently of them.

    Parameters
    ----------
    headers : mapping of str to mapping
        By what a study is called here, the full header of one of its objects, as the DICOM JSON model.

    Returns
    -------
    list of dict
        ``what``, and ``values``: pairs of what is said and of the studies that say so.
    """
    found = []
    for keyword, words in SAME.items():
        said: dict[str, list[str]] = {}
        for study, header in headers.items():
            said.setdefault(_said(keyword, header), []).append(study)
        if len(said) > 1:
            values = [[value or "not said", _several(studies)] for value, studies in said.items()]
            found.append({"what": words, "values": values})
    return found


def _several(studies: Sequence[str]) -> str:
    if len(studies) <= FEW:
        return ", ".join(studies)
    return f"{len(studies)} studies, {min(studies)} to {max(studies)}"


def _said(keyword: str, header: Mapping[str, Any]) -> str:
    values = header.get(TAGS[keyword], {}).get("Value") or [""]
    value = values[0]
    if isinstance(value, Mapping):
        return person("=".join(str(value.get(group, "")) for group in ("Alphabetic", "Ideographic", "Phonetic")))
    return {"PatientBirthDate": day, "PatientSex": sex}.get(keyword, str)(value)


def ordinal(date: object) -> int | None:
    """Days since the year 1 of a date (DA); ``None`` where it is none."""
    try:
        return datetime.datetime.strptime(str(date), "%Y%m%d").date().toordinal()
    except ValueError:
        return None


def age(text: object) -> str:
    """An age (AS) in words: ``052Y`` is 52 years."""
    value = str(text or "")
    if len(value) != 4 or not value[:3].isdigit() or value[3] not in AGES:
        return ""
    number, words = int(value[:3]), AGES[value[3]]
    return f"{number} {words[:-1] if number == 1 else words}"


def age_at(born: object, date: object) -> str:
    """Whole years from birth to a date, both DA."""
    if ordinal(born) is None or ordinal(date) is None:
        return ""
    birth, then = str(born), str(date)
    years = int(then[:4]) - int(birth[:4]) - (then[4:] < birth[4:])
    return f"{years} {'year' if years == 1 else 'years'}" if years >= 0 else ""


def sex(value: object) -> str:
    """Patient's Sex in words."""
    return SEXES.get(str(value or ""), str(value or ""))


def _time(value: object) -> str:
    text = str(value or "")
    return f"{text[:2]}:{text[2:4]}" if len(text) >= 4 and text[:4].isdigit() else ""


def _in_study(row: Row) -> tuple[bool, int, str]:
    number = row["SeriesNumber"]
    return (is_object(row), int(number) if number is not None else 1 << 31, str(row["key"]))
