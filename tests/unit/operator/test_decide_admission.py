"""Whether a job is taken on, what is said if not, and what may still change."""

from __future__ import annotations

import json
from typing import Any

import pytest
from afray_operator.decide.actions import AskDryRun, EnsureConfigMap
from afray_operator.observed import DryRun, Hindrance, Memory, Offers, Refusal
from helpers.kube_objects import NAME, Raw, seconds
from helpers.operator_world import World

TEMPLATE = {"spec": {"nodeSelector": {"disk": "ssd"}}}
WITH_TEMPLATE: dict[str, object] = {"spec.cluster.head.template": TEMPLATE}


def change_template(world: World, template: Raw) -> None:
    assert world.job is not None
    cluster = world.job["spec"]["cluster"]
    world.edit(cluster={**cluster, "head": {**cluster["head"], "template": template}})


def head_spec(world: World) -> Any:
    return world.ray_job()["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]


def test_a_spec_that_breaks_a_rule_is_not_accepted_and_the_field_is_named() -> None:
    world = World.of({"spec.cluster.workers": [{"name": "head", "resources": {"cpu": "1", "memory": "1Gi"}}]})
    decision = world.settle()
    status, reason, message = world.condition("Accepted")
    assert (status, reason) == ("False", "InvalidSpec")
    assert message.startswith("spec.cluster.workers[0].name: is reserved")
    assert (world.status["phase"], world.status["reason"]) == ("Pending", "InvalidSpec")
    assert (world.created, world.told, decision.wake_at) == ([], ["Rejected"], None)


def test_a_rejected_job_is_rejected_once() -> None:
    world = World.of({"spec.budget": 1})
    for _ in range(3):
        world.passes(300)
        world.restart()
        world.settle()
    assert world.told == ["Rejected"]
    assert world.patches == 1


def test_without_kuberay_a_job_says_so_and_is_taken_on_when_it_comes() -> None:
    world = World.of(offers=Offers(ray_job=False, kueue=False))
    world.settle()
    assert world.stands("Accepted") == "False/RayAPIMissing"
    world.offers = Offers(ray_job=True, kueue=False)
    world.settle()
    assert world.stands("Accepted") == "True/Valid"
    assert world.told == ["Rejected", "Accepted", "AttemptCreated"]


def test_kuberay_that_vanishes_under_a_running_job_costs_it_nothing() -> None:
    world = World.running()
    world.offers = Offers(ray_job=False, kueue=False)
    world.objects["ray_jobs"].clear()
    world.settle()
    assert world.stands("Accepted") == "False/RayAPIMissing"
    assert (world.status["phase"], world.attempt["failures"]) == ("Running", 0)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ('RayJob.ray.io "x" is invalid: spec.rayClusterSpec.headGroupSpec.template: bad', "DryRunRejected"),
        (
            'strict decoding error: unknown field "spec.rayClusterSpec.headGroupSpec.template.spec.foo"',
            "DryRunRejected",
        ),
        ('strict decoding error: unknown field "spec.submitterConfig"', "RayAPIMissing"),
        ('admission webhook "vrayjob.kb.io" denied the request: too many pod sets', "DryRunRejected"),
    ],
)
def test_what_the_api_server_refuses_is_told_in_its_words_before_anything_runs(message: str, reason: str) -> None:
    world = World.of()
    world.refuses_dry_run = message
    world.settle()
    assert world.stands("Accepted") == f"False/{reason}"
    assert message in world.condition("Accepted")[2]
    assert world.created == []


def test_a_missing_right_is_told_with_the_namespace() -> None:
    world = World.of()
    (question,) = world.decide().actions
    assert isinstance(question, AskDryRun)
    said = DryRun(digest=question.digest, at=world.now, hindrance=Hindrance.rights, message="no")
    world.memory = Memory(dry_run=said)
    world.settle()
    assert world.stands("Accepted") == "False/NotPermitted"
    assert "namespace plant" in world.condition("Accepted")[2]


def test_after_a_refusal_the_api_server_is_asked_again_every_five_minutes() -> None:
    world = World.of()
    world.refuses_dry_run = "the webhook is down"
    waiting = world.settle()
    assert waiting.wake_at is not None
    assert (waiting.wake_at - world.now).total_seconds() == 300
    world.refuses_dry_run = ""
    world.passes(299)
    world.settle()
    assert world.stands("Accepted") == "False/DryRunRejected"
    world.passes(1)
    world.settle()
    assert world.stands("Accepted") == "True/Valid"


def test_a_refused_template_that_is_corrected_is_asked_about_at_once() -> None:
    world = World.of(WITH_TEMPLATE)
    world.refuses_dry_run = "bad template"
    world.settle()
    change_template(world, {"spec": {"nodeSelector": {"disk": "hdd"}}})
    world.refuses_dry_run = ""
    world.settle()
    assert world.stands("Accepted") == "True/Valid"
    assert head_spec(world)["nodeSelector"] == {"disk": "hdd"}


