"""Labels that a job goes on from: of the round before, of the pool, of people; refused and accepted."""

from __future__ import annotations

import json

from helpers.kube_objects import CHECKED, FINETUNED, NAME, RESULT
from helpers.manifests import REMOVED
from helpers.operator_world import World

WAITS = {"spec.finetune": {"epochs": 1}}
FIRST = {"uri": "s3://plant/one.csv", "format": "csv"}
SECOND = {"uri": "s3://plant/two.csv", "format": "csv"}
REFUSED = {**CHECKED, "accepted": False, "answered": 10, "unknown": 3, "message": "3 ids were not selected"}


def selected(changes: dict[str, object] | None = None, *, queue: bool = False) -> World:
    """A job whose selection is complete."""
    world = World.running({**WAITS, **(changes or {})}, queue=queue)
    world.succeeds(result=RESULT)
    return world


def driver_variables(world: World) -> dict[str, str]:
    pod = world.ray_job()["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]
    return {found["name"]: found["value"] for found in pod["spec"]["containers"][0]["env"]}


def test_a_job_without_labels_waits_for_people_and_holds_nothing() -> None:
    world = selected(queue=True)
    assert world.stands("LabelsReady") == "False/AwaitingLabels"
    assert (world.status["phase"], world.status["reason"]) == ("AwaitingLabels", "AwaitingLabels")
    assert world.stands("SelectionComplete") == "True/ManifestVerified"
    assert world.stands("QuotaReserved") == "False/AwaitingLabels"
    assert world.created == [f"{NAME}-s1"]
    assert world.told[-1] == "AwaitingLabels"


def test_while_people_label_no_clock_runs() -> None:
    world = selected({"spec.policy": {"ttlSecondsAfterFinished": 10, "activeDeadlineSeconds": 60}})
    world.passes(30 * 86_400)
    waiting = world.settle()
    assert (world.stands("Failed"), world.stands("Complete"), waiting.wake_at) == ("", "", None)


def test_labels_that_come_are_checked_by_a_head_alone_in_the_same_queue() -> None:
    world = selected(queue=True)
    world.edit(labels=FIRST)
    world.settle()
    assert world.created[-1] == f"{NAME}-l1"
    spec = world.ray_job()["spec"]
    assert spec["rayClusterSpec"]["workerGroupSpecs"] == []
    assert spec["suspend"] is True
    assert world.ray_job()["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "team-a"
    assert driver_variables(world)["SELECTION_STAGE"] == "labels"
    assert world.stands("LabelsReady") == "False/Validating"
    world.goes_on()
    assert world.status["phase"] == "ValidatingLabels"


def test_labels_that_were_there_from_the_start_are_checked_after_the_selection() -> None:
    world = World.running({**WAITS, "spec.labels": FIRST})
    assert world.stands("LabelsReady") == "False/NotStarted"
    world.succeeds(result=RESULT)
    assert world.created == [f"{NAME}-s1", f"{NAME}-l1"]


def test_accepted_labels_are_final_and_the_finetune_follows() -> None:
    world = selected({"spec.labels": FIRST})
    world.goes_on()
    world.succeeds(labels=CHECKED)
    assert world.stands("LabelsReady") == "True/Accepted"
    assert world.condition("LabelsReady")[2] == "100 of 100 selected rows are answered."
    assert world.created[-1] == f"{NAME}-f1"
    assert "LabelsAccepted" in world.told
    assert json.loads(driver_variables(world)["SELECTION_SPEC"])["job"]["spec"]["labels"]["sha256"] == CHECKED["sha256"]
    world.goes_on()
    world.succeeds(finetune=FINETUNED)
    assert world.stands("Complete") == "True/Succeeded"


def test_refused_labels_are_no_failure_and_the_job_waits_again_and_says_why() -> None:
    world = selected({"spec.labels": FIRST, "spec.policy": {"backoffLimit": 0}})
    world.goes_on()
    world.succeeds(labels=REFUSED)
    status, reason, message = world.condition("LabelsReady")
    assert (status, reason) == ("False", "Rejected")
    assert message.startswith("3 ids were not selected (10 of 100 rows answered, 3 unknown ids, 2 classes).")
    assert (world.status["phase"], world.attempt["failures"]) == ("AwaitingLabels", 0)
    assert world.told[-1] == "LabelsRejected"
    world.restart()
    world.objects["config_maps"].clear()
    world.settle()
    assert world.condition("LabelsReady")[2] == message


def test_refused_labels_may_be_replaced() -> None:
    world = selected({"spec.labels": FIRST})
    world.goes_on()
    world.succeeds(labels=REFUSED)
    world.edit(policy={"backoffLimit": 5})
    world.settle()
    assert world.created[-1] == f"{NAME}-l1"
    world.edit(labels=SECOND)
    world.settle()
    assert world.created[-1] == f"{NAME}-l2"
    assert world.stands("LabelsReady") == "False/Validating"
    world.goes_on()
    world.succeeds(labels=CHECKED)
    assert world.created[-1] == f"{NAME}-f1"


def test_another_digest_of_the_same_file_is_another_file() -> None:
    world = selected({"spec.labels": FIRST})
    world.goes_on()
    world.succeeds(labels=REFUSED)
    world.edit(labels={**FIRST, "sha256": "c" * 64})
    world.settle()
    assert world.created[-1] == f"{NAME}-l2"


def test_labels_that_change_while_they_are_checked_are_checked_anew() -> None:
    world = selected({"spec.labels": FIRST})
    world.goes_on()
    world.edit(labels=SECOND)
    world.settle()
    world.collect_garbage()
    world.settle()
    assert world.created[-1] == f"{NAME}-l2"
    assert world.attempt["failures"] == 0


def test_labels_that_are_taken_back_while_they_are_checked_are_awaited() -> None:
    world = selected({"spec.labels": FIRST})
    world.goes_on()
    world.edit(labels=None)
    world.settle()
    world.collect_garbage()
    world.settle()
    assert world.status["phase"] == "AwaitingLabels"
    assert world.live_ray_jobs() == []


def test_labels_that_change_after_they_were_accepted_are_ignored_and_it_is_said() -> None:
    world = selected({"spec.labels": FIRST})
    world.goes_on()
    world.succeeds(labels=CHECKED)
    world.edit(labels=SECOND)
    world.settle()
    assert world.created[-1] == f"{NAME}-f1"
    assert world.told[-1] == "SpecChangeIgnored"
    assert "spec.labels was changed" in world.condition("Accepted")[2]


def test_labels_that_come_when_the_finetune_runs_on_those_of_the_pool_are_ignored_and_it_is_said() -> None:
    world = selected({"spec.pool.labels": FIRST})
    world.edit(labels=SECOND)
    world.settle()
    assert world.created[-1] == f"{NAME}-f1"
    assert world.told[-1] == "SpecChangeIgnored"


def test_labels_of_the_pool_need_no_check() -> None:
    world = selected({"spec.pool.labels": FIRST})
    assert world.created == [f"{NAME}-s1", f"{NAME}-f1"]
    assert world.stands("LabelsReady") == "True/PoolLabels"


def test_labels_of_people_win_over_those_of_the_pool() -> None:
    world = selected({"spec.pool.labels": FIRST, "spec.labels": SECOND})
    assert world.created[-1] == f"{NAME}-l1"


def test_a_job_without_a_finetune_needs_no_labels() -> None:
    world = selected({"spec.finetune": REMOVED, "spec.labels": FIRST})
    assert world.stands("Complete") == "True/Succeeded"
    assert world.stands("LabelsReady") == ""
    assert world.stands("FinetuneComplete") == "False/Disabled"


def test_attempts_failures_and_active_time_count_anew_in_each_stage() -> None:
    world = World.running({**WAITS, "spec.pool.labels": FIRST})
    world.fails()
    world.settle()
    world.passes(30)
    world.settle()
    world.goes_on()
    world.succeeds(result=RESULT)
    assert world.attempt["stage"] == "finetune"
    assert (world.attempt["number"], world.attempt["failures"], world.attempt["activeSeconds"]) == (1, 0, 0)


def test_a_finetune_that_fails_leaves_the_selection_and_names_the_stage() -> None:
    world = selected({"spec.pool.labels": FIRST, "spec.policy": {"backoffLimit": 0}})
    world.goes_on()
    world.fails("out of memory")
    world.settle()
    assert world.condition("Failed")[2].startswith("finetune failed after 1 attempt: ")
    assert world.stands("SelectionComplete") == "True/ManifestVerified"
    assert world.status["result"] == RESULT
    assert world.stands("FinetuneComplete") == "False/Finished"


def test_a_job_that_awaits_labels_can_be_suspended_and_resumed() -> None:
    world = selected()
    world.edit(suspend=True)
    world.settle()
    assert world.status["phase"] == "Suspended"
    world.edit(labels=FIRST)
    world.settle()
    assert world.created == [f"{NAME}-s1"]
    world.edit(suspend=False)
    world.settle()
    assert world.created == [f"{NAME}-s1", f"{NAME}-l1"]


def test_the_finetune_gets_the_group_and_the_number_of_workers_that_it_names() -> None:
    workers = {"group": "gpu", "replicas": 1}
    world = selected({"spec.finetune": {"workers": workers}, "spec.pool.labels": FIRST})
    (group,) = world.ray_job()["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    assert (group["groupName"], group["replicas"], group["minReplicas"], group["maxReplicas"]) == ("gpu", 1, 1, 1)


ROUND = {"certificate": {"uri": "s3://plant/out-1/certificate.json"}}


def going_on(labels: dict[str, str] | None = None, *, queue: bool = False) -> World:
    """A job that goes on from a round before it, just created."""
    world = World.of({"spec.previous": {**ROUND, **({"labels": labels} if labels else {})}}, queue=queue)
    world.settle()
    return world


def test_a_round_waits_for_the_labels_of_the_one_before_and_holds_nothing() -> None:
    world = going_on(queue=True)
    world.passes(30 * 86_400)
    assert world.settle().wake_at is None
    assert world.created == []
    assert world.stands("PreviousLabelsReady") == "False/AwaitingLabels"
    assert (world.status["phase"], world.status["reason"]) == ("AwaitingLabels", "AwaitingLabels")
    assert world.stands("QuotaReserved") == "False/AwaitingLabels"
    assert "then set spec.previous.labels: {uri, format}" in world.condition("PreviousLabelsReady")[2]
    assert world.told == ["Accepted", "AwaitingLabels"]


def test_labels_of_the_round_before_are_checked_by_a_head_alone_and_the_selection_follows() -> None:
    world = going_on(queue=True)
    world.edit(previous={**ROUND, "labels": FIRST})
    world.settle()
    assert world.created == [f"{NAME}-p1"]
    assert world.ray_job()["spec"]["rayClusterSpec"]["workerGroupSpecs"] == []
    assert driver_variables(world)["SELECTION_STAGE"] == "previous"
    assert world.stands("PreviousLabelsReady") == "False/Validating"
    world.goes_on()
    assert world.status["phase"] == "ValidatingLabels"
    world.succeeds(labels=CHECKED)
    assert world.stands("PreviousLabelsReady") == "True/Accepted"
    assert world.condition("PreviousLabelsReady")[2] == "100 of 100 rows of the round before are answered."
    assert world.created == [f"{NAME}-p1", f"{NAME}-s1"]
    told = json.loads(driver_variables(world)["SELECTION_SPEC"])["job"]["spec"]
    assert told["previous"]["labels"]["sha256"] == CHECKED["sha256"]
    assert world.ray_job()["spec"]["rayClusterSpec"]["workerGroupSpecs"] != []
    world.goes_on()
    world.succeeds(result=RESULT)
    assert world.stands("Complete") == "True/Succeeded"


def test_refused_labels_of_the_round_before_may_be_replaced_and_count_no_failure() -> None:
    world = going_on(FIRST)
    world.goes_on()
    world.succeeds(labels=REFUSED)
    status, reason, message = world.condition("PreviousLabelsReady")
    assert (status, reason) == ("False", "Rejected")
    assert message.startswith("3 ids were not selected (10 of 100 rows answered, 3 unknown ids, 2 classes).")
    assert message.endswith("Set spec.previous.labels to another uri or sha256.")
    assert (world.status["phase"], world.attempt["failures"]) == ("AwaitingLabels", 0)
    assert world.told[-1] == "LabelsRejected"
    world.edit(previous={**ROUND, "labels": SECOND})
    world.settle()
    assert world.created == [f"{NAME}-p1", f"{NAME}-p2"]
    world.goes_on()
    world.succeeds(labels=CHECKED)
    assert world.created[-1] == f"{NAME}-s1"


def test_a_round_that_finetunes_waits_twice_each_time_for_its_own_labels() -> None:
    world = World.of({**WAITS, "spec.previous": {**ROUND, "labels": FIRST}})
    world.settle()
    world.goes_on()
    world.succeeds(labels=CHECKED)
    world.goes_on()
    world.succeeds(result=RESULT)
    assert world.stands("PreviousLabelsReady") == "True/Accepted"
    assert world.stands("LabelsReady") == "False/AwaitingLabels"
    assert world.status["phase"] == "AwaitingLabels"
    world.edit(labels=SECOND)
    world.settle()
    assert world.created == [f"{NAME}-p1", f"{NAME}-s1", f"{NAME}-l1"]
    world.goes_on()
    world.succeeds(labels=CHECKED)
    assert world.created[-1] == f"{NAME}-f1"


def test_labels_of_the_round_before_that_change_once_accepted_are_ignored_and_it_is_said() -> None:
    world = going_on(FIRST)
    world.goes_on()
    world.succeeds(labels=CHECKED)
    world.edit(previous={**ROUND, "labels": SECOND})
    world.settle()
    assert world.created == [f"{NAME}-p1", f"{NAME}-s1"]
    assert "spec.previous.labels was changed after its file was accepted" in world.condition("Accepted")[2]
    assert world.told[-1] == "SpecChangeIgnored"


def test_a_round_of_which_only_an_outline_is_left_still_waits_for_its_labels() -> None:
    world = going_on()
    world.edit(cluster=None)
    world.settle()
    assert world.stands("PreviousLabelsReady") == "False/AwaitingLabels"
    world.edit(previous={**ROUND, "labels": FIRST})
    world.settle()
    assert world.created == []
    assert world.stands("ClusterReady") == "False/InvalidSpec"
