"""Memory of a build: large stacks beside a quarter of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.benchmarks.measure import Row, Scale, sync, work
from tests.benchmarks.series import write_ct, write_enhanced_mr

TITLE = "Memory"
NOTES = """
Most MB resident in the process that builds one stack, beside a stack of the same kind with a quarter of the images.
"""


def run(folder: Path, scale: Scale) -> list[Row]:
    slices, times = scale.of(1000, 400, 80), scale.of(100, 40, 8)
    size, side = scale.of(512, 512, 32), scale.of(256, 256, 32)
    cts = [_peak(folder, partial(write_ct, series=1, slices=n, size=size)) for n in (slices, slices // 4)]
    mrs = [_peak(folder, partial(write_enhanced_mr, times=n, slices=20, size=side)) for n in (times, times // 4)]
    return [
        _row(f"CT of {slices:,} slices of {size} × {size}", cts),
        _row(f"enhanced MR of {20 * times:,} frames of {side} × {side}", mrs),
    ]


def _peak(folder: Path, make: Callable[[Path], int]) -> float:
    source, archive = folder / "source", folder / "archive"
    make(source)
    work("ingest", archive, source, 0)
    sync()
    peak = work("build", archive, 0).peak
    shutil.rmtree(source)
    shutil.rmtree(archive)
    return peak


def _row(what: str, peaks: list[float]) -> Row:
    full, quarter = peaks
    return Row(what, f"{full:.0f} MB", f"{quarter:.0f} MB", f"{full / quarter:.2f}", "≤ 1.1")
