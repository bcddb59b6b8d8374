"""Writing a Zarr v3 hierarchy: its metadata, as plain JSON, and its small arrays.

zarr-python takes several milliseconds a node, which for a small stack would be most of its time. Metadata are
consolidated in every group, as xarray looks for them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pacs_panel.volume import grid
from pacs_panel.volume.shards import Shape, Writer

Array = np.ndarray
Json = dict[str, Any]

BYTES: Json = {"name": "bytes", "configuration": {"endian": "little"}}


class Store:
    """A hierarchy that is being written; readable once `finish` was called.

    Parameters
    ----------
    folder : Path
        Of the root group; made with its first node.
    attributes : mapping
        Of the root group.
    """

    def __init__(self, folder: Path, attributes: Mapping[str, Any]) -> None:
        self._folder = folder
        self._nodes: dict[str, Json] = {"": _group(attributes)}

    def group(self, path: str, attributes: Mapping[str, Any]) -> None:
        """Add a group; its parent must be there."""
        self._nodes[path] = _group(attributes)

    def array(self, path: str, shape: Shape, dtype: np.dtype, names: Sequence[str], attributes: Json) -> Writer:
        """Add an array ``(*extra, slice, row, column)``, compressed in one shard, or several where it is large.

        Parameters
        ----------
        names : sequence of str
            Dimension names.

        Returns
        -------
        Writer
            Takes the values, and is to be closed.
        """
        chunk = grid.chunk_shape(shape)
        shard = grid.shard_shape(shape, chunk, dtype.itemsize)
        writer = Writer(self._folder / path, shape, dtype, chunk, shard)
        inner = {
            "chunk_shape": chunk,
            "codecs": [BYTES, {"name": "blosc", "configuration": writer.options}],
            "index_codecs": [BYTES, {"name": "crc32c"}],
            "index_location": "end",
        }
        codecs = [{"name": "sharding_indexed", "configuration": inner}]
        self._nodes[path] = _array(shape, dtype, shard, codecs, names, attributes)
        return writer

    def line(self, path: str, values: Array, names: Sequence[str], attributes: Json) -> None:
        """Add a small array as it is, for instance the coordinates along an axis."""
        place = self._folder.joinpath(path, "c", *("0" * values.ndim))
        place.parent.mkdir(parents=True)
        place.write_bytes(values.astype(values.dtype.newbyteorder("<")).tobytes())
        self._nodes[path] = _array(values.shape, values.dtype, values.shape, [BYTES], names, attributes)

    def finish(self) -> None:
        """Write the metadata."""
        for path, node in self._nodes.items():
            below = f"{path}/" if path else ""
            if node["node_type"] == "group":
                inside = {p.removeprefix(below): n for p, n in self._nodes.items() if p and p.startswith(below)}
                node = node | {"consolidated_metadata": _consolidated(inside)}
            place = self._folder / path
            place.mkdir(parents=True, exist_ok=True)
            (place / "zarr.json").write_text(json.dumps(node), "utf-8")


def _group(attributes: Mapping[str, Any]) -> Json:
    return {"zarr_format": 3, "node_type": "group", "attributes": dict(attributes)}


def _array(
    shape: Shape, dtype: np.dtype, chunk: Shape, codecs: list[Json], names: Sequence[str], attributes: Json
) -> Json:
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": shape,
        "data_type": dtype.name,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": chunk}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": 0.0 if dtype.kind == "f" else 0,
        "codecs": codecs,
        "dimension_names": names,
        "attributes": attributes,
        "storage_transformers": [],
    }


def _consolidated(nodes: Mapping[str, Json]) -> Json:
    return {"kind": "inline", "must_understand": False, "metadata": dict(sorted(nodes.items()))}
