"""Running plain functions over many items: in this process, in worker processes, or on a cluster.

There is no queue or scheduler here: whoever outgrows one machine hands over an executor, e.g. a
``dask.distributed.Client``.
"""

from __future__ import annotations

import multiprocessing
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from itertools import chain, islice
from types import ModuleType
from typing import Any

FEW = 3  # fewer items than this take less time than starting processes does
PRELOAD = ["pacs_panel.pipeline.read", "pacs_panel.volume.build"]


def run[Item, Result](
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int = 0,
    executor: Any = None,
) -> Iterator[tuple[Item, Result]]:
    """Call ``function`` on every item; gives items with their results in order.

    At most two items a worker are under way, however many there are, so memory stays flat.

    Parameters
    ----------
    function : callable
        Importable by name, if it shall run elsewhere.
    items : iterable
        Pulled as workers become free.
    workers : int
        Processes to start; with 0 or 1, or for fewer than `FEW` items, everything runs in the calling process.
    executor : concurrent.futures.Executor or dask.distributed.Client, optional
        Used instead; it is not shut down.
    """
    if executor is not None:
        pool = executor.get_executor() if hasattr(executor, "get_executor") else executor
        yield from _ahead(pool, function, items, 2 * max(2, workers))
        return
    items = iter(items)
    few = list(islice(items, FEW))
    if workers <= 1 or len(few) < FEW:
        for item in chain(few, items):
            yield item, function(item)
    else:
        with processes(workers) as pool:
            yield from _ahead(pool, function, chain(few, items), 2 * workers)


@contextmanager
def processes(workers: int) -> Iterator[Executor]:
    """Worker processes that are safe to start beside threads; work that has not begun is dropped on an error."""
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    if hasattr(context, "set_forkserver_preload"):
        context.set_forkserver_preload(PRELOAD)
    pool = ProcessPoolExecutor(workers, mp_context=context)
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


def _ahead[Item, Result](
    pool: Executor, function: Callable[[Item], Result], items: Iterable[Item], ahead: int
) -> Iterator[tuple[Item, Result]]:
    waiting: deque[tuple[Item, Future[Result]]] = deque()
    for item in items:
        with _importable_main():
            waiting.append((item, pool.submit(function, item)))
        if len(waiting) >= ahead:
            first, future = waiting.popleft()
            yield first, future.result()
    while waiting:
        first, future = waiting.popleft()
        yield first, future.result()


@contextmanager
def _importable_main() -> Iterator[None]:
    """Keep new processes from running the user's script again: what they run is imported from this package by name."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
