"""What a driver counts of its stages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from helpers import jobs
from helpers.jobs import RecordingDisplay
from helpers.meters import RecordingMeter

from afray.contract.metrics import FUNNEL_ROWS, STAGE_ITERATIONS, STAGE_ROWS, STAGE_SECONDS
from afray.driver.embedding import index_pool
from afray.driver.jobs import NO_LABELS
from afray.driver.metering import MeteredBar, meter_funnel
from afray.driver.pipeline import embed
from afray.driver.progress import Bar, StageTime
from afray.driver.stages import Stages
from afray.driver.workspace import RunSettings, Workspace
from afray.pool.listing import open_pool
from afray.runtime.crew import Task
from afray.runtime.worker import WorkerContext
from afray.storage.reading import NoFence
from afray.storage.store import Store


class Clock:
    """A clock that is moved by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def meter() -> RecordingMeter:
    return RecordingMeter()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@contextmanager
def bar(
    meter: RecordingMeter, clock: Clock, stage: str, unit: str, *, found: int = 0, resumed: bool = False
) -> Iterator[Bar]:
    with (
        RecordingDisplay().bar(stage, None, unit) as shown,
        MeteredBar(shown, meter, StageTime(name=stage, resumed=resumed), unit=unit, found=found, seconds=clock) as made,
    ):
        yield made


def test_a_stage_counts_its_rows_and_its_time(meter: RecordingMeter, clock: Clock) -> None:
    with bar(meter, clock, "embed pool", "rows") as made:
        clock.now = 3
        made.update(40, 100)
        assert meter.of(STAGE_ROWS) == {("embed pool", ""): 40}
        clock.now = 3.5
        made.update(60)
        assert meter.of(STAGE_ROWS) == {("embed pool", ""): 40}, "told once a second at most"
        made.update(100)
        clock.now = 5
    assert meter.of(STAGE_ROWS) == {("embed pool", ""): 100}
    assert meter.of(STAGE_SECONDS) == {("embed pool",): 5}


def test_rows_that_a_lost_worker_had_done_are_counted_once(meter: RecordingMeter, clock: Clock) -> None:
    with bar(meter, clock, "embed pool", "rows") as made:
        for done in (30, 10, 30, 50):
            made.update(done)
    assert meter.of(STAGE_ROWS) == {("embed pool", ""): 50}


def test_what_an_earlier_run_did_is_not_counted(meter: RecordingMeter, clock: Clock) -> None:
    with bar(meter, clock, "embed pool", "rows", found=70) as made:
        made.update(100)
    with bar(meter, clock, "finetune", "epochs", resumed=True) as made:
        made.update(10, 10)
    assert meter.of(STAGE_ROWS) == {("embed pool", ""): 30}
    assert meter.of(STAGE_ITERATIONS) == {}


def test_steps_of_a_selection_are_iterations_or_rows_and_nothing_else_is_counted(
    meter: RecordingMeter, clock: Clock
) -> None:
    with bar(meter, clock, "select", "steps") as made:
        for done, step in ((1, "core"), (20, "core"), (0, "assign"), (240, "assign"), (240, "select"), (1, "")):
            made.update(done, None, step)
    with bar(meter, clock, "workers", "pods") as made:
        made.update(1, 2, "waiting for workers 1/2")
    assert meter.of(STAGE_ITERATIONS) == {("select", "core"): 20}
    assert meter.of(STAGE_ROWS) == {("select", "assign"): 240, ("select", "select"): 240}


def test_what_a_stage_did_before_it_failed_is_counted(meter: RecordingMeter) -> None:
    def fail_halfway() -> None:
        with Stages(RecordingDisplay(), meter=meter).stage("embed pool", total=100, found=20) as (made, _):
            made.update(50)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_halfway()
    assert meter.of(STAGE_ROWS) == {("embed pool", ""): 30}
    assert meter.of(STAGE_SECONDS)["embed pool",] > 0


def test_an_index_is_counted_by_the_run_that_makes_it(meter: RecordingMeter, tmp_path: Path) -> None:
    jobs.write_images(tmp_path / "pool", 7)
    job = jobs.parse(jobs.images_manifest(tmp_path / "pool", tmp_path / "out"))
    stages, output = Stages(RecordingDisplay(), meter=meter), Store.open(str(tmp_path / "out"))
    with ExitStack() as exits:
        workspace = Workspace(job, RunSettings(), output, NoFence(), stages, exits)
        for _ in range(2):
            index_pool(workspace, job.spec.pool, open_pool(job.spec.pool), "pool")
    assert meter.of(STAGE_ROWS) == {("index pool", ""): 7}
    assert [time.resumed for time in stages.times] == [False, True]


class CrewHere:
    """Does the tasks of a crew in this process."""

    def run(self, tasks: list[Task], *, on_done: Callable[[int, object], None], **_: object) -> None:
        for number, task in enumerate(tasks):
            on_done(number, task.function(WorkerContext(), *task.args))


def test_parts_that_an_earlier_run_finished_are_not_counted_and_the_funnel_counts_them(tmp_path: Path) -> None:
    job = jobs.parse(jobs.embeddings_manifest(jobs.write_embeddings(tmp_path / "pool"), tmp_path / "out"))
    for expected in (jobs.VECTORS, 100, 0):
        meter, output = RecordingMeter(), Store.open(str(tmp_path / "out"))
        with ExitStack() as exits:
            stages = Stages(RecordingDisplay(), meter=meter)
            workspace = Workspace(job, RunSettings(workers=1), output, NoFence(), stages, exits)
            vars(workspace)["crew"] = CrewHere()
            embed(workspace, None, NO_LABELS)
        assert meter.of(STAGE_ROWS).get(("embed pool", ""), 0) == expected
        assert meter.of(FUNNEL_ROWS) == {(state,): jobs.VECTORS for state in ("listed", "readable", "unique")}
        if expected == jobs.VECTORS:
            next((tmp_path / "out" / "embeddings").rglob("00003.ok")).unlink()


def test_the_display_is_told_as_before(meter: RecordingMeter) -> None:
    seen: list[tuple[int, int | None, str]] = []

    class Shown:
        def update(self, done: int, total: int | None = None, step: str = "") -> None:
            seen.append((done, total, step))

    with MeteredBar(Shown(), meter, StageTime(name="select"), unit="steps", found=3) as made:
        made.update(4, 20, "core")
    assert seen == [(3, None, ""), (4, 20, "core")]


def test_the_funnel_is_counted_state_by_state(meter: RecordingMeter) -> None:
    meter_funnel(meter, listed=246, readable=243)
    assert meter.of(FUNNEL_ROWS) == {("listed",): 246, ("readable",): 243}
