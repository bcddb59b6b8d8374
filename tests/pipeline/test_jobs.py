"""A process that dies takes nothing with it but the item that killed it."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from pacs_panel.pipeline import jobs
from tests.pipeline.crashing import Task, die_beside_others, square_or_die

pytestmark = pytest.mark.timeout(60)


def crashed(task: Task) -> tuple[int, int]:
    return -task[0], 0


def tasks(count: int, dying: set[int], ballast: int = 0) -> list[Task]:
    return [(n, "die" if n in dying else "square", bytes(ballast)) for n in range(1, count + 1)]


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("dying", [{1}, {4}, {7}, {3, 4}, {1, 2, 3, 4, 5, 6, 7}], ids=str)
def test_only_the_item_at_fault_fails(dying: set[int], workers: int) -> None:
    given = tasks(7, dying, 200_000)  # more than a pipe holds
    found = list(jobs.run(square_or_die, given, workers=workers, isolate=lambda _: True, crashed=crashed))
    assert [task[0] for task, _ in found] == list(range(1, 8))
    assert [result[0] for _, result in found] == [-n if n in dying else n * n for n in range(1, 8)]
    assert os.getpid() not in {result[1] for _, result in found}


@pytest.mark.parametrize("count", [1, 2])
def test_few_items_are_isolated_too(count: int) -> None:
    found = list(jobs.run(square_or_die, tasks(count, {1}), workers=2, isolate=lambda _: True, crashed=crashed))
    assert [result[0] for _, result in found] == [-1, 4][:count]


def test_few_items_without_danger_stay_here() -> None:
    given = [(1, "square", b""), (2, "die", b"")]
    found = list(jobs.run(square_or_die, given, workers=2, isolate=lambda task: task[1] == "die", crashed=crashed))
    assert [result for _, result in found] == [(1, os.getpid()), (-2, 0)]


def test_no_workers_means_here() -> None:
    found = list(jobs.run(square_or_die, tasks(4, set()), workers=0, isolate=lambda _: True, crashed=crashed))
    assert {result[1] for _, result in found} == {os.getpid()}


def test_errors_of_the_function_are_raised_as_they_are() -> None:
    given = [*tasks(3, {2}), (9, "fail", b"")]
    with pytest.raises(ValueError, match="9 cannot be squared"):
        list(jobs.run(square_or_die, given, workers=2, crashed=crashed))


def test_a_death_that_nobody_answers_for_is_an_error() -> None:
    with pytest.raises(jobs.Crashed, match="a worker process died"):
        list(jobs.run(square_or_die, tasks(4, {2}), workers=2))


def test_what_was_under_way_beside_a_death_is_called_again(tmp_path: Path) -> None:
    given = [(tmp_path, n) for n in range(6)]
    found = [result for _, result in jobs.run(die_beside_others, given, workers=2, crashed=lambda task: -1)]
    assert found == list(range(6))
    assert (tmp_path / "0.txt").read_text() == "xx"


def test_one_call_alone() -> None:
    assert jobs.alone(square_or_die, (5, "square", b""))[0] == 25
    with pytest.raises(jobs.Crashed, match=jobs.CRASHED):
        jobs.alone(square_or_die, (5, "die", b""))
    with pytest.raises(ValueError, match="cannot"):
        jobs.alone(square_or_die, (5, "fail", b""))


def test_an_executor_of_the_callers_own_is_not_shut_down() -> None:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("forkserver")) as pool:
        found = [result[0] for _, result in jobs.run(square_or_die, tasks(3, set()), executor=pool, crashed=crashed)]
        assert found == [1, 4, 9]
        assert pool.submit(square_or_die, (6, "square", b"")).result()[0] == 36
        with pytest.raises(jobs.Crashed):
            list(jobs.run(square_or_die, tasks(3, {1}), executor=pool, crashed=crashed))


def test_leaving_early_ends_the_processes() -> None:
    results = jobs.run(square_or_die, tasks(50, set()), workers=2)
    first = next(results)[1]
    assert first[0] == 1
    results.close()
