"""The file that columns in memory start from. Only a cache: an old, foreign or broken one counts as none."""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pacs_panel.attributes import Attribute, Level
from pacs_panel.index.columns import HELD, Column, Table

FORMAT = 1
SUFFIX = ".columns"  # beside the index


@dataclass(frozen=True, slots=True)
class Mark:
    """Of which index, and when: its tables, the change with which it began, and the one up to which it was read."""

    tables: int
    since: int
    change: int


def write(index: Path, mark: Mark, tables: dict[Level, Table]) -> None:
    """Put the file beside ``index``, all of it or nothing; where that cannot be, there is none."""
    arrays: dict[str, Any] = {"mark": _packed({"format": FORMAT, **asdict(mark)})}
    for level, table in tables.items():
        arrays |= {f"{level} visible": table.visible, f"{level} parents": _narrow(table.parents)}
        arrays |= {f"{level} received": table.received, f"{level} keys": table.keys}
        for keyword, column in table.columns.items():
            arrays[f"{level} {keyword}"] = _narrow(column.codes)
            arrays[f"{level} {keyword} values"] = _packed(column.meanings.values[1:])
            if column.attribute.text:
                arrays[f"{level} {keyword} lines"] = np.frombuffer(column.lines, np.uint8)
    with suppress(OSError), tempfile.NamedTemporaryFile(dir=index.parent, prefix=index.name, delete=False) as file:
        try:
            np.savez(file, allow_pickle=False, **arrays)
            file.close()
            os.replace(file.name, beside(index))
        except OSError:
            os.unlink(file.name)


def read(index: Path, now: Mark) -> tuple[Mark, dict[Level, Table]] | None:
    """What was written, if it is of the same index as ``now`` and not newer."""
    try:
        with np.load(beside(index), allow_pickle=False) as file:
            told = _unpacked(file["mark"])
            if told.pop("format", None) != FORMAT:
                return None
            mark = Mark(**told)
            if (mark.tables, mark.since) != (now.tables, now.since) or mark.change > now.change:
                return None
            return mark, {level: _table(file, level) for level in HELD}
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        return None


def _table(file: Any, level: Level) -> Table:
    columns = {a.keyword: _column(file, a, f"{level} {a.keyword}") for a in HELD[level]}
    return Table(
        columns,
        file[f"{level} visible"],
        _wide(file[f"{level} parents"]),
        file[f"{level} received"],
        file[f"{level} keys"],
    )


def _column(file: Any, attribute: Attribute, name: str) -> Column:
    lines = file[f"{name} lines"].tobytes() if attribute.text else b""
    return Column(attribute, _unpacked(file[f"{name} values"]), _wide(file[name]), lines)


def beside(index: Path) -> Path:
    """Where the file of an index lies."""
    return index.with_name(index.name + SUFFIX)


def _packed(value: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.frombuffer(json.dumps(value).encode(), np.uint8)


def _unpacked(packed: Any) -> Any:
    return json.loads(packed.tobytes())


def _narrow(codes: Any) -> Any:
    """The same numbers, in as few bytes as hold them."""
    return codes.astype(np.min_scalar_type(int(codes.max(initial=0))))


def _wide(codes: Any) -> Any:
    return codes.astype(np.int32)
