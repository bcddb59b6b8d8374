"""The file that columns in memory start from. Only a cache: an old, foreign or broken one counts as none."""

from __future__ import annotations

import json
import mmap
import os
import tempfile
import zlib
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pacs_panel.attributes import Attribute, Level
from pacs_panel.index.columns import HELD, Column, Stored, Table
from pacs_panel.index.columns_words import Words

FORMAT = 2
ALIGNED = 64  # bytes
SUFFIX = ".columns"  # beside the index


@dataclass(frozen=True, slots=True)
class Mark:
    """Of which index, and when: its tables, the change with which it began, and the one up to which it was read."""

    tables: int
    since: int
    change: int


def write(index: Path, mark: Mark, tables: dict[Level, Table]) -> None:
    """Put the file beside ``index``, all of it or nothing; where that cannot be, there is none."""
    arrays: dict[str, Any] = {}
    for level, table in tables.items():
        arrays |= {f"{level} visible": table.visible, f"{level} parents": _narrow(table.parents)}
        arrays |= {f"{level} received": table.received, f"{level} keys": table.keys}
        arrays[f"{level} sizes"] = table.sizes
        for keyword, column in table.columns.items():
            arrays[f"{level} {keyword}"] = _narrow(column.codes)
            arrays[f"{level} {keyword} values"] = _bytes(json.dumps(column.values[1:]).encode())
            if column.attribute.text:
                found = Words.of(column.values)
                arrays[f"{level} {keyword} words"] = _bytes(found.text)
                arrays |= {f"{level} {keyword} ends": found.ends, f"{level} {keyword} places": found.places}
                arrays[f"{level} {keyword} size"] = np.array([found.size])
    with suppress(OSError), tempfile.NamedTemporaryFile(dir=index.parent, prefix=index.name, delete=False) as file:
        try:
            _store(file, {"format": FORMAT, **asdict(mark)}, arrays)
            file.close()
            os.replace(file.name, beside(index))
        except OSError:
            os.unlink(file.name)


def _store(file: Any, mark: Any, arrays: dict[str, Any]) -> None:
    """A checksum of all that follows; the length of the head; the head, which tells where each array begins; arrays."""
    told, at = {}, 0
    for name, array in arrays.items():
        told[name] = (at, len(array), array.dtype.str)
        at += -(-array.nbytes // ALIGNED) * ALIGNED
    head = json.dumps({"mark": mark, "arrays": told}).encode()
    head += b" " * (-(len(head) + 16) % ALIGNED)
    parts: list[Any] = [len(head).to_bytes(8, "little"), head]
    for array in arrays.values():
        parts += [np.ascontiguousarray(array).view(np.uint8).data, bytes(-array.nbytes % ALIGNED)]
    checksum = 0
    for part in parts:
        checksum = zlib.crc32(part, checksum)
    file.write(checksum.to_bytes(8, "little"))
    for part in parts:
        file.write(part)


def read(index: Path, now: Mark) -> tuple[Mark, dict[Level, Table]] | None:
    """What was written, if it is of the same index as ``now`` and not newer; arrays stay in the file until needed."""
    try:
        with beside(index).open("rb") as file:
            content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        length = int.from_bytes(content[8:16], "little")
        head = json.loads(bytes(content[16 : 16 + length]))
        told = head["mark"]
        if told.pop("format", None) != FORMAT:
            return None
        mark = Mark(**told)
        if (mark.tables, mark.since) != (now.tables, now.since) or mark.change > now.change:
            return None
        if zlib.crc32(content[8:]) != int.from_bytes(content[:8], "little"):
            return None
        arrays = _Arrays(content[16 + length :], head["arrays"])
        return mark, {level: _table(arrays, level) for level in HELD}
    except (OSError, ValueError, KeyError, TypeError):
        return None


class _Arrays:
    """The arrays of a file, by name."""

    def __init__(self, content: memoryview, told: dict[str, Any]) -> None:
        self._content, self._told = content, told

    def __getitem__(self, name: str) -> Any:
        at, count, dtype = self._told[name]
        return np.frombuffer(self._content, np.dtype(dtype), count, at)


def _table(file: _Arrays, level: Level) -> Table:
    columns = {a.keyword: _column(file, a, f"{level} {a.keyword}") for a in HELD[level]}
    parts = (file[f"{level} {name}"] for name in ("visible", "parents", "received", "keys", "sizes"))
    return Table(columns, *parts)


def _column(file: _Arrays, attribute: Attribute, name: str) -> Column:
    words = None
    values = file[f"{name} values"]
    if attribute.text:
        text, ends, places, size = (file[f"{name} {part}"] for part in ("words", "ends", "places", "size"))
        words = Words(int(size[0]), text, ends, places)
    return Column(attribute, Stored(file[name], values, words))


def beside(index: Path) -> Path:
    """Where the file of an index lies."""
    return index.with_name(index.name + SUFFIX)


def _bytes(content: bytes) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.frombuffer(content, np.uint8)


def _narrow(codes: Any) -> Any:
    """The same numbers, in as few bytes as hold them."""
    return codes.astype(np.min_scalar_type(int(codes.max(initial=0))))
