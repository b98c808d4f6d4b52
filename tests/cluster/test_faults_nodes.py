"""A node goes, or nobody can tell whether it went: the job goes on elsewhere, and one driver alone is listened to."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from testbed.cluster import Cluster
from testbed.embedding_records import is_in_the_midst, shard_records, slow_down, speed_up
from testbed.faults import DASHBOARD, DRIVER, clear_of_controllers, kubelet, pod_processes, signal_pod
from testbed.followed_jobs import FollowedJob
from testbed.s3 import S3
from testbed.small_jobs import SHARDS

pytestmark = [pytest.mark.cluster, pytest.mark.nightly]

LOST = 2
"""The node."""


@pytest.fixture
def mended(cluster: Cluster, operator: str) -> Iterator[None]:
    """A node that may be lost, and is there again afterwards."""
    clear_of_controllers(cluster, LOST)
    yield
    if not cluster.nodes[LOST].is_running():
        cluster.start_node(LOST)
    cluster.await_nodes()


@pytest.fixture
def stopped_kubelet(cluster: Cluster, mended: None) -> Iterator[int]:
    """The process of a kubelet that may be stopped, and runs again afterwards."""
    pid = kubelet(cluster, LOST)
    yield pid
    os.kill(pid, signal.SIGCONT)


@pytest.mark.timeout(1800)
def test_a_node_that_loses_power_with_the_driver_costs_one_attempt(
    cluster: Cluster, storage: S3, mended: None, namespace: str, small_job: dict[str, Any], undisturbed: str
) -> None:
    job = start_beside(cluster, storage, namespace, small_job)

    cluster.kill_node(LOST)
    job.wait_until("the next attempt", lambda: job.attempt == 2)
    assert job.status["attempt"]["lastFailure"]["reason"] == "HeadLost"
    speed_up(storage, namespace, 1, 2, 3)

    status = job.await_complete()
    assert status["result"]["digest"] == undisturbed
    assert (status["attempt"]["number"], status["attempt"]["failures"]) == (2, 1)
    records = shard_records(storage, namespace)
    assert [records[shard].begun_after_commit for shard in range(SHARDS)] == [0] * SHARDS


@pytest.mark.timeout(1800)
def test_a_driver_that_was_given_up_and_writes_on_changes_nothing(
    cluster: Cluster, storage: S3, stopped_kubelet: int, namespace: str, small_job: dict[str, Any], undisturbed: str
) -> None:
    job = start_beside(cluster, storage, namespace, small_job)
    (stale,) = job.pods("head", attempt=1)

    os.kill(stopped_kubelet, signal.SIGSTOP)  # pods run on, and Kubernetes cannot end them
    signal_pod(stale, signal.SIGSTOP, DASHBOARD)  # nor can KubeRay, which asks it to end the driver of a deleted RayJob
    job.wait_until("the next attempt", lambda: job.attempt == 2)
    assert pod_processes(stale, DRIVER), "the old driver is not at work any more, before there is a newer one"
    job.wait_until("its driver", lambda: f"{namespace}/out/owner/2.json" in keys(storage, namespace, "owner/"))
    speed_up(storage, namespace, 1, 2, 3)
    job.wait_until("the end of the old driver", lambda: not pod_processes(stale, DRIVER))

    status = job.await_complete()
    assert status["result"]["digest"] == undisturbed
    assert (status["attempt"]["number"], status["attempt"]["failures"]) == (2, 1)
    assert "a newer driver took this output over" in storage.read(f"s3://{namespace}/out/logs/driver-1.log").decode()
    records = shard_records(storage, namespace)
    assert [records[shard].begun_after_commit for shard in range(SHARDS)] == [0] * SHARDS
    by_newer = {shard for shard in range(SHARDS) if records[shard].epoch == 2}
    assert by_newer & written_by_older(storage, namespace), "the old driver's workers wrote on"


def start_beside(cluster: Cluster, storage: S3, namespace: str, small_job: dict[str, Any]) -> FollowedJob:
    """Start the job with its head and a worker on the node that will be lost; returns it in the midst of embedding."""
    parts = small_job["spec"]["cluster"]
    prefer(parts["head"], LOST)
    prefer(parts["workers"][0], LOST)
    prefer(parts["workers"][1], 1)
    slow_down(storage, namespace, 1, 2, 3, seconds=180)
    job = FollowedJob.apply(cluster.kubectl, small_job)
    job.wait_until("a commit, and more begun", lambda: is_in_the_midst(storage, namespace))
    assert [pod["spec"]["nodeName"] for pod in job.pods("head")] == [f"node{LOST}"]
    return job


def prefer(part: Mapping[str, Any], number: int) -> None:
    """Put a head or workers on a node as long as it is there."""
    chosen = {"key": "kubernetes.io/hostname", "operator": "In", "values": [f"node{number}"]}
    term = {"weight": 100, "preference": {"matchExpressions": [chosen]}}
    affinity = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [term]}}
    part["template"]["spec"]["affinity"] = affinity


def keys(storage: S3, namespace: str, folder: str) -> list[str]:
    return [f"{namespace}/{key}" for key in storage.list(f"s3://{namespace}/out/{folder}")]


def written_by_older(storage: S3, namespace: str) -> set[int]:
    """The shards whose rows the first driver's workers wrote, committed or not."""
    names = [key.rpartition("/")[2] for key in keys(storage, namespace, "embeddings/")]
    return {int(name.partition(".")[0]) for name in names if ".1." in name}
