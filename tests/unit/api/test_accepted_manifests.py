"""Manifests that must load, and what they then say."""

from __future__ import annotations

from decimal import Decimal

import pytest
from helpers.manifests import (
    CLUSTER,
    EVALUATION,
    LABELS,
    REMOVED,
    RUNTIME,
    WORKERS,
    cluster_manifest,
    make_job,
    manifest,
    problems_of,
)

from afray.api.rules import Target, unused_by_run

SECRET = {"secretKeyRef": {"name": "hub", "key": "token"}}

RUN = [
    {},
    {"metadata.namespace": "inspection", "metadata.labels": {"kueue.x-k8s.io/queue-name": "team-a", "empty": ""}},
    {"metadata.annotations": {"team.example.com/note": "welds of line 3, see the wiki"}},
    {"metadata.name": "w" * 40},
    {"spec.pool.uri": "/data/welds", "spec.output.uri": "/data/welds-out"},
    {"spec.pool.uri": "~/welds", "spec.output.uri": "../out"},
    {"spec.pool.uri": "file:///data/my%20welds", "spec.output.uri": "gs://plant"},
    {"spec.pool.uri": "az://container/prefix", "spec.output.uri": "s3://plant/out/"},
    {"spec.pool.format": "parquet", "spec.pool.labels": {"uri": "labels.parquet", "format": "parquet"}},
    {"spec.pool.format": "webdataset", "spec.pool.labels": {"uri": "pool/labels.csv", "format": "csv"}},
    {"spec.pool.decode": {"pixelRange": [0, 4095], "background": "#00FF7f", "maxPixels": 1}},
    {"spec.pool.decode": {"pixelRange": None}},
    {"spec.pool.maxBadFraction": 0},
    {"spec.embedding.model": "package:efficientnet-lite0"},
    {"spec.embedding.weights": {"uri": "s3://plant/dino.pt", "sha256": "0123456789abcdef" * 4}},
    {
        "spec.embedding.model": "package:efficientnet-lite0",
        "spec.embedding.weights": {"uri": "lite0.pt", "sha256": "a" * 64},
    },
    {"spec.embedding.precision": "bfloat16", "spec.embedding.device": "mps", "spec.embedding.normalize": "none"},
    {"spec.pool.format": "embeddings", "spec.embedding": REMOVED},
    {"spec.pool.format": "embeddings", "spec.embedding": {"normalize": "l2", "shardSize": 7, "device": "cuda"}},
    {
        "spec.pool.format": "embeddings",
        "spec.embedding": REMOVED,
        "spec.evaluation": {**EVALUATION, "format": "embeddings"},
    },
    {"spec.selection.core": {"size": 100}},
    {"spec.selection.core": {"size": 500}, "spec.selection.budget": {"percent": 1}},
    {"spec.selection.core": {"method": "given", "uri": "cores.txt"}},
    {"spec.selection.core": {"method": "kmeans", "size": 80}},
    {"spec.selection.core": {"steps": 10, "rowsPerStep": 1000}},
    {"spec.selection.method": "activeft", "spec.selection.core": {"steps": 10}},
    {"spec.selection.method": "random", "spec.selection.core": {"size": "auto"}, "spec.selection.denoise": {}},
    {"spec.selection.boundary": {"mode": "released", "opponentPenalty": 1}},
    {"spec.selection.seed": 2**32 - 1},
    {"spec.labels": {**LABELS, "sha256": "f" * 64}, "spec.finetune": {}, "spec.evaluation": EVALUATION},
    {"spec.labels": {"uri": "export.json", "format": "label-studio"}},
    {"spec.evaluation": {**EVALUATION, "format": "webdataset"}},
    {"spec.finetune": {"workers": {"group": "gpu", "replicas": 2}, "activeDeadlineSeconds": 3600}},
    {"spec.labels": None, "spec.evaluation": None, "spec.runtime": None},
    {"spec.suspend": True, "spec.policy": {"backoffLimit": 0, "ttlSecondsAfterFinished": 0}},
    {"spec.runtime": RUNTIME, "spec.cluster": CLUSTER},
    {"status": {"phase": "Running"}, "metadata.uid": "6f1c", "metadata.managedFields": [{"manager": "kubectl"}]},
]

