"""Rows of a search in the DICOM JSON model (PS3.18 §F), without a data set between: speed counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from pydicom.datadict import dictionary_keyword, dictionary_VR, tag_for_keyword

NUMERIC = frozenset({"DS", "FD", "FL", "IS", "SL", "SS", "UL", "US", "SV", "UV"})
WHOLE = NUMERIC - {"DS", "FD", "FL"}
GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
ELSEWHERE = {"TransferSyntaxUID": "AvailableTransferSyntaxUID"}  # group 2 is in no response

Element = dict[str, Any]


def keyword_of(name: str) -> str | None:
    """Keyword of a parameter that is one, or a tag of 8 hexadecimal digits; ``None`` where it is neither.

    A path into a sequence, with dots, is known by its last part.
    """
    last = name.rpartition(".")[2]
    if len(last) == 8 and all(c in "0123456789abcdefABCDEF" for c in last):
        try:
            return dictionary_keyword(int(last, 16)) or last
        except KeyError:
            return last
    return last if tag_for_keyword(last) is not None else None


def answer(row: Mapping[str, object], keywords: Iterable[str]) -> dict[str, Element]:
    """A row as an object of the model: tags in order, no ``Value`` where there is none."""
    found = ((*_place(keyword), row.get(keyword)) for keyword in keywords)
    return {tag: element(vr, value) for tag, vr, value in sorted(found, key=lambda one: one[0])}


def element(vr: str, value: object) -> Element:
    """One attribute."""
    if value is None or value == "":
        return {"vr": vr}
    several = value.split("\\") if isinstance(value, str) else [value]
    return {"vr": vr, "Value": [_one(vr, each) for each in several]}


def is_told(keyword: str) -> bool:
    """Whether a keyword is DICOM's, so that a response may hold it."""
    return tag_for_keyword(keyword) is not None


@lru_cache(maxsize=512)
def _place(keyword: str) -> tuple[str, str]:
    told = ELSEWHERE.get(keyword, keyword)
    return f"{tag_for_keyword(told):08X}", dictionary_VR(told)


def _one(vr: str, value: Any) -> Any:
    if value == "":
        return None
    if vr == "PN":
        return {name: part for name, part in zip(GROUPS, str(value).split("="), strict=False) if part}
    if vr in NUMERIC:
        try:
            return int(value) if vr in WHOLE else float(value)
        except (TypeError, ValueError):
            return str(value)
    return str(value)
