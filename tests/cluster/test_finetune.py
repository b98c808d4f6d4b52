"""The finetune after a selection: what it waits for, which labels it takes, and that it survives its pods."""

from __future__ import annotations

import re
from typing import Any

import pytest
from testbed.faults import kill_operator, remove_pod
from testbed.followed_jobs import FollowedJob
from testbed.gpus import RESOURCE as GPU
from testbed.grounds import Ground
from testbed.jobs import conditions_of
from testbed.people import alternating, name_labels, selected_ids, unfinished_workloads, write_labels
from testbed.s3_faults import Fault
from testbed.small_jobs import IMAGES, QUEUE, create_queue
from testbed.steps import StepFailed

pytestmark = [pytest.mark.cluster, pytest.mark.nightly, pytest.mark.timeout(3600)]

EPOCHS = 6
COMPLETE_SECONDS = 1200
"""Of each stage, on however busy a machine."""
LOOKS_BY_EPOCHS = 5
"""Ray Train's controller asks its workers every 2 s what they reported; of a checkpoint it knows only then."""


def test_a_job_waits_for_labels_refuses_wrong_ones_and_finetunes_on_right_ones_though_pods_die(
    ground: Ground,
) -> None:
    """The operator is killed after the selection, and in mid-training; so is a worker."""
    kubectl = ground.kubectl
    create_queue(kubectl, ground.namespace)
    manifest = finetuning(ground, queue_name=QUEUE)
    manifest["spec"]["finetune"]["workers"] = {"group": "first", "replicas": 2}
    job = ground.start(manifest)

    job.await_condition("LabelsReady", "False", "AwaitingLabels", seconds=COMPLETE_SECONDS)
    job.wait_until("its pods to leave", lambda: not ground.working_pods())
    assert job.status["phase"] == "AwaitingLabels"
    selected = selected_ids(ground)
    assert unfinished_workloads(ground) == []
    kill_operator(ground.cluster)

    give_labels(ground, job, "wrong", [*selected[:12], "nobody asked for this"])
    job.await_condition("LabelsReady", "False", "Rejected")
    said = conditions_of({"status": job.status})["LabelsReady"]["message"]
    assert "(12 of 20 rows answered, 1 unknown ids, 2 classes)" in said
    assert job.failures == 0
    assert unfinished_workloads(ground) == []

    give_labels(ground, job, "right", selected)
    job.await_condition("LabelsReady", "True", "Accepted")
    total = kill_in_mid_training(ground, job, "worker")
    kill_operator(ground.cluster)
    with pytest.raises(StepFailed, match="can not be changed once labels are accepted"):
        give_labels(ground, job, "wrong", selected)
    complete = job.await_complete(seconds=COMPLETE_SECONDS)
    assert (complete["attempt"]["stage"], complete["attempt"]["number"]) == ("finetune", 1)
    assert_trained(ground, complete, total)
    shape = kubectl.get("rayjob", "small-f1", ground.namespace)["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    assert [(group["groupName"], group["replicas"]) for group in shape] == [("first", 2)]
    found = kubectl.list("workload", ground.namespace)
    (workload,) = (each for each in found if each["metadata"]["ownerReferences"][0]["name"] == "small-f1")
    assert {each["name"]: each["count"] for each in workload["spec"]["podSets"]}["first"] == 2


def test_a_finetune_on_labels_of_the_pool_waits_for_nobody_and_goes_on_after_its_head_is_lost(ground: Ground) -> None:
    manifest = finetuning(ground)
    manifest["spec"]["pool"]["labels"] = write_labels(
        ground, "pool", alternating(f"{number:04}.png" for number in range(IMAGES))
    )
    job = ground.start(manifest)
    job.await_condition("LabelsReady", "True", "PoolLabels", seconds=COMPLETE_SECONDS)

    total = kill_in_mid_training(ground, job, "head")
    complete = job.await_complete(seconds=COMPLETE_SECONDS)
    assert (complete["attempt"]["stage"], complete["attempt"]["number"]) == ("finetune", 2)
    assert (complete["attempt"]["failures"], complete["attempt"]["lastFailure"]["reason"]) == (1, "HeadLost")
    assert_trained(ground, complete, total)
    assert not [name for name in ground.inventory() if "small-l" in name], "nothing was to be checked"


def test_a_job_deleted_while_it_waits_for_labels_or_finetunes_leaves_nothing_and_another_goes_on_from_what_is_stored(
    ground: Ground,
) -> None:
    before = ground.inventory()
    manifest = finetuning(ground)
    waiting = ground.start(manifest)
    waiting.await_condition("LabelsReady", "False", "AwaitingLabels", seconds=COMPLETE_SECONDS)
    assert ground.inventory() > before
    ground.delete(waiting)
    ground.await_inventory(before)

    epochs = ground.shard_epochs()
    selected = selected_ids(ground)
    manifest["spec"]["labels"] = write_labels(ground, "right", alternating(selected))
    ground.storage.inject(Fault(pattern=progress_path(ground), method="PUT"))
    training = ground.start(manifest)
    training.wait_until(
        "an epoch's end", lambda: ground.storage.met(progress_path(ground)).waiting, seconds=COMPLETE_SECONDS
    )
    assert training.status["phase"] == "Finetuning"
    ground.delete(training)
    ground.await_inventory(before)
    assert (ground.shard_epochs(), selected_ids(ground)) == (epochs, selected)


def finetuning(ground: Ground, **labels: str) -> dict[str, Any]:
    manifest = ground.job(**labels)
    manifest["spec"]["finetune"] = {"epochs": EPOCHS}
    manifest["spec"]["cluster"]["workers"][0]["resources"] = {"cpu": "500m", "memory": "3Gi", GPU: "1"}
    return manifest


def give_labels(ground: Ground, job: FollowedJob, name: str, ids: list[str]) -> None:
    name_labels(ground, job, write_labels(ground, name, alternating(ids)))


def kill_in_mid_training(ground: Ground, job: FollowedJob, role: str) -> int:
    """Take a pod away while an epoch after a checkpoint ends; returns the epochs that were trained until then."""
    pattern = progress_path(ground)
    ground.storage.inject(Fault(pattern=pattern, method="PUT", seconds=2))  # epochs as long as checkpoints are apart
    job.wait_until("a checkpoint", lambda: checkpoints(ground), seconds=COMPLETE_SECONDS)
    known = trained_epochs(ground) + LOOKS_BY_EPOCHS
    job.wait_until("Ray Train to have looked for it", lambda: trained_epochs(ground) >= known)
    ground.storage.inject(Fault(pattern=pattern, method="PUT"))
    job.wait_until("an epoch's end", lambda: ground.storage.met(pattern).waiting)
    before, pod = trained_epochs(ground) + 1, job.pods(role)[-1]
    remove_pod(ground.kubectl, pod)
    job.wait_until("its end", lambda: pod["metadata"]["name"] not in names(job.pods(role)))
    if role == "head":
        job.wait_until("another attempt", lambda: job.failures == 1)
    ground.storage.lift(pattern)
    return before


def names(objects: list[dict[str, Any]]) -> list[str]:
    return [each["metadata"]["name"] for each in objects]


def assert_trained(ground: Ground, status: dict[str, Any], before: int) -> None:
    """The result is in the status, and no epoch before the checkpoint was trained twice."""
    found = status["finetune"]
    assert 0 <= found["accuracy"] <= 1
    assert found["biased"]
    report = ground.storage.read_json(f"s3://{ground.namespace}/small/report.json")
    assert report["evaluation"]["finetune"]["accuracy"] == found["accuracy"]
    (key,) = (key for key in finetune_keys(ground) if key.endswith("/progress.json"))
    total = ground.storage.read_json(f"s3://{ground.namespace}/{key}")["total"]
    assert 0 < before < total
    assert total <= trained_epochs(ground) < before + total, "it began anew"


def trained_epochs(ground: Ground) -> int:
    """Each epoch's end is written down once."""
    pattern = re.compile(progress_path(ground))
    return sum(each.method == "PUT" and pattern.match(each.path) is not None for each in ground.storage.requests())


def progress_path(ground: Ground) -> str:
    return rf"/{ground.namespace}/small/finetune/\w+/progress\.json"


def checkpoints(ground: Ground) -> list[str]:
    return [key for key in finetune_keys(ground) if key.endswith("state.pt")]


def finetune_keys(ground: Ground) -> list[str]:
    return ground.storage.list(f"s3://{ground.namespace}/small/finetune/")
