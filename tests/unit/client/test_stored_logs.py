"""Logs in an output, found by the claims of its owners and read as they grow."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.driver_traces import leave_log

from afray.api.stages import Stage
from afray.client.attempts import Attempt
from afray.client.stored_logs import StoredLog, find_epochs
from afray.contract.outputs import log_key
from afray.storage.store import Store

FIRST = Attempt(stage=Stage.select, number=1)


@pytest.fixture
def output(tmp_path: Path) -> Store:
    return Store.open(str(tmp_path / "out"))


def lines(output: Store, epoch: int) -> list[str]:
    return [line.rpartition(" ")[2] for line in StoredLog(output, epoch).new_lines(ended=True)]


def test_the_log_of_an_attempt_is_that_of_its_drivers(output: Store) -> None:
    # The second driver of the first attempt came back after a preemption.
    written = [leave_log(output, f"driver-{number}", attempt=attempt) for number, attempt in ((1, 1), (2, 1), (3, 2))]
    assert written == [1, 2, 3]
    assert find_epochs(output, "uid-1", FIRST) == [1, 2]
    assert find_epochs(output, "uid-1", Attempt(stage=Stage.select, number=2)) == [3]
    assert [lines(output, epoch) for epoch in (1, 2, 3)] == [["driver-1"], ["driver-2"], ["driver-3"]]


def test_attempts_of_other_stages_and_other_jobs_are_not_mixed_up(output: Store) -> None:
    leave_log(output, "another-job", uid="uid-0")
    leave_log(output, "select")
    leave_log(output, "finetune", stage=Stage.finetune)
    assert find_epochs(output, "uid-1", FIRST) == [2]
    assert find_epochs(output, "uid-1", Attempt(stage=Stage.finetune, number=1)) == [3]
    assert find_epochs(output, "uid-1", Attempt(stage=Stage.labels, number=1)) == []


def test_an_output_that_nobody_wrote_to_has_no_logs(output: Store) -> None:
    assert find_epochs(output, "uid-1", FIRST) == []


def test_a_growing_log_gives_whole_lines_each_once(output: Store) -> None:
    log = StoredLog(output, 1)
    assert list(log.new_lines(ended=False)) == []
    output.overwrite(log_key(1), b"one\ntw")
    assert list(log.new_lines(ended=False)) == ["one"]
    output.overwrite(log_key(1), b"one\ntwo\nthree \xff")
    assert list(log.new_lines(ended=False)) == ["two"]
    assert list(log.new_lines(ended=True)) == ["three �"]
    assert list(log.new_lines(ended=True)) == []
    assert log.uri.endswith("/out/logs/driver-1.log")
