"""Files that a DICOMDIR lists, looked up in its folder without ever leaving it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path

FOLDERS = 64  # listings that are kept at hand


def find(folder: Path, listed: Iterable[tuple[str, ...]]) -> Iterator[tuple[tuple[str, ...], Path | None]]:
    """Each different file that is listed, with its path, or ``None`` where it is missing or its name is no name.

    File IDs are upper case (PS3.10 §8.2), but copies of a medium often aren't, and carry a disc's version marks
    (``;1``): where a name isn't there as it is written, one that differs in these only is taken. So is a file below
    the folder whose File ID goes through the folder's own name.
    """
    names = lru_cache(FOLDERS)(_names)
    seen = set()
    for parts in listed:
        if parts in seen:
            continue
        seen.add(parts)
        yield parts, _walk(folder, parts, names) or _walk(folder, _below(folder, parts), names)


def _below(folder: Path, parts: tuple[str, ...]) -> tuple[str, ...]:
    """The rest of ``parts`` behind the folder's own name: for a DICOMDIR that lies deeper than its File IDs assume."""
    own = folder.absolute().name.casefold()
    return next((parts[i + 1 :] for i, part in enumerate(parts) if part.casefold() == own), ())


def _walk(folder: Path, parts: tuple[str, ...], names: Callable[[Path], dict[str, str]]) -> Path | None:
    path: Path | None = folder
    for part in parts:
        path = _step(path, part, names) if path is not None else None
    return path if path is not None and parts and not path.is_dir() else None


def _step(folder: Path, part: str, names: Callable[[Path], dict[str, str]]) -> Path | None:
    if part in ("", ".", "..") or any(c in part for c in "/\\:\0"):
        return None
    exact = folder / part
    if os.path.lexists(exact):
        return exact
    name = names(folder).get(_plain(part))
    return folder / name if name is not None else None


def _names(folder: Path) -> dict[str, str]:
    try:
        return {_plain(name): name for name in sorted(os.listdir(folder), reverse=True)}
    except OSError:
        return {}


def _plain(name: str) -> str:
    return name.casefold().partition(";")[0].rstrip(".")
