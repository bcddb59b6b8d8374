"""Text in DICOM's character sets (PS3.5 §6.1, PS3.3 §C.12.1.1.2) to `str`; never an exception, at worst U+FFFD."""

from __future__ import annotations

import codecs
import re
from functools import lru_cache

from pydicom.charset import CODES_TO_ENCODINGS, python_encoding

ESCAPE = b"\x1b"
SWITCHES = {code: codec for code, codec in CODES_TO_ENCODINGS.items() if code != ESCAPE + b"(B"}
TWO_BYTE_G0 = (ESCAPE + b"$B", ESCAPE + b"$(D")  # their bytes look like ASCII: delimiters may be parts of characters
SEGMENT = re.compile(rb"(?=\x1b)")
DELIMITED = re.compile(rb"(?<=[\\^=\r\n\f\t])")


def decode(value: bytes, charsets: tuple[str, ...] = ()) -> str:
    """Text of one element.

    Parameters
    ----------
    value : bytes
        As encoded; values stay joined by backslash, a name's component groups by ``=``.
    charsets : tuple of str
        Values of Specific Character Set (0008,0005); unknown terms count as the default repertoire.
    """
    if ESCAPE not in value:
        return value.decode("ascii" if value.isascii() else _codec(charsets), "replace")
    first = _codec(charsets)
    return "".join(_segment(segment, first) for segment in SEGMENT.split(value) if segment)


@lru_cache(maxsize=256)
def _codec(charsets: tuple[str, ...]) -> str:
    """Python codec of the first character set; ISO 646 alone is read as Latin-1, as much software writes it."""
    term = re.sub(r"^ISO[ -]IR", "ISO_IR", (charsets[0] if charsets else "").strip(" \0").upper())
    name = python_encoding.get(term, "latin_1")
    try:
        return codecs.lookup(name).name
    except LookupError:
        return "latin_1"


def _segment(segment: bytes, first: str) -> str:
    """Text from one escape sequence up to the next (PS3.5 §6.1.2.5)."""
    if segment.startswith(TWO_BYTE_G0):
        return segment.decode("iso2022_jp_2", "replace")
    code = next((code for code in SWITCHES if segment.startswith(code)), b"")
    if not code:
        if segment.startswith(ESCAPE):
            segment = segment.removeprefix(ESCAPE + b"(B").lstrip(ESCAPE)
        return segment.decode(first, "replace")
    pieces = DELIMITED.split(segment[len(code) :])  # a delimiter brings the first character set back
    return pieces[0].decode(SWITCHES[code], "replace") + b"".join(pieces[1:]).decode(first, "replace")
