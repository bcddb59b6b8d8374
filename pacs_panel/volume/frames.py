"""Planes and volumes of stored values for a viewer: straight from the shards, or from decoded volumes in memory."""

from __future__ import annotations

import json
import math
import os
import threading
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from pacs_panel.errors import NotFound
from pacs_panel.model import Passport
from pacs_panel.storage.remote import RemotePath
from pacs_panel.volume import grid, ome
from pacs_panel.volume.grid import Level
from pacs_panel.volume.shards import ShardedArray

Array = np.ndarray
Extra = tuple[int, ...]
THREADS = min(4, os.cpu_count() or 1)


class ZarrFrames:
    """Frames of one stack on disk. Threads may share it; arrays stay open.

    Where slopes vary from slice to slice, ``image`` holds physical values as float32, and so do these frames.

    Parameters
    ----------
    path : Path
        Folder of the stack.

    Raises
    ------
    NotFound
        There is no stack.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            group = json.loads((path / "zarr.json").read_bytes())
            self._ours: dict[str, Any] = group["attributes"][ome.OURS]
        except (FileNotFoundError, NotADirectoryError, KeyError):
            raise NotFound(f"no stack at {path.name}: the series is to be built again") from None
        if isinstance(path, RemotePath):  # it tells of all nodes below, which are then not asked for one by one
            nodes = {".": group, **group["consolidated_metadata"]["metadata"]}
            files = {str(PurePath(name, "zarr.json")): json.dumps(node).encode() for name, node in nodes.items()}
            path.remote.know(str(path), files)
        self._arrays: dict[int, ShardedArray] = {}

    @cached_property
    def passport(self) -> Passport:
        """Where the voxels are."""
        return Passport.from_dict(self._ours["passport"])

    @property
    def uniform(self) -> bool:
        """Whether one slope and intercept hold for all slices, so that ``image`` holds stored values."""
        return bool(self._ours["uniform"])

    @cached_property
    def levels(self) -> tuple[Level, ...]:
        """Resolutions, finest first."""
        told = self._ours["levels"]
        return tuple(Level(tuple(one["shape"]), tuple(one["factors"]), one.get("source", "")) for one in told)

    @cached_property
    def extra(self) -> Extra:
        """Sizes of the extra dimensions, as the passport names them."""
        return tuple(len(dimension.values) for dimension in self.passport.dimensions)

    def describe(self) -> dict[str, Any]:
        """What a viewer must know, as plain JSON types.

        Returns
        -------
        dict
            ``dtype``, ``samples``, ``levels`` (``shape``, ``factors``; ``source``, the object whose pixels it holds,
            where that is not level 0's), ``slope``, ``intercept``, ``unit``,
            ``windows``, ``voi_function``, ``padding``, ``photometric``; ``passport`` as `Passport.to_dict` gives it.
        """
        values = self._ours["values"]
        return {**values, "samples": 1, "levels": self._ours["levels"], "passport": self._ours["passport"]}

    def plane(self, level: int, axis: int, index: int, extra: Extra = ()) -> Array:
        """Stored values of one plane.

        Parameters
        ----------
        level : int
            Resolution, 0 the finest.
        axis : int
            0 gives ``(row, column)``, 1 ``(slice, column)``, 2 ``(slice, row)``.
        index : int
            Which plane, in voxels of that level.
        extra : tuple of int
            Index along each extra dimension.

        Raises
        ------
        NotFound
            There is no such plane.
        """
        shape = self._check(level, extra)
        if axis not in (0, 1, 2) or not 0 <= index < shape[axis]:
            raise NotFound(f"no plane {index} on axis {axis} of level {level}, whose shape is {shape}")
        box = [(0, n) for n in shape]
        box[axis] = (index, index + 1)
        return self._read(level, extra, box).squeeze(axis)

    def volume(self, level: int, extra: Extra = ()) -> Array:
        """Stored values of a whole level, ``(slice, row, column)``; `NotFound` where there is no such level."""
        return self._read(level, extra, [(0, n) for n in self._check(level, extra)])

    def volume_bytes(self, level: int) -> int:
        """Size of `volume`; `NotFound` where there is no such level."""
        self._check(level, (0,) * len(self.extra))
        return math.prod(self.levels[level].shape) * np.dtype(self._ours["values"]["dtype"]).itemsize

    def _check(self, level: int, extra: Extra) -> tuple[int, int, int]:
        if not 0 <= level < len(self.levels):
            raise NotFound(f"no level {level}: the stack has {len(self.levels)}")
        if len(extra) != len(self.extra) or not all(0 <= at < n for at, n in zip(extra, self.extra, strict=True)):
            raise NotFound(f"no index {extra} in extra dimensions of sizes {self.extra}")
        return self.levels[level].shape

    def _read(self, level: int, extra: Extra, box: list[tuple[int, int]]) -> Array:
        if level not in self._arrays:
            self._arrays[level] = ShardedArray(self.path / ome.path(level) / ome.IMAGE)
        sizes = grid.extra_shape(self.passport.dimensions)
        if len(sizes) != len(extra):
            extra = (int(np.ravel_multi_index(extra, self.extra)),)
        whole = tuple((at, at + 1) for at in extra) + tuple(box)
        return self._arrays[level].read(whole, THREADS)[(0,) * len(extra)]


class VolumeCache:
    """Decoded volumes in memory, the least recently used dropped first. Threads may share it.

    Parameters
    ----------
    max_bytes : int
        Of all volumes together; a larger volume is read plane by plane.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._volumes: OrderedDict[tuple[Any, ...], Array] = OrderedDict()
        self._loading: dict[tuple[Any, ...], Future[Array]] = {}
        self._lock = threading.Lock()
        self._loader = ThreadPoolExecutor(1, "volumes")

    def plane(self, frames: ZarrFrames, level: int, axis: int, index: int, extra: Extra = ()) -> Array:
        """As `ZarrFrames.plane`: from memory, or else from disk while the volume is being loaded for the next time."""
        volume = self._get(_key(frames, level, extra))
        if volume is None:
            plane = frames.plane(level, axis, index, extra)
            self.load(frames, level, extra)
            return plane
        if axis not in (0, 1, 2) or not 0 <= index < volume.shape[axis]:
            raise NotFound(f"no plane {index} on axis {axis} of level {level}, whose shape is {volume.shape}")
        return volume[(slice(None),) * axis + (index,)]

    def volume(self, frames: ZarrFrames, level: int, extra: Extra = ()) -> Array:
        """As `ZarrFrames.volume`, read-only; waits where the volume is being loaded."""
        loading = self.load(frames, level, extra)
        return frames.volume(level, extra) if loading is None else loading.result()

    def load(self, frames: ZarrFrames, level: int, extra: Extra = ()) -> Future[Array] | None:
        """Begin to load a volume, once however many ask; ``None`` where it is too large to be kept."""
        key = _key(frames, level, extra)
        if frames.volume_bytes(level) > self.max_bytes:
            return None
        with self._lock:
            if key in self._volumes:
                self._volumes.move_to_end(key)
                ready: Future[Array] = Future()
                ready.set_result(self._volumes[key])
                return ready
            if key not in self._loading:
                self._loading[key] = self._loader.submit(self._load, key, frames, level, extra)
            return self._loading[key]

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        with self._lock:
            return sum(volume.nbytes for volume in self._volumes.values())

    def _get(self, key: tuple[Any, ...]) -> Array | None:
        with self._lock:
            if key in self._volumes:
                self._volumes.move_to_end(key)
            return self._volumes.get(key)

    def _load(self, key: tuple[Any, ...], frames: ZarrFrames, level: int, extra: Extra) -> Array:
        try:
            volume = frames.volume(level, extra)
            volume.setflags(write=False)
        except BaseException:
            with self._lock:
                del self._loading[key]
            raise
        with self._lock:
            self._volumes[key] = volume
            del self._loading[key]
            held = sum(kept.nbytes for kept in self._volumes.values())
            while held > self.max_bytes:
                held -= self._volumes.popitem(last=False)[1].nbytes
        return volume


def _key(frames: ZarrFrames, level: int, extra: Extra) -> tuple[Any, ...]:
    return (str(frames.path), level, extra)
