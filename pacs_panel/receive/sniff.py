"""What a file or an archive's member is, told by its first bytes; names that say nothing, or try to say too much."""

from __future__ import annotations

import tarfile
from typing import Literal

from pacs_panel.errors import Rejected

Kind = Literal["dicom", "dicomdir", "zip", "tar", "gzip", "bzip2", "xz", "unsupported", "system", "other"]

HEAD = 512  # bytes that `kind` wants to see
CONTAINERS: frozenset[Kind] = frozenset({"zip", "tar", "gzip", "bzip2", "xz"})

# (0002,0002) Media Storage SOP Class UID, in explicit VR little endian, of Media Storage Directory (PS3.10 §7.1).
DIRECTORY_CLASS = b"\x02\x00\x02\x00UI\x14\x001.2.840.10008.1.3.10"
MAGIC: tuple[tuple[bytes, Kind], ...] = (
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"PK\x07\x08PK\x03\x04", "zip"),
    (b"\x1f\x8b\x08", "gzip"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"7z\xbc\xaf\x27\x1c", "unsupported"),
    (b"Rar!\x1a\x07", "unsupported"),
    (b"\x28\xb5\x2f\xfd", "unsupported"),  # zstd
    (b"\x00\x05\x16\x07\x00\x02\x00\x00", "system"),  # AppleDouble: a resource fork ("._name")
)
BZIP2 = (b"1AY&SY", b"\x17rE8P\x90")  # first block, or the end of an empty stream, after "BZh" and a digit
SYSTEM_FILE = Rejected("left by an operating system, holds no images", reason="system file")
LITTER = frozenset({".ds_store", "thumbs.db", "desktop.ini", "__macosx"})


def kind(head: bytes) -> Kind:
    """What the bytes are that begin with ``head`` (`HEAD` of them, or all). DICOM's own mark comes before all others.

    A preamble may hold anything (PS3.10 §7.1), even another format's mark.
    """
    if head[128:132] == b"DICM":
        return "dicomdir" if DIRECTORY_CLASS in head[132:] else "dicom"
    for magic, found in MAGIC:
        if head.startswith(magic):
            return found
    if head[:3] == b"BZh" and head[4:10] in BZIP2:
        return "bzip2"
    return "tar" if _is_tar(head) else "other"


def _is_tar(head: bytes) -> bool:
    if len(head) < 512 or not any(head):
        return False
    try:
        tarfile.TarInfo.frombuf(head[:512], "utf-8", "surrogateescape")  # checks the header's own sum
    except (tarfile.HeaderError, ValueError):
        return False
    return True


def name_problem(name: str) -> Rejected | None:
    """Why a member of this name is not read, if it is not: it tries to leave its folder, or is no data at all."""
    parts = name.replace("\\", "/").split("/")
    if "\0" in name or ".." in parts or parts[0] == "" or parts[0][1:2] == ":":
        return Rejected("a member's name leads out of its folder", reason="unsafe name")
    return system_file(*parts)


def system_file(*parts: str) -> Rejected | None:
    """Whether one of the parts of a path marks what an operating system leaves behind."""
    if any(part.casefold() in LITTER for part in parts):
        return SYSTEM_FILE
    return None


def shown(name: str) -> str:
    """A name as it may be printed anywhere: control characters and undecodable bytes are escaped."""
    if name.isprintable():
        return name
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in name)
