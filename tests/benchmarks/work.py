"""Tasks that run in a process of their own: ``python -m tests.benchmarks.work <task> <arguments>``.

Each prints how long it took, as JSON. What a process needs once to start, and to start the server from which its
workers are forked, is told apart.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import batched
from pathlib import Path
from typing import Any

WORKERS = 2


def _begin(workers: int) -> float:
    """Seconds until workers could begin."""
    from pacs_panel.pipeline.jobs import run

    start = time.perf_counter()
    list(run(abs, range(2 * workers), workers=workers))
    return time.perf_counter() - start


def ingest(archive: str, source: str, workers: str = str(WORKERS), place: str = "") -> dict[str, Any]:
    """Import a folder, with copies or ``in place``, without building; with 0 workers in this process."""
    from pacs_panel import open_archive
    from pacs_panel.settings import Settings

    with open_archive(archive, settings=Settings(workers=int(workers))) as opened:
        begun = _begin(int(workers))
        start = time.perf_counter()
        report = opened.ingest(source, in_place=bool(place), build=False)
        return {"seconds": time.perf_counter() - start, "accepted": report.accepted, "begun": begun}


def build(archive: str, workers: str = str(WORKERS)) -> dict[str, Any]:
    """Build and publish all series of an archive; with 0 workers in this process."""
    from pacs_panel import open_archive
    from pacs_panel.settings import Settings

    with open_archive(archive, settings=Settings(workers=int(workers))) as opened:
        begun = _begin(int(workers))
        start = time.perf_counter()
        revisions = opened.settle()
        return {
            "seconds": time.perf_counter() - start,
            "stacks": sum(len(one.stacks) for one in revisions),
            "begun": begun,
        }


def pydicom(source: str, workers: str = str(WORKERS), columns: str = "1") -> dict[str, Any]:
    """Read headers with pydicom alone, and the attributes that the index holds unless ``columns`` is 0."""
    import pydicom as imported

    paths = [path for path in Path(source).rglob("*") if path.is_file()]
    assert imported.__version__
    start = time.perf_counter()
    read = partial(_read, bool(int(columns)))
    if int(workers) > 1:
        with ProcessPoolExecutor(int(workers)) as pool:
            count = sum(pool.map(read, batched(paths, 250)))
    else:
        count = read(paths)
    return {"seconds": time.perf_counter() - start, "read": count}


def headers(source: str) -> dict[str, Any]:
    """Read headers as an import does: identity, the attributes that the index holds, and what a volume needs."""
    from pacs_panel.dicom.header import read
    from pacs_panel.settings import Settings

    paths = [path for path in Path(source).rglob("*") if path.is_file()]
    settings = Settings()
    start = time.perf_counter()
    for path in paths:
        with open(path, "rb") as file:
            read(file, os.fstat(file.fileno()).st_size, settings)
    return {"seconds": time.perf_counter() - start, "read": len(paths)}


def _read(columns: bool, paths: Sequence[Path]) -> int:
    from pydicom import dcmread

    from pacs_panel.dicom.header import COLUMN_KEYWORDS

    for path in paths:
        dataset = dcmread(path, stop_before_pixels=True)
        for keyword in COLUMN_KEYWORDS if columns else ():
            getattr(dataset, keyword, None)
    return len(paths)


TASKS: dict[str, Callable[..., dict[str, Any]]] = {
    "ingest": ingest,
    "build": build,
    "headers": headers,
    "pydicom": pydicom,
}

if __name__ == "__main__":
    print(json.dumps(TASKS[sys.argv[1]](*sys.argv[2:])))
