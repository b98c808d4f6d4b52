from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import ray

from afray.contract.metrics import RayMetric
from afray.errors import PoolError, Retryable
from afray.runtime.crew import ATTEMPTS, Crew, Task
from afray.runtime.meters import SilentMeter
from afray.runtime.nodes import await_pods
from afray.runtime.slots import Slot, WorkerGroup
from afray.runtime.worker import WorkerContext

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_cpus")]


class Losses(SilentMeter):
    """Remembers what the driver counts; workers get a silent one."""

    def __init__(self) -> None:
        self.counted: list[tuple[str, ...]] = []

    def __reduce__(self) -> tuple[type[SilentMeter], tuple[()]]:
        return SilentMeter, ()

    def count(self, counter: RayMetric, amount: float, **labels: str) -> None:
        assert amount == 1
        self.counted.append((counter.name, *labels.values()))


def square(_: WorkerContext, number: int) -> int:
    return number * number


def die_once(_: WorkerContext, mark: str, number: int) -> int:
    if number == 3 and not Path(mark).exists():
        Path(mark).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def always_die(_: WorkerContext) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def refuse(_: WorkerContext, number: int) -> int:
    if number == 1:
        raise PoolError(f"row {number} is wrong; mend it")
    return number


def hang_once(context: WorkerContext, mark: str) -> str:
    context.rows_done = 7
    if not Path(mark).exists():
        Path(mark).touch()
        time.sleep(60)
    return "done"


def sleep_once(_: WorkerContext, mark: str, seconds: float) -> str:
    if not Path(mark).exists():
        Path(mark).touch()
        time.sleep(seconds)
    return "done"


def advance(context: WorkerContext, steps: int) -> int:
    for step in range(steps):
        context.rows_done = step
        time.sleep(0.5)
    return steps


def move(context: WorkerContext, times: int) -> int:
    for _ in range(times):
        context.move()
        time.sleep(0.5)
    return times


def count_threads(context: WorkerContext) -> int:
    time.sleep(0.2)
    return context.threads


def count_calls(context: WorkerContext) -> list[int]:
    calls = context.once("calls", list[int])
    calls.append(1)
    return calls


def wait_until(happened: Callable[[], bool]) -> None:
    """Workers import this module, and know nothing of the helpers of other tests."""
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def numbered(function: object, count: int, *args: object) -> list[Task]:
    return [Task(name=f"task {n}", function=function, args=(*args, n)) for n in range(count)]  # type: ignore[arg-type]


def test_results_come_in_task_order_whoever_finishes_first() -> None:
    finished: list[int] = []
    with Crew([Slot()] * 2) as crew:
        results = crew.run(numbered(square, 20), on_done=lambda number, _: finished.append(number))
    assert results == [n * n for n in range(20)]
    assert sorted(finished) == list(range(20))


def test_a_task_whose_worker_dies_runs_again_on_a_new_one(tmp_path: Path) -> None:
    losses = Losses()
    with Crew([Slot()] * 2, meter=losses) as crew:
        before = crew.pids
        assert crew.run(numbered(die_once, 8, str(tmp_path / "mark"))) == list(range(8))
        assert crew.replaced == 1
        assert len(set(before) - set(crew.pids)) == 1
    assert losses.counted == [("afray_workers_lost_total", "died"), ("afray_tasks_repeated_total",)]


def test_a_worker_killed_from_outside_is_replaced_too(tmp_path: Path) -> None:
    with Crew([Slot()] * 2) as crew:
        victim = crew.pids[0]
        killer = threading.Timer(0.5, os.kill, (victim, signal.SIGKILL))
        killer.start()
        results = crew.run([Task(name="slow", function=advance, args=(4,)) for _ in range(2)])
        killer.join()
        assert results == [4, 4]
        assert victim not in crew.pids


def test_a_task_that_kills_every_worker_ends_the_run_with_its_name() -> None:
    with Crew([Slot()]) as crew, pytest.raises(Retryable, match=f"shard 12: {ATTEMPTS} workers in a row"):
        crew.run([Task(name="shard 12", function=always_die)])


def test_an_error_of_a_task_arrives_as_it_was_raised() -> None:
    losses = Losses()
    with Crew([Slot()] * 2, meter=losses) as crew:
        with pytest.raises(PoolError, match="row 1 is wrong; mend it"):
            crew.run(numbered(refuse, 4))
        assert crew.run(numbered(square, 3)) == [0, 1, 4]
    assert losses.counted == [], "who is replaced lest he go on is not lost"


