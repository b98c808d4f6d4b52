"""The state machine row by row: from where, on what, to where, and what is done and written."""

from __future__ import annotations

import json

import pytest
from afray_operator.decide.actions import CreateRayJob, DeleteJob, DeleteRayJob, EnsureConfigMap
from helpers.kube_objects import FINETUNED, NAME, RESULT, failure, payload
from helpers.operator_world import World

FINETUNE = {"spec.finetune": {"epochs": 1}, "spec.pool.labels": {"uri": "s3://plant/known.csv", "format": "csv"}}


def test_pending_with_a_valid_spec_is_queued_once_the_dry_run_passed() -> None:
    world = World.of(queue=True)
    first = world.step()
    assert [type(action).__name__ for action in first.actions] == ["AskDryRun"]
    assert world.status == {}
    world.settle()
    assert world.stands("Accepted") == "True/Valid"
    assert world.status["phase"] == "Queued"
    assert world.created == [f"{NAME}-s1"]
    assert world.told == ["Accepted", "AttemptCreated"]


def test_what_a_driver_needs_is_there_before_its_ray_job() -> None:
    world = World.of()
    world.step()
    world.step()
    kinds = [type(action).__name__ for action in world.decide().actions]
    assert kinds == ["EnsureConfigMap", "EnsureAccount", "EnsureRole", "EnsureRoleBinding", "CreateRayJob"]


def test_no_account_is_made_where_the_spec_names_one_and_the_role_is_bound_to_that() -> None:
    world = World.of({"spec.runtime.serviceAccountName": "irsa"})
    world.step()
    world.step()
    actions = {type(action).__name__: action for action in world.decide().actions}
    assert "EnsureAccount" not in actions
    assert actions["EnsureRoleBinding"].manifest["subjects"][0]["name"] == "irsa"  # type: ignore[union-attr, index, call-overload]


def test_an_attempt_is_written_down_before_its_ray_job_is_created() -> None:
    world = World.of()
    world.step()
    accepted = world.step()
    assert accepted.actions == ()
    assert world.attempt["number"] == 1
    assert any(isinstance(action, CreateRayJob) for action in world.decide().actions)


def test_a_job_with_a_queue_is_queued_from_the_moment_it_is_accepted() -> None:
    world = World.of(queue=True)
    world.step()
    world.step()
    assert (world.status["phase"], world.status["reason"]) == ("Queued", "NotStarted")


def test_queued_is_starting_once_kueue_admitted_it() -> None:
    world = World.of(queue=True)
    world.settle()
    assert world.stands("QuotaReserved") == "False/Queued"
    world.admits()
    world.settle()
    assert world.stands("QuotaReserved") == "True/Admitted"
    assert world.status["phase"] == "Starting"
    assert world.told[-1] == "Admitted"


def test_without_a_queue_nothing_is_waited_for() -> None:
    world = World.of()
    world.settle()
    assert world.stands("QuotaReserved") == "True/NotManaged"
    assert world.status["phase"] == "Starting"
    assert "Admitted" not in world.told


def test_starting_is_running_once_the_cluster_is_ready_and_the_driver_speaks() -> None:
    world = World.of()
    world.settle()
    world.starts()
    world.settle()
    assert world.stands("ClusterReady") == "False/HeadPending"
    world.runs()
    world.settle()
    assert world.stands("ClusterReady") == "True/HeadAndWorkersReady"
    assert world.stands("Progressing") == "Unknown/NoHeartbeatYet"
    assert world.status["phase"] == "Running"
    world.speaks()
    world.settle()
    assert world.stands("Progressing") == "True/Heartbeat"
    assert world.status["progress"]["summary"] == "embed 10/100"
    assert world.stands("SelectionComplete") == "False/Running"


def test_running_past_its_start_deadline_before_it_started_fails_the_attempt() -> None:
    world = World.of()
    world.settle()
    world.passes(1799)
    world.settle()
    assert world.attempt["failures"] == 0
    world.passes(1)
    world.settle()
    assert world.attempt["lastFailure"]["reason"] == "StartDeadlineExceeded"


def test_running_that_kueue_evicts_is_queued_again_and_nothing_is_counted() -> None:
    world = World.running(queue=True)
    world.evicts()
    world.settle()
    assert world.stands("QuotaReserved") == "False/Preempted"
    assert world.status["phase"] == "Queued"
    assert (world.attempt["number"], world.attempt["failures"]) == (1, 0)
    assert world.told[-1] == "Preempted"
    world.admits()
    world.settle()
    assert world.stands("QuotaReserved") == "True/Admitted"
    assert world.created == [f"{NAME}-s1"]


