"""What is sent for a manifest, and what is said when the name is taken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers.job_records import job_object
from helpers.repository import ROOT
from helpers.selection_jobs import make_manifest

from afray.api.job import SelectionJob
from afray.api.loading import load, load_object
from afray.client.records import JobRecord
from afray.client.submitting import choose_namespace, explain_conflict, to_body
from afray.errors import SpecError

TEMPLATE = {"spec": {"tolerations": [{"key": "gpu", "operator": "Exists"}], "hostNetwork": False}}
PODS = {"cpu": "1", "memory": "1Gi"}


def job(manifest: dict[str, Any] | None = None) -> SelectionJob:
    return load_object(manifest or make_manifest("plant"), "test")


def test_what_is_sent_is_what_the_manifest_says_without_our_defaults() -> None:
    workers = [{"name": "gpu", "replicas": 2, "resources": PODS, "template": TEMPLATE}]
    written = make_manifest("plant", cluster={"head": {"resources": PODS}, "workers": workers})
    assert to_body(job(written), namespace="plant", queue=None) == written


@pytest.mark.parametrize("example", sorted(ROOT.glob("examples/*cluster.yaml")), ids=lambda path: path.name)
def test_examples_are_sent_word_by_word(example: Path) -> None:
    written = yaml.safe_load(example.read_text())
    namespace = written["metadata"].setdefault("namespace", "plant")
    assert to_body(load(example), namespace=namespace, queue=None) == written


@pytest.mark.parametrize("percent", [0.5, 12])
def test_a_percentage_stays_a_number(percent: float) -> None:
    body: dict[str, Any] = to_body(
        job(make_manifest("plant", selection={"budget": {"percent": percent}})), namespace="plant", queue=None
    )
    assert body["spec"]["selection"]["budget"] == {"percent": percent}


def test_what_a_server_added_is_not_sent_back() -> None:
    read = job_object({"phase": "Running"}, metadata={"uid": "other", "managedFields": []})
    assert to_body(job(read), namespace="plant", queue=None) == make_manifest("plant")


def test_namespace_and_queue_of_the_options_are_in_it() -> None:
    body = to_body(job(make_manifest("plant", labels={"team": "x"})), namespace="lab", queue="team-b")
    assert body["metadata"] == {
        "name": "welds",
        "namespace": "lab",
        "labels": {"team": "x", "kueue.x-k8s.io/queue-name": "team-b"},
    }
    without: dict[str, Any] = make_manifest("plant")
    del without["metadata"]["labels"]
    assert to_body(job(without), namespace="plant", queue=None)["metadata"] == {"name": "welds", "namespace": "plant"}


def test_the_namespace_is_the_options_or_the_manifests_and_never_both() -> None:
    assert choose_namespace(job(), None) == "plant"
    assert choose_namespace(job(), "plant") == "plant"
    nowhere: dict[str, Any] = make_manifest("plant")
    del nowhere["metadata"]["namespace"]
    assert choose_namespace(job(nowhere), "lab") == "lab"
    assert choose_namespace(job(nowhere), None) is None
    with pytest.raises(SpecError, match=r"metadata\.namespace: is not lab"):
        choose_namespace(job(), "lab")


@pytest.mark.parametrize(
    ("changes", "metadata", "said", "unsaid"),
    [
        ({}, {}, "with the same spec. Follow it: afray watch welds", "differs"),
        ({"policy": {"backoffLimit": 5}}, {}, "only spec.policy differs, which may be changed: kubectl", "delete"),
        (
            {"selection": {"budget": {"count": 7}}, "policy": {"backoffLimit": 5}}, {},
            "another metadata.name, or remove it first: afray delete welds --wait", "kubectl apply",
        ),
        (
            {"previous": {"certificate": {"uri": "s3://plant/out-1/certificate.json"}}}, {},
            "with another spec (spec.previous), which cannot be changed", "kubectl apply",
        ),
        ({}, {"deletionTimestamp": "2026-11-25T12:00:00Z"}, "that is being deleted. Repeat when it is gone", "same"),
        ({"dreams": {}}, {}, "with another spec", "same spec"),
    ],
)  # fmt: skip
def test_a_taken_name_says_what_to_do(
    changes: dict[str, object], metadata: dict[str, object], said: str, unsaid: str
) -> None:
    text = explain_conflict(job(), JobRecord.read(job_object(metadata=metadata, spec=changes)))
    assert said in text
    assert unsaid not in text
    assert "'welds' in namespace 'plant'" in text


def test_labels_of_the_round_before_may_be_added_to_a_job_that_is_there() -> None:
    before = {"certificate": {"uri": "s3://plant/out-1/certificate.json"}}
    written: dict[str, Any] = make_manifest("plant")
    written["spec"]["previous"] = {**before, "labels": {"uri": "s3://plant/labels-1.csv", "format": "csv"}}
    there = JobRecord.read(job_object(spec={"previous": before}))
    assert "only spec.previous.labels differs, which may be changed" in explain_conflict(job(written), there)
