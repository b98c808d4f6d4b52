"""What befalls a running job's pods and objects, with the operator there: what is finished stays finished."""

from __future__ import annotations

import signal
from typing import Any

import pytest
from testbed.cluster import Cluster
from testbed.embedding_records import is_in_the_midst, shard_records, slow_down, speed_up
from testbed.faults import DRIVER, is_ready, signal_pod
from testbed.followed_jobs import FollowedJob
from testbed.s3 import S3
from testbed.small_jobs import SHARDS

pytestmark = [pytest.mark.cluster, pytest.mark.nightly]

PROGRESS = "small-progress"


@pytest.mark.timeout(1500)
def test_an_attempt_outlives_an_api_server_a_worker_and_its_config_map(
    cluster: Cluster, storage: S3, operator: str, namespace: str, small_job: dict[str, Any], undisturbed: str
) -> None:
    kubectl = cluster.kubectl
    slow_down(storage, namespace, 1, 2, 3)
    job = FollowedJob.apply(kubectl, small_job)
    job.wait_until("a commit, and more begun", lambda: is_in_the_midst(storage, namespace))

    cluster.restart_apiserver()
    kubectl("delete", "configmap", PROGRESS, "-n", namespace)
    job.wait_until("the driver's word in a new ConfigMap", lambda: driver_speaks(job))
    lost = job.pods("worker")[0]["metadata"]
    kubectl("delete", "pod", lost["name"], "-n", namespace, "--wait=false")
    job.wait_until("another worker", lambda: has_others(job, lost["uid"]))
    speed_up(storage, namespace, 1, 2, 3)

    status = job.await_complete()
    assert status["result"]["digest"] == undisturbed
    assert (status["attempt"]["number"], status["attempt"]["failures"]) == (1, 0)
    records = shard_records(storage, namespace)
    assert [(record.begun_after_commit, record.epoch) for record in records.values()] == [(0, 1)] * SHARDS
    assert sum(record.begun for record in records.values()) == SHARDS + 1, "only what the lost worker had in hand"


@pytest.mark.timeout(2400)
def test_each_attempt_goes_on_from_what_the_one_before_it_finished(
    cluster: Cluster, storage: S3, operator: str, namespace: str, small_job: dict[str, Any], undisturbed: str
) -> None:
    kubectl = cluster.kubectl
    small_job["spec"]["policy"] = {"stallTimeoutSeconds": 180}
    slow_down(storage, namespace, 1, 2, 3, seconds=50)
    job = FollowedJob.apply(kubectl, small_job)

    job.wait_until("a commit, and more begun", lambda: is_in_the_midst(storage, namespace))
    (head,) = job.pods("head", attempt=1)
    kubectl("delete", "pod", head["metadata"]["name"], "-n", namespace, "--wait=false")
    await_attempt(job, 2, "HeadLost")

    speed_up(storage, namespace, 1)
    job.wait_until("another commit", lambda: len(shard_records(storage, namespace)) >= 2)
    kubectl("delete", "rayjob", "small-s2", "-n", namespace, "--wait=false")
    await_attempt(job, 3, "RayJobDeleted")

    speed_up(storage, namespace, 2)
    job.wait_until("another commit", lambda: len(shard_records(storage, namespace)) >= 3)
    (head,) = job.pods("head", attempt=3)
    signal_pod(head, signal.SIGSTOP, DRIVER)
    await_attempt(job, 4, "Stalled")

    speed_up(storage, namespace, 3)
    status = job.await_complete()
    assert status["result"]["digest"] == undisturbed
    assert (status["attempt"]["number"], status["attempt"]["failures"]) == (4, 3)
    records = shard_records(storage, namespace)
    assert [records[shard].begun_after_commit for shard in range(SHARDS)] == [0] * SHARDS
    assert [records[shard].epoch for shard in range(3)] == [1, 2, 3], "each attempt finished what it could"


def driver_speaks(job: FollowedJob) -> bool:
    found = job.kubectl.list("configmap", job.namespace, "afray.dev/job=small")
    return any("progress" in each.get("data", {}) for each in found if each["metadata"]["name"] == PROGRESS)


def has_others(job: FollowedJob, lost: str) -> bool:
    """Whether two workers are ready, and none of them is the lost one."""
    others = [pod for pod in job.pods("worker") if pod["metadata"]["uid"] != lost]
    return len(others) == 2 and all(is_ready(pod) for pod in others)


def await_attempt(job: FollowedJob, number: int, reason: str) -> None:
    """Wait for an attempt that runs, and whose predecessor failed for a reason."""
    job.wait_until(f"attempt {number}", lambda: job.attempt == number)
    assert job.status["attempt"]["lastFailure"]["reason"] == reason
