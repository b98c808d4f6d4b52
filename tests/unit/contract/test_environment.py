from __future__ import annotations

import json
from dataclasses import replace

import pytest
from helpers.manifests import cluster_manifest

from afray import __version__
from afray.api.loading import load_object
from afray.api.problems import InvalidManifest
from afray.contract import environment
from afray.contract.environment import DriverEnvironment, Turn, lease_seconds
from afray.contract.names import Stage
from afray.errors import EnvironmentFault

CHANGES: dict[str, object] = {
    "metadata.labels": {"kueue.x-k8s.io/queue-name": "team-a"},
    "metadata.namespace": "welding",
    "spec.pool.uri": "s3://plant/größe 日本/",
    "spec.runtime.env": [{"name": "AWS_REGION", "value": "eu-central-1"}],
    "spec.runtime.envFrom": [{"secretRef": {"name": "s3-credentials"}}],
    "spec.runtime.imagePullSecrets": [{"name": "pull-secret"}],
    "spec.cluster.head.template": {"spec": {"nodeSelector": {"pool": "on-demand"}}},
    "spec.finetune": {"epochs": 3},
}


@pytest.fixture
def told() -> DriverEnvironment:
    job = load_object(cluster_manifest(CHANGES), "test")
    return DriverEnvironment(
        job=job,
        attempt=2,
        job_uid="5f0c9f0e-uid",
        stage=Stage.finetune,
        progress="weld-pilot-progress",
        lease_seconds=300,
        operator="0.1.0",
        queue="team-a",
    )


def test_a_driver_reads_what_the_operator_wrote(told: DriverEnvironment) -> None:
    found = DriverEnvironment.from_variables(told.to_variables())
    assert replace(found, job=told.job) == told
    wanted, read = told.job.spec, found.job.spec
    for field in ("pool", "embedding", "selection", "output", "finetune", "policy", "labels", "evaluation"):
        assert getattr(read, field) == getattr(wanted, field)
    assert wanted.runtime is not None
    assert read.runtime is not None
    assert read.runtime.ray_version == wanted.runtime.ray_version
    assert wanted.cluster is not None
    assert read.cluster is not None
    assert [(group.name, group.replicas, group.resources) for group in read.cluster.workers] == [
        (group.name, group.replicas, group.resources) for group in wanted.cluster.workers
    ]
    assert found.to_variables() == told.to_variables()


def test_credentials_templates_and_labels_do_not_travel(told: DriverEnvironment) -> None:
    text = told.to_variables()["SELECTION_SPEC"]  # the queue has a variable of its own
    assert told.job.metadata.name in text
    assert not [secret for secret in ("s3-credentials", "pull-secret", "AWS_REGION", "on-demand", "team-a") if
                secret in text]  # fmt: skip


def test_every_variable_has_the_prefix_that_a_spec_may_not_use(told: DriverEnvironment) -> None:
    assert {name.startswith("SELECTION_") for name in told.to_variables()} == {True}


@pytest.mark.parametrize("name", ["SELECTION_SPEC", "SELECTION_ATTEMPT", "SELECTION_JOB_UID", "SELECTION_STAGE",
                                  "SELECTION_LEASE_SECONDS"])  # fmt: skip
def test_a_missing_variable_is_named(told: DriverEnvironment, name: str) -> None:
    variables = told.to_variables()
    del variables[name]
    with pytest.raises(EnvironmentFault, match=f"^{name} is not set"):
        DriverEnvironment.from_variables(variables)


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "two", "²", "1000000", " 1"])
def test_an_attempt_is_a_number_from_1(told: DriverEnvironment, text: str) -> None:
    with pytest.raises(EnvironmentFault, match=r"SELECTION_ATTEMPT is .* not a number from 1"):
        DriverEnvironment.from_variables({**told.to_variables(), "SELECTION_ATTEMPT": text})


def test_an_unknown_stage_is_told_with_the_known_ones(told: DriverEnvironment) -> None:
    with pytest.raises(
        EnvironmentFault, match='SELECTION_STAGE is "embed", not one of previous, select, labels, finetune'
    ):
        DriverEnvironment.from_variables({**told.to_variables(), "SELECTION_STAGE": "embed"})


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"version": 2, "job": {}}', '{"version": true, "job": {}}'])
def test_an_envelope_of_another_version_names_ours(told: DriverEnvironment, content: str) -> None:
    with pytest.raises(EnvironmentFault, match="SELECTION_SPEC") as caught:
        DriverEnvironment.from_variables({**told.to_variables(), "SELECTION_SPEC": content})
    if content != "{":
        assert f"(afray {__version__}) reads {environment.SPEC_VERSION}" in str(caught.value)


@pytest.mark.parametrize("job", [None, {}, "job"])
def test_an_envelope_without_a_job_is_an_invalid_manifest(told: DriverEnvironment, job: object) -> None:
    with pytest.raises(InvalidManifest) as caught:
        DriverEnvironment.from_variables(
            {**told.to_variables(), "SELECTION_SPEC": json.dumps({"version": 1, "job": job})}
        )
    assert caught.value.exit_code == 64


def test_a_turn_is_known_although_the_spec_cannot_be_read(told: DriverEnvironment) -> None:
    variables = {**told.to_variables(), "SELECTION_SPEC": "{"}
    assert Turn.from_variables(variables) == Turn(stage=Stage.finetune, attempt=2, progress="weld-pilot-progress")
    del variables["SELECTION_PROGRESS"]
    assert Turn.from_variables(variables).progress == ""


def test_operators_that_do_not_tell_the_queue_are_understood(told: DriverEnvironment) -> None:
    variables = told.to_variables()
    assert variables.pop("SELECTION_QUEUE") == "team-a"
    assert DriverEnvironment.from_variables(variables) == replace(
        DriverEnvironment.from_variables(told.to_variables()), queue=""
    )


@pytest.mark.parametrize(("stall", "lease"), [(60, 20), (900, 300), (86_400, 300)])
def test_a_lease_is_a_third_of_what_stalls_a_job_and_never_more_than_five_minutes(stall: int, lease: int) -> None:
    assert lease_seconds(stall) == lease
