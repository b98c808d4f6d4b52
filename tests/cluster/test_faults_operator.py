"""The operator is killed at six points of one job's life, and the job does not notice."""

from __future__ import annotations

from typing import Any

import pytest
from testbed import kueue
from testbed.cluster import Cluster
from testbed.embedding_records import is_in_the_midst, shard_records, slow_down, speed_up
from testbed.faults import give_operator_back, kill_operator, take_operator_away
from testbed.followed_jobs import FollowedJob
from testbed.s3 import S3
from testbed.s3_faults import Fault
from testbed.small_jobs import QUOTA, SHARDS

pytestmark = [pytest.mark.cluster, pytest.mark.nightly]


@pytest.mark.timeout(1800)
def test_a_job_goes_on_wherever_it_stood_when_its_operator_was_killed(
    cluster: Cluster, storage: S3, operator: str, namespace: str, small_job: dict[str, Any], undisturbed: str
) -> None:
    kubectl, report = cluster.kubectl, f"/{namespace}/out/report.json"
    slow_down(storage, namespace, 1, 2, 3)
    storage.inject(Fault(pattern=report, method="PUT"))
    kubectl.apply({**kueue.cluster_queue(namespace, QUOTA), "spec": held_queue(namespace)})
    small_job["spec"]["suspend"] = True
    job = FollowedJob.apply(kubectl, small_job)

    job.await_condition("Accepted", "True", "Valid")
    kill_operator(cluster)
    assert job.ray_job() is None

    job.suspend(False)
    job.wait_until("its RayJob", job.ray_job)
    kill_operator(cluster)

    job.await_condition("QuotaReserved", "False", "Queued")
    job.wait_until("the RayJob in its status", lambda: "rayJobUID" in job.status["attempt"])
    kill_operator(cluster)
    attempt = job.status["attempt"]

    kubectl.apply(kueue.cluster_queue(namespace, QUOTA))
    job.wait_until("its head pod", lambda: job.pods("head"))
    kill_operator(cluster)

    job.wait_until("a commit, and more begun", lambda: is_in_the_midst(storage, namespace))
    kill_operator(cluster)
    assert len(shard_records(storage, namespace)) < SHARDS

    speed_up(storage, namespace, 1, 2, 3)
    job.wait_until("the selection, and its report", lambda: storage.met(report).waiting)
    take_operator_away(cluster)
    storage.lift(report)
    job.wait_until("the end of the RayJob", lambda: has_ended(job))
    give_operator_back(cluster)

    status = job.await_complete()
    assert status["result"]["digest"] == undisturbed
    assert (status["attempt"]["number"], status["attempt"]["rayJobUID"]) == (attempt["number"], attempt["rayJobUID"])
    assert status["attempt"]["failures"] == 0
    records = shard_records(storage, namespace)
    assert {shard: (record.begun, record.begun_after_commit, record.epoch) for shard, record in records.items()} == (
        dict.fromkeys(range(SHARDS), (1, 0, 1))
    )


def held_queue(name: str) -> dict[str, Any]:
    return {**kueue.cluster_queue(name, QUOTA)["spec"], "stopPolicy": "Hold"}


def has_ended(job: FollowedJob) -> bool:
    ray_job = job.ray_job()
    return ray_job is not None and ray_job["status"].get("jobDeploymentStatus") == "Complete"
