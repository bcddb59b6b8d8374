"""Build: CT series to published revisions, beside dcm2niix on the same files."""

from __future__ import annotations

import shutil
import subprocess
from functools import partial
from pathlib import Path
from statistics import median

import dcm2niix

from tests.benchmarks.measure import MB, Done, Row, Scale, alternate, middle, rates, size_of, sync, timed, work
from tests.benchmarks.series import write_ct

TITLE = "Build"
NOTES = """
From an archive of kept originals to published revisions: the volume in OME-Zarr, its coarser levels, passport,
thumbnail and manifest, made durable; two processes, whose start is a line of its own. dcm2niix reads the files that
were imported, one call for all series, and makes nothing durable; `-z n` writes plain NIfTI, `-z y` the compressed one.
"""


def run(folder: Path, scale: Scale) -> list[Row]:
    series, slices = scale.of(10, 4, 2), scale.of(200, 100, 5)
    source, kept = folder / "source", folder / "kept"
    size = write_ct(source, series, slices, scale.of(512, 512, 32)) / MB
    work("ingest", kept, source)
    sync()
    sizes: dict[str, int] = {}
    runs = [partial(build, kept, sizes), partial(convert, source, "n", sizes), partial(convert, source, "y", sizes)]
    ours, plain, packed = alternate(scale.rounds, *runs)
    rate, peak = size / middle(ours), max(one.peak for one in ours)
    what = f"{series} CT series of {slices} slices, {size:,.0f} MB"
    return [
        rates(f"{what}, beside dcm2niix `-z n`", rate, size / median(plain), "MB/s", "≥ 0.6"),
        rates(f"{what}, beside dcm2niix `-z y`", rate, size / median(packed), "MB/s", "≥ 6"),
        Row(
            "level 0 on disk, beside the files of `-z y`",
            f"{sizes['level 0'] / MB:,.1f} MB",
            f"{sizes['y'] / MB:,.1f} MB",
            f"{sizes['level 0'] / sizes['y']:.2f}",
            "≤ 1",
        ),
        Row("most MB resident a process", f"{peak:.0f} MB", "350 MB", f"{peak / 350:.2f}", "≤ 1"),
        Row("start of the workers, once a process", f"{median(one.told['begun'] for one in ours):.2f} s", ""),
    ]


def build(kept: Path, sizes: dict[str, int], number: int) -> Done:
    """A copy of the archive is built each time, since what is built is not built again."""
    archive = kept.with_name("built")
    shutil.copytree(kept, archive)
    sync()
    done = work("build", archive)
    sizes["level 0"] = size_of(archive, "volumes/*/*/*/*/scale0/**/*")
    shutil.rmtree(archive)
    return done


def convert(source: Path, packing: str, sizes: dict[str, int], number: int) -> float:
    """Seconds that dcm2niix takes; what it wrote is measured and removed."""
    target = source.with_name("nifti")
    target.mkdir()
    command = [dcm2niix.bin, "-z", packing, "-b", "n", "-f", "%j", "-o", str(target), str(source)]
    seconds = timed(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL))
    sizes[packing] = size_of(target)
    shutil.rmtree(target)
    sync()
    return seconds
