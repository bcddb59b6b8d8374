"""Levels, chunks, shards: shapes that follow from rules."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs_panel.model import Dimension, Passport
from pacs_panel.volume import grid


def passport(shape: tuple[int, int, int], spacing: tuple[float, float, float], verdict: str = "regular") -> Passport:
    return Passport(verdict, "", shape, spacing=spacing)  # type: ignore[arg-type]


def test_isotropic_volumes_are_halved_along_all_axes() -> None:
    made = grid.levels(passport((200, 512, 512), (0.7, 0.7, 0.7)))
    assert [level.shape for level in made] == [(200, 512, 512), (100, 256, 256), (50, 128, 128)]
    assert [level.factors for level in made] == [(1, 1, 1), (2, 2, 2), (4, 4, 4)]


def test_thick_slices_stay_until_pixels_are_as_large() -> None:
    made = grid.levels(passport((41, 512, 400), (2.5, 0.7, 0.7)))
    assert [level.factors for level in made] == [(1, 1, 1), (1, 2, 2), (1, 4, 4)]
    made = grid.levels(passport((41, 1024, 1024), (2.5, 0.7, 0.7)))
    assert made[3].factors == (2, 8, 8)
    assert made[3].shape == (21, 128, 128)


@pytest.mark.parametrize("verdict", ["irregular", "stack"])
def test_slices_without_an_even_grid_are_never_averaged(verdict: str) -> None:
    assert {level.factors[0] for level in grid.levels(passport((60, 512, 512), (0.5, 0.7, 0.7), verdict))} == {1}


def test_at_most_five_levels() -> None:
    assert len(grid.levels(passport((1, 8000, 6000), (1, 0.1, 0.1)))) == 5


@given(
    st.lists(st.integers(1, 30), max_size=2),
    st.integers(1, 700),
    st.integers(1, 3000),
    st.integers(1, 3000),
    st.sampled_from([1, 2, 4]),
)
def test_blocks_divide_chunks_divide_shards(extra: list[int], z: int, y: int, x: int, size: int) -> None:
    shape = (*extra, z, y, x)
    chunk = grid.chunk_shape(shape)
    block, shard = grid.block_shape(chunk), grid.shard_shape(shape, chunk, size)
    assert all(c % b == 0 for c, b in zip(chunk, block, strict=True))
    assert all(s % c == 0 for s, c in zip(shard, chunk, strict=True))
    assert math.prod(shard) * size <= max(grid.SHARD_BYTES, math.prod(chunk) * size)
    assert math.prod(chunk) * size <= 2**31 - 1


def dimension(name: str, count: int) -> Dimension:
    return Dimension(name, "X", tuple(range(count)))


@pytest.mark.parametrize(
    ("names", "axes"),
    [
        ((), ()),
        (("time",), ("t",)),
        (("echo",), ("c",)),
        (("time", "echo"), ("t", "c")),
        (("echo", "time"), ("c",)),  # OME-Zarr wants time first; nothing is reordered
        (("echo", "b_value"), ("c",)),
    ],
)
def test_extra_axes_are_what_ome_zarr_allows(names: tuple[str, ...], axes: tuple[str, ...]) -> None:
    dimensions = [dimension(name, 2 + n) for n, name in enumerate(names)]
    assert grid.extra_axes(dimensions) == axes
    assert math.prod(grid.extra_shape(dimensions)) == math.prod(len(d.values) for d in dimensions)
