"""Seconds, memory and tables: what all benchmarks share."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

MB = 1e6
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    what: str
    ours: str
    peer: str
    ratio: str = ""
    target: str = ""


@dataclass(frozen=True, slots=True)
class Scale:
    """How large a run is: ``full`` 1 is what the targets speak of."""

    quick: bool = False
    tiny: bool = False
    rounds: int = 3

    def of(self, full: int, quick: int, tiny: int) -> int:
        return tiny if self.tiny else quick if self.quick else full


@dataclass(frozen=True, slots=True)
class Done:
    """What `work` measured in a process of its own."""

    seconds: float
    told: dict[str, Any]
    peaks: tuple[float, ...]  # MB resident at most, of each process, the largest first

    @property
    def peak(self) -> float:
        return max(self.peaks, default=0.0)


def rates(what: str, ours: float, peer: float, unit: str, target: str = "") -> Row:
    """A line on rates, of which the higher is the better."""
    return Row(what, f"{ours:,.0f} {unit}", f"{peer:,.0f} {unit}", f"{ours / peer:.2f}", target)


def times(what: str, ours: float, peer: float, target: str = "") -> Row:
    """A line on seconds, of which the fewer are the better."""
    return Row(what, _duration(ours), _duration(peer), f"{ours / peer:.2f}", target)


def _duration(seconds: float) -> str:
    return f"{seconds:,.2f} s" if seconds >= 1 else f"{1000 * seconds:,.2f} ms"


def alternate(rounds: int, *runs: Callable[[int], Any]) -> list[list[Any]]:
    """Call each in turn, ``rounds`` times, so that whatever else the machine does befalls all of them."""
    found: list[list[Any]] = [[] for _ in runs]
    for number in range(rounds):
        for results, run in zip(found, runs, strict=True):
            results.append(run(number))
    return found


def middle(done: Sequence[Done]) -> float:
    """Median seconds."""
    return median(one.seconds for one in done)


def quantile(values: Sequence[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def timed(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


# -- processes ---------------------------------------------------------------------------------------------------------


def work(task: str, *arguments: object) -> Done:
    """Run a task of `tests.benchmarks.work` in a fresh process, and watch its memory and that of its children."""
    command = [sys.executable, "-m", "tests.benchmarks.work", task, *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    with watched(process.pid) as peaks:
        out, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"{task} failed")
    told = json.loads(out.splitlines()[-1])
    return Done(told.pop("seconds"), told, tuple(sorted((kb / 1000 for kb in peaks.values()), reverse=True)))


@contextmanager
def watched(root: int, every: float = 0.05) -> Iterator[dict[int, int]]:
    """Most resident kB of a process and of all that descend from it, as the kernel counts them, by process id."""
    peaks: dict[int, int] = {}
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(every):
            for pid in descendants(root):
                if kilobytes := high_water(pid):
                    peaks[pid] = kilobytes

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peaks
    finally:
        stop.set()
        thread.join()


def descendants(root: int) -> list[int]:
    """A process and all below it: a pool's workers are children of its fork server."""
    found = [root]
    for pid in found:
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            try:
                found += map(int, children.read_text().split())
            except OSError:
                continue
    return found


def high_water(pid: int) -> int:
    """kB; 0 where there is no such process, or no such system."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)


# -- the table ---------------------------------------------------------------------------------------------------------


def table(title: str, notes: str, rows: Sequence[Row]) -> str:
    """A section in Markdown."""
    lines = [
        f"## {title}",
        "",
        notes.strip(),
        "",
        "| what | ours | peer or limit | ratio | aim |",
        "|---|---|---|---|---|",
    ]
    lines += [f"| {row.what} | {row.ours} | {row.peer} | {row.ratio} | {row.target} |" for row in rows]
    return "\n".join(lines) + "\n"


def size_of(folder: Path, pattern: str = "**/*") -> int:
    return sum(path.stat().st_size for path in folder.glob(pattern) if path.is_file())


def sync() -> None:
    """Let what others wrote reach the disk before the next measurement begins."""
    os.sync()
