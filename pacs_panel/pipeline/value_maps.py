"""Maps to the real world that other objects state for the images of a stack."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pacs_panel.errors import PacsPanelError
from pacs_panel.keep.originals import open_original
from pacs_panel.model import Kept, Stack
from pacs_panel.overlay.value_maps import VALUE_MAPS, of_object
from pacs_panel.pixels.real_world import Holding, Named, holdings, named
from pacs_panel.settings import Settings


def with_others(
    root: Path,
    maps: Named,
    stack: Stack,
    images: Callable[[], Sequence[Kept]],
    speaking: Iterable[Kept],
    settings: Settings,
) -> Mapping[str, Any]:
    """A stack's maps by name, and those that other objects state; what cannot be read states none.

    Parameters
    ----------
    maps : mapping
        As `pacs_panel.pixels.real_world.named` gives them.
    images : callable
        Gives the series' objects, if they are needed.
    speaking : iterable of Kept
        Objects that might be such.
    """
    found: list[Holding] = []
    for kept in speaking:
        if kept.sop_class_uid != VALUE_MAPS:
            continue
        try:
            with open_original(root, kept.location) as source:
                found += of_object(source, stack, images(), settings)
        except (PacsPanelError, OSError):
            continue  # it is damaged: its own page says so
    return named([*holdings(maps), *found]) if found else maps
