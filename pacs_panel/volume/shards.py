"""Zarr v3 arrays in one shard each, or few: written slab by slab, and read, without a detour.

The format is Zarr's own (sharding codec 1.0, blosc), so every Zarr reader opens these arrays. Their bytes are put
together here, because that takes no copy of the array, compressed or not, and less time a chunk than zarr-python. A
read of a plane decodes only the blocks of each chunk that it needs, many in one call.
"""

from __future__ import annotations

import itertools
import json
import math
import mmap
import struct
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
from numcodecs import blosc

from pacs_panel.errors import Damaged
from pacs_panel.storage.remote import RemoteBytes, RemotePath
from pacs_panel.volume import grid

Array = np.ndarray
Shape = tuple[int, ...]
Box = tuple[tuple[int, int], ...]

CODEC = "zstd"  # blocks of other codecs may be larger than asked for
MISSING = (1 << 64) - 1  # offset and length of a chunk that was never written
HEADER = 16  # bytes of a blosc chunk before its block offsets
RAW, WHOLE = 0x02, 0x10  # blosc flags: chunk not compressed; blocks not split into one stream a byte of the type
blosc.use_threads = False  # as zarr-python sets it: blosc's own threads are no faster, and one call at a time
GROUP = 2 << 20  # bytes decoded at once: what stays in a core's cache


# -- writing -----------------------------------------------------------------------------------------------------------


