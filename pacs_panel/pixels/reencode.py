"""Data sets in Explicit VR Little Endian (PS3.5 §A.2), element by element, without reading what values mean.

Values in little endian are taken as they are, so that bad ones, private ones and any character set survive.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np
from pydicom import DataElement, Dataset
from pydicom.datadict import dictionary_VR, private_dictionary_VR
from pydicom.dataelem import RawDataElement, convert_raw_data_element
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element

from pacs_panel.errors import TooLarge

LONG = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"})  # PS3.5 §7.1.2
WIDTHS = dict.fromkeys(["AT", "OW", "SS", "US"], 2) | dict.fromkeys(["FL", "OF", "OL", "SL", "UL"], 4)
WIDTHS |= dict.fromkeys(["FD", "OD", "OV", "SV", "UV"], 8)
ITEM, WAVEFORM, ICON, PIXEL_DATA = 0xFFFEE000, (0x54001010, 0x54000110), 0x00880200, 0x7FE00010
UNDEFINED, MOST = 0xFFFFFFFF, 0xFFFE

Deferred = Callable[[RawDataElement], bytes]
"""Reads the value of an element that was left in the file."""


def element(tag: int, vr: str, value: bytes) -> bytes:
    """One element; a value that is too long for the VR's length field becomes UN (PS3.5 §6.2.2)."""
    value = value if len(value) % 2 == 0 else value + (b"\0" if vr in LONG or vr == "UI" else b" ")
    if vr not in LONG and len(value) > MOST:
        vr = "UN"
    return head(tag, vr, len(value)) + value


def head(tag: int, vr: str, length: int) -> bytes:
    """What stands before an element's value."""
    if vr in LONG:
        return struct.pack("<HH2sHI", tag >> 16, tag & 0xFFFF, vr.encode(), 0, length)
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr.encode(), length)


def dataset(found: Dataset, deferred: Deferred, depth: int, signed: bool = False) -> bytes:
    """The elements of a data set, or of an item, in order, without group lengths.

    Raises
    ------
    TooLarge
        Sequences are nested deeper than ``depth``.
    """
    if depth < 0:
        raise TooLarge("sequences are nested too deep")
    signed = is_signed(found, signed)
    return b"".join(one(found, tag, deferred, depth, signed) for tag in sorted(found.keys()) if tag & 0xFFFF)


def one(found: Dataset, tag: int, deferred: Deferred, depth: int, signed: bool) -> bytes:
    """One element of a data set; nothing of a compressed icon, which has no place among uncompressed pixels."""
    item: Any = found.get_item(tag)
    if not isinstance(item, RawDataElement):
        return _parsed(item, deferred, depth, signed)
    if item.value is None and item.length:
        item = item._replace(value=deferred(item))
    vr = _vr(found, item, signed)
    value = item.value or b""
    if vr == "SQ" and (item.is_implicit_VR or not item.is_little_endian):
        return _parsed(convert_raw_data_element(item._replace(VR="SQ"), ds=found), deferred, depth, signed)
    width = 1 if item.is_little_endian else WIDTHS.get(vr, 1)
    return element(int(tag), vr, swapped(value, width))


def swapped(value: bytes, width: int) -> bytes:
    """Big endian numbers of so many bytes, in little endian; what is left over stays as it is."""
    whole = len(value) // width * width
    if width == 1 or not whole:
        return value
    return np.frombuffer(value, f">u{width}", whole // width).astype(f"<u{width}").tobytes() + value[whole:]


def is_signed(found: Dataset, otherwise: bool = False) -> bool:
    """Pixel Representation, or that of the data set around."""
    item: Any = found.get_item(0x00280103) if 0x00280103 in found else None
    raw = item.value if isinstance(item, RawDataElement) else None
    return any(raw) if isinstance(raw, bytes) and raw else otherwise


def _parsed(item: DataElement, deferred: Deferred, depth: int, signed: bool) -> bytes:
    if item.VR != "SQ":
        out = DicomBytesIO()
        out.is_little_endian, out.is_implicit_VR = True, False
        write_data_element(out, item)
        return out.getvalue()
    if item.tag == ICON and any(_is_encapsulated(each) for each in item.value):
        return b""
    parts = []
    for each in item.value:
        content = dataset(each, deferred, depth - 1, signed)
        parts.append(struct.pack("<HHI", ITEM >> 16, ITEM & 0xFFFF, len(content)) + content)
    return element(int(item.tag), "SQ", b"".join(parts))


def _is_encapsulated(icon: Dataset) -> bool:
    item: Any = icon.get_item(PIXEL_DATA) if PIXEL_DATA in icon else None
    if item is None:
        return False
    return bool(item.length == UNDEFINED if isinstance(item, RawDataElement) else item.is_undefined_length)


def _vr(found: Dataset, item: RawDataElement, signed: bool) -> str:
    """The VR that is stated, else what dictionaries say of the tag."""
    if item.VR and not (item.VR == "UN" and item.is_implicit_VR):
        return item.VR
    vr = _looked_up(found, item)
    if vr == "US or SS":
        return "SS" if signed else "US"
    if item.tag in WAVEFORM:
        bits = found.get_item(0x54001004) if 0x54001004 in found else None
        return "OB" if bits is not None and (bits.value or b"")[:1] == b"\x08" else "OW"
    return "OW" if " or " in vr else vr


def _looked_up(found: Dataset, item: RawDataElement) -> str:
    tag = item.tag
    try:
        if not tag.is_private:
            return dictionary_VR(tag)
        if 0x10 <= tag.element <= 0xFF:  # a private creator
            return "LO"
        creator: Any = found.get_item(tag.group << 16 | tag.element >> 8)
        name = creator.value if isinstance(creator.value, bytes) else str(creator.value).encode()
        return private_dictionary_VR(tag, name.decode("ascii", "replace").strip(" \0"))
    except (KeyError, AttributeError):
        return "UN"
