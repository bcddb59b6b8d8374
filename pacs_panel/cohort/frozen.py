"""A cohort as a value: its rows, the hash of what they say, and the one Parquet file that holds it.

The file names objects by UIDs and digests only; a criterion by which they were found may tell more.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import batched
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pacs_panel.errors import BadQuery, Damaged, NotFound
from pacs_panel.storage import layout
from pacs_panel.storage.files import lock, write_atomic

if TYPE_CHECKING:
    import pandas as pd

FORM = 1  # of the rows and their canonical form
FACTS = b"pacs_panel.cohort"  # where the file's metadata tells them
LONGEST = 200  # characters of a name
PART = 10_000  # rows that are hashed together


class Row(NamedTuple):
    """One object of a cohort, and the revision of its series; ``stacks``: how many volumes that has."""

    StudyInstanceUID: str
    SeriesInstanceUID: str
    series_key: str
    revision: str
    stacks: int
    SOPInstanceUID: str
    length: int
    file_digest: str
    dataset_digest: str


WHOLE = frozenset({"stacks", "length"})


@dataclass(frozen=True, slots=True)
class Facts:
    """What a cohort is, apart from its rows.

    Attributes
    ----------
    name : str
    level : str
        Of the search that chose it; its series are frozen whichever it was.
    asked : str
        The criteria, as `pacs_panel.cohort.asked` writes them.
    change : int
        The archive's change number as of which it was chosen.
    at : int
        ns since 1970.
    by : str
        Name of the principal.
    hash : str
        `content_hash` of the rows.
    series, objects : int
    part_of : str
        Hash of the cohort of which some series were taken; else empty.
    """

    name: str
    level: str
    asked: str
    change: int
    at: int
    by: str
    hash: str
    series: int
    objects: int
    part_of: str = ""


@dataclass(frozen=True, slots=True)
class Frozen:
    """A cohort's facts and its rows, in canonical order."""

    facts: Facts
    rows: tuple[Row, ...]


def freeze(rows: Iterable[Row], *, part_of: str = "", **facts: Any) -> Frozen:
    """The value of these rows, in whichever order they come; ``facts`` are those of `Facts` that are not counted."""
    ordered = tuple(sorted(set(rows)))
    series = len({row.series_key for row in ordered})
    told = Facts(**facts, hash=content_hash(ordered), series=series, objects=len(ordered), part_of=part_of)
    return Frozen(told, ordered)


def content_hash(rows: Iterable[Row]) -> str:
    """SHA-256, in hex, of what the rows say, whatever their order and whatever file they come from.

    The canonical form is one JSON array in ASCII without blanks: first an array of the form and the columns, then the
    rows, as arrays, in the order of their values (text by code points).
    """
    digest = hashlib.sha256(b"[" + _json(["pacs_panel cohort", FORM, *Row._fields]))
    for part in batched(sorted(set(rows)), PART):
        digest.update(b"," + _json(part)[1:-1])
    digest.update(b"]")
    return digest.hexdigest()


def _json(values: Sequence[Any]) -> bytes:
    return json.dumps(values, separators=(",", ":")).encode("ascii")


def to_frame(rows: Iterable[Row]) -> pd.DataFrame:
    """The rows as a table, one an object."""
    import pandas as pd

    return pd.DataFrame.from_records(list(rows), columns=list(Row._fields))


# -- the file ----------------------------------------------------------------------------------------------------------


def to_parquet(frozen: Frozen) -> bytes:
    """The cohort as a Parquet file, which other programs read, too."""
    import pyarrow as pa
    from pyarrow import parquet

    facts = {"form": FORM, **asdict(frozen.facts)}
    kinds = [(name, pa.int64() if name in WHOLE else pa.string()) for name in Row._fields]
    schema = pa.schema(kinds, metadata={FACTS: json.dumps(facts)})
    columns = list(zip(*frozen.rows, strict=True)) or [()] * len(kinds)
    table = pa.table([pa.array(column, kind) for column, (_, kind) in zip(columns, kinds, strict=True)], schema=schema)
    file = io.BytesIO()
    parquet.write_table(table, file, compression="zstd")
    return file.getvalue()


def from_parquet(path: Path) -> Frozen:
    """The cohort that `to_parquet` wrote.

    Raises
    ------
    Damaged
        The file is none, or its rows are not those that were frozen.
    """
    import pyarrow as pa
    from pyarrow import parquet

    facts = read_facts(path)
    try:
        with parquet.ParquetFile(path) as file:
            table = file.read()
        columns = [table.column(name).to_pylist() for name in Row._fields]
    except (pa.ArrowException, KeyError, OSError) as error:
        raise Damaged(f"{_named(path)} cannot be read; restore it from a copy") from error
    rows = tuple(Row(*values) for values in zip(*columns, strict=True))
    if content_hash(rows) != facts.hash:
        raise Damaged(f"the rows of {_named(path)} are not those that were frozen; restore it from a copy")
    return Frozen(facts, rows)


def read_facts(path: Path) -> Facts:
    """What a cohort's file says of it, without its rows; raises as `from_parquet`."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        told = json.loads((parquet.read_metadata(path).metadata or {})[FACTS])
        if told.pop("form") != FORM:
            raise Damaged(f"{_named(path)} is of another version of this software; update it")
        return Facts(**told)
    except (pa.ArrowException, KeyError, ValueError, TypeError, OSError) as error:
        raise Damaged(f"{_named(path)} cannot be read; restore it from a copy") from error


def _named(path: Path) -> str:
    return f"cohort file {path.name}"


# -- in the archive ----------------------------------------------------------------------------------------------------


def checked_name(name: str) -> str:
    """``name``, if a cohort may have it.

    Raises
    ------
    BadQuery
    """
    if not isinstance(name, str) or not name.strip() or name != name.strip() or not name.isprintable():
        raise BadQuery("the name of a cohort: give printable text without blanks around it")
    if len(name) > LONGEST:
        raise BadQuery(f"the name of a cohort: at most {LONGEST} characters")
    return name


def put(root: Path, frozen: Frozen) -> None:
    """Write a cohort into an archive, once: its name is taken then.

    Raises
    ------
    BadQuery
        It holds nothing, or there is a cohort of that name.
    """
    name = checked_name(frozen.facts.name)
    if not frozen.rows:
        raise BadQuery("there is nothing to freeze: no series meets the criteria")
    path = root / layout.cohort(name)
    with lock(root / layout.cohorts_lock()):
        if path.exists():
            raise BadQuery(f"there is a cohort {name!r} already, and cohorts never change; give another name")
        write_atomic(path, to_parquet(frozen))


def get(root: Path, name: str) -> Frozen:
    """The cohort of that name.

    Raises
    ------
    NotFound
    Damaged
    """
    path = root / layout.cohort(name)
    if not path.exists():
        raise NotFound(f"there is no cohort {name!r} here")
    return from_parquet(path)


def every(root: Path) -> list[Facts]:
    """The facts of all cohorts of an archive, the earliest first; raises `Damaged`."""
    found = [read_facts(path) for path in (root / layout.cohort("any")).parent.glob("*.parquet")]
    return sorted(found, key=lambda facts: (facts.at, facts.name))
