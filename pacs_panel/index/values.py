"""Values as the index holds and compares them: pure functions, used when writing, when searching and in memory."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from typing import Any

from pacs_panel.attributes import AGE, Attribute

Value = str | int | float | None

LONGEST = 4096  # characters of one stored value; the longest VR in the table allows 64 a value
WHOLE = frozenset({"IS", "US", "UL", "SS", "SL", "UV"})
EXACT = frozenset({"UI", "DA", "TM"})  # compared as they are, without folding and without wildcards

# What images state (PS3.3 §C.7.6.2, §C.8.2.1, §C.8.3.1), not their series: it has all the values of its images.
VARYING = frozenset(
    {"SliceThickness", "SpacingBetweenSlices", "PixelSpacing", "KVP", "RepetitionTime", "EchoTime"}
    | {"ConvolutionKernel", "ContrastBolusAgent", "ScanningSequence", "SequenceName"}
)
# Attributes that may have several values, of which any may match: by those, or by their multiplicity (PS3.6 §6).
# Ours are those of which people, or objects, may say several things.
MULTIPLE = VARYING | frozenset(
    {"ImageType", "ModalitiesInStudy", "SoftwareVersions"}
    | {"Collection", "Tags", "StudyTags", "PatientTags", "Objects"}
)
MOST = 64  # values of one series that are kept: the first ones in order

_SEPARATORS = {"DA": ".", "TM": ":"}
_WORD = re.compile(r"[^\W_]+")
_AGE = re.compile(r"\s*(\d{1,4})\s*([DWMY]?)\s*", re.ASCII | re.IGNORECASE)
_IN_A_YEAR = {"D": 365.2425, "W": 365.2425 / 7, "M": 12.0, "Y": 1.0, "": 1.0}


def clean(attribute: Attribute, value: object) -> Value:
    """A header's value as the index stores it; ``None`` where it is empty or, for a number, not one.

    Dates lose the dots and times the colons of ACR-NEMA (PS3.5 §6.2, note on DA and TM).
    """
    if value is None:
        return None
    if attribute.number:
        if attribute.keyword in MULTIPLE and isinstance(value, str) and "\\" in value:
            return together(attribute, [value])
        return _number(value, attribute.vr in WHOLE)
    text = value if isinstance(value, str) else str(value)
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode("utf-8")
    text = text.replace("\0", "")[:LONGEST].strip()
    if (separator := _SEPARATORS.get(attribute.vr)) is not None:
        text = text.replace(separator, "")
    elif attribute.vr == AGE:
        return None if years(text) is None else text
    elif attribute.keyword in MULTIPLE:
        text = "\\".join(part.strip() for part in text.split("\\"))
    return text or None


def years(age: str) -> float | None:
    """An age (AS, PS3.5 §6.2) such as ``045Y`` or ``006M`` in years; ``None`` where it is none."""
    found = _AGE.fullmatch(age)
    return None if found is None else int(found[1]) / _IN_A_YEAR[found[2].upper()]


def compared(attribute: Attribute, value: Value) -> Value:
    """What a value is compared by: text without regard to case, ages in years, the others as they are.

    Of several numbers it is the lowest, which is the first.
    """
    if value is None or attribute.number or attribute.vr in EXACT:
        return _number(value, attribute.vr in WHOLE) if attribute.number and isinstance(value, str) else value
    return years(str(value)) if attribute.vr == AGE else fold(str(value))


def several(attribute: Attribute, value: Value) -> tuple[Value, ...]:
    """The values that a stored one holds, which backslashes separate; ``None`` is one."""
    if value is None or attribute.keyword not in MULTIPLE or not isinstance(value, str):
        return (value,)
    parts = tuple(value.split("\\"))
    return tuple(_number(part, attribute.vr in WHOLE) for part in parts) if attribute.number else parts


def together(attribute: Attribute, values: Iterable[Value]) -> Value:
    """What the images of a series state, as its own value: what all state, else each value once, in order."""
    stated = {value for value in values if value is not None}
    if len(stated) == 1 and not attribute.number:
        return stated.pop()
    parts: list[Any] = sorted({one for value in stated for one in several(attribute, value) if one not in (None, "")})
    if len(parts) < 2:
        return parts[0] if parts else None
    return "\\".join(map(written, parts[:MOST]))


def written(value: str | int | float) -> str:
    """One of several values as it is stored."""
    return value if isinstance(value, str) else f"{value:.0f}" if value == int(value) else repr(value)


def joined(attribute: Attribute, values: Iterable[str]) -> dict[str, Value]:
    """Columns of an attribute of the archive's own that has these values, each once, however many."""
    text = "\\".join(dict.fromkeys(value for value in values if value)) or None
    return {attribute.column: text, **shadows(attribute, text)}


def _number(value: object, whole: bool) -> int | float | None:
    if isinstance(value, str):
        value = value.split("\\", 1)[0]
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    if not math.isfinite(number):
        return None
    if not whole:
        return number
    return int(number) if number.is_integer() and abs(number) < 2**53 else None


def fold(text: str) -> str:
    """``text`` without regard to case, in any script; equals ``text.lower()`` where it is ASCII."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def name_groups(name: str) -> tuple[str | None, str | None, str | None]:
    """Folded alphabetic, ideographic and phonetic groups of a person's name (PS3.5 §6.2.1); ``None`` where absent."""
    groups = [fold(group).strip(" ^") or None for group in name.split("=")[:3]]
    groups += [None] * (3 - len(groups))
    return groups[0], groups[1], groups[2]


def shadows(attribute: Attribute, value: Value) -> dict[str, Value]:
    """Columns beside the attribute's own that hold its folded forms, where SQL's ``lower`` alone is not enough."""
    columns = shadow_columns(attribute)
    if not columns or value is None:
        return dict.fromkeys(columns)
    text = str(value)
    if attribute.vr == AGE:
        return {columns[0]: years(text)}
    if attribute.vr != "PN":
        return {columns[0]: None if text.isascii() else fold(text)}
    alphabetic, ideographic, phonetic = name_groups(text)
    if alphabetic is None:
        alphabetic = ""  # hides the unfolded whole
    elif text.isascii() and alphabetic == text.lower():
        alphabetic = None
    return dict[str, Value](zip(columns, (alphabetic, ideographic, phonetic), strict=True))


@cache
def shadow_columns(attribute: Attribute) -> tuple[str, ...]:
    """Names of the columns that `shadows` fills."""
    column = attribute.column
    if attribute.vr == "PN":
        return (f"{column}_folded", f"{column}_ideographic", f"{column}_phonetic")
    if attribute.vr == AGE:
        return (f"{column}_years",)
    if attribute.number or attribute.vr in EXACT:
        return ()
    return (f"{column}_folded",)


def words(texts: Iterable[object]) -> tuple[str, ...]:
    """The words of ``texts``, without regard to case and diacritics, as free-text search compares them."""
    found: list[str] = []
    for text in texts:
        if text is not None:
            found += _WORD.findall(_plain(str(text)))
    return tuple(found)


def _plain(text: str) -> str:
    if text.isascii():
        return text.lower()
    parts = unicodedata.normalize("NFKD", text.casefold())
    return unicodedata.normalize("NFKC", "".join(c for c in parts if not unicodedata.combining(c))).casefold()
