"""SelectionJobs in Kueue's queues: admitted, preempted and resumed, refused, and what happens where Kueue is absent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from testbed import kueue
from testbed.cluster import Cluster
from testbed.gpus import RESOURCE as GPU
from testbed.grounds import Ground
from testbed.jobs import KIND, conditions_of
from testbed.kubectl import Kubectl
from testbed.small_jobs import QUEUE, SHARDS, create_queue, run_alone

pytestmark = [pytest.mark.cluster, pytest.mark.nightly]

ONE_JOB = {"cpu": "4", "memory": "12Gi", GPU: "1"}
"""Quota: the one GPU keeps a second job out."""


@pytest.mark.timeout(1500)
def test_a_preempted_job_goes_on_where_it_stood_and_nothing_is_counted(ground: Ground) -> None:
    kubectl, queue = ground.kubectl, ground.namespace
    urgent, patient = f"{queue}-urgent", f"{queue}-patient"
    kubectl.apply(
        kueue.cluster_queue(queue, ONE_JOB, within="LowerPriority"),
        kueue.local_queue(QUEUE, ground.namespace, queue),
        kueue.priority_class(urgent, 1000),
        kueue.priority_class(patient, 1),
    )
    held = ground.hold_last_shard()
    manifest = ground.job("small", queue_name=QUEUE, priority_class=patient)
    job = ground.start(manifest)
    ground.await_held(job, held)
    assert job.condition("QuotaReserved") == ("True", "Admitted")
    job.wait_until("its quota", lambda: reserved(kubectl, queue)[GPU] == "1")
    (workload,) = kubectl.list("workload", ground.namespace)
    assert (workload["spec"]["queueName"], workload["spec"]["priority"]) == (QUEUE, 1)

    other = ground.start(ground.job("other", queue_name=QUEUE, priority_class=urgent))
    other.await_condition("QuotaReserved", "True", "Admitted")
    job.await_condition("QuotaReserved", "False", "Preempted")
    assert "due to prioritization" in conditions_of({"status": job.status})["QuotaReserved"]["message"]
    job.wait_until("its pods to leave", lambda: not job.pods("head") + job.pods("worker"))
    finished = ground.shard_epochs()
    assert len(finished) == SHARDS - 1
    ground.storage.lift(held)
    kubectl("delete", KIND, "other", "-n", ground.namespace)

    complete = job.await_complete()
    assert (complete["attempt"]["number"], complete["attempt"].get("failures", 0)) == (1, 0)
    *before, last = ground.shard_epochs()
    assert before == finished, "a finished shard was embedded again"
    assert last > max(before), "the driver of before went on"
    assert names(kubectl, "rayjob", ground.namespace) == ["small-s1"]
    assert complete["result"]["digest"] == run_alone(ground.storage, manifest)["selectionDigest"]
    job.wait_until("its quota to come back", lambda: set(reserved(kubectl, queue).values()) == {"0"})


def test_a_job_too_big_for_its_queue_says_what_kueue_says_and_moves_to_a_larger_one(ground: Ground) -> None:
    kubectl, larger = ground.kubectl, f"{ground.namespace}-larger"
    create_queue(kubectl, ground.namespace, ONE_JOB)
    manifest = ground.job(queue_name=QUEUE)
    manifest["spec"]["cluster"]["workers"][0]["replicas"] = 2
    job = ground.start(manifest)

    job.await_condition("QuotaReserved", "False", "QueueTooSmall")
    (workload,) = kubectl.list("workload", ground.namespace)
    said = conditions_of(workload)["QuotaReserved"]["message"]
    assert "insufficient quota for nvidia.com/gpu" in said
    assert conditions_of({"status": job.status})["QuotaReserved"]["message"].startswith(said)
    assert kubectl.list("pods", ground.namespace) == []

    kubectl.apply(
        kueue.cluster_queue(larger, {**ONE_JOB, GPU: "2"}), kueue.local_queue("larger", ground.namespace, larger)
    )
    kubectl("label", KIND, job.name, "-n", ground.namespace, "kueue.x-k8s.io/queue-name=larger", "--overwrite")
    job.await_condition("QuotaReserved", "True", "Admitted")
    job.wait_until("its quota there", lambda: reserved(kubectl, larger)[GPU] == "2")
    assert names(kubectl, "rayjob", ground.namespace) == ["small-s2"]
    assert job.failures == 0


@pytest.fixture
def without_kueue(cluster: Cluster) -> Iterator[None]:
    kueue.uninstall(cluster)
    yield
    kueue.install(cluster)


@pytest.mark.timeout(1500)
def test_without_kueue_a_job_waits_for_its_queue_and_runs_as_soon_as_it_names_none(
    ground: Ground, without_kueue: None
) -> None:
    job = ground.start(ground.job(queue_name=QUEUE))
    job.await_condition("QuotaReserved", "False", "KueueMissing", seconds=600)  # seen at a resync, every five minutes
    said = conditions_of({"status": job.status})["QuotaReserved"]["message"]
    assert said == (
        f"Queue {QUEUE} is asked for, and Kueue is not installed, or serves no v1beta2 Workloads. "
        "Install Kueue 0.15 or newer, or take the label away."
    )
    assert ground.kubectl.list("pods", ground.namespace) == []

    ground.kubectl("label", KIND, job.name, "-n", ground.namespace, "kueue.x-k8s.io/queue-name-")
    job.await_condition("QuotaReserved", "True", "NotManaged")
    complete = job.await_complete()
    assert complete["attempt"].get("failures", 0) == 0
    assert len(ground.shard_epochs()) == SHARDS


def reserved(kubectl: Kubectl, queue: str) -> dict[str, str]:
    """What jobs hold of a cluster queue, by resource."""
    (flavor,) = kubectl.get("clusterqueue", queue)["status"]["flavorsReservation"]
    return {resource["name"]: resource["total"] for resource in flavor["resources"]}


def names(kubectl: Kubectl, kind: str, namespace: str) -> list[str]:
    found: list[dict[str, Any]] = kubectl.list(kind, namespace)
    return sorted(each["metadata"]["name"] for each in found)
