from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from afray import __version__
from afray.contract.environment import Turn
from afray.contract.names import Stage
from afray.contract.progress import Failure, LabelsResult, SelectionResult, read_progress
from afray.driver.on_cluster.display import ClusterDisplay
from afray.driver.on_cluster.pace import WINDOW_SECONDS, Pace
from afray.driver.on_cluster.state import DriverState
from afray.driver.stages import Stages

START = datetime(2026, 3, 4, 12, tzinfo=UTC)


class Clock:
    """A clock that is moved by hand; both kinds of time."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def state(clock: Clock) -> DriverState:
    turn = Turn(stage=Stage.select, attempt=2, progress="welds-progress")
    return DriverState(turn, now=clock.now, seconds=clock.monotonic)


def test_a_driver_is_heard_of_before_it_has_done_anything(state: DriverState) -> None:
    said = state.payload()
    assert (said.task, said.attempt, said.epoch, said.stage) == (Stage.select, 2, 0, "start")
    assert said.afray_version == __version__
    assert said.advanced_at == said.heartbeat == START


def test_a_heartbeat_is_no_advance(state: DriverState, clock: Clock) -> None:
    state.enter("embed pool", 100, "rows")
    clock.seconds = 10
    state.move(40, None, "")
    clock.seconds = 500
    state.move(40, None, "")
    said = state.payload()
    assert (said.done, said.total) == (40, 100)
    assert (said.advanced_at, said.heartbeat) == (START + timedelta(seconds=10), START + timedelta(seconds=500))


def test_a_new_stage_is_an_advance_and_told_at_once(state: DriverState, clock: Clock) -> None:
    told: list[str] = []
    state.on_change = lambda: told.append(state.payload().stage)
    clock.seconds = 30
    state.enter("embed pool", 100, "rows")
    state.move(50, None, "")
    state.leave()
    state.enter("select", None, "steps")
    assert told == ["embed pool", "select"]
    assert state.payload().advanced_at == START + timedelta(seconds=30)


def test_a_stage_within_another_gives_its_place_back(state: DriverState) -> None:
    state.enter("select", None, "steps")
    state.move(3, 10, "core")
    state.enter("workers", 2, "pods")
    state.move(1, 2, "waiting for workers 1/2")
    assert (state.payload().stage, state.payload().step) == ("workers", "waiting for workers 1/2")
    state.leave()
    said = state.payload()
    assert (said.stage, said.step, said.done, said.total, said.unit) == ("select", "core", 3, 10, "steps")


def test_a_failure_is_told_with_the_stage_it_happened_in(state: DriverState) -> None:
    def fail() -> None:
        with Stages(ClusterDisplay(state)).stage("embed pool", total=100) as (bar, _):
            bar.update(12)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    state.own(4, "s3://plant/out/logs/driver-4.log")
    state.fail(Failure(exit_code=1, reason="RuntimeError", message="?", log_uri=state.log_uri))
    said = read_progress(state.payload().write())
    assert (said.stage, said.done, said.epoch) == ("embed pool", 12, 4)
    assert said.failure is not None
    assert said.failure.log_uri == "s3://plant/out/logs/driver-4.log"


def test_rate_and_eta_leave_out_what_was_found_finished(state: DriverState, clock: Clock) -> None:
    state.enter("embed pool", 1000, "rows")
    state.move(600, None, "")
    assert (state.payload().rate, state.payload().eta_seconds) == (None, None)
    clock.seconds = 20
    state.move(700, None, "")
    assert (state.payload().rate, state.payload().eta_seconds) == (5.0, 60)


def test_each_step_has_a_pace_of_its_own(state: DriverState, clock: Clock) -> None:
    state.enter("select", None, "steps")
    state.move(0, 300, "core")
    clock.seconds = 30
    state.move(300, 300, "core")
    state.move(0, 50, "assign")
    clock.seconds = 40
    state.move(10, 50, "assign")
    assert (state.payload().rate, state.payload().eta_seconds) == (1.0, 40)


def test_the_result_is_the_last_word(state: DriverState) -> None:
    state.enter("report", 2, "files")
    state.leave()
    result = SelectionResult(uri="s3://plant/out", digest="0" * 64, selected=20, pool_size=240)
    state.finish(result)
    said = state.payload()
    assert (said.stage, said.result, said.labels, said.finetune, said.failure) == ("finished", result, None, None, None)


def test_each_kind_of_result_has_its_place(state: DriverState) -> None:
    labels = LabelsResult(sha256="0" * 64, accepted=False, answered=1, asked=2, unknown=0, classes=1)
    state.finish(labels)
    assert (state.payload().labels, state.payload().result) == (labels, None)


def test_words_of_any_kind_fit_into_a_payload(state: DriverState) -> None:
    state.enter("embed\x1b[31m " + "x" * 100, None, "rows\n")
    state.move(1, None, "step\t" + "y" * 100)
    said = read_progress(state.payload().write())
    assert said.stage.startswith("embed [31m x")
    assert said.unit == "rows "


def test_a_pace_follows_the_last_minutes() -> None:
    pace = Pace()
    for second in range(0, 600, 5):
        pace.observe(second, second * 10)
    for second in range(600, 1000, 5):
        pace.observe(second, 6000 + second - 600)
    rate = pace.rate(1000, 6400)
    assert rate is not None
    assert 0.9 < rate < 1.1
    stuck = pace.rate(995 + WINDOW_SECONDS, 6400)
    assert stuck is not None
    assert stuck < rate


def test_an_eta_is_never_below_zero() -> None:
    pace = Pace()
    pace.observe(0, 0)
    assert pace.eta_seconds(10, 20, 10) == 0
    assert pace.eta_seconds(10, 20, None) is None
