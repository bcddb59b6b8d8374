"""Tasks that run in a process of their own: ``python -m tests.benchmarks.work <task> <arguments>``.

Each prints how long it took, as JSON. What a process needs once to start, and to start the server from which its
workers are forked, is told apart.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
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


def ingest(archive: str, source: str, workers: str = str(WORKERS)) -> dict[str, Any]:
    """Import a folder, with copies, without building; with 0 workers in this process."""
    from pacs_panel import open_archive
    from pacs_panel.settings import Settings

    with open_archive(archive, settings=Settings(workers=int(workers))) as opened:
        begun = _begin(int(workers))
        start = time.perf_counter()
        report = opened.ingest(source, build=False)
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


def pydicom(source: str) -> dict[str, Any]:
    """Read the attributes that the index holds, with pydicom alone."""
    import pydicom as imported

    paths = [path for path in Path(source).rglob("*") if path.is_file()]
    assert imported.__version__
    start = time.perf_counter()
    with ProcessPoolExecutor(WORKERS) as pool:
        count = sum(pool.map(_read, batched(paths, 250)))
    return {"seconds": time.perf_counter() - start, "read": count}


def _read(paths: Sequence[Path]) -> int:
    from pydicom import dcmread

    from pacs_panel.dicom.header import COLUMN_KEYWORDS

    for path in paths:
        dataset = dcmread(path, stop_before_pixels=True)
        for keyword in COLUMN_KEYWORDS:
            getattr(dataset, keyword, None)
    return len(paths)


TASKS: dict[str, Callable[..., dict[str, Any]]] = {"ingest": ingest, "build": build, "pydicom": pydicom}

if __name__ == "__main__":
    print(json.dumps(TASKS[sys.argv[1]](*sys.argv[2:])))
