"""Slices of an open archive, along each axis: from Zarr, and from the server's cache of decoded volumes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import zarr

from pacs_panel import open_archive
from pacs_panel.volume.frames import VolumeCache, ZarrFrames
from tests.benchmarks.measure import Row, Scale, timed, times
from tests.benchmarks.series import write_ct

TITLE = "Slices"
NOTES = """
Level 0 of a CT, planes at random places, median of each. The peer is plain zarr-python reading the same plane of the
same array. The files are in the page cache; from the cache of volumes, a plane is copied to the bytes that are sent.
"""
AXES = ("axial", "coronal", "sagittal")
AIMS = {"axial": "≤ 7 ms", "coronal": "≤ 25 ms", "sagittal": "≤ 25 ms"}


def run(folder: Path, scale: Scale) -> list[Row]:
    slices, size = scale.of(400, 100, 6), scale.of(512, 512, 32)
    write_ct(folder / "source", 1, slices, size)
    with open_archive(folder / "archive") as archive:
        archive.ingest(folder / "source")
        stack = archive.stack_path(str(archive.search().page().rows[0]["key"]))
    return _rows(stack, f"{size} × {size} × {slices}", scale.of(60, 20, 3))


def _rows(stack: Path, shape: str, count: int) -> list[Row]:
    frames, peer = ZarrFrames(stack), zarr.open_array(stack / "scale0/image", mode="r")
    cache = VolumeCache(1 << 30)
    cache.volume(frames, 0)
    rows = []
    for axis, name in enumerate(AXES):
        places = np.random.default_rng(axis).integers(0, peer.shape[axis], count)
        ours, theirs = [], []
        for place in map(int, places):
            at = (slice(None),) * axis + (place,)
            ours.append(timed(lambda: frames.plane(0, axis, place)))  # noqa: B023
            theirs.append(timed(lambda: peer[at]))  # noqa: B023
        rows.append(times(f"{name}, from Zarr, {shape}", median(ours), median(theirs), AIMS[name]))
        cached = median(_each(places, lambda place: cache.plane(frames, 0, axis, place).tobytes()))  # noqa: B023
        rows.append(times(f"{name}, from the cache, {shape}", cached, median(theirs), "≤ 5 ms"))
    return rows


def _each(places: Any, read: Callable[[int], object]) -> list[float]:
    return [timed(lambda: read(int(place))) for place in places]  # noqa: B023
