"""Shards of our own making, as zarr-python and our own reader see them."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pacs_panel.errors import Damaged
from pacs_panel.volume import grid
from pacs_panel.volume.shards import ShardedArray, rows
from pacs_panel.volume.store import Store

KINDS = ["uint8", "int16", "uint16", "int32", "float32"]


def store(folder: Path, array: np.ndarray) -> Path:
    made = Store(folder, {})
    with made.array("image", array.shape, array.dtype, [f"d{n}" for n in range(array.ndim)], {"a": 1}) as writer:
        for at in rows(array.shape, grid.chunk_shape(array.shape)):
            writer.add(array[at])
    made.finish()
    return folder / "image"


def smooth(shape: tuple[int, ...], kind: str) -> np.ndarray:
    noise = np.random.default_rng(3).normal(100, 8, shape)
    return (noise + np.linspace(0, 60, shape[-1])).astype(kind)


def incompressible(shape: tuple[int, ...], kind: str) -> np.ndarray:
    size = int(np.prod(shape)) * np.dtype(kind).itemsize
    return np.random.default_rng(4).integers(0, 256, size, np.uint8).view(kind).reshape(shape)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(1, 700, 530), (5, 40, 30), (41, 130, 70), (12, 9, 70, 66), (2, 3, 9, 65, 8)])
@pytest.mark.parametrize("make", [smooth, incompressible, lambda s, k: np.zeros(s, k)])
def test_every_reader_finds_what_was_written(tmp_path: Path, kind: str, shape: tuple[int, ...], make: object) -> None:
    array = make(shape, kind)  # type: ignore[operator]
    path = store(tmp_path, array)
    theirs = zarr.open_array(path, mode="r")
    assert theirs.attrs["a"] == 1
    assert theirs.dtype == array.dtype
    assert theirs[...].tobytes() == array.tobytes()
    ours = ShardedArray(path)
    assert ours[...].tobytes() == array.tobytes()
    assert ours.read(tuple((0, n) for n in shape), threads=3).tobytes() == array.tobytes()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[np.ndarray, ShardedArray]:
    array = smooth((11, 45, 140, 75), "int16")
    array[:, :8, :64] = incompressible((11, 8, 64, 75), "int16")
    return array, ShardedArray(store(tmp_path_factory.mktemp("store"), array))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.data())
def test_any_box(written: tuple[np.ndarray, ShardedArray], data: st.DataObject) -> None:
    array, ours = written
    ends = [sorted(data.draw(st.tuples(st.integers(0, n), st.integers(0, n)))) for n in array.shape]
    box = tuple(slice(*pair) for pair in ends)
    np.testing.assert_array_equal(ours[box], array[box])


def test_indexing_like_numpy(written: tuple[np.ndarray, ShardedArray]) -> None:
    array, ours = written
    np.testing.assert_array_equal(ours[3, :, 20], array[3, :, 20])
    np.testing.assert_array_equal(ours[..., 7], array[..., 7])
    np.testing.assert_array_equal(ours[-11:, 4], array[:, 4])
    with pytest.raises(IndexError, match="step"):
        ours[::2]


def test_pickles_as_its_path(written: tuple[np.ndarray, ShardedArray]) -> None:
    array, ours = written
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(ours))[0, 0], array[0, 0])


def test_large_arrays_are_cut_into_slabs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grid, "SHARD_BYTES", 32 * 64 * 64 * 2 * 4)
    array = smooth((70, 100, 90), "int16")
    path = store(tmp_path, array)
    assert len([file for file in (path / "c").rglob("*") if file.is_file()]) == 3
    assert zarr.open_array(path, mode="r")[...].tobytes() == array.tobytes()
    np.testing.assert_array_equal(ShardedArray(path)[:, 50], array[:, 50])


def test_dask_writes_whole_shards_only(tmp_path: Path) -> None:
    """A task that wrote less than a shard would undo another's work: chunks for writing are shards, never chunks."""
    array = smooth((40, 80, 70), "int16")
    theirs = zarr.open_array(store(tmp_path, array), mode="r")
    assert theirs.shards is not None
    assert all(s >= n for s, n in zip(theirs.shards, theirs.shape, strict=True))


def test_a_damaged_index_is_noticed(tmp_path: Path) -> None:
    path = store(tmp_path, smooth((9, 70, 70), "int16"))
    shard = path / "c" / "0" / "0" / "0"
    data = bytearray(shard.read_bytes())
    data[-12] ^= 1
    shard.write_bytes(data)
    with pytest.raises(Damaged, match="damaged"):
        ShardedArray(path)[0]


@pytest.mark.parametrize("keep", [0, 3, 600])
def test_a_shard_cut_short_is_noticed(tmp_path: Path, keep: int) -> None:
    path = store(tmp_path, smooth((9, 70, 70), "int16"))
    shard = path / "c" / "0" / "0" / "0"
    shard.write_bytes(shard.read_bytes()[:keep])
    with pytest.raises(Damaged, match="rebuild"):
        ShardedArray(path)[0]


def test_damaged_values_are_noticed(tmp_path: Path) -> None:
    path = store(tmp_path, smooth((9, 70, 70), "int16"))
    shard = path / "c" / "0" / "0" / "0"
    data = bytearray(shard.read_bytes())
    data[64:4096] = bytes(4096 - 64)
    shard.write_bytes(data)
    with pytest.raises(Damaged, match="cannot be decoded"):
        ShardedArray(path)[...]
