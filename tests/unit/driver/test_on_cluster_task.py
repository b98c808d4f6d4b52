from __future__ import annotations

import logging
from importlib import metadata

import pytest
import ray.exceptions
import torch
from helpers.manifests import REMOVED, cluster_manifest

from afray import __version__
from afray.api.loading import load_object
from afray.api.problems import InvalidManifest
from afray.api.rules import Target
from afray.contract.environment import DriverEnvironment
from afray.contract.names import Stage
from afray.contract.outputs import attempt_rank
from afray.driver.on_cluster.failures import find_cause
from afray.driver.on_cluster.task import check_versions, run_settings
from afray.errors import EnvironmentFault, Fenced, PoolError, Retryable, SpecError

RAY = metadata.version("ray")


def make_environment(changes: dict[str, object] | None = None, *, operator: str = __version__) -> DriverEnvironment:
    made = cluster_manifest({"spec.runtime.rayVersion": RAY, **(changes or {})})
    return DriverEnvironment(
        job=load_object(made, "test", target=Target.run),
        attempt=2,
        job_uid="uid-1",
        stage=Stage.select,
        progress="",
        lease_seconds=20,
        operator=operator,
        queue="team-a",
    )


def test_another_ray_in_the_image_is_a_permanent_error_that_names_both() -> None:
    with pytest.raises(EnvironmentFault, match=rf"rayVersion: 2\.0\.1, but the image has Ray {RAY}"):
        check_versions(make_environment({"spec.runtime.rayVersion": "2.0.1"}))


def test_another_operator_is_warned_of_and_obeyed(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        check_versions(make_environment())
        assert caplog.text == ""
        check_versions(make_environment(operator="0.0.9"))
    assert f"the operator is afray 0.0.9, this image has afray {__version__}" in caplog.text


def test_the_output_belongs_to_the_job_whatever_its_attempt() -> None:
    settings = run_settings(make_environment())
    assert settings.owner.id == "uid-1"
    assert settings.owner.title == "SelectionJob weld-pilot, attempt 2 of select"
    assert settings.lease_seconds == 20
    assert settings.patience_seconds == 1800
    assert settings.queue == "team-a"
    assert settings.attempt == attempt_rank(Stage.select, 2)


def test_a_spec_without_pods_is_not_for_a_cluster() -> None:
    with pytest.raises(EnvironmentFault, match=r"spec\.cluster: is missing"):
        run_settings(make_environment({"spec.cluster": REMOVED}))


@pytest.mark.parametrize(
    ("error", "exit_code", "reason", "message"),
    [
        (PoolError("spec.pool: empty\nsecond line"), 65, "PoolError", "spec.pool: empty"),
        (SpecError("spec.selection.budget.count", 9, "is too much", "Lower it."), 64, "SpecError",
         "spec.selection.budget.count: is too much (value: 9). Lower it."),
        (Retryable("disk full"), 74, "Retryable", "disk full"),
        (Fenced("overtaken"), 75, "Fenced", "overtaken"),
        (MemoryError(), 74, "MemoryError", "MemoryError:"),
        (ray.exceptions.OutOfMemoryError("node out of memory"), 74, "OutOfMemoryError",
         "OutOfMemoryError: node out of memory"),
        (ray.exceptions.RaySystemError("connection lost"), 74, "RaySystemError",
         "RaySystemError: System error: connection lost"),
        (torch.OutOfMemoryError("CUDA out of memory"), 1, "OutOfMemoryError", "OutOfMemoryError: CUDA out of memory"),
        (KeyError("rows"), 1, "KeyError", "KeyError: 'rows'"),
    ],
)  # fmt: skip
def test_an_error_is_told_by_exit_code_class_and_first_line(
    error: Exception, exit_code: int, reason: str, message: str
) -> None:
    failure = find_cause(error).to_failure("s3://plant/out/logs/driver-1.log")
    assert (failure.exit_code, failure.reason, failure.message) == (exit_code, reason, message)
    assert failure.log_uri == "s3://plant/out/logs/driver-1.log"


def test_a_spec_that_breaks_rules_is_told_by_the_first_of_them() -> None:
    with pytest.raises(InvalidManifest) as caught:
        load_object(cluster_manifest({"spec.selection.seed": -1}), "SELECTION_SPEC")
    assert "seed" in find_cause(caught.value).message


def test_only_what_nobody_foresaw_needs_a_traceback() -> None:
    assert find_cause(PoolError("x")).is_foreseen
    assert not find_cause(KeyError("x")).is_foreseen
    assert not find_cause(MemoryError()).is_foreseen
