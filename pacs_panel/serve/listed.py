"""What series hold, object by object: UIDs, revision and digests, nothing of a patient. As CSV and as Parquet."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import batched
from typing import Any, NamedTuple

from pacs_panel.model import Kept
from pacs_panel.storage import layout

UID = re.compile(r"[0-9]+(\.[0-9]+)*")
LONGEST = 64  # characters of a UID (PS3.5 §6.2)
PART = 20_000  # rows of a Parquet file that are written together


class Listed(NamedTuple):
    """One object. Where a file has no proper UID, there is none here either; ``series_key`` is always there."""

    StudyInstanceUID: str
    SeriesInstanceUID: str
    series_key: str
    revision: str
    SOPInstanceUID: str
    SOPClassUID: str
    TransferSyntaxUID: str
    length: int
    file_digest: str
    dataset_digest: str


def uid(text: object) -> str:
    """``text``, where it is a UID: then it is safe as a name, and in a table. Else nothing."""
    found = str(text or "")
    return found if len(found) <= LONGEST and UID.fullmatch(found) else ""


def folder_of(row: Mapping[str, Any]) -> str:
    """``<study>/<series>``, by their UIDs or, where there is none, their keys."""
    study = uid(row["StudyInstanceUID"]) or str(row["study_key"])
    return f"{study}/{uid(row['SeriesInstanceUID']) or row['key']}"


def name_of(kept: Kept) -> str:
    """The name of an object's file."""
    return f"{uid(kept.sop_instance_uid) or layout.key('object', kept.sop_instance_uid)}.dcm"


def listed(row: Mapping[str, Any], kept: Kept) -> Listed:
    """An object of the series of a row."""
    return Listed(
        uid(row["StudyInstanceUID"]),
        uid(row["SeriesInstanceUID"]),
        kept.series_key,
        str(row["revision"] or ""),
        uid(kept.sop_instance_uid),
        uid(kept.sop_class_uid),
        uid(kept.transfer_syntax),
        kept.location.length,
        kept.digests.file,
        kept.digests.dataset,
    )


def to_line(values: Iterable[Any]) -> bytes:
    """One line of CSV."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(values)
    return line.getvalue().encode()


def to_csv(rows: Iterable[Listed]) -> Iterator[bytes]:
    """A table as CSV, line by line."""
    yield to_line(Listed._fields)
    yield from map(to_line, rows)


def to_parquet(rows: Iterable[Listed]) -> Iterator[bytes]:
    """A Parquet file, some thousand rows at a time."""
    import pyarrow as pa
    from pyarrow import parquet

    fields = [(name, pa.int64() if name == "length" else pa.string()) for name in Listed._fields]
    schema, sink = pa.schema(fields), _Sink()
    with parquet.ParquetWriter(pa.PythonFile(sink, mode="w"), schema, compression="zstd") as writer:
        for part in batched(rows, PART):
            writer.write_table(pa.table([*zip(*part, strict=True)], schema=schema))
            yield sink.take()
    yield sink.take()


class _Sink(io.RawIOBase):
    """What is written waits to be taken."""

    def __init__(self) -> None:
        self._waiting: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._size

    def write(self, data: Any, /) -> int:
        self._waiting.append(bytes(data))
        self._size += len(self._waiting[-1])
        return len(self._waiting[-1])

    def take(self) -> bytes:
        waiting, self._waiting = self._waiting, []
        return b"".join(waiting)