def test_running_that_succeeds_with_a_result_completes_the_job() -> None:
    world = World.running()
    world.succeeds(result=RESULT)
    assert world.stands("SelectionComplete") == "True/ManifestVerified"
    assert world.stands("Complete") == "True/Succeeded"
    assert world.status["result"] == RESULT
    assert world.status["phase"] == "Succeeded"
    assert world.status["completionTime"] == "2026-11-25T12:00:20Z"
    assert world.told[-2:] == ["SelectionComplete", "Succeeded"]


def test_running_that_succeeds_goes_on_with_the_finetune_in_a_ray_job_of_its_own() -> None:
    world = World.running(FINETUNE, queue=True)
    world.succeeds(result=RESULT)
    assert world.created == [f"{NAME}-s1", f"{NAME}-f1"]
    assert world.stands("LabelsReady") == "True/PoolLabels"
    assert world.status["phase"] == "Queued"
    assert world.attempt == {
        "stage": "finetune",
        "number": 1,
        "failures": 0,
        "activeSeconds": 0,
        "rayJobName": f"{NAME}-f1",
        "rayJobUID": world.ray_job()["metadata"]["uid"],
    }
    world.goes_on()
    assert world.status["phase"] == "Finetuning"
    world.succeeds(finetune=FINETUNED)
    assert world.stands("FinetuneComplete") == "True/Done"
    assert world.stands("Complete") == "True/Succeeded"
    assert world.status["finetune"] == FINETUNED


def test_a_failed_attempt_is_counted_cleaned_up_and_tried_again() -> None:
    world = World.running()
    world.fails("Job entrypoint command failed with exit code 1, last logs", name=None)
    retry = world.settle()
    assert world.status["phase"] == "Retrying"
    assert (world.attempt["number"], world.attempt["failures"]) == (1, 1)
    assert world.told[-2:] == ["AttemptFailed", "RetryScheduled"]
    assert retry.wake_at is not None
    assert 10 <= (retry.wake_at - world.now).total_seconds() <= 12
    world.now = retry.wake_at
    world.settle()
    assert world.created == [f"{NAME}-s1", f"{NAME}-s2"]
    assert (world.attempt["number"], world.attempt["failures"]) == (2, 1)
    assert "retryAfter" not in world.attempt


def test_a_finished_ray_job_stays_for_its_log_until_the_next_one_is_finished() -> None:
    world = World.running()
    for number in (1, 2):
        world.fails()
        world.settle()
        world.collect_garbage()
        world.settle()
        assert list(world.objects["ray_jobs"]) == [f"{NAME}-s{number}"]
        world.passes(30)
        world.settle()
        world.runs()


def test_an_unfinished_ray_job_of_a_failed_attempt_is_deleted_and_the_next_waits_for_its_pods() -> None:
    world = World.running()
    world.passes(900)
    world.settle()
    assert world.attempt["lastFailure"]["reason"] == "Stalled"
    assert "deletionTimestamp" in world.ray_job()["metadata"]
    world.passes(60)
    world.settle()
    assert world.created == [f"{NAME}-s1"]
    assert world.stands("ClusterReady") == "False/Stopping"
    world.collect_garbage()
    world.settle()
    assert world.created == [f"{NAME}-s1", f"{NAME}-s2"]


def test_a_deadline_ends_the_job_in_any_open_state() -> None:
    world = World.running({"spec.policy": {"activeDeadlineSeconds": 600}})
    world.passes(579)
    world.settle()
    assert world.stands("Failed") == ""
    world.passes(1)
    world.settle()
    assert world.stands("Failed") == "True/DeadlineExceeded"
    assert "deletionTimestamp" in world.ray_job()["metadata"]


@pytest.mark.parametrize("succeeds", [True, False])
def test_after_its_time_to_live_a_finished_job_is_deleted_and_nothing_else_of_it_ever_changes(succeeds: bool) -> None:
    world = World.running({"spec.policy": {"ttlSecondsAfterFinished": 300, "backoffLimit": 0}})
    if succeeds:
        world.succeeds(result=RESULT)
    else:
        world.fails()
        world.settle()
    final = json.dumps(world.status)
    world.passes(299)
    world.edit(suspend=True)
    world.writes_progress(json.dumps(payload(world.now, stage="other")))
    world.objects["ray_jobs"].clear()
    decision = world.settle()
    assert json.dumps(world.status) == final
    assert decision.wake_at is not None
    assert (decision.wake_at - world.now).total_seconds() == 1
    world.passes(1)
    expired = world.step()
    assert isinstance(expired.actions[0], DeleteJob)
    assert world.told[-1] == "TTLExpired"
    assert world.job is None