ON_CLUSTER = [
    {},
    {"spec.runtime.serviceAccountName": "afray", "spec.runtime.imagePullSecrets": [{"name": "regcred"}]},
    {"spec.runtime.envFrom": [{"secretRef": {"name": "s3"}}, {"configMapRef": {"name": "ca"}, "prefix": "CA_"}]},
    {"spec.runtime.env": [{"name": "AWS_REGION", "value": "eu-central-1"}, {"name": "HF_TOKEN", "valueFrom": SECRET}]},
    {"spec.runtime.env": [{"name": "AWS_WEB_IDENTITY_TOKEN_FILE", "value": "/var/run/token"}]},
    {"spec.runtime.env": [{"name": "TOKENIZERS_PARALLELISM", "value": "false"}]},
    {"spec.pool.uri": "file:///mnt/welds"},
    {"spec.embedding.device": "cuda"},
    {"spec.finetune": {"workers": {"group": "gpu"}}},
    {"spec.finetune": {}},
    {"spec.cluster.head.template": {"metadata": {"labels": {"a": "b"}}, "spec": {"nodeSelector": {"disk": "ssd"}}}},
    {"spec.cluster.workers": [{**WORKERS, "name": f"g{number}"} for number in range(16)]},
    {"spec.cluster.head.resources": {"cpu": 2, "memory": "4000M", "ephemeral-storage": "10Gi"}},
]


@pytest.mark.parametrize("changes", RUN)
def test_a_manifest_for_run_loads(changes: dict[str, object]) -> None:
    assert problems_of(manifest(changes), Target.run) == ()


@pytest.mark.parametrize("changes", ON_CLUSTER)
def test_a_manifest_for_a_cluster_loads(changes: dict[str, object]) -> None:
    assert problems_of(cluster_manifest(changes)) == ()


def test_the_defaults_are_those_of_the_reference() -> None:
    spec = make_job().spec
    assert (spec.pool.decode.pixel_range, spec.pool.decode.background) == (None, "#ffffff")
    assert (spec.pool.decode.max_pixels, spec.pool.max_bad_fraction) == (100_000_000, 0.01)
    assert (spec.embedding.image_size, spec.embedding.batch_size, spec.embedding.shard_size) == (224, 256, 10_000)
    assert (spec.embedding.precision, spec.embedding.device, spec.embedding.normalize) == (
        "auto",
        "auto",
        "standardize",
    )
    assert (spec.selection.method, spec.selection.seed) == ("bilaf", 0)
    assert (spec.selection.core.size, spec.selection.core.method) == ("auto", "activeft")
    assert (spec.selection.denoise.removal_ratio, spec.selection.denoise.neighbours) == (0.1, 10)
    assert (spec.selection.boundary.mode, spec.selection.boundary.opponent_penalty) == ("paper", 1.1)
    assert (spec.policy.backoff_limit, spec.policy.start_deadline_seconds) == (3, 1800)
    assert (spec.policy.stall_timeout_seconds, spec.policy.ttl_seconds_after_finished) == (900, None)
    assert (spec.finetune, spec.evaluation, spec.labels, spec.runtime, spec.cluster) == (None,) * 5


@pytest.mark.parametrize(
    ("written", "percent"),
    [
        (0.1, "0.1"),
        (1, "1"),
        (100, "100"),
        (1e-05, "0.00001"),
        (33.333333, "33.333333"),
        (99.999999999, "99.999999999"),
    ],
)
def test_a_percentage_stays_the_decimal_that_was_written(written: float, percent: str) -> None:
    job = make_job({"spec.selection.budget": {"percent": written}})
    assert job.spec.selection.budget.percent == Decimal(percent)
    assert job.to_manifest()["spec"]["selection"]["budget"] == {"percent": written}  # type: ignore[index, call-overload]


def test_a_slash_at_the_end_of_a_folder_means_nothing() -> None:
    assert make_job({"spec.pool.uri": "s3://plant/welds/"}) == make_job({"spec.pool.uri": "s3://plant/welds"})


def test_whole_numbers_are_quantities_as_in_kubernetes() -> None:
    content = cluster_manifest({"spec.cluster.head.resources.cpu": 2})
    assert problems_of(content) == ()


def test_run_can_say_which_blocks_it_does_not_use() -> None:
    assert unused_by_run(make_job()) == ()
    changes = {
        "spec.suspend": True,
        "spec.runtime": RUNTIME,
        "spec.cluster": CLUSTER,
        "spec.policy": {"backoffLimit": 0},
    }
    job = make_job({**changes, "spec.pool.uri": "s3://plant/welds", "spec.output.uri": "s3://plant/out"})
    assert unused_by_run(job) == ("spec.suspend", "spec.runtime", "spec.cluster", "spec.policy")


def test_a_job_can_not_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        make_job().spec.selection.seed = 1  # type: ignore[misc]
