"""Import: small files beside pydicom's reading of their headers, CT files beside a copy, and memory."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

from pacs_panel.testing import write_small_files
from tests.benchmarks.measure import MB, Done, Row, Scale, alternate, middle, rates, sync, timed, times, work
from tests.benchmarks.series import write_ct

TITLE = "Import"
NOTES = """
Archive on the same disk as the source, two processes, whose start is a line of its own; copied, made durable (fsync)
and indexed. pydicom: `dcmread(stop_before_pixels=True)` and the attributes that the index holds, two processes. Sources
are in the page cache for everyone. The limit of an import is the disk, so its peer is `cp -r` and a `sync` of what it
wrote. `cp -r` alone ends while most of that is still in memory: quicker than the disk, so out of reach for whatever is
durable when it ends. Unlike `cp`, an import computes two SHA-256 digests of every byte (of the file, and of its data
set); with two processors these and the disk take about as long.
"""


def run(folder: Path, scale: Scale) -> list[Row]:
    return [*_small(folder / "small", scale), *_large(folder / "large", scale)]


def _small(folder: Path, scale: Scale) -> list[Row]:
    files, series = scale.of(20_000, 4_000, 40), scale.of(400, 80, 4)
    write_small_files(folder / "all", files, series)
    write_small_files(folder / "quarter", files // 4, series)
    sync()
    ours, peer = alternate(scale.rounds, _ingest(folder / "all"), partial(_pydicom, folder / "all"))
    quarter = _ingest(folder / "quarter")(0)
    shutil.rmtree(folder)
    memory = max(one.peak for one in ours)
    return [
        rates(f"{files:,} small files", files / middle(ours), files / middle(peer), "files/s", "≥ 0.8"),
        Row(
            "most MB resident a process, beside a quarter of the files",
            f"{memory:.0f} MB",
            f"{quarter.peak:.0f} MB",
            f"{memory / quarter.peak:.2f}",
            "about 1",
        ),
        Row("start of the workers, once a process", f"{median(one.told['begun'] for one in ours):.2f} s", ""),
    ]


def _large(folder: Path, scale: Scale) -> list[Row]:
    series, slices = scale.of(10, 4, 1), scale.of(200, 100, 5)
    size = write_ct(folder / "all", series, slices, scale.of(512, 512, 32))
    sync()
    copies = (partial(copy, folder / "all", False), partial(copy, folder / "all", True))
    ours, copied, durable = alternate(scale.rounds, _ingest(folder / "all"), *copies)
    shutil.rmtree(folder)
    what = f"{series * slices:,} CT files, {size / MB:,.0f} MB"
    return [
        times(f"{what}, beside `cp -r` and sync", middle(ours), median(durable), "≤ 1.5"),
        times(f"{what}, beside `cp -r` alone", middle(ours), median(copied)),
    ]


def _ingest(source: Path) -> Callable[[int], Done]:
    def once(number: int) -> Done:
        archive = source.parent / "archive"
        done = work("ingest", archive, source)
        shutil.rmtree(archive)
        sync()
        return done

    return once


def _pydicom(source: Path, number: int) -> Done:
    return work("pydicom", source)


def copy(source: Path, durable: bool, number: int) -> float:
    """Seconds that ``cp -r`` takes, with or without a sync of what it wrote."""
    target = source.parent / "copy"
    command = f"cp -r '{source}' '{target}'" + (f" && sync -f '{target}'" if durable else "")
    seconds = timed(lambda: subprocess.run(["sh", "-c", command], check=True))
    shutil.rmtree(target)
    sync()
    return seconds
