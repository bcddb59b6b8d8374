"""What ``published.json`` says: the state of a published archive, and the digests by which the rest is checked."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pacs_panel.errors import ArchiveError, Damaged

FORMAT = 1
KIND = "pacs_panel published archive"
NAME = "published.json"
CATALOG = "catalog.yml"
TABLES = ("patient", "study", "series", "revision", "object", "reference")
MOST_BYTES = 1 << 40  # of one table
_ID, _DIGEST, _TABLE = (re.compile(p) for p in (r"[0-9a-f]{32}", r"[0-9a-f]{64}", r"[a-z_]{1,40}"))


@dataclass(frozen=True, slots=True)
class TableFile:
    """One table of the index, as a Parquet file."""

    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Description:
    """The state of a published archive.

    Attributes
    ----------
    id : str
        Of the publication: the same each time that it is published to a folder again.
    at : str
        When, ISO 8601, UTC.
    change : int
        The archive's change number.
    originals : bool
        Whether the received objects are there.
    tables : mapping
        Table to its file.
    """

    id: str
    at: str
    change: int
    originals: bool
    tables: Mapping[str, TableFile]

    @property
    def hash(self) -> str:
        """SHA-256 of the content: equal where the same series, in the same revisions, are published alike."""
        said = {"originals": self.originals, "tables": {name: one.sha256 for name, one in self.tables.items()}}
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    def path(self, table: str) -> str:
        """Where the file of a table lies."""
        return f"index/{table}-{self.tables[table].sha256[:26]}.parquet"

    def to_json(self) -> bytes:
        """As it stands in the file."""
        about = {"kind": KIND, "format": FORMAT, "identifiers": "as received", "hash": self.hash}
        return json.dumps(about | asdict(self), indent=1).encode()


def read(data: bytes, where: str) -> Description:
    """What the file says.

    Raises
    ------
    ArchiveError
        It is no such file, or one of another version.
    Damaged
        It is not as it was written.
    """
    try:
        told = json.loads(data)
        kind = told["kind"]
    except (ValueError, TypeError, KeyError):
        kind = None
    if kind != KIND:
        raise ArchiveError(f"{where} is no published archive: its {NAME} is of something else")
    if told.get("format") != FORMAT:
        raise ArchiveError(f"{where} has format {told.get('format')!r}, this software reads {FORMAT}; update it")
    try:
        found = _described(told)
    except (ValueError, TypeError, KeyError, AttributeError):
        found = None
    if found is None or found.hash != told.get("hash"):
        raise Damaged(f"{NAME} of {where} is damaged; publish it again")
    return found


def _described(told: Mapping[str, Any]) -> Description | None:
    """Names and sizes become paths and files here: nothing but what they must look like passes."""
    tables = {str(n): TableFile(int(t["rows"]), int(t["bytes"]), t["sha256"]) for n, t in told["tables"].items()}
    if not _ID.fullmatch(told["id"]) or not set(TABLES) <= tables.keys():
        return None
    for name, table in tables.items():
        if not _TABLE.fullmatch(name) or not _DIGEST.fullmatch(table.sha256) or not 0 <= table.bytes < MOST_BYTES:
            return None
    return Description(told["id"], str(told["at"]), int(told["change"]), bool(told["originals"]), tables)
