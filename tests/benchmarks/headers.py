"""Headers of small files, alone and as part of an import in place, beside pydicom; and copied, beside ``cp -r``."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from statistics import median

from pacs_panel.testing import write_small_files
from tests.benchmarks.importing import copy
from tests.benchmarks.measure import Done, Row, Scale, alternate, middle, rates, sync, times, work

TITLE = "Headers"
NOTES = """
Ours in one process. Headers: identity, the index's attributes and what a volume needs are read, no more. In place:
found, read whole, digested twice, decided about, noted in the records, and committed to the index. pydicom in one
process: `dcmread(stop_before_pixels=True)` of files whose names are known, alone, and with the attributes that the
index holds; nothing is digested or written. The elements of all files of a series lie at the same places, which is the
best case; where lengths of values vary, more files are walked. Sources are in the page cache for everyone. With copies,
ours has two processes and makes them durable.
"""


def run(folder: Path, scale: Scale) -> list[Row]:
    files, series = scale.of(20_000, 4_000, 40), scale.of(400, 80, 4)
    source = folder / "all"
    write_small_files(source, files, series)
    sync()
    ours, read, alone, columns = alternate(
        scale.rounds,
        partial(_place, source),
        partial(_headers, source),
        partial(_pydicom, source, 0),
        partial(_pydicom, source, 1),
    )
    copied, peer = alternate(scale.rounds, partial(_ingest, source), partial(copy, source, False))
    shutil.rmtree(folder)
    peers = {"pydicom": files / middle(alone), "pydicom and the index's attributes": files / middle(columns)}
    return [
        *(
            rates(f"{files:,} headers, beside {name}", files / middle(read), rate, "files/s")
            for name, rate in peers.items()
        ),
        *(
            rates(f"{files:,} files in place, beside {name}", files / middle(ours), rate, "files/s", "≥ 8")
            for name, rate in peers.items()
        ),
        times(f"{files:,} small files with copies, beside `cp -r`", middle(copied), median(peer), "≤ 1"),
    ]


def _place(source: Path, number: int) -> Done:
    return _ingest(source, number, "0", "in place")


def _ingest(source: Path, number: int, *how: str) -> Done:
    archive = source.parent / "archive"
    done = work("ingest", archive, source, *how)
    shutil.rmtree(archive)
    sync()
    return done


def _headers(source: Path, number: int) -> Done:
    return work("headers", source)


def _pydicom(source: Path, columns: int, number: int) -> Done:
    return work("pydicom", source, 1, columns)
