"""A namespace goes while nobody looks after the jobs in it."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
from testbed import kueue
from testbed.cluster import Cluster
from testbed.environment import remove_volumes
from testbed.faults import give_operator_back, operator_pods, take_operator_away
from testbed.followed_jobs import FollowedJob
from testbed.lab import Lab
from testbed.namespaces import new_namespace
from testbed.s3 import S3
from testbed.small_jobs import QUOTA, furnish

pytestmark = [pytest.mark.cluster, pytest.mark.nightly]

GONE_SECONDS = 300


@pytest.mark.timeout(1500)
def test_a_namespace_that_went_while_the_operator_was_down_is_not_missed(
    cluster: Cluster, storage: S3, operator: str, namespace: str, small_job: dict[str, Any], undisturbed: str
) -> None:
    kubectl = cluster.kubectl
    held = {**kueue.cluster_queue(namespace, QUOTA)["spec"], "stopPolicy": "Hold"}
    kubectl.apply({**kueue.cluster_queue(namespace, QUOTA), "spec": held})
    other = FollowedJob.apply(kubectl, small_job)
    doomed = new_namespace(kubectl, f"doomed-{secrets.token_hex(3)}")
    job = FollowedJob.apply(kubectl, furnish(Lab(cluster, storage), doomed))
    job.wait_until("pods", lambda: job.pods("head") and job.pods("worker"))
    other.await_condition("QuotaReserved", "False", "Queued")

    take_operator_away(cluster)
    kubectl("delete", "namespace", doomed, "--wait=false")
    kubectl.wait(f"namespace/{doomed}", "delete", seconds=GONE_SECONDS)
    remove_volumes(kubectl, doomed)
    give_operator_back(cluster)

    kubectl.apply(kueue.cluster_queue(namespace, QUOTA))
    status = other.await_complete()
    assert status["result"]["digest"] == undisturbed
    assert (status["attempt"]["number"], status["attempt"]["failures"]) == (1, 0)
    (pod,) = operator_pods(kubectl)
    assert [container["restartCount"] for container in pod["status"]["containerStatuses"]] == [0]
