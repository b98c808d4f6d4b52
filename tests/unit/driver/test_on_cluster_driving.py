"""Drivers that end before there is anything to compute: what they say, where, and with which exit code."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.cluster_driver import ProgressFile, on_cluster, variables
from helpers.jobs import Manifest, embeddings_manifest, write_file

from afray.contract.names import Stage
from afray.contract.progress import Failure
from afray.driver.on_cluster.driving import run_driver
from afray.driver.on_cluster.stages import STAGES
from afray.driver.on_cluster.state import Result
from afray.driver.workspace import Workspace


@pytest.fixture
def made(tmp_path: Path) -> Manifest:
    return on_cluster(embeddings_manifest(tmp_path / "pool", tmp_path / "out"))


def run(told: dict[str, str], folder: Path) -> tuple[int, ProgressFile]:
    """The exit code, and what was written to the ConfigMap."""
    sink = ProgressFile(folder / "progress")

    def open_sink(name: str) -> ProgressFile:
        assert name == "welds-progress"
        return sink

    return run_driver(told, open_sink), sink


def failure_of(sink: ProgressFile) -> Failure:
    failure = sink.last.failure
    assert failure is not None
    return failure


def test_without_its_variables_a_driver_says_which_and_leaves_with_67(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_driver({}) == 67
    assert "SELECTION_STAGE is not set" in capsys.readouterr().out


def test_a_spec_of_another_version_is_told_to_the_operator(made: Manifest, tmp_path: Path) -> None:
    told = variables(made, Stage.select, attempt=3, progress="welds-progress") | {"SELECTION_SPEC": '{"version": 9}'}
    code, sink = run(told, tmp_path)
    assert (code, sink.last.attempt, sink.last.epoch) == (67, 3, 0)
    assert failure_of(sink).exit_code == 67
    assert failure_of(sink).reason == "EnvironmentFault"
    assert failure_of(sink).message.startswith("SELECTION_SPEC has version 9, this image")


def test_another_ray_in_the_image_ends_the_driver_before_anything_is_touched(
    made: Manifest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = on_cluster(made, **{"spec.runtime.rayVersion": "2.0.1"})
    code, sink = run(variables(other, Stage.select, progress="welds-progress"), tmp_path)
    assert code == 67
    assert "rayVersion: 2.0.1, but the image has Ray" in failure_of(sink).message
    assert "rayVersion: 2.0.1, but the image has Ray" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


def test_a_cluster_that_does_not_answer_is_worth_another_attempt(
    made: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    code, sink = run(variables(made, Stage.select, progress="welds-progress"), tmp_path)
    assert (code, failure_of(sink).reason) == (74, "Retryable")
    assert failure_of(sink).message.startswith("RAY_ADDRESS 127.0.0.1:9: no Ray cluster answers there")


def test_a_labels_stage_needs_no_ray_and_tells_where_its_log_is(
    made: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    labels = on_cluster(made, **{"spec.labels": {"uri": str(tmp_path / "answers.csv"), "format": "csv"}})
    code, sink = run(variables(labels, Stage.labels, progress="welds-progress"), tmp_path)
    assert (code, sink.last.epoch) == (65, 1)
    assert "no finished selection here" in failure_of(sink).message
    log = tmp_path / "out" / "logs" / "driver-1.log"
    assert failure_of(sink).log_uri.endswith(str(log))
    assert "ended: PoolError" in log.read_text()


def test_an_older_attempt_is_fenced_and_leaves_the_word_to_the_newer_one(made: Manifest, tmp_path: Path) -> None:
    labels = on_cluster(made, **{"spec.labels": {"uri": str(tmp_path / "answers.csv"), "format": "csv"}})
    assert run(variables(labels, Stage.labels, attempt=2, progress="welds-progress"), tmp_path)[0] == 65
    (tmp_path / "progress").unlink()
    code, sink = run(variables(labels, Stage.labels, attempt=1, progress="welds-progress"), tmp_path)
    assert code == 75
    assert all(said.failure is None for said in sink.read())
    assert run(variables(labels, Stage.select, attempt=9, progress="welds-progress"), tmp_path)[0] in (74, 75)


def test_another_job_on_the_output_is_refused(made: Manifest, tmp_path: Path) -> None:
    labels = {"spec.labels": {"uri": str(tmp_path / "answers.csv"), "format": "csv"}}
    first, second = on_cluster(made, **labels), on_cluster(made, **labels, **{"spec.selection.seed": 1})
    assert run(variables(first, Stage.labels, progress="welds-progress"), tmp_path)[0] == 65
    write_file(tmp_path / "out" / "selection" / "rows.ok", b"{}")
    code, sink = run(variables(second, Stage.labels, uid="another", progress="welds-progress"), tmp_path)
    assert (code, failure_of(sink).reason) == (69, "OwnershipError")
    assert "this output belongs to another spec" in failure_of(sink).message
    assert failure_of(sink).message.endswith("Set output.uri to an empty place")


def test_what_nobody_foresaw_ends_with_1_and_a_traceback_in_both_logs(
    made: Manifest, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(_: Workspace) -> Result:
        raise KeyError("rows")

    monkeypatch.setitem(STAGES, Stage.labels, break_down)
    code, sink = run(variables(made, Stage.labels, progress="welds-progress"), tmp_path)
    assert code == failure_of(sink).exit_code == 1
    assert failure_of(sink).message == "KeyError: 'rows'"
    for log in (capsys.readouterr().out, (tmp_path / "out" / "logs" / "driver-1.log").read_text()):
        assert 'raise KeyError("rows")' in log
