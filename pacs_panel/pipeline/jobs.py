"""Running plain functions over many items: in this process, in worker processes, or on a cluster.

There is no queue or scheduler here: whoever outgrows one machine hands over an executor, e.g. a
``dask.distributed.Client``. What may kill its process, such as a codec that is given damaged data, is run in processes
of its own, and is reported like any other failure.
"""

from __future__ import annotations

import multiprocessing
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from itertools import chain, islice
from types import ModuleType
from typing import Any
from weakref import WeakKeyDictionary

from pacs_panel.errors import PacsPanelError

FEW = 3  # fewer items than this take less time than starting processes does
PRELOAD = ["pacs_panel.pipeline.read", "pacs_panel.volume.build"]
PRELOAD += ["numpy.ma", *(f"PIL.{kind}ImagePlugin" for kind in ("Bmp", "Gif", "Jpeg", "Ppm", "Png"))]  # when first used
CRASHED = "the decoder crashed"
EXPENDABLE = "pacs-panel worker"


class Crashed(PacsPanelError):
    """A worker process died."""


def run[Item, Result](
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int = 0,
    executor: Any = None,
    isolate: Callable[[Item], bool] = lambda _: False,
    crashed: Callable[[Item], Result] | None = None,
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
        Processes to start; with 1, or for fewer than `FEW` items, all that needs no isolation runs in the calling
        process; with 0 everything does.
    executor : concurrent.futures.Executor or dask.distributed.Client, optional
        Used instead; it is not shut down.
    isolate : callable
        Whether an item may kill the process that works on it, and so must not run in the calling one.
    crashed : callable, optional
        Result of an item that kills its process. When a process dies, all items that were under way are tried again,
        each in a process of its own, so only the one at fault gets this result; ``function`` must bear to be
        interrupted and called again. Without it a death ends the run.

    Raises
    ------
    Crashed
        A process died, and ``crashed`` was not given.
    """
    if executor is not None:
        pool = executor.get_executor() if hasattr(executor, "get_executor") else executor
        yield from _ahead(pool, function, items, 2 * max(2, workers), crashed)
        return
    items = iter(items)
    few = list(islice(items, FEW))
    with processes(max(1, workers)) as pool:
        if workers > 1 and len(few) == FEW:
            yield from _ahead(pool, function, chain(few, items), 2 * workers, crashed)
            return
        for item in chain(few, items):
            if workers and isolate(item):
                yield from _ahead(pool, function, [item], 1, crashed)
            else:
                yield item, function(item)


class Processes(Executor):
    """Worker processes that are safe to start beside threads, started when first wanted, and anew when one has died."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._pool: ProcessPoolExecutor | None = None
        self._owner: WeakKeyDictionary[Future[Any], ProcessPoolExecutor] = WeakKeyDictionary()

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """As any executor; after a process died, on new ones."""
        with _importable_main():
            try:
                future = self._started().submit(function, *args, **kwargs)
            except BrokenExecutor:
                self.shutdown()
                future = self._started().submit(function, *args, **kwargs)
        self._owner[future] = self._started()
        return future

    def bury(self, future: Future[Any]) -> None:
        """Wait until no process is left of those among which the one died that was to give this future's result."""
        if self._owner.get(future) is self._pool:
            self.shutdown()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the processes; `submit` starts others."""
        if self._pool is not None:
            self._pool.shutdown(wait, cancel_futures=cancel_futures)
        self._pool = None

    def _started(self) -> ProcessPoolExecutor:
        if self._pool is None:
            methods = multiprocessing.get_all_start_methods()
            context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
            if hasattr(context, "set_forkserver_preload"):
                context.set_forkserver_preload(PRELOAD)
            self._pool = ProcessPoolExecutor(self.workers, mp_context=context, initializer=_begin)
        return self._pool


def _begin() -> None:
    multiprocessing.current_process().name = EXPENDABLE


def expendable() -> bool:
    """Whether this is one of the `Processes`: when it ends, the call that it was at is answered for."""
    return multiprocessing.current_process().name == EXPENDABLE


@contextmanager
def processes(workers: int) -> Iterator[Processes]:
    """Worker processes while they are needed; work that has not begun is dropped on an error."""
    pool = Processes(workers)
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


def alone[Item, Result](function: Callable[[Item], Result], item: Item) -> Result:
    """``function(item)`` in a process of its own.

    Raises
    ------
    Crashed
        The process died; whatever else ``function`` raises is raised as it is.
    """
    with processes(1) as pool:
        try:
            return pool.submit(function, item).result()
        except BrokenExecutor:
            raise Crashed(CRASHED) from None


def _ahead[Item, Result](
    pool: Executor,
    function: Callable[[Item], Result],
    items: Iterable[Item],
    ahead: int,
    crashed: Callable[[Item], Result] | None,
) -> Iterator[tuple[Item, Result]]:
    waiting: deque[tuple[Item, Future[Result]]] = deque()
    for item in items:
        with _importable_main():
            waiting.append((item, pool.submit(function, item)))
        if len(waiting) >= ahead:
            first, future = waiting.popleft()
            yield first, _result(pool, function, first, future, crashed)
    while waiting:
        first, future = waiting.popleft()
        yield first, _result(pool, function, first, future, crashed)


def _result[Item, Result](
    pool: Executor,
    function: Callable[[Item], Result],
    item: Item,
    future: Future[Result],
    crashed: Callable[[Item], Result] | None,
) -> Result:
    try:
        return future.result()
    except Exception as error:
        killed = type(error).__name__ == "KilledWorker"  # dask's, after it has tried several times
        if not killed and not isinstance(error, BrokenExecutor):
            raise
        if killed and crashed is not None:
            return crashed(item)
        if crashed is None or not isinstance(pool, Processes):
            raise Crashed("a worker process died; the system's messages may say why") from error
        pool.bury(future)  # what its other processes were at is interrupted, before it is tried again
    try:
        return alone(function, item)
    except Crashed:
        return crashed(item)


@contextmanager
def _importable_main() -> Iterator[None]:
    """Keep new processes from running the user's script again: what they run is imported from this package by name."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
