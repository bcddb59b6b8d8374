"""Tables of an index as Parquet files."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pacs_panel.errors import Damaged
from pacs_panel.index.portable import SIZE, Batch, Kind
from pacs_panel.published.description import TableFile
from pacs_panel.storage.files import PART, make_folder, sync_folder

TYPES = {"text": pa.string(), "whole": pa.int64(), "real": pa.float64(), "truth": pa.bool_()}
LEVEL = 9  # of zstd: written once, fetched often
PIECE = 1 << 20


def write(folder: Path, name: str, columns: Mapping[str, Kind], batches: Iterable[Batch]) -> TableFile:
    """Write a table to ``folder/<name>-<digest>.parquet``, unless it is there: the same rows give the same file.

    Parameters
    ----------
    columns : mapping
        Column to what it holds.
    batches : iterable
        Column to values.
    """
    schema = pa.schema([(column, TYPES[kind]) for column, kind in columns.items()])
    make_folder(folder)
    handle, part = tempfile.mkstemp(prefix=PART, dir=folder)
    os.close(handle)
    rows = 0
    try:
        with pq.ParquetWriter(part, schema, compression="zstd", compression_level=LEVEL) as writer:
            for batch in batches:
                table = pa.table({column: pa.array(batch[column], schema.field(column).type) for column in columns})
                writer.write_table(table, row_group_size=SIZE)
                rows += table.num_rows
        made = TableFile(rows, Path(part).stat().st_size, _digest(Path(part)))
        target = folder / f"{name}-{made.sha256[:26]}.parquet"
        if not target.exists():
            os.chmod(part, 0o644)
            os.replace(part, target)
            sync_folder(folder)
    finally:
        Path(part).unlink(missing_ok=True)
    return made


def read(path: Path) -> Iterator[dict[str, list[object]]]:
    """The rows of a table, in batches; `Damaged` where it is no such file."""
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(SIZE):
                yield batch.to_pydict()
    except (pa.ArrowException, OSError) as error:
        raise Damaged(f"{path.name} cannot be read: {error}; publish it again") from None


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
        os.fsync(file.fileno())
    return digest.hexdigest()