def test_a_time_to_live_of_zero_deletes_at_once() -> None:
    world = World.running({"spec.policy": {"ttlSecondsAfterFinished": 0}})
    world.succeeds(result=RESULT)
    assert world.job is None


def test_without_a_time_to_live_a_finished_job_stays_and_needs_no_clock() -> None:
    world = World.running()
    world.succeeds(result=RESULT)
    assert world.settle().wake_at is None


def test_the_time_to_live_may_still_be_changed_at_the_end() -> None:
    world = World.running()
    world.succeeds(result=RESULT)
    world.edit(policy={"ttlSecondsAfterFinished": 5})
    world.passes(5)
    world.step()
    assert world.job is None


def test_a_job_that_is_being_deleted_is_left_to_the_garbage_collector() -> None:
    world = World.running()
    assert world.job is not None
    world.job["metadata"]["deletionTimestamp"] = "2026-11-25T12:00:00Z"
    world.fails()
    decision = world.step()
    assert (decision.actions, decision.events, decision.wake_at) == ((), (), None)


def test_a_restarted_operator_leaves_a_finished_job_alone() -> None:
    world = World.running()
    world.succeeds(result=RESULT)
    writes, told = world.writes, list(world.told)
    world.restart()
    world.settle()
    assert (world.writes, world.told) == (writes, told)


def test_a_settled_job_costs_nothing_while_nothing_changes() -> None:
    world = World.of(queue=True)
    world.settle()
    world.queues(message="insufficient quota for nvidia.com/gpu")
    world.settle()
    assert world.writes + len(world.events) <= 12
    writes = world.writes
    for _ in range(10):
        world.passes(300)
        world.restart()
        world.settle()
    assert world.writes == writes


def test_a_whole_life_costs_few_writes() -> None:
    world = World.of(queue=True)
    world.settle()
    world.queues()
    world.settle()
    world.goes_on()
    before = world.patches
    for done in range(11, 51):
        world.passes(15)
        world.speaks(done=done)
        world.settle()
    assert world.patches - before <= 20
    writes = world.writes - (world.patches - before)
    world.succeeds(result=RESULT)
    assert writes + len(world.events) <= 40


def test_a_lost_status_is_found_again_from_what_is_there() -> None:
    world = World.running()
    world.fails()
    world.settle()
    world.passes(30)
    world.settle()
    world.goes_on()
    assert world.job is not None
    world.job["status"] = {}
    world.restart()
    world.settle()
    assert world.created == [f"{NAME}-s1", f"{NAME}-s2"]
    assert world.attempt["number"] == 2
    world.succeeds(result=RESULT)
    assert world.stands("Complete") == "True/Succeeded"


def test_a_deleted_progress_is_made_again_and_the_driver_fills_it() -> None:
    world = World.running()
    world.objects["config_maps"].clear()
    (action,) = world.decide().actions
    assert isinstance(action, EnsureConfigMap)
    world.settle()
    world.passes(60)
    world.speaks(done=50)
    world.settle()
    assert world.status["progress"]["done"] == 50
    assert world.attempt["failures"] == 0


def test_the_reason_of_a_permanent_error_is_told_with_its_log_and_nothing_is_tried_again() -> None:
    world = World.running()
    world.speaks(failure=failure(65, "PoolError", "the pool has no rows", "s3://plant/out/logs/driver.log"))
    world.fails()
    world.settle()
    status, reason, message = world.condition("Failed")
    assert (status, reason) == ("True", "PermanentError")
    assert message == (
        "select failed after 1 attempt: PoolError: the pool has no rows Log: s3://plant/out/logs/driver.log"
    )
    assert world.status["reason"] == "PermanentError"
    world.passes(3600)
    assert world.decide().actions == ()


def test_an_older_ray_job_that_still_runs_is_deleted() -> None:
    world = World.running()
    world.fails()
    world.settle()
    stray = json.loads(json.dumps(world.ray_job()))
    stray["metadata"] |= {"name": f"{NAME}-s9", "uid": "stray"}
    stray["metadata"]["labels"]["afray.dev/attempt"] = "9"
    stray["status"] = {"jobDeploymentStatus": "Running"}
    world.objects["ray_jobs"][f"{NAME}-s9"] = stray
    assert DeleteRayJob(name=f"{NAME}-s9", uid="stray") in world.decide().actions
