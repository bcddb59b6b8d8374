"""Values of raw elements as text and numbers (PS3.5 §6.2); what cannot be read is left out, never an exception."""

from __future__ import annotations

import math
import struct
from functools import lru_cache

from pacs_panel.dicom.charset import decode
from pacs_panel.dicom.scan import Raw

BINARY = {b"US": "H", b"SS": "h", b"UL": "I", b"SL": "i", b"FL": "f", b"FD": "d", b"UV": "Q", b"SV": "q"}
INTEGERS = frozenset({"IS", "US", "SS", "UL", "SL", "UV", "SV"})
LOCALISED = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})  # VRs that Specific Character Set rules
PADDING = " \0"
OFTEN = 128  # bytes of a value that may well come again: those that files of a series share are converted once


def text(raw: Raw, vr: str, charsets: tuple[str, ...] = (), little: bool = True) -> str:
    """One element as text; several values are joined by backslash, each without padding.

    Parameters
    ----------
    raw : tuple of bytes
        VR as in the file, value.
    vr : str
        VR of the dictionary, for files that tell none.
    charsets : tuple of str
        Values of Specific Character Set.
    little : bool
        Byte order.
    """
    return (_text_again if len(raw[1]) <= OFTEN else _text)(raw, vr, charsets, little)


def _text(raw: Raw, vr: str, charsets: tuple[str, ...], little: bool) -> str:
    stated, value = raw
    if stated in BINARY:
        return "\\".join(str(number) for number in numbers(raw, vr, little))
    joined = decode(value, charsets) if vr in LOCALISED else value.decode("ascii", "replace")
    if "\\" not in joined:  # as nearly always
        return _stripped(joined, vr)
    return "\\".join(_stripped(part, vr) for part in joined.split("\\"))


def _stripped(part: str, vr: str) -> str:
    return part.strip(PADDING).rstrip("=") if vr == "PN" else part.strip(PADDING)


_text_again = lru_cache(maxsize=4096)(_text)


def numbers(raw: Raw, vr: str, little: bool = True) -> list[int | float]:
    """One element as numbers, without those that are none (or are not finite)."""
    return list((_numbers_again if len(raw[1]) <= OFTEN else _numbers)(raw, vr, little))


def first(raw: Raw, vr: str, little: bool = True) -> int | float | None:
    """The first of one element's numbers; ``None`` where there is none."""
    found = (_numbers_again if len(raw[1]) <= OFTEN else _numbers)(raw, vr, little)
    return found[0] if found else None


def _numbers(raw: Raw, vr: str, little: bool) -> tuple[int | float, ...]:
    stated, value = raw
    code = BINARY.get(stated) or (BINARY.get(vr.encode()) if stated in (b"", b"UN") else None)
    if code:
        width = struct.calcsize(code)
        count = len(value) // width
        found = struct.unpack(f"{'<' if little else '>'}{count}{code}", value[: count * width])
        return tuple(number for number in found if math.isfinite(number))
    parsed = (_number(part, vr in INTEGERS) for part in value.split(b"\\"))
    return tuple(number for number in parsed if number is not None)


_numbers_again = lru_cache(maxsize=4096)(_numbers)


def _number(part: bytes, whole: bool) -> int | float | None:
    if b"_" in part or len(part) > 64:  # Python would take underscores
        return None
    try:
        number = float(part.strip(b" \0"))
    except ValueError:
        return None
    if not math.isfinite(number) or (whole and (number != int(number) or abs(number) >= 2**53)):
        return None
    return int(number) if whole else number
