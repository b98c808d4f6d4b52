"""A worker's pace is tried on rows, and a machine in no state to tell is told."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from helpers import synthetic

from afray.algorithms.clusters import BilafOptions
from afray.algorithms.effort import Effort, Size
from afray.runtime import pacing
from afray.runtime.worker import WorkerContext

ROWS = synthetic.make(300, 5, dim=16)


@pytest.mark.parametrize(
    ("rows", "size"),
    [
        (300, Size(rows=50_000, cores=250, budget=2500)),
        (300, Size(rows=300, cores=300, budget=300)),
        (300, Size(rows=10**6, cores=1, budget=10**6)),
        (2, Size(rows=100, cores=50, budget=100)),
    ],
)
@pytest.mark.parametrize("mode", ["paper", "released"])
def test_every_kind_of_work_is_tried_whatever_the_sizes(rows: int, size: Size, mode: str) -> None:
    options = BilafOptions(mode="released" if mode == "released" else "paper")
    pace = pacing.try_out(WorkerContext(), ROWS[:rows], size, options)
    untried = {name for name in Effort.__dataclass_fields__ if getattr(pace.seconds, name) <= 0}
    assert untried == {"trips", "pushed_alone"}  # the driver's to try, and as fast as those of workers
    assert pace.memory > 2**20


@contextmanager
def busy_processors() -> Iterator[None]:
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(3 * (os.cpu_count() or 1))]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def test_a_busy_machine_is_told() -> None:
    size = Size(rows=50_000, cores=250, budget=2500)
    with busy_processors():
        assert "busy" in pacing.try_out(WorkerContext(), ROWS, size, BilafOptions()).doubt


@pytest.mark.parametrize(
    ("walls", "cpus", "said"),
    [
        ([1.0, 1.1, 1.0], [1.0, 1.1, 1.0], ""),
        ([2.0, 2.1, 2.0], [1.0, 1.0, 1.0], "busy with something else for 51% of the time"),
        ([1.0, 1.2, 1.5], [1.0, 1.2, 1.5], "took 2.00 to 3.00 s: the machine is busy, or slows down"),
    ],
)
def test_times_are_doubted_where_somebody_else_takes_the_processor_or_turns_differ(
    walls: list[float], cpus: list[float], said: str
) -> None:
    doubt = pacing.judge({"a": walls, "b": walls}, {"a": cpus, "b": cpus})
    assert said in doubt
    assert bool(said) == bool(doubt)
