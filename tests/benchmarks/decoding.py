"""Decode: compressed CT series to published revisions, beside dcm2niix on the same files."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from statistics import median

from tests.benchmarks.building import build, convert
from tests.benchmarks.measure import MB, Row, Scale, alternate, middle, rates, sync, work
from tests.benchmarks.series import write_ct
from tests.pixels import encoding

TITLE = "Decode"
NOTES = """
As above, of losslessly compressed files; the rates are of decoded pixels. A series is built in a process of its own,
which a damaged file may end, two at a time, and its start counts. dcm2niix (`-z n`) has one thread.
"""
SYNTAXES = {"JPEG-LS": encoding.JPEG_LS, "JPEG 2000": encoding.J2K, "JPEG lossless": encoding.LOSSLESS_1}


def run(folder: Path, scale: Scale) -> list[Row]:
    return [_row(folder / syntax, name, syntax, scale) for name, syntax in SYNTAXES.items()]


def _row(folder: Path, name: str, syntax: str, scale: Scale) -> Row:
    series, slices = scale.of(4, 3, 1), scale.of(100, 40, 3)
    source, kept = folder / "source", folder / "kept"
    coding = (syntax, encoding.ENCODERS[syntax])
    size = write_ct(source, series, slices, scale.of(512, 512, 32), coding) / MB
    work("ingest", kept, source, 0)
    sync()
    ours, peer = alternate(scale.rounds, partial(build, kept, {}), partial(convert, source, "n", {}))
    shutil.rmtree(folder)
    what = f"{name}: {series} CT series of {slices} slices, {size:,.0f} MB"
    return rates(what, size / middle(ours), size / median(peer), "MB/s", "≥ 1.5")
