"""Kueue: what it says, and what it does not know of."""

from __future__ import annotations

import pytest
from afray_operator.observed import Offers
from helpers.kube_objects import NAME, workload
from helpers.operator_world import World

TOO_BIG = (
    "couldn't assign flavors to pod set gpu: insufficient quota for nvidia.com/gpu in flavor gpu, "
    "previously considered podsets requests (2) + current podset request (2) > maximum capacity (2)"
)


@pytest.mark.parametrize(
    ("reason", "message", "expected"),
    [
        ("Pending", "couldn't assign flavors to pod set gpu: insufficient unused quota, 2 more needed", "Queued"),
        ("Pending", TOO_BIG, "QueueTooSmall"),
        ("ExceedsMaxQuota", "cpu", "QueueTooSmall"),
        ("Inadmissible", "LocalQueue team-a doesn't exist", "QueueMissing"),
        ("Misconfigured", "ClusterQueue shared is terminating or missing", "QueueMissing"),
        ("Suspended", "LocalQueue team-a is stopped", "Queued"),
    ],
)
def test_why_a_job_waits_is_said_in_kueue_s_own_words(reason: str, message: str, expected: str) -> None:
    world = World.of(queue=True)
    world.settle()
    world.queues(reason, message)
    world.settle()
    assert world.stands("QuotaReserved") == f"False/{expected}"
    assert message in world.condition("QuotaReserved")[2]
    assert (world.status["phase"], world.status["reason"]) == ("Queued", expected)


def test_a_job_that_kueue_has_not_seen_says_so() -> None:
    world = World.of(queue=True)
    world.settle()
    assert world.condition("QuotaReserved") == ("False", "Queued", "Kueue has not looked at it yet (queue team-a).")


def test_quota_whose_other_checks_are_open_is_not_admitted() -> None:
    world = World.of(queue=True)
    world.settle()
    uid = world.ray_job()["metadata"]["uid"]
    said = {"QuotaReserved": ("True", "QuotaReserved", ""), "Admitted": ("False", "Checks", "waits for provisioning")}
    world.objects["workloads"]["w"] = workload(uid, **said)
    world.settle()
    assert world.stands("QuotaReserved") == "False/Queued"
    assert "waits for provisioning" in world.condition("QuotaReserved")[2]


def test_a_preempted_job_says_by_what_and_goes_on_where_it_stood() -> None:
    world = World.running(queue=True)
    world.evicts("Preempted to accommodate a workload (UID: x) due to prioritization")
    world.settle()
    assert "Preempted to accommodate a workload (UID: x)" in world.condition("QuotaReserved")[2]
    assert world.stands("ClusterReady") == "False/Queued"
    progress = world.status["progress"]
    world.admits()
    world.settle()
    world.runs()
    world.settle()
    assert world.status["progress"] == progress
    world.speaks(epoch=2, done=10)
    world.settle()
    assert world.status["phase"] == "Running"
    assert (world.attempt["number"], world.attempt["failures"]) == (1, 0)


def test_an_eviction_is_told_without_kueue_s_objects_too() -> None:
    world = World.running(queue=True)
    world.evicts()
    world.objects["workloads"].clear()
    world.settle()
    world.settle()
    assert world.stands("QuotaReserved") == "False/Preempted"


def test_a_queue_without_kueue_is_said_and_nothing_runs_past_it() -> None:
    world = World.of(queue=True, offers=Offers(ray_job=True, kueue=False))
    world.settle()
    assert world.stands("QuotaReserved") == "False/KueueMissing"
    said = world.condition("QuotaReserved")[2]
    assert "Kueue is not installed, or serves no v1beta2 Workloads. Install Kueue 0.15 or newer" in said
    assert world.ray_job()["spec"]["suspend"] is True
    assert world.status["reason"] == "KueueMissing"


def test_a_job_whose_workload_may_not_be_read_says_so_and_runs_when_it_is_admitted() -> None:
    world = World.of(queue=True, offers=Offers(ray_job=True, kueue=True, kueue_readable=False))
    world.settle()
    assert world.stands("QuotaReserved") == "False/Queued"
    assert "which the operator may not read: grant it get, list and watch" in world.condition("QuotaReserved")[2]
    world.ray_job()["spec"]["suspend"] = False
    world.settle()
    assert world.stands("QuotaReserved") == "True/Admitted"
    world.evicts()
    world.objects["workloads"].clear()
    world.settle()
    assert world.stands("QuotaReserved") == "False/Preempted"


def test_a_job_without_a_queue_that_kueue_suspends_all_the_same_says_how_to_go_on() -> None:
    world = World.of()
    world.settle()
    world.ray_job()["spec"]["suspend"] = True
    world.settle()
    assert world.stands("QuotaReserved") == "False/NoQueueName"
    assert "kueue.x-k8s.io/queue-name" in world.condition("QuotaReserved")[2]


def test_the_default_queue_of_kueue_is_not_a_change_of_the_job() -> None:
    world = World.of()
    world.settle()
    world.ray_job()["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] = "default"
    world.ray_job()["spec"]["suspend"] = True
    world.settle()
    assert world.created == [f"{NAME}-s1"]
    assert world.stands("QuotaReserved") == "False/Queued"


@pytest.mark.parametrize("queue", ["team-b", ""])
def test_a_waiting_job_that_names_another_queue_waits_there_and_nothing_is_counted(queue: str) -> None:
    world = World.of(queue=True)
    world.settle()
    world.queues("Inadmissible", "LocalQueue team-a doesn't exist")
    world.label(queue=queue)
    world.settle()
    assert "deletionTimestamp" in world.ray_job()["metadata"]
    world.collect_garbage()
    world.settle()
    assert world.created == [f"{NAME}-s1", f"{NAME}-s2"]
    assert world.ray_job()["metadata"]["annotations"]["afray.dev/queue"] == queue
    assert world.attempt["failures"] == 0


def test_a_running_job_is_not_disturbed_by_another_queue() -> None:
    world = World.running(queue=True)
    world.label(queue="team-b")
    world.settle()
    assert world.created == [f"{NAME}-s1"]
    assert world.status["phase"] == "Running"


def test_queue_and_priority_are_copied_and_no_other_label() -> None:
    world = World.of(queue=True)
    assert world.job is not None
    world.job["metadata"]["labels"] |= {"kueue.x-k8s.io/priority-class": "high", "team": "welding"}
    world.settle()
    labels = world.ray_job()["metadata"]["labels"]
    assert labels["kueue.x-k8s.io/queue-name"] == "team-a"
    assert labels["kueue.x-k8s.io/priority-class"] == "high"
    assert "team" not in labels
