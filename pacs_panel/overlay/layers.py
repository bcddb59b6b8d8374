"""Layers: what of an overlay is in one array, so that nothing in it overlaps, and where in time it holds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pacs_panel.model import Place
from pacs_panel.overlay.grid import Grid

Places = frozenset[Place]
EVERYWHERE: Places = frozenset()


@dataclass(frozen=True, slots=True)
class Layer:
    """What is in one array: numbers of segments, and where along the extra dimensions of the stack it holds."""

    numbers: tuple[int, ...]
    places: Places = EVERYWHERE


def layered(numbers: Iterable[int], conflicts: Iterable[tuple[int, int]]) -> tuple[tuple[int, ...], ...]:
    """Numbers in as few layers as first fit gives, so that no pair of ``conflicts`` shares a layer."""
    against: dict[int, set[int]] = defaultdict(set)
    for one, other in conflicts:
        against[one].add(other)
        against[other].add(one)
    layers: list[list[int]] = []
    for number in numbers:
        free = next((layer for layer in layers if not against[number].intersection(layer)), None)
        if free is None:
            layers.append(free := [])
        free.append(number)
    return tuple(tuple(layer) for layer in layers) or ((),)


def told(layers: Sequence[Layer]) -> tuple[tuple[Place, ...], ...]:
    """As `Overlay.places`."""
    return tuple(tuple(sorted(layer.places)) for layer in layers) if any(layer.places for layer in layers) else ()


def notes(layers: Sequence[Layer], grid: Grid) -> list[str]:
    """Where it holds, in words, if not everywhere."""
    places = {place for layer in layers for place in layer.places}
    if not places:
        return []
    rest = "" if all(layer.places for layer in layers) else "; the rest is drawn everywhere"
    return [f"Drawn only with the images that it belongs to: {grid.words(places)}{rest}."]


def ordered(places: Iterable[Places]) -> list[Places]:
    """Each once; what holds everywhere first, then in the order of the images."""
    return sorted(dict.fromkeys(places), key=sorted)
