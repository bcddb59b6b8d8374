"""Planes and volumes for a viewer, from disk and from memory."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from pacs_panel.errors import Damaged, NotFound
from pacs_panel.model import Passport
from pacs_panel.testing import ct_phantom, mr_4d
from pacs_panel.volume.frames import VolumeCache, ZarrFrames
from tests.volume.kept import built


@pytest.fixture(scope="module")
def ct(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    folder = tmp_path_factory.mktemp("ct")
    series = ct_phantom(rows=150, columns=140, slices=21, spacing=(1.0, 1.0, 1.0), noise=20.0)
    built(series, folder)
    return folder / "0", series.truth.stored


def test_planes_of_every_axis(ct: tuple[Path, np.ndarray]) -> None:
    path, stored = ct
    frames = ZarrFrames(path)
    for axis, size in enumerate(stored.shape):
        for index in (0, size // 3, size - 1):
            np.testing.assert_array_equal(frames.plane(0, axis, index), stored.take(index, axis))
    np.testing.assert_array_equal(frames.volume(0), stored)
    np.testing.assert_array_equal(frames.plane(1, 2, 69), frames.volume(1)[:, :, 69])


@pytest.mark.parametrize("what", [(0, 0, 21), (0, 0, -1), (0, 3, 0), (2, 0, 0), (-1, 0, 0), (0, 0, 0, (0,))])
def test_what_is_not_there(ct: tuple[Path, np.ndarray], what: tuple[int, ...]) -> None:
    cache, frames = VolumeCache(1 << 30), ZarrFrames(ct[0])
    with pytest.raises(NotFound):
        frames.plane(*what)
    with pytest.raises(NotFound):
        cache.plane(frames, *what)
    cache.volume(frames, 0)
    with pytest.raises(NotFound):
        cache.plane(frames, *what)


def test_no_stack(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="built again"):
        ZarrFrames(tmp_path)


def test_extra_dimensions(tmp_path: Path) -> None:
    series = mr_4d(rows=30, columns=20, slices=9, times=11)
    built(series, tmp_path)
    frames = ZarrFrames(tmp_path / "0")
    np.testing.assert_array_equal(frames.plane(0, 1, 12, (10,)), series.truth.stored[10, :, 12])
    np.testing.assert_array_equal(frames.volume(0, (3,)), series.truth.stored[3])
    with pytest.raises(NotFound, match="extra"):
        frames.plane(0, 1, 12)
    with pytest.raises(NotFound, match="extra"):
        frames.plane(0, 1, 12, (11,))


def test_a_description_is_plain_json(ct: tuple[Path, np.ndarray]) -> None:
    path, stored = ct
    described = ZarrFrames(path).describe()
    assert described == json.loads(json.dumps(described))
    assert described["dtype"] == stored.dtype.name
    assert [level["shape"] for level in described["levels"]] == [[21, 150, 140], [11, 75, 70]]
    assert described["levels"][1]["factors"] == [2, 2, 2]
    assert (described["slope"], described["intercept"], described["unit"]) == (1.0, -1024.0, "HU")
    assert described["windows"][0] == [40.0, 400.0, "SOFT TISSUE"]
    assert described["padding"] is None
    assert Passport.from_dict(described["passport"]).verdict == "regular"


def test_cached_planes_are_the_same(ct: tuple[Path, np.ndarray]) -> None:
    path, stored = ct
    cache, frames = VolumeCache(1 << 30), ZarrFrames(path)
    first = cache.plane(frames, 0, 1, 70)
    loading = cache.load(frames, 0)
    assert loading is not None
    np.testing.assert_array_equal(loading.result(), stored)
    np.testing.assert_array_equal(cache.plane(frames, 0, 1, 70), first)
    assert cache.nbytes == stored.nbytes
    assert not cache.plane(frames, 0, 0, 3).flags.writeable
    assert cache.volume(frames, 0) is cache.volume(ZarrFrames(path), 0)


def test_the_cache_keeps_its_bound(ct: tuple[Path, np.ndarray]) -> None:
    path, stored = ct
    frames = ZarrFrames(path)
    cache = VolumeCache(stored.nbytes)
    cache.volume(frames, 1)
    cache.volume(frames, 0)
    assert cache.nbytes == stored.nbytes
    cache.volume(frames, 1)
    assert cache.nbytes == frames.volume_bytes(1)
    small = VolumeCache(10)
    np.testing.assert_array_equal(small.volume(frames, 0), stored)
    np.testing.assert_array_equal(small.plane(frames, 0, 2, 5), stored[:, :, 5])
    assert small.load(frames, 0) is None
    assert small.nbytes == 0


def test_many_threads_share_a_cache(ct: tuple[Path, np.ndarray]) -> None:
    path, stored = ct
    frames = ZarrFrames(path)
    cache = VolumeCache(stored.nbytes)  # holds one level only, so that loads and drops go on all the time

    def look(number: int) -> bool:
        axis = number % 3
        coarse = cache.volume(frames, 1).shape == (11, 75, 70)
        plane = cache.plane(frames, 0, axis, number % stored.shape[axis])
        return coarse and bool((plane == stored.take(number % stored.shape[axis], axis)).all())

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(look, range(90)))
    assert cache.nbytes <= stored.nbytes


def test_a_failed_load_is_told_and_can_be_tried_again(tmp_path: Path) -> None:
    built(ct_phantom(rows=20, columns=20, slices=3), tmp_path)
    frames, cache = ZarrFrames(tmp_path / "0"), VolumeCache(1 << 20)
    shard = tmp_path / "0/scale0/image/c/0/0/0"
    shard.rename(shard.with_name("away"))
    with pytest.raises(Damaged, match="missing"):
        cache.volume(frames, 0)
    shard.with_name("away").rename(shard)
    assert cache.volume(frames, 0).shape == (3, 20, 20)