def rows(shape: Shape, chunk: Shape) -> Iterator[tuple[slice, ...]]:
    """Slabs of an array, each a row of chunks along its last two axes, in the order in which `Writer` takes them."""
    for at in np.ndindex(*(-(-n // c) for n, c in zip(shape[:-2], chunk[:-2], strict=True))):
        outer = (slice(i * c, min(n, (i + 1) * c)) for i, n, c in zip(at, shape, chunk, strict=False))
        yield (*outer, slice(0, shape[-2]), slice(0, shape[-1]))


class Writer:
    """The shards of an array in its folder, written while the array is made; the metadata is the caller's.

    It comes in slabs, and what is kept of it is one row of chunks at most.

    Parameters
    ----------
    folder : Path
    shape, dtype
        Of the array, ``(*extra, slice, row, column)``.
    chunk, shard : tuple of int
        Shapes; a shard is a whole number of chunks, as `grid.shard_shape` says: so all chunks in C order are those of
        one shard after the other.
    """

    def __init__(self, folder: Path, shape: Shape, dtype: np.dtype, chunk: Shape, shard: Shape) -> None:
        self._folder, self._chunk = folder, chunk
        self._counts = tuple(s // c for s, c in zip(shard, chunk, strict=True))
        self._places = np.ndindex(*(-(-n // c) for n, c in zip(shape, chunk, strict=True)))
        self._heights = itertools.cycle([part[-3].stop - part[-3].start for part in rows(shape[-3:], chunk[-3:])])
        self._height = next(self._heights)
        self._waiting: list[Array] = []
        self._full = np.zeros(chunk, dtype)
        self._block = math.prod(grid.block_shape(chunk)) * dtype.itemsize
        self._encoder = blosc.Blosc(CODEC, clevel=1, shuffle=blosc.BITSHUFFLE, blocksize=self._block)
        self._shard: _NewShard | None = None

    @property
    def options(self) -> dict[str, Any]:
        """Configuration of Zarr's ``blosc`` codec."""
        size = self._full.itemsize
        return {"typesize": size, "cname": CODEC, "clevel": 1, "shuffle": "bitshuffle", "blocksize": self._block}

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        """Complete the last shard, which is sound when all of the array was added."""
        if self._shard is not None:
            self._shard.close()

    def add(self, slab: Array) -> None:
        """Take the next slices of a slab of `rows`; they may be written later, so the caller must not change them.

        Parameters
        ----------
        slab : ndarray
            ``(*extra, slice, row, column)``: a row of chunks, or a part of one along slices.
        """
        self._waiting.append(slab)
        if sum(part.shape[-3] for part in self._waiting) < self._height:
            return
        row = slab if len(self._waiting) == 1 else np.concatenate(self._waiting, -3)
        self._waiting, self._height = [], next(self._heights)
        high, wide = self._chunk[-2:]
        for top, left in itertools.product(range(0, row.shape[-2], high), range(0, row.shape[-1], wide)):
            self._write(row[..., top : top + high, left : left + wide])

    def _write(self, part: Array) -> None:
        """The next chunk in C order; beyond the array's end it is zero."""
        numbers, inner = zip(*map(divmod, next(self._places), self._counts), strict=True)
        if self._shard is None or self._shard.number != numbers:
            if self._shard is not None:
                self._shard.close()
            self._shard = _NewShard(self._folder, numbers, self._counts)
        if part.shape != self._chunk:
            self._full[...] = 0
        self._full[tuple(slice(n) for n in part.shape)] = part
        self._shard.append(inner, self._encoder.encode(self._full))


class _NewShard:
    """A shard's file: chunks, then where each begins and how long it is, then the checksum of that."""

    def __init__(self, folder: Path, number: Shape, counts: Shape) -> None:
        self.number = number
        path = folder.joinpath("c", *map(str, number))
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("wb")
        self._offset = 0
        self._index = np.full((*counts, 2), MISSING, "<u8")

    def append(self, at: Shape, data: bytes) -> None:
        """Add the chunk at a place in the shard."""
        self._index[at] = self._offset, len(data)
        self._offset += self._file.write(data)

    def close(self) -> None:
        table = self._index.tobytes()
        with self._file:
            self._file.write(table + struct.pack("<I", google_crc32c.value(table)))


# -- reading -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Shard:
    data: memoryview | RemoteBytes  # of the mapped file, or of one on a server
    index: list[list[int]]  # offset and length of each chunk


class ShardedArray:
    """An array that a `Writer` wrote, read box by box; many threads may read it at once.

    Pickles as its path.

    Parameters
    ----------
    folder : Path
        Of the Zarr array.

    Attributes
    ----------
    shape : tuple of int
    dtype : numpy.dtype
    attributes : dict
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        meta = json.loads((folder / "zarr.json").read_bytes())
        self.shape: Shape = tuple(meta["shape"])
        self.dtype = np.dtype(meta["data_type"])
        self.attributes: dict[str, Any] = meta["attributes"]
        self.shard: Shape = tuple(meta["chunk_grid"]["configuration"]["chunk_shape"])
        self.chunk: Shape = tuple(meta["codecs"][0]["configuration"]["chunk_shape"])
        self.block = grid.block_shape(self.chunk)
        self._open: dict[tuple[int, ...], _Shard] = {}

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.folder,))

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @cached_property
    def _chunks_per_shard(self) -> tuple[int, ...]:
        return tuple(s // c for s, c in zip(self.shard, self.chunk, strict=True))

    @cached_property
    def _blocks_per_chunk(self) -> tuple[int, ...]:
        return tuple(c // b for c, b in zip(self.chunk, self.block, strict=True))

    def __getitem__(self, key: Any) -> Array:
        """Whole numbers and slices of step 1, as `numpy` takes them; what dask asks for."""
        key = key if isinstance(key, tuple) else (key,)
        if Ellipsis in key:
            at = key.index(Ellipsis)
            key = key[:at] + (slice(None),) * (self.ndim - len(key) + 1) + key[at + 1 :]
        key += (slice(None),) * (self.ndim - len(key))
        ranges = [
            range(n)[k if isinstance(k, slice) else slice(k, k + 1)] for k, n in zip(key, self.shape, strict=True)
        ]
        if any(at.step != 1 for at in ranges):
            raise IndexError("only slices of step 1 are read")
        box = self.read(tuple((at.start, max(at.start, at.stop)) for at in ranges))
        return box[tuple(slice(None) if isinstance(k, slice) else 0 for k in key)]

    def read(self, box: Box, threads: int = 1) -> Array:
        """Values in a box: ``(start, stop)`` along each axis, both inside the array.

        Parameters
        ----------
        threads : int
            Most threads that decode at once.
        """
        out = np.empty([stop - start for start, stop in box], self.dtype)
        if out.size == 0:
            return out
        if isinstance(self.folder, RemotePath):
            self._fetch(box)
        size = math.prod(self.block) * self.dtype.itemsize
        groups = list(itertools.batched(self._blocks(box), max(1, GROUP // size)))
        threads = min(threads, len(groups))
        if threads < 2:
            for group in groups:
                self._fill(group, box, out)
            return out
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda group: self._fill(group, box, out), groups))
        return out

    def _blocks(self, box: Box) -> Iterator[tuple[int, ...]]:
        """Numbers, along each axis, of the blocks that a box touches."""
        ranges = (range(start // b, -(-stop // b)) for (start, stop), b in zip(box, self.block, strict=True))
        return itertools.product(*ranges)

    def _fetch(self, box: Box) -> None:
        """Have all compressed chunks at hand that a box touches; in a row along columns they lie side by side."""
        wanted: dict[tuple[int, ...], set[tuple[int, int]]] = defaultdict(set)
        for at in self._blocks(box):
            shard, number, _ = self._place(at)
            offset, length = self._shard(shard).index[number]
            if offset != MISSING:
                wanted[shard].add((offset, offset + length))
        for shard, ranges in wanted.items():
            data = self._shard(shard).data
            assert isinstance(data, RemoteBytes)
            data.fetch(list(ranges))

    def _fill(self, group: Sequence[tuple[int, ...]], box: Box, out: Array) -> None:
        """Decode a group of blocks, and copy what lies in the box."""
        try:
            decoded = self._decode(group)
        except (RuntimeError, struct.error):  # what blosc, and a cut header, raise
            raise Damaged(
                f"values of {self.folder.parent.name}/{self.folder.name} cannot be decoded: rebuild"
            ) from None
        for block, number in zip(decoded, group, strict=True):
            source, target = [], []
            for at, size, (start, stop) in zip(number, self.block, box, strict=True):
                first, last = max(start, at * size), min(stop, (at + 1) * size)
                source.append(slice(first - at * size, last - at * size))
                target.append(slice(first - start, last - start))
            out[tuple(target)] = block[tuple(source)]

    def _decode(self, group: Sequence[tuple[int, ...]]) -> Array:
        size = math.prod(self.block) * self.dtype.itemsize
        decoded = np.empty((len(group), *self.block), self.dtype)
        packed: list[tuple[int, memoryview]] = []
        flags = 0
        for number, at in enumerate(group):
            chunk, inner = self._chunk(at)
            if chunk is None:
                decoded[number] = 0
            elif _joins(chunk, size, flags):
                flags = chunk[2]
                packed.append((number, _block(chunk, inner)))
            elif chunk[2] & RAW:
                raw = chunk[HEADER + inner * size : HEADER + (inner + 1) * size]
                decoded[number] = np.frombuffer(raw, self.dtype).reshape(self.block)
            else:
                values = np.frombuffer(blosc.decompress(chunk), self.dtype)
                decoded[number] = values.reshape(-1, *self.block)[inner]
        if packed:
            _decompress(packed, flags, size, self.dtype.itemsize, decoded)
        return decoded

    def _chunk(self, at: tuple[int, ...]) -> tuple[memoryview | None, int]:
        """The compressed chunk that holds a block, if there is one, and the block's number in it."""
        shard, number, inner = self._place(at)
        found = self._shard(shard)
        offset, length = found.index[number]
        return (None if offset == MISSING else found.data[offset : offset + length]), inner

    def _place(self, at: tuple[int, ...]) -> tuple[tuple[int, ...], int, int]:
        """Of a block: its shard, the number of its chunk in that, and its own number in the chunk."""
        shard, number, inner = [], 0, 0
        for place, blocks, chunks in zip(at, self._blocks_per_chunk, self._chunks_per_shard, strict=True):
            chunk, block = divmod(place, blocks)
            whole, part = divmod(chunk, chunks)
            shard.append(whole)
            number, inner = number * chunks + part, inner * blocks + block
        return tuple(shard), number, inner

    def _shard(self, number: tuple[int, ...]) -> _Shard:
        if number not in self._open:
            path = self.folder.joinpath("c", *map(str, number))
            where = f"{self.folder.parent.name}/{self.folder.name}"
            chunks = math.prod(self._chunks_per_shard)
            try:
                data = _opened(path)
                end = bytes(data[-16 * chunks - 4 :])
            except (FileNotFoundError, ValueError):  # mmap refuses an empty file
                raise Damaged(f"a file of {where} is missing or empty: rebuild") from None
            table = end[:-4]
            if end[-4:] != struct.pack("<I", google_crc32c.value(table)):
                raise Damaged(f"the index of {where} is damaged: rebuild")
            self._open[number] = _Shard(data, np.frombuffer(table, "<u8").reshape(chunks, 2).tolist())
        return self._open[number]


def _opened(path: Path) -> memoryview | RemoteBytes:
    """A file as bytes that come when they are asked for."""
    if isinstance(path, RemotePath):
        return RemoteBytes(path)
    with path.open("rb") as file:
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def _joins(chunk: memoryview, size: int, flags: int) -> bool:
    """Whether blocks of a chunk can be taken out: compressed, in blocks of ``size``, with the same flags if any."""
    return not chunk[2] & RAW and struct.unpack_from("<I", chunk, 8)[0] == size and flags in (0, chunk[2])


def _block(chunk: memoryview, number: int) -> memoryview:
    """One compressed block of a blosc chunk: a length and that many bytes, once or once for each byte of the type."""
    start = end = struct.unpack_from("<I", chunk, HEADER + 4 * number)[0]
    for _ in range(1 if chunk[2] & WHOLE else chunk[3]):
        end += 4 + struct.unpack_from("<i", chunk, end)[0]
    return chunk[start:end]


def _decompress(packed: list[tuple[int, memoryview]], flags: int, size: int, itemsize: int, decoded: Array) -> None:
    """Join blocks, which are all compressed alike, into one blosc chunk, and decode that in one call."""
    first = HEADER + 4 * len(packed)
    *starts, end = itertools.accumulate((len(block) for _, block in packed), initial=first)
    header = struct.pack("<BBBBIII", 2, 1, flags, itemsize, size * len(packed), size, end)
    joined = b"".join([header, np.asarray(starts, "<u4").tobytes(), *(block for _, block in packed)])
    if len(packed) == len(decoded):
        blosc.decompress(joined, decoded)
    else:
        values = np.frombuffer(blosc.decompress(joined), decoded.dtype)
        decoded[[number for number, _ in packed]] = values.reshape(-1, *decoded.shape[1:])
