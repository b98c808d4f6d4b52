"""One SelectionJob from `kubectl apply` to Complete on a real cluster: operator, Kueue, KubeRay, two nodes, S3."""

from __future__ import annotations

from typing import Any

import pytest
from testbed.cluster import Cluster
from testbed.jobs import await_complete
from testbed.s3 import S3
from testbed.small_jobs import SHARDS, embedded_shards, make_job, on_two_nodes, run_alone

pytestmark = [pytest.mark.cluster, pytest.mark.nightly]

COMPLETE_SECONDS = 400


@pytest.mark.timeout(900)
def test_a_job_completes_on_two_nodes_and_selects_what_one_machine_selects(
    cluster: Cluster, storage: S3, operator: str, namespace: str, small_job: dict[str, Any]
) -> None:
    kubectl = cluster.kubectl
    kubectl.apply(on_two_nodes(small_job))

    complete = await_complete(kubectl, "small", namespace, seconds=COMPLETE_SECONDS)

    assert workers_by_node(cluster, namespace) == {"node1": 1, "node2": 1}
    (workload,) = kubectl.list("workload", namespace)
    assert {condition["type"] for condition in workload["status"]["conditions"]} >= {"Admitted", "Finished"}
    assert complete["status"]["attempt"]["number"] == 1
    assert complete["status"]["result"]["digest"] == run_alone(storage, make_job(namespace))["selectionDigest"]
    assert embedded_shards(storage, namespace, "alone") == embedded_shards(storage, namespace, "out") == SHARDS


def workers_by_node(cluster: Cluster, namespace: str) -> dict[str, int]:
    """Count where workers were started, from events: the pods themselves are gone."""
    events = cluster.kubectl.list("events", namespace)
    nodes = [
        event["message"].split()[-1]
        for event in events
        if event["reason"] == "Scheduled" and "-worker-" in event["involvedObject"]["name"]
    ]
    return {node: nodes.count(node) for node in nodes}
