"""The received objects of a series as one tar file, whose name tells what is in it."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from pacs_panel.errors import Damaged
from pacs_panel.keep.originals import CHUNK, open_original
from pacs_panel.keep.pack import BLOCK, PackLog, member_name, seal
from pacs_panel.model import Kept
from pacs_panel.settings import Settings
from pacs_panel.storage import layout


def pack_name(series_key: str, kept: Sequence[Kept]) -> str:
    """Name of the pack that holds these objects."""
    return f"{series_key}/{layout.key('originals', *(one.digests.file for one in kept))}"


def offsets(kept: Sequence[Kept]) -> list[int]:
    """Where the bytes of each object begin in their pack."""
    found, position = [], 0
    for one in kept:
        found.append(position + BLOCK)
        position += BLOCK + -(-one.location.length // BLOCK) * BLOCK
    return found


def write_pack(root: Path, target: Path, kept: Sequence[Kept], settings: Settings) -> None:
    """Copy objects of an archive to a pack at ``target``, unless it is there.

    Raises
    ------
    Damaged
        The bytes of an object are not those that were received; nothing is written then.
    """
    if target.exists():
        return
    growing = target.with_name(f".{target.name}")
    growing.unlink(missing_ok=True)
    log = PackLog(growing, settings)
    try:
        for one in kept:
            with open_original(root, one.location) as source:
                log.append(member_name(one.received, one.digests.file), one.location.length, _checked(source, one))
        log.sync()
    except BaseException:
        growing.unlink(missing_ok=True)
        raise
    finally:
        log.close()
    seal(growing, target)


def _checked(source: io.BufferedReader, kept: Kept) -> Iterator[bytes]:
    digest = hashlib.sha256()
    while chunk := source.read(CHUNK):
        digest.update(chunk)
        yield chunk
    if digest.hexdigest() != kept.digests.file:
        raise Damaged(f"object {kept.sop_instance_uid} has changed since it was received; run `pacs-panel verify`")