def test_a_lease_without_progress_is_taken_back(tmp_path: Path) -> None:
    losses = Losses()
    with Crew([Slot()], lease_seconds=2.0, meter=losses) as crew:
        task = Task(name="shard 0", function=hang_once, args=(str(tmp_path / "mark"),), is_leased=True)
        assert crew.run([task]) == ["done"]
        assert crew.replaced == 1
    assert losses.counted == [("afray_workers_lost_total", "stalled"), ("afray_tasks_repeated_total",)]


def test_a_lease_may_last_longer_than_its_limit_with_progress_by_rows_or_by_moves_smaller_than_a_row() -> None:
    seen: list[int] = []
    with Crew([Slot()] * 2, lease_seconds=3.0) as crew:
        tasks = [Task(name=f"{step}", function=step, args=(16,), is_leased=True) for step in (advance, move)]
        assert crew.run(tasks, on_rows=seen.append) == [16, 16]
        assert crew.replaced == 0
    assert max(seen) > 0


def test_a_stopped_worker_loses_its_lease_and_its_life_and_another_goes_on() -> None:
    stopped: list[int] = []
    with Crew([Slot()] * 2, lease_seconds=3.0) as crew:
        pids = crew.pids

        def stop_one(rows: int) -> None:
            if rows and not stopped:
                stopped.append(next(pid for pid, seat in zip(pids, crew.seats, strict=True) if seat.pulse))
                os.kill(stopped[0], signal.SIGSTOP)

        tasks = [Task(name=f"shard {n}", function=advance, args=(5,), is_leased=True) for n in range(3)]
        assert crew.run(tasks, on_rows=stop_one) == [5] * 3
        assert crew.replaced == 1
        wait_until(lambda: not Path(f"/proc/{stopped[0]}").exists())


def test_a_worker_that_is_stopped_before_it_showed_anything_is_found_as_soon(tmp_path: Path) -> None:
    mark = tmp_path / "mark"

    def stop(pid: int) -> None:
        wait_until(mark.exists)
        os.kill(pid, signal.SIGSTOP)

    with Crew([Slot()], lease_seconds=3.0) as crew:
        stopper = threading.Thread(target=stop, args=(crew.pids[0],))
        stopper.start()
        task = Task(name="shard 0", function=sleep_once, args=(str(mark), 30), is_leased=True)
        assert crew.run([task]) == ["done"]
        stopper.join()
        assert crew.replaced == 1


def test_a_worker_that_loads_its_model_longer_than_its_lease_is_left_alone(tmp_path: Path) -> None:
    with Crew([Slot()], lease_seconds=2.0) as crew:
        task = Task(name="shard 0", function=sleep_once, args=(str(tmp_path / "mark"), 4), is_leased=True)
        assert crew.run([task]) == ["done"]
        assert crew.replaced == 0


def test_a_worker_knows_how_many_threads_are_its_own() -> None:
    with Crew([Slot(cpus=2), Slot(cpus=0.5)]) as crew:
        threads = crew.run([Task(name="count", function=count_threads) for _ in range(6)])
    assert set(threads) == {1, 2}


def test_a_crew_that_could_not_be_made_yet_is_let_go_of_without_a_word() -> None:
    with pytest.raises(PoolError), Crew([Slot(group="nowhere")] * 2):
        raise PoolError("what matters")


def test_pods_that_do_not_come_are_told_by_their_group() -> None:
    heard: list[int] = []
    group = WorkerGroup(name="nowhere", pods=2, slot=Slot(group="nowhere"), slots_per_pod=1, trainer=Slot())
    with pytest.raises(Retryable, match=r"after 1 s 0 of 2 pods have joined Ray; missing: 2 of group nowhere"):
        await_pods([group], patience_seconds=1, tell=heard.append)
    assert set(heard) == {0}


def test_what_is_expensive_to_make_is_made_once_per_worker() -> None:
    with Crew([Slot()]) as crew:
        assert crew.run([Task(name="count", function=count_calls) for _ in range(3)]) == [[1], [1, 1], [1, 1, 1]]


def test_kept_results_stay_in_the_object_store() -> None:
    with Crew([Slot()]) as crew:
        (reference,) = crew.run([Task(name="square", function=square, args=(5,))], keep=True)
        assert isinstance(reference, ray.ObjectRef)
        assert ray.get(reference) == 25
