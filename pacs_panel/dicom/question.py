"""Questions to other archives, and what they answer, as text by keyword (PS3.4 §C.4.1, PS3.18 §F)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset

from pacs_panel.attributes import Level
from pacs_panel.dicom.answer import LEVELS, UTF_8

QUERY_LEVELS = {ours: theirs for theirs, ours in LEVELS.items()}


def question(level: Level, keys: Mapping[str, str], wanted: Iterable[str] = ()) -> Dataset:
    """An identifier that asks for what matches ``keys``, and for the values of ``wanted``."""
    made = Dataset()
    made.QueryRetrieveLevel = QUERY_LEVELS[level]
    if not all(value.isascii() for value in keys.values()):
        made.SpecificCharacterSet = UTF_8
    for keyword, value in (dict.fromkeys(wanted, "") | dict(keys)).items():
        setattr(made, keyword, value.split("\\") if "\\" in value else value)
    return made


def answered(identifier: Dataset, wanted: Iterable[str]) -> dict[str, str]:
    """Values of an identifier, as text; what cannot be read is empty."""
    return {keyword: _text(identifier, keyword) for keyword in wanted}


def _text(identifier: Dataset, keyword: str) -> str:
    try:
        value = identifier.get(keyword)
    except Exception:  # a value that its VR does not allow
        return ""
    several = value if isinstance(value, Iterable) and not isinstance(value, str | bytes) else [value]
    if keyword.endswith("Name"):
        several = [value]
    return "\\".join("" if each is None else str(each) for each in several).strip("\0 ")


def answered_json(element: Mapping[str, Any], wanted: Iterable[str]) -> dict[str, str]:
    """The same of an object of the DICOM JSON model; what is not of its form is empty."""
    return {keyword: _json_text(element, keyword) for keyword in wanted}


def _json_text(element: Mapping[str, Any], keyword: str) -> str:
    found = element.get(f"{tag_for_keyword(keyword):08X}")
    values = found.get("Value") if isinstance(found, Mapping) else None
    if not isinstance(values, list):
        return ""
    return "\\".join(str(each.get("Alphabetic", "")) if isinstance(each, Mapping) else str(each) for each in values)
