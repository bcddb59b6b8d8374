"""An archive's own folder: found by its address, made, and checked."""

from __future__ import annotations

import tempfile
import tomllib
from pathlib import Path
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from pacs_panel.errors import ArchiveError
from pacs_panel.storage import layout
from pacs_panel.storage.files import PART, lock, write_atomic

MEMORY = "memory://"
RAM = Path("/dev/shm")  # a file system in memory, where there is one


def open_folder(url: str | Path, *, create: bool) -> Path:
    """The folder of the archive at ``url``.

    Parameters
    ----------
    url : str or Path
        A folder, ``file://`` and a folder, or ``memory://`` for a fresh one that its owner deletes.
    create : bool
        Make the archive where there is none.

    Raises
    ------
    ArchiveError
    """
    if str(url) == MEMORY:
        return make(Path(tempfile.mkdtemp(prefix="pacs-panel-", dir=RAM if RAM.is_dir() else None)))
    root = _folder(str(url))
    if (root / layout.ARCHIVE_TOML).exists():
        return check(root)
    if not create:
        raise ArchiveError(f"there is no archive at {root}; `pacs-panel import` makes one")
    return make(root)


def _folder(text: str) -> Path:
    parts = urlsplit(text)
    if parts.scheme == "file":
        return Path(unquote(parts.path)).absolute()
    if "://" in text:
        raise ArchiveError(f"archives on {parts.scheme}:// are not supported yet; give a folder or memory://")
    return Path(text).expanduser().absolute()


def make(root: Path) -> Path:
    """Make an empty archive in a new or empty folder; `archive.toml` is written last."""
    if root.exists() and (not root.is_dir() or _foreign(root)) and not (root / layout.ARCHIVE_TOML).exists():
        raise ArchiveError(f"{root} is not an archive, and not empty; give an empty or a new folder")
    for name in layout.DIRECTORIES:
        (root / name).mkdir(parents=True, exist_ok=True)
    with lock(root / layout.make_lock()):  # of several that make it at once, one gives it its id
        if (root / layout.ARCHIVE_TOML).exists():
            return check(root)
        lines = [f"format = {layout.FORMAT_VERSION}", f'id = "{uuid4()}"', ""]
        write_atomic(root / layout.ARCHIVE_TOML, "\n".join(lines).encode())
    return root


def _foreign(root: Path) -> bool:
    """Whether the folder holds anything that a making which was cut short, or is under way, does not leave there."""
    names = {path.name for path in root.iterdir()} - set(layout.DIRECTORIES)
    return any(not name.startswith(PART) for name in names)


def check(root: Path) -> Path:
    """The archive's folder again, if this software can use it."""
    try:
        found = tomllib.loads((root / layout.ARCHIVE_TOML).read_text("utf-8")).get("format")
    except ValueError:
        raise ArchiveError(f"{root / layout.ARCHIVE_TOML} is damaged; restore it from a copy") from None
    if found != layout.FORMAT_VERSION:
        raise ArchiveError(
            f"the archive has format {found}, this software reads format {layout.FORMAT_VERSION}; update it"
        )
    return root
