"""Work on an archive in a process of its own, which a fault may kill."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from pacs_panel.archive import open_archive
from pacs_panel.pipeline.jobs import PRELOAD, Crashed
from pacs_panel.settings import Settings

BROKEN = 77  # exit code where a worker process died


def start(target: Callable[..., None], *args: Any) -> BaseProcess:
    """Start a process, quickly: everything is imported already where it comes from."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*PRELOAD, "pacs_panel.archive", __name__])
    process = context.Process(target=target, args=args)
    process.start()
    return process


def ended(process: BaseProcess) -> int | None:
    """Exit code of a process, when it is there; minus the signal that killed it."""
    process.join(100)
    return process.exitcode


def take_in(archive: Path, folder: Path, workers: int = 0, fault: str = "", build: bool = True) -> None:
    """Import a folder in batches of three."""
    settings = Settings(workers=workers, batch=3, fault=fault)
    with open_archive(archive, settings=settings) as opened:
        try:
            opened.ingest(folder, build=build)
        except Crashed:
            raise SystemExit(BROKEN) from None


def take_in_together(archive: Path, folder: Path, workers: int, barrier: Any, counts: Any) -> None:
    """Import a folder when others are ready, too; report what was accepted, and what was a duplicate."""
    barrier.wait()
    with open_archive(archive, settings=Settings(workers=workers, batch=3)) as opened:
        report = opened.ingest(folder, build=False)
    counts.put((report.accepted, report.duplicates))


def remove(archive: Path, key: str, fault: str) -> None:
    """Put a series into the trash."""
    with open_archive(archive, settings=Settings(workers=0, fault=fault)) as opened:
        opened.remove(key)


def empty_trash(archive: Path, fault: str) -> None:
    """Remove for good what is in the trash."""
    with open_archive(archive, settings=Settings(workers=0, fault=fault)) as opened:
        opened.empty_trash()
