"""A stack's values slab by slab: in flat memory, each multi-frame object opened once, colour never torn apart."""

import tracemalloc
from collections import Counter
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest

from pacs_panel.geometry.stack import stacks
from pacs_panel.model import Dimension, Location, Passport, Tolerance
from pacs_panel.testing import ct_phantom, mr_4d, us_cine
from pacs_panel.testing.multiframe import enhanced
from pacs_panel.volume import grid
from pacs_panel.volume import values as meanings
from pacs_panel.volume.gather import Members, Pixels, gather
from pacs_panel.volume.shards import rows
from tests.volume.kept import SETTINGS, Objects


class Counting:
    """Opens objects, and counts how often each is opened."""

    def __init__(self, objects: Objects) -> None:
        self.objects, self.opened = objects, Counter[str]()

    def __call__(self, location: Location) -> BinaryIO:
        self.opened[location.path] += 1
        return self.objects(location)


def members(objects: Objects) -> tuple[Members, Passport]:
    planes, notes = gather(objects.kept, objects, SETTINGS)
    assert notes == []
    (stack,) = stacks([image for _, image in planes.values()], Tolerance())
    return [planes[plane] for plane in stack.planes()], stack.passport


def assembled(pixels: Pixels, dtype: np.dtype) -> np.ndarray:
    out = np.zeros(pixels.shape, dtype)
    for at, (slab, numbers) in zip(rows(pixels.shape, grid.chunk_shape(pixels.shape)), pixels.slabs(), strict=True):
        assert len(numbers) == slab.size // slab.shape[-1] // slab.shape[-2]
        out[at] = slab
    return out


@pytest.mark.slow
def test_frames_of_one_object_are_found_once(tmp_path: Path) -> None:
    series = enhanced(mr_4d(rows=10, columns=12, slices=35, times=13))
    objects = Objects(series.datasets)
    chosen, passport = members(objects)
    opener = Counting(objects)
    values = meanings.of([image for _, image in chosen])
    found = assembled(Pixels(chosen, values, passport, opener, SETTINGS), values.dtype)
    assert series.truth is not None
    np.testing.assert_array_equal(found, series.truth.stored)
    assert opener.opened == {"0": 1}


@pytest.mark.parametrize("positions", [1, 4, 7])
def test_colour_beside_another_dimension_is_whole_in_every_slab(positions: int) -> None:
    """Two dimensions that are not times are one axis on disk, whose chunks of ten cut through red, green and blue."""
    series = us_cine(frames=2 * positions, rows=12, columns=10)
    chosen, _ = members(objects := Objects(series.datasets))
    dimensions = (
        Dimension("echo", "EchoNumbers", tuple(float(n) for n in range(positions))),
        Dimension("channel", "", ("R", "G", "B")),
    )
    passport = Passport("stack", "", (2, 12, 10), dimensions=dimensions)
    values = meanings.of([image for _, image in chosen])
    pixels = Pixels(chosen, values, passport, objects, SETTINGS)
    assert pixels.shape == (3 * positions, 2, 12, 10)
    found = assembled(pixels, values.dtype)
    frames = np.asarray(series.datasets[0].pixel_array).reshape(positions, 2, 12, 10, 3)
    np.testing.assert_array_equal(found.reshape(positions, 3, 2, 12, 10), np.moveaxis(frames, -1, 1))
    numbers = [number for _, some in pixels.slabs() for number in some]
    assert sorted(numbers) == sorted([*range(2 * positions)] * 3)


@pytest.mark.slow
def test_memory_is_flat(tmp_path: Path) -> None:
    objects = Objects(ct_phantom(rows=96, columns=96, slices=320).datasets)
    tracemalloc.start()
    try:
        objects.build(tmp_path / "r")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    whole, slab = 320 * 96 * 96 * 2, 32 * 96 * 96 * 2
    assert peak < whole / 2
    assert peak > slab
