"""From stored values to the real world: maps as images state them, by name (PS3.3 §C.7.6.16.2.11).

An image may have several maps: other quantities under other labels, or, under one label, other rules for other ranges
of stored values. Each frame may have its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from pacs_panel.model import ImageHeader, RealWorldMap

Array = np.ndarray
Plane = tuple[str, int]
"""SOP Instance UID, and frame number from 1; 0 for all frames of the object."""
Holding = tuple[RealWorldMap, tuple[Plane, ...]]
"""A map, and the planes for which it holds; empty for all of a stack."""
Named = Mapping[str, Sequence[Mapping[str, Any]]]
MAX_TABLES = 1 << 20  # numbers in all tables of a stack, kept with it
Bounds = tuple[float, float]


def of_images(images: Sequence[ImageHeader]) -> dict[str, list[dict[str, Any]]]:
    """The maps of a stack by name, as `named` gives them; one header a plane."""
    found: dict[RealWorldMap, list[Plane]] = {}
    for image in images:
        for one in dict.fromkeys(image.real_world):
            found.setdefault(one, []).append((image.sop_instance_uid, image.frame + 1))
    return named((one, () if len(planes) == len(images) else tuple(planes)) for one, planes in found.items())


def named(holdings: Iterable[Holding]) -> dict[str, list[dict[str, Any]]]:
    """Maps by name, as plain JSON types: fields of `RealWorldMap`, and ``planes``.

    A name is the label, else what else tells maps apart; maps that share one never contradict each other. A table that
    is too large to be kept is empty.
    """
    made: dict[str, _Named] = {}
    left = MAX_TABLES
    for one, planes in dict.fromkeys(holdings):
        left -= len(one.table)
        data = asdict(one) | {
            "table": list(one.table) if left >= 0 else [],
            "planes": [list(plane) for plane in planes],
        }
        for name in _names(one, made):
            if made.setdefault(name, _Named(one.unit)).takes(one, planes, data):
                break
    return {name: each.maps for name, each in made.items() if each.maps}


def holdings(maps: Named) -> list[Holding]:
    """The inverse of `named`."""
    found = []
    for each in maps.values():
        for data in each:
            fields = {key: value for key, value in data.items() if key not in ("planes", "table")}
            planes = tuple((str(uid), int(frame)) for uid, frame in data["planes"])
            found.append((RealWorldMap(**fields, table=tuple(data["table"])), planes))
    return found


def bounds(one: Mapping[str, Any]) -> Bounds:
    """First and last stored value for which a map holds; infinite where it does not say."""
    low = -np.inf if one["first"] is None else float(one["first"])
    high = np.inf if one["last"] is None else float(one["last"])
    return (low, high) if one["slope"] is not None else (low, min(high, low + len(one["table"]) - 1))


def mapped(stored: Array, table: Array, bounds: Bounds) -> Array:
    """Stored values through a table, as float32; NaN beyond its bounds."""
    inside = (stored >= bounds[0]) & (stored <= bounds[1])
    index = (np.where(inside, stored, bounds[0]) - bounds[0]).astype(np.int64)
    return np.where(inside, table[index], np.nan).astype(np.float32)


class _Named:
    """Maps under one name, and which stored values of which planes are spoken for."""

    def __init__(self, unit: str) -> None:
        self.unit = unit
        self.maps: list[dict[str, Any]] = []
        self._taken: dict[Plane | None, list[Bounds]] = {}

    def takes(self, one: RealWorldMap, planes: tuple[Plane, ...], data: dict[str, Any]) -> bool:
        """Take a map in, unless it is of another unit, or speaks of values of which another one does."""
        own = bounds(asdict(one))
        if one.unit != self.unit or any(low <= own[1] and own[0] <= high for low, high in self._spoken(planes)):
            return False
        self.maps.append(data)
        for plane in planes or (None,):
            self._taken.setdefault(plane, []).append(own)
        return True

    def _spoken(self, planes: tuple[Plane, ...]) -> Iterable[Bounds]:
        if not planes:
            return [each for taken in self._taken.values() for each in taken]
        asked = {None, *planes, *((uid, 0) for uid, _ in planes)}
        wholes = {uid for uid, frame in planes if frame == 0}
        found = [each for plane in asked for each in self._taken.get(plane, ())]
        if wholes:
            found += [each for plane, taken in self._taken.items() if plane and plane[0] in wholes for each in taken]
        return found


def _names(one: RealWorldMap, known: Mapping[str, _Named]) -> Iterable[str]:
    base = one.label or one.explanation or one.quantity or one.unit or "unnamed"
    yield base
    if known[base].unit != one.unit:
        base = f"{base} ({one.unit or 'without unit'})"
        yield base
    number = 2
    while True:
        yield f"{base} {number}"
        number += 1
