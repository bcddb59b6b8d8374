"""The table of truth: what every real series must become.

``series.csv`` has a row for each stack of each series that a folder gives when it is imported alone, and one for each
series of which no volume is made. ``object`` is the smallest SOP Instance UID of the series, since Series Instance UIDs
repeat and lack. The columns up to ``note`` are what the archive finds, and `tests.truth.test_series` holds it to them.
The others are judged by hand:

- ``values``: who decoded the planes that ours are compared with in `tests.truth.test_values`, ``pydicom`` wherever it
  can; by ``dcmdjpeg`` of dcmtk, or in `tests.truth.test_dcm2niix`, where it cannot.
- ``dcm2niix``: how its image lies to ours, which is explained and asserted in `tests.truth.test_dcm2niix`.
- ``remark``: what is odd about the files.

    python -m tests.truth.table > tests/truth/series.new.csv

finds the first ones anew and keeps what was judged. No row is to be committed without a look at the headers.
"""

from __future__ import annotations

import csv
import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from pacs_panel.model import Stack
from tests.truth.importing import Imported, Series, folders

HERE = Path(__file__).parent
TABLE = HERE / "series.csv"
FOUND = (
    "folder", "series", "object", "objects", "kind", "stack", "verdict", "shape", "dimensions", "planes", "spacing",
    "calibration", "why", "note",
)  # fmt: skip
JUDGED = ("values", "dcm2niix", "remark")
IDENTITY = ("folder", "series", "object", "stack")
WHY = {
    "Parallel slices, evenly": "even",
    "One slice": "one slice",
    "No Image Position": "no place",
    "The frames of one object": "frames without a place",
    "One large image": "tiles",
    "Sheared": "tilted",
    "The distance between": "uneven",
    "Ambiguous": "ambiguous",
}

Row = dict[str, str]


def found(folder: Imported) -> list[Row]:
    """The rows of a folder, without what is judged, in the table's order."""
    rows = [row for series in folder.series for row in _of_series(series)]
    return sorted(rows, key=lambda row: (row["series"], row["object"], row["stack"]))


def _of_series(series: Series) -> Iterable[Row]:
    row = dict.fromkeys(FOUND, "") | {
        "folder": series.folder,
        "series": series.uid,
        "object": series.first,
        "objects": str(len(series.kept)),
        "kind": series.kind(series.first),
        "note": _without_uids(series.revision.note),
    }
    if not series.revision.stacks:
        yield row
    for number, stack in enumerate(series.revision.stacks):
        yield row | {"stack": str(number), "kind": series.kind(stack.members[0]), **_of_stack(stack)}


def _of_stack(stack: Stack) -> Row:
    passport = stack.passport
    whys = (word for start, word in WHY.items() if passport.reason.startswith(start))
    return {
        "verdict": passport.verdict,
        "shape": "x".join(map(str, passport.shape)),
        "dimensions": " ".join(f"{d.name}:{len(d.values)}({d.keyword})" for d in passport.dimensions),
        "planes": str(len(stack.members)),
        "spacing": "x".join(f"{length:.4f}" for length in passport.spacing),
        "calibration": passport.calibration,
        "why": next(whys, "gap" if passport.gaps else passport.reason),
    }


def _without_uids(note: str) -> str:
    return re.sub(r"object [0-9.]+: ", "", note)


def committed(table: Path = TABLE) -> list[Row]:
    """The rows of the table, in order."""
    with table.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def identity(row: Row) -> tuple[str, ...]:
    """What tells a row from all others."""
    return tuple(row[name] for name in IDENTITY)


def main(data: Path) -> None:
    """Write the table anew."""
    known = {identity(row): row for row in committed()} if TABLE.exists() else {}
    out = csv.DictWriter(sys.stdout, (*FOUND, *JUDGED), lineterminator="\n")
    out.writeheader()
    for name in folders(data):
        folder = Imported(data / name)
        for row in found(folder):
            judged = known.get(identity(row), {})
            out.writerow(row | {column: judged.get(column, "") for column in JUDGED})
        folder.archive.close()


if __name__ == "__main__":
    main(Path(os.environ.get("PACS_PANEL_DATA") or HERE.parents[2] / "shared" / "data"))