def test_the_question_has_a_name_that_no_attempt_has_so_it_never_collides() -> None:
    (question,) = World.of(queue=True).decide().actions
    assert isinstance(question, AskDryRun)
    manifest: Any = question.manifest
    assert manifest["metadata"]["name"] == f"{NAME}-s0"
    assert manifest["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "team-a"


def test_accepted_templates_are_kept_before_it_is_said_that_they_are_accepted() -> None:
    world = World.of(WITH_TEMPLATE)
    world.step()
    keeping = world.step()
    assert isinstance(keeping.actions[0], EnsureConfigMap)
    assert world.status == {}
    kept = world.objects["config_maps"][f"{NAME}-templates"]
    assert json.loads(kept["data"]["templates"]) == {"head": TEMPLATE}
    world.settle()
    assert world.stands("Accepted") == "True/Valid"


def test_a_job_without_templates_keeps_none() -> None:
    world = World.of()
    world.settle()
    assert list(world.objects["config_maps"]) == [f"{NAME}-progress"]


def test_templates_that_may_not_be_kept_are_not_accepted_and_not_asked_for_without_end() -> None:
    world = World.of(WITH_TEMPLATE)
    world.refuses, world.hindrance = {"ConfigMap": "configmaps is forbidden"}, Hindrance.rights
    waiting = world.settle()
    assert world.stands("Accepted") == "False/NotPermitted"
    assert "configmaps is forbidden" in world.condition("Accepted")[2]
    assert waiting.wake_at is not None


def test_a_template_that_changes_after_acceptance_is_ignored_by_later_attempts_and_it_is_said_once() -> None:
    world = World.running(WITH_TEMPLATE)
    change_template(world, {"spec": {"nodeSelector": {"disk": "hdd"}}})
    world.settle()
    world.fails()
    world.settle()
    world.passes(60)
    world.settle()
    assert world.created == [f"{NAME}-s1", f"{NAME}-s2"]
    assert head_spec(world)["nodeSelector"] == {"disk": "ssd"}
    assert world.told.count("SpecChangeIgnored") == 1
    assert "another job" in world.condition("Accepted")[2]


def test_another_change_of_a_template_is_told_anew_and_its_return_is_silent() -> None:
    world = World.running(WITH_TEMPLATE)
    for disk in ("hdd", "nvme", "ssd"):
        change_template(world, {"spec": {"nodeSelector": {"disk": disk}}})
        world.settle()
    assert world.told.count("SpecChangeIgnored") == 2
    assert world.condition("Accepted")[2] == ""


def test_a_template_that_is_added_later_is_ignored_too() -> None:
    world = World.running()
    change_template(world, TEMPLATE)
    world.settle()
    world.fails()
    world.settle()
    world.passes(60)
    world.settle()
    assert "nodeSelector" not in head_spec(world)


def test_kept_templates_that_are_lost_leave_the_object_s_own() -> None:
    world = World.running(WITH_TEMPLATE)
    world.objects["config_maps"].pop(f"{NAME}-templates")
    world.fails()
    world.settle()
    world.passes(60)
    world.settle()
    assert head_spec(world)["nodeSelector"] == {"disk": "ssd"}


@pytest.mark.parametrize("owner", ["another", ""])
def test_templates_kept_for_another_job_of_that_name_are_not_taken(owner: str) -> None:
    world = World.running(WITH_TEMPLATE)
    kept = world.objects["config_maps"][f"{NAME}-templates"]
    kept["metadata"]["ownerReferences"][0]["uid"] = owner
    kept["data"] = {"templates": "{}"}
    world.fails()
    world.settle()
    world.passes(60)
    world.settle()
    assert head_spec(world)["nodeSelector"] == {"disk": "ssd"}


def test_a_job_that_shares_its_output_is_warned_once() -> None:
    world = World.of()
    world.remember(same_output=("team/other", "plant/third"))
    world.settle()
    world.settle()
    assert world.told.count("OutputShared") == 1
    assert "plant/third, team/other" in world.condition("Accepted")[2]
    world.remember(same_output=())
    world.settle()
    assert world.condition("Accepted")[2] == ""


def test_a_change_of_policy_is_taken_up_by_every_condition() -> None:
    world = World.running()
    world.edit(policy={"backoffLimit": 5})
    world.settle()
    assert world.status["observedGeneration"] == 2
    assert {condition["observedGeneration"] for condition in world.status["conditions"]} == {2}
    for generation in (3, 4):
        world.edit(suspend=generation == 3)
        world.settle()
        world.collect_garbage()
        world.settle()
        assert {condition["observedGeneration"] for condition in world.status["conditions"]} == {generation}
    world.edit(policy={"backoffLimit": 6})
    world.settle()
    assert {condition["observedGeneration"] for condition in world.status["conditions"]} == {5}


def test_a_foreign_ray_job_of_our_name_is_waited_for_and_never_touched() -> None:
    world = World.of()
    foreign: Raw = {"metadata": {"name": f"{NAME}-s1", "uid": "theirs", "labels": {}}, "spec": {}}
    world.objects["ray_jobs"][f"{NAME}-s1"] = foreign
    world.settle()
    assert world.stands("ClusterReady") == "False/NameTaken"
    assert (world.status["phase"], world.status["reason"]) == ("Starting", "NameTaken")
    assert f"RayJob {NAME}-s1 is somebody else's" in world.condition("ClusterReady")[2]
    assert world.told[-1] == "NameTaken"
    assert "deletionTimestamp" not in foreign["metadata"]
    del world.objects["ray_jobs"][f"{NAME}-s1"]
    world.settle()
    assert world.created == [f"{NAME}-s1"]


def test_a_job_that_is_applied_anew_waits_for_what_its_predecessor_left() -> None:
    world = World.running()
    left = world.objects
    world = World.of()
    assert world.job is not None
    world.job["metadata"]["uid"] = "uid-of-the-next"
    world.objects = left
    world.settle()
    assert world.created == []
    assert world.stands("ClusterReady") == "False/NameTaken"
    for kind in left:
        left[kind].clear()
    world.settle()
    assert world.created == [f"{NAME}-s1"]


def test_the_progress_of_a_predecessor_is_not_believed() -> None:
    world = World.running()
    world.speaks(stage="report", result={"uri": "s3://old", "digest": "c" * 64, "selected": 1, "poolSize": 1})
    old = world.objects["config_maps"][f"{NAME}-progress"]
    old["metadata"]["ownerReferences"][0]["uid"] = "another"
    world.finishes()
    world.settle()
    assert world.stands("Complete") == ""


def test_a_creation_that_is_refused_is_told_and_tried_again_every_minute() -> None:
    world = World.of()
    world.refuses = {"RayJob": 'exceeded quota: "rayjobs.ray.io"'}
    waiting = world.settle()
    assert world.stands("ClusterReady") == "False/CreationRefused"
    assert 'exceeded quota: "rayjobs.ray.io"' in world.condition("ClusterReady")[2]
    assert world.told[-1] == "CreationRefused"
    assert waiting.wake_at is not None
    assert (waiting.wake_at - world.now).total_seconds() == 60
    world.refuses = {}
    world.passes(60)
    world.settle()
    assert world.created == [f"{NAME}-s1"]


def test_a_creation_that_nobody_could_judge_is_tried_again_in_seconds() -> None:
    world = World.of(refuses={"RayJob": "failed calling webhook"}, hindrance=Hindrance.trouble)
    waiting = world.settle()
    assert "failed calling webhook. It is tried again every 10 s." in world.condition("ClusterReady")[2]
    assert waiting.wake_at == world.now + seconds(10)
    world.refuses = {}
    world.passes(10)
    world.settle()
    assert (world.created, world.attempt["failures"]) == ([f"{NAME}-s1"], 0)


def test_a_driver_whose_config_map_could_not_be_made_anew_gets_it_in_seconds() -> None:
    world = World.running(hindrance=Hindrance.trouble)
    del world.objects["config_maps"][f"{NAME}-progress"]
    world.refuses = {"ConfigMap": "failed calling webhook"}
    waiting = world.settle()
    assert waiting.wake_at == world.now + seconds(10)
    world.refuses = {}
    world.passes(10)
    world.settle()
    assert f"{NAME}-progress" in world.objects["config_maps"]


def test_a_job_that_nobody_could_judge_is_asked_about_again_in_seconds() -> None:
    world = World.of(refuses_dry_run="failed calling webhook", hindrance=Hindrance.trouble)
    waiting = world.settle()
    assert world.stands("Accepted") == "Unknown/NotAnswered"
    assert (world.status["phase"], world.status["reason"]) == ("Pending", "NotAnswered")
    assert waiting.wake_at == world.now + seconds(10)
    world.refuses_dry_run = ""
    world.passes(10)
    world.settle()
    assert world.stands("Accepted") == "True/Valid"


def test_an_old_refusal_says_nothing_about_an_attempt_that_runs() -> None:
    world = World.running()
    world.remember(refusal=Refusal(kind="Role", name="x", message="no", at=world.now))
    world.settle()
    assert world.stands("ClusterReady") == "True/HeadAndWorkersReady"
