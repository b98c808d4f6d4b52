"""A job that was taken on lives on, whatever its spec becomes: CEL does not see templates, operators grow stricter."""

from __future__ import annotations

from typing import Any

import pytest
from afray_operator.observed.spec import outline, read_job
from helpers.kube_objects import NAME, RESULT, Raw, seconds, selection_job
from helpers.operator_world import World

from afray.api.policy import PolicySpec

DISK: Raw = {"spec": {"nodeSelector": {"disk": "ssd"}}}
WITH_TEMPLATE: dict[str, object] = {"spec.cluster.head.template": DISK}
POLICY: dict[str, object] = {"activeDeadlineSeconds": 3600, "ttlSecondsAfterFinished": 60, "backoffLimit": 1}
BAD_LABELS = {"uri": "labels.csv", "format": "csv"}


def nested(levels: int) -> Raw:
    found: Raw = {}
    for _ in range(levels):
        found = {"spec": found}
    return found


TEMPLATES: dict[str, Raw] = {
    "too large": {"metadata": {"annotations": {"a": "x" * 9000}}},
    "too deep": nested(100),
    "of another shape": {"containers": []},
}


def spoil(world: World, how: str) -> None:
    """Edit what the API server lets pass, and no model does."""
    assert world.job is not None
    if how == "labels":
        world.edit(labels=BAD_LABELS)
    else:
        cluster = world.job["spec"]["cluster"]
        world.edit(cluster={**cluster, "head": {**cluster["head"], "template": TEMPLATES[how]}})
    world.settle()


def head_spec(world: World) -> Any:
    return world.ray_job()["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]


def fail_and_wait(world: World) -> None:
    world.fails()
    world.settle()
    world.passes(60)
    world.settle()


@pytest.mark.parametrize("how", TEMPLATES)
@pytest.mark.parametrize("accepted", [{}, WITH_TEMPLATE])
def test_a_template_that_does_not_load_is_ignored_and_the_accepted_one_stays(how: str, accepted: Any) -> None:
    world = World.running(accepted)
    spoil(world, how)
    status, reason, message = world.condition("Accepted")
    assert (status, reason) == ("True", "Valid")
    assert message.startswith("The pod templates stay as they were accepted; the spec's are ignored: spec")
    assert world.told.count("SpecChangeIgnored") == 1
    fail_and_wait(world)
    assert world.created == [f"{NAME}-s1", f"{NAME}-s2"]
    assert head_spec(world).get("nodeSelector") == (DISK["spec"]["nodeSelector"] if accepted else None)
    world.goes_on()
    world.succeeds(result=RESULT)
    assert world.stands("Complete") == "True/Succeeded"


def without_kept_templates() -> World:
    """A job of which nobody knows the accepted templates any more."""
    world = World.running({**WITH_TEMPLATE, "spec.policy": POLICY})
    world.objects["config_maps"].pop(f"{NAME}-templates")
    spoil(world, "too large")
    return world


def with_bad_labels() -> World:
    world = World.running({"spec.policy": POLICY})
    spoil(world, "labels")
    return world


HOPELESS = [without_kept_templates, with_bad_labels]


@pytest.mark.parametrize("make", HOPELESS)
def test_a_spec_that_can_not_be_used_is_said_and_what_runs_ends_well(make: Any) -> None:
    world = make()
    status, reason, message = world.condition("Accepted")
    assert (status, reason) == ("False", "InvalidSpec")
    assert "What runs goes on, and no other attempt starts until the spec is corrected: spec." in message
    assert (world.status["phase"], world.stands("Progressing")) == ("Running", "True/Heartbeat")
    world.speaks(done=50)
    world.passes(60)
    world.settle()
    assert world.status["progress"]["done"] == 50
    world.succeeds(result=RESULT)
    assert world.stands("Complete") == "True/Succeeded"
    world.passes(60)
    world.step()
    assert world.job is None


@pytest.mark.parametrize("make", HOPELESS)
def test_a_spec_that_can_not_be_used_keeps_its_limits(make: Any) -> None:
    world = make()
    waiting = world.settle()
    assert waiting.wake_at is not None
    assert waiting.wake_at - world.now <= seconds(900)
    world.passes(900)
    world.settle()
    assert world.attempt["lastFailure"]["reason"] == "Stalled"
    assert "deletionTimestamp" in world.ray_job()["metadata"]
    world = make()
    for done in range(11, 20):
        world.passes(400)
        world.speaks(done=done)
        world.settle()
    assert world.stands("Failed") == "True/DeadlineExceeded"


@pytest.mark.parametrize("make", HOPELESS)
def test_a_spec_that_can_not_be_used_can_be_suspended(make: Any) -> None:
    world = make()
    world.edit(suspend=True)
    world.settle()
    world.collect_garbage()
    world.settle()
    assert world.stands("Suspended") == "True/UserRequested"
    assert world.objects["pods"] == {}


@pytest.mark.parametrize("make", HOPELESS)
def test_no_attempt_starts_from_a_spec_that_can_not_be_used_and_the_next_one_does_once_it_is_corrected(
    make: Any,
) -> None:
    world = make()
    fail_and_wait(world)
    assert world.created == [f"{NAME}-s1"]
    assert world.stands("ClusterReady") == "False/InvalidSpec"
    assert (world.status["phase"], world.status["reason"]) == ("Starting", "InvalidSpec")
    cluster = world.job["spec"]["cluster"]
    world.edit(labels=None, cluster={**cluster, "head": {**cluster["head"], "template": DISK}})
    world.settle()
    assert world.created == [f"{NAME}-s1", f"{NAME}-s2"]
    assert world.stands("Accepted") == "True/Valid"


def test_labels_that_do_not_load_are_corrected_while_the_job_waits_for_them() -> None:
    world = World.running({"spec.finetune": {"epochs": 1}})
    world.succeeds(result=RESULT)
    spoil(world, "labels")
    assert world.stands("Accepted") == "False/InvalidSpec"
    assert world.created == [f"{NAME}-s1"]
    world.edit(labels={"uri": "s3://plant/labels.csv", "format": "csv"})
    world.settle()
    assert world.created == [f"{NAME}-s1", f"{NAME}-l1"]


def test_a_job_that_is_not_accepted_yet_is_not_begun_from_an_outline() -> None:
    raw = selection_job({"spec.policy": {"backoffLimit": 7}, "spec.unknown": 1})
    assert read_job(raw)[0] is None
    assert outline(raw).spec.policy.backoff_limit == 7


@pytest.mark.parametrize("policy", [None, [], {"backoffLimit": 7, "unknown": 1}, {"backoffLimit": "seven"}])
def test_a_policy_that_makes_no_sense_is_the_default(policy: object) -> None:
    raw = selection_job()
    raw["spec"]["policy"] = policy
    assert outline(raw).spec.policy == PolicySpec()
    assert outline({}).spec.finetune is None
