from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import pytest

from afray.contract.environment import Turn
from afray.contract.names import Stage
from afray.contract.progress import ProgressPayload, SelectionResult, read_progress
from afray.driver.on_cluster import writer as writers
from afray.driver.on_cluster.state import DriverState
from afray.driver.on_cluster.writer import ProgressWriter

RESULT = SelectionResult(uri="s3://plant/out", digest="0" * 64, selected=20, pool_size=240)


class Sink:
    """Remembers what was written, and refuses while it is told to."""

    def __init__(self) -> None:
        self.attempts: list[float] = []
        self.heard: list[ProgressPayload] = []
        self.is_down = False
        self.hangs = threading.Event()
        self.hangs.set()

    def write(self, text: str) -> None:
        self.attempts.append(time.monotonic())
        self.hangs.wait()
        if self.is_down:
            raise ConnectionError("connection refused")
        self.heard.append(read_progress(text))


@pytest.fixture
def state() -> DriverState:
    return DriverState(Turn(stage=Stage.select, attempt=1, progress="welds-progress"))


@pytest.fixture
def sink() -> Sink:
    return Sink()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Times a hundredth of what they are."""
    for name in ("APART_SECONDS", "FIRST_PAUSE", "LONGEST_PAUSE", "LAST_PAUSE", "LAST_WORD_SECONDS"):
        monkeypatch.setattr(writers, name, getattr(writers, name) / 100)


def wait_until(happened: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_the_first_word_is_said_at_once_and_the_last_is_the_result(state: DriverState, sink: Sink) -> None:
    with ProgressWriter(state, sink):
        wait_until(lambda: sink.heard)
        state.finish(RESULT)
    assert sink.heard[0].stage == "start"
    assert sink.heard[-1].result == RESULT
    assert len(sink.heard) <= 3


def test_progress_within_a_stage_is_told_seldom_and_a_new_stage_at_once(state: DriverState, sink: Sink) -> None:
    with ProgressWriter(state, sink, every=60):
        wait_until(lambda: sink.heard)
        state.enter("embed pool", 1000, "rows")
        wait_until(lambda: sink.heard[-1].stage == "embed pool")
        count = len(sink.heard)
        for done in range(200):
            state.move(done, None, "")
            time.sleep(0.001)
        assert len(sink.heard) == count
        state.enter("select", None, "steps")
        wait_until(lambda: sink.heard[-1].stage == "select")
        writer_is_silent = len(sink.heard) == count + 1
    assert writer_is_silent


def test_the_heart_beats_without_progress(state: DriverState, sink: Sink) -> None:
    with ProgressWriter(state, sink, every=0.05):
        wait_until(lambda: len(sink.heard) >= 4)
    assert {said.advanced_at for said in sink.heard} == {sink.heard[0].advanced_at}


def test_a_failed_write_is_tried_again_with_growing_pauses_and_the_latest_state(
    state: DriverState, sink: Sink, caplog: pytest.LogCaptureFixture
) -> None:
    sink.is_down = True
    with caplog.at_level(logging.INFO, "afray"), ProgressWriter(state, sink):
        wait_until(lambda: len(sink.attempts) >= 6)
        state.enter("embed pool", 1000, "rows")
        state.move(7, None, "")
        sink.is_down = False
        wait_until(lambda: sink.heard)
    assert (sink.heard[0].stage, sink.heard[0].done) == ("embed pool", 7)
    pauses = [after - before for before, after in zip(sink.attempts[:5], sink.attempts[1:6], strict=True)]
    assert pauses[-1] > 2 * pauses[0]
    said = [record.getMessage() for record in caplog.records if record.name.endswith("writer")]
    assert said[0] == "progress is not written, the work goes on: ConnectionError: connection refused"
    assert said[1].startswith("progress is written again")
    assert len(said) == 2


def test_a_server_that_is_down_at_the_end_gets_the_last_word_when_it_is_back(state: DriverState, sink: Sink) -> None:
    sink.is_down = True
    back = threading.Timer(0.2, lambda: setattr(sink, "is_down", False))
    with ProgressWriter(state, sink):
        wait_until(lambda: sink.attempts)
        back.start()
        state.finish(RESULT)
    back.join()
    assert [said.result for said in sink.heard] == [RESULT]


@pytest.mark.parametrize("kind", ["refuses", "hangs"])
def test_a_server_that_stays_down_does_not_hold_the_driver_for_ever(
    state: DriverState, sink: Sink, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    sink.is_down = True
    if kind == "hangs":
        sink.hangs.clear()
    began = time.monotonic()
    with ProgressWriter(state, sink):
        state.finish(RESULT)
    assert writers.LAST_WORD_SECONDS <= time.monotonic() - began < 10
    assert "the operator did not get the last word" in caplog.text
    sink.hangs.set()
    sink.is_down = False


def test_a_silenced_writer_says_no_more_and_holds_nobody(state: DriverState, sink: Sink) -> None:
    with ProgressWriter(state, sink) as writer:
        wait_until(lambda: sink.heard)
        writer.silence()
        state.finish(RESULT)
        began = time.monotonic()
    assert time.monotonic() - began < writers.LAST_WORD_SECONDS
    time.sleep(0.05)
    assert all(said.result is None for said in sink.heard)
