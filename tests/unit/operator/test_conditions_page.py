"""Every condition is explained, every explanation can occur, and the page in the docs is that of the models."""

from __future__ import annotations

from collections.abc import Callable

from afray_operator import conditions_page
from afray_operator.observed import Hindrance, Offers
from helpers import operator_world
from helpers.kube_objects import CHECKED, FINETUNED, NAME, RESULT, Raw, failure, pod
from helpers.operator_world import World
from helpers.repository import ROOT

from afray.api.conditions import ConditionStatus, ConditionType, Reason
from afray.api.meanings import MEANINGS, meaning

FINETUNE: dict[str, object] = {"spec.finetune": {"epochs": 1}}
LABELS = {"uri": "s3://plant/labels.csv", "format": "csv"}
ONCE: dict[str, object] = {"spec.policy": {"backoffLimit": 0}}
TROUBLES: tuple[dict[str, object], ...] = (
    {"waiting": ("ErrImagePull", "no")},
    {"waiting": ("CreateContainerConfigError", "no")},
    {"waiting": ("CrashLoopBackOff", "no")},
    {"unschedulable": "no"},
)


def not_accepted() -> None:
    World.of({"spec.unknown": 1}).settle()
    World.of(offers=Offers(ray_job=False, kueue=False)).settle()
    for refusal in ("no", 'unknown field "spec.submitterConfig"'):
        World.of(refuses_dry_run=refusal).settle()


def not_written() -> None:
    template: dict[str, object] = {"spec.cluster.head.template": {"spec": {"a": 1}}}
    for hindrance in Hindrance:
        World.of(template, refuses={"ConfigMap": "no"}, hindrance=hindrance).settle()
    World.of(refuses_dry_run="no", hindrance=Hindrance.trouble).settle()
    world = World.running()
    world.edit(labels={"uri": "no location", "format": "csv"})
    world.fails()
    world.settle()
    world.passes(60)
    world.settle()


def queues() -> None:
    for message in ("wait", "> maximum capacity (2)", "LocalQueue a doesn't exist"):
        world = World.of(queue=True)
        world.settle()
        world.queues(message=message)
        world.settle()
    World.of(queue=True, offers=Offers(ray_job=True, kueue=False)).settle()
    world = World.running()
    world.ray_job()["spec"]["suspend"] = True
    world.settle()


def select_and_finetune() -> None:
    world = World.running({**FINETUNE, "spec.pool.labels": LABELS}, queue=True)
    cluster = world.objects["ray_clusters"][world.ray_job()["status"]["rayClusterName"]]
    cluster["status"]["readyWorkerReplicas"] = 0
    world.writes_progress("{")
    world.settle()
    world.evicts()
    world.settle()
    world.goes_on()
    world.finishes()
    world.settle()
    world.speaks(stage="report", result=RESULT)
    world.settle()
    world.goes_on()
    world.succeeds(finetune=FINETUNED)


def labels_of_people() -> None:
    world = World.running(FINETUNE)
    world.succeeds(result=RESULT)
    world.edit(labels=LABELS)
    world.settle()
    world.goes_on()
    world.succeeds(labels={**CHECKED, "accepted": False})
    world.edit(labels={**LABELS, "sha256": "b" * 64})
    world.settle()
    world.goes_on()
    world.succeeds(labels=CHECKED)


def going_on() -> None:
    before = {"certificate": {"uri": "s3://plant/out-1/certificate.json"}}
    world = World.of({"spec.previous": before})
    world.settle()
    for accepted in (False, True):
        named = {**before, "labels": {"uri": f"s3://plant/{accepted}.csv", "format": "csv"}}
        world.edit(previous=named)
        world.settle()
        world.goes_on()
        world.succeeds(labels={**CHECKED, "accepted": accepted, "message": "" if accepted else "of another round"})
    world = World.running({"spec.previous": named, **ONCE})
    world.fails()
    world.settle()


def suspension() -> None:
    world = World.running()
    world.edit(suspend=True)
    world.settle()
    world.collect_garbage()
    world.settle()
    world.edit(suspend=False)
    world.settle()


def in_the_way() -> None:
    world = World.of()
    world.objects["ray_jobs"][f"{NAME}-s1"] = {"metadata": {"name": f"{NAME}-s1", "uid": "theirs"}}
    world.settle()
    World.of(refuses={"RayJob": "quota"}).settle()


def failing() -> None:
    ends: tuple[Callable[[World], None], ...] = (
        lambda world: world.fails("failed"),
        lambda world: world.fails("failed", reason="SubmissionFailed"),
        lambda world: world.delete_ray_job(f"{NAME}-s1"),
        lambda world: world.speaks(failure=failure(64)) or world.fails(),  # type: ignore[func-returns-value]
        lambda world: world.passes(900),
    )
    for limit in (ONCE, FINETUNE):
        for end in ends:
            world = World.running({**FINETUNE, **limit})
            end(world)
            world.settle()
    world = World.running({"spec.policy": {"activeDeadlineSeconds": 60}})
    world.passes(60)
    world.settle()


def never_starting() -> None:
    World.of(ONCE).settle()
    world = World.of(ONCE)
    world.settle()
    world.passes(1800)
    world.settle()
    for trouble in TROUBLES:
        world = World.of(ONCE)
        world.settle()
        world.starts()
        world.objects["pods"] = {"p": pod("p", phase="Pending", ready=False, **trouble)}  # type: ignore[arg-type]
        world.settle()
        world.passes(1800)
        world.settle()
    kuberay_cannot_make_pods()


def kuberay_cannot_make_pods() -> None:
    world = World.of(ONCE)
    world.settle()
    world.starts()
    cluster = world.objects["ray_clusters"][world.ray_job()["status"]["rayClusterName"]]
    refused: Raw = {"type": "ReplicaFailure", "status": "True", "message": "quota"}
    cluster["status"]["conditions"].append(refused)
    world.objects["pods"].clear()
    world.passes(1800)
    world.settle()


STORIES = (
    not_accepted, not_written, queues, select_and_finetune, labels_of_people, going_on, suspension, in_the_way, failing,
    never_starting,
)  # fmt: skip


def test_everything_that_is_explained_can_be_said() -> None:
    for story in STORIES:
        story()
    explained = {(kind, *pair) for kind, pairs in MEANINGS.items() for pair in pairs}
    assert explained - operator_world.SAID == set()


def test_every_condition_and_every_reason_is_explained() -> None:
    assert set(MEANINGS) == set(ConditionType)
    assert {reason for pairs in MEANINGS.values() for _, reason in pairs} == set(Reason)


def test_what_a_newer_operator_says_is_not_explained() -> None:
    assert meaning(ConditionType.complete, ConditionStatus.false, Reason.queued) is None


def test_the_page_is_that_of_the_models() -> None:
    assert (ROOT / conditions_page.PAGE).read_text() == conditions_page.render()
