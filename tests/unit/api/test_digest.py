"""The spec digest covers what decides the selection, and nothing else."""

from __future__ import annotations

import subprocess
import sys

import pytest
from helpers.manifests import CLUSTER, EVALUATION, LABELS, RUNTIME, make_job

from afray.api.digest import spec_digest

WITHOUT_EFFECT: list[dict[str, object]] = [
    {"metadata.name": "other"},
    {"spec.suspend": True},
    {"spec.pool.labels": LABELS},
    {"spec.labels": LABELS, "spec.finetune": {}, "spec.evaluation": EVALUATION},
    {"spec.output.uri": "elsewhere"},
    {"spec.policy": {"backoffLimit": 0}},
    {"spec.selection.seed": 0},
    {"spec.selection.core": {"size": "auto"}},
    {"spec.pool.uri": "pool/"},
]
WITH_EFFECT: list[dict[str, object]] = [
    {"spec.pool.uri": "pool2"},
    {"spec.pool.format": "parquet"},
    {"spec.pool.decode": {"background": "#000000"}},
    {"spec.embedding.imageSize": 64},
    {"spec.embedding.weights": {"uri": "m.pt", "sha256": "a" * 64}},
    {"spec.embedding.weights": {"uri": "m.pt", "sha256": "b" * 64}},
    {"spec.selection.budget": {"count": 101}},
    {"spec.selection.budget": {"percent": 0.5}},
    {"spec.pool.decode": {"pixelRange": [0, 4095]}},
    {"spec.selection.method": "random"},
    {"spec.selection.seed": 1},
    {"spec.selection.boundary": {"mode": "released"}},
]


@pytest.mark.parametrize("changes", WITHOUT_EFFECT)
def test_what_does_not_decide_the_selection_leaves_the_digest(changes: dict[str, object]) -> None:
    assert spec_digest(make_job(changes)) == spec_digest(make_job())


def test_pods_leave_the_digest() -> None:
    uris = {"spec.pool.uri": "s3://plant/welds", "spec.output.uri": "s3://plant/out"}
    on_cluster = make_job({**uris, "spec.runtime": RUNTIME, "spec.cluster": CLUSTER})
    assert spec_digest(on_cluster) == spec_digest(make_job(uris))


def test_what_decides_the_selection_changes_the_digest() -> None:
    digests = {spec_digest(make_job(changes)) for changes in [{}, *WITH_EFFECT]}
    assert len(digests) == len(WITH_EFFECT) + 1


def test_spellings_of_one_percentage_have_one_digest() -> None:
    spellings = [1, 1.0, 10e-1]
    assert len({spec_digest(make_job({"spec.selection.budget": {"percent": value}})) for value in spellings}) == 1


def test_the_digest_is_the_same_in_another_process() -> None:
    script = (
        "from helpers import manifests; from afray.api import digest; print(digest.spec_digest(manifests.make_job()))"
    )
    environment = {"PYTHONPATH": "tests", "PYTHONHASHSEED": "1"}
    told = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == spec_digest(make_job())
