"""Reading what is kept: any object, by its location, whole or in part."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

from pacs_panel.errors import Damaged
from pacs_panel.keep.pack import BLOCK, member_name, parsed
from pacs_panel.model import Kept, Location
from pacs_panel.storage import layout
from pacs_panel.storage.files import open_range

CHUNK = 1 << 20


def open_original(root: Path, location: Location) -> io.BufferedReader:
    """The bytes of one object as a seekable file.

    A pack is found sealed or, while its session lasts, as its log: a rename between looking and opening is no error.

    Raises
    ------
    Damaged
        If the pack, or the user's own file, is not there any more.
    """
    if location.in_place:
        paths = [Path(location.path)]
    else:
        sealed, growing = root / layout.pack(location.path), root / layout.log(location.path)
        paths = [sealed, growing, sealed]
    for path in paths:
        try:
            return open_range(path, location.offset, location.length)
        except FileNotFoundError:
            continue
    what = "a file that was recorded in place" if location.in_place else f"pack {location.path}"
    raise Damaged(f"{what} is missing; restore it from a copy, then run verify")


def read_original(root: Path, location: Location) -> bytes:
    """The bytes of one object."""
    with open_original(root, location) as file:
        data = file.read(location.length)
    if len(data) != location.length:
        raise Damaged(f"{location.length} bytes were kept, {len(data)} are there; restore them from a copy")
    return data


def damage(root: Path, kept: Kept) -> str:
    """Re-read an object and say in words what is wrong with it; empty if it is as it was received."""
    digest = hashlib.sha256()
    length = 0
    try:
        with open_original(root, kept.location) as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
                length += len(chunk)
    except Damaged as error:
        return str(error)
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    if length != kept.location.length:
        return f"{kept.location.length} bytes were kept, {length} are there"
    if digest.hexdigest() != kept.digests.file:
        return "its bytes have changed since they were received"
    return _around(root, kept)


def _around(root: Path, kept: Kept) -> str:
    """What is wrong beside the bytes: the end of a file in place, the header in a pack by which a reindex finds it."""
    where = kept.location
    if where.in_place:  # a member of an archive begins somewhere within it
        grown = not where.offset and Path(where.path).stat().st_size != where.length
        return "the file in place has grown since it was recorded" if grown else ""
    header = Location(where.path, where.offset - BLOCK, BLOCK)
    info = parsed(read_original(root, header))
    if info is None or info.size != where.length:
        return "its header in the pack is damaged"
    if info.name != member_name(kept.received, kept.digests.file):
        return "its bytes are not those that its name in the pack tells"
    return ""
