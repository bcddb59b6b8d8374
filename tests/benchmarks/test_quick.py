"""That each benchmark works, at tiny sizes; how long anything takes is not a test's business."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path

import pytest

from tests.benchmarks.__main__ import NAMES
from tests.benchmarks.measure import Row, Scale, descendants, high_water, rates, table, times

TINY = Scale(tiny=True, rounds=1)
LINES = {"import": 5, "headers": 5, "build": 5, "decode": 3, "memory": 2, "slices": 6, "viewer": 3, "overlay": 2}
LINES |= {"scale": 7, "catalog": 8, "dicomweb": 9, "receive": 7}
SLOW = (
    "import",
    "headers",
    "build",
    "decode",
    "memory",
    "viewer",
    "overlay",
    "scale",
    "catalog",
    "dicomweb",
    "receive",
)
MARKS = {name: [pytest.mark.slow] + [pytest.mark.browser] * (name in ("overlay", "scale", "viewer")) for name in SLOW}
MARKS["dicomweb"] += [pytest.mark.peer("Orthanc")]
MARKS["receive"] += [pytest.mark.peer("Orthanc", "storescp", "storescu")]


@pytest.mark.parametrize("name", [pytest.param(name, marks=MARKS.get(name, ())) for name in NAMES])
def test_each_benchmark_measures_us_and_a_peer(tmp_path: Path, name: str) -> None:
    module = import_module(f"tests.benchmarks.{NAMES[name]}")
    rows = module.run(tmp_path, TINY)
    assert len(rows) == LINES[name]
    assert all(row.ours and (row.ratio or not row.peer) for row in rows)
    assert not [path for path in tmp_path.rglob("*") if path.name in ("copy", "nifti", "built")]


def test_ratios_are_ours_to_the_peers() -> None:
    assert rates("read", 30.0, 20.0, "files/s", "≥ 1") == Row("read", "30 files/s", "20 files/s", "1.50", "≥ 1")
    assert times("read", 2.0, 0.5) == Row("read", "2.00 s", "500.00 ms", "4.00")


def test_a_table_is_markdown() -> None:
    last = table("Title", "Notes.", [Row("what", "1", "2", "0.50", "≤ 1")]).splitlines()[-1]
    assert last == "| what | 1 | 2 | 0.50 | ≤ 1 |"


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the kernel tells of memory on Linux only")
def test_memory_is_the_kernels_own_count() -> None:
    assert os.getpid() in descendants(os.getpid())
    assert high_water(os.getpid()) > 10_000
    assert high_water(2**31 - 1) == 0
