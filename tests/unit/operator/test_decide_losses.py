"""What is lost, how it is seen, what follows; and which failures are worth another attempt."""

from __future__ import annotations

import pytest
from afray_operator.decide.actions import ReadRayJob
from afray_operator.decide.attempts import backoff
from helpers.kube_objects import NAME, RESULT, failure, pod, seconds
from helpers.operator_world import World

LAST_LINES = ", last available logs (truncated to 20,000 chars):\nTraceback\nexit code 64"
EXITED = "Job entrypoint command failed with exit code {}" + LAST_LINES


def test_a_lost_worker_is_ray_s_own_affair() -> None:
    world = World.running()
    cluster = world.objects["ray_clusters"][world.ray_job()["status"]["rayClusterName"]]
    cluster["status"]["readyWorkerReplicas"] = 1
    world.settle()
    assert world.condition("ClusterReady")[1:] == ("WorkersPending", "1 of 2 workers are ready.")
    assert world.status["phase"] == "Running"
    assert world.attempt["failures"] == 0


def test_a_lost_head_is_a_failed_attempt() -> None:
    world = World.running()
    world.fails("Job submission has failed.", reason="SubmissionFailed")
    world.settle()
    assert world.attempt["lastFailure"]["reason"] == "HeadLost"
    assert world.attempt["failures"] == 1


def test_a_submitter_that_failed_has_the_last_word() -> None:
    world = World.running()
    world.objects["pods"]["submitter"] = pod(
        "submitter",
        role="submitter",
        phase="Failed",
        ready=False,
        ended=(127, "Waiting\nbash: ray: command not found\n\n"),
    )
    world.fails("Job submission has failed.", reason="SubmissionFailed")
    world.settle()
    said = "The submitter ended with exit code 127: bash: ray: command not found"
    assert world.attempt["lastFailure"]["message"].endswith(said)


def test_kuberay_that_cannot_reach_the_head_any_more_is_a_lost_head() -> None:
    world = World.running()
    world.fails(reason="JobStatusCheckTimeoutExceeded")
    world.settle()
    assert world.attempt["lastFailure"]["reason"] == "HeadLost"


def test_a_head_on_a_node_that_lost_power_is_given_up_before_kuberay_notices() -> None:
    world = World.running()
    (head,) = (raw for raw in world.objects["pods"].values() if raw["metadata"]["labels"]["afray.dev/role"] == "head")
    head["metadata"]["deletionTimestamp"] = "2026-11-25T12:01:00Z"
    waiting = world.settle()
    assert waiting.wake_at is not None
    assert waiting.wake_at <= world.now + seconds(51)
    world.now = waiting.wake_at
    world.settle()
    assert world.attempt["lastFailure"]["reason"] == "HeadLost"
    assert head["metadata"]["name"] in world.attempt["lastFailure"]["message"]


def test_pods_on_a_lost_node_hold_the_next_attempt_up_for_a_minute_only() -> None:
    world = World.running()
    world.passes(900)
    world.settle()
    world.delete_ray_job(f"{NAME}-s1")
    del world.objects["ray_jobs"][f"{NAME}-s1"]
    lost = pod("lost", gone_by=world.now)
    world.objects["pods"] = {"lost": lost}
    world.passes(60)
    waiting = world.settle()
    assert world.created == [f"{NAME}-s1"]
    assert "lost" in world.condition("ClusterReady")[2]
    assert waiting.wake_at == world.now + seconds(1)
    world.passes(1)
    world.settle()
    assert world.created == [f"{NAME}-s1", f"{NAME}-s2"]


def test_finished_pods_hold_nothing_up() -> None:
    world = World.running()
    world.objects["pods"]["submitter"] = pod("submitter", role="submitter", phase="Succeeded")
    world.fails()
    world.settle()
    world.passes(30)
    world.settle()
    assert world.created == [f"{NAME}-s1", f"{NAME}-s2"]


def test_while_kuberay_is_down_a_driver_that_speaks_goes_on() -> None:
    world = World.of()
    world.settle()
    world.starts()
    for minute in range(60):
        world.passes(60)
        world.speaks(done=minute)
        world.settle()
    assert (world.status["phase"], world.attempt["failures"]) == ("Running", 0)


def test_while_kuberay_is_down_a_result_is_taken_after_a_while_and_the_ray_job_deleted() -> None:
    world = World.running()
    world.passes(2)
    world.speaks(stage="report", result=RESULT)
    world.settle()
    assert world.stands("Complete") == ""
    world.passes(900)
    world.settle()
    assert world.stands("Complete") == "True/Succeeded"
    assert "deletionTimestamp" in world.ray_job()["metadata"]


def test_a_result_counts_although_its_ray_job_failed_on_the_way_out() -> None:
    world = World.running()
    world.speaks(stage="report", result=RESULT)
    world.fails("log stream broke", reason="SubmissionFailed")
    world.settle()
    assert world.stands("Complete") == "True/Succeeded"


def test_a_result_counts_although_its_ray_job_was_deleted_before_anyone_looked() -> None:
    world = World.running()
    world.speaks(stage="report", result=RESULT)
    world.delete_ray_job(f"{NAME}-s1")
    world.settle()
    assert world.stands("Complete") == "True/Succeeded"


def test_a_driver_that_failed_after_its_result_failed() -> None:
    world = World.running()
    world.speaks(stage="report", result=RESULT, failure=failure(74))
    world.fails()
    world.settle()
    assert world.attempt["lastFailure"]["reason"] == "DriverFailed"


def test_another_ray_job_in_the_place_of_the_recorded_one_is_not_it() -> None:
    world = World.running()
    world.ray_job()["metadata"]["uid"] = "another"
    world.settle()
    assert world.attempt["lastFailure"]["reason"] == "RayJobDeleted"
    assert "deletionTimestamp" in world.ray_job()["metadata"]


def test_a_deleted_ray_job_is_a_failed_attempt_and_another_follows() -> None:
    world = World.running()
    world.delete_ray_job(f"{NAME}-s1")
    world.settle()
    assert world.attempt["lastFailure"]["reason"] == "RayJobDeleted"
    assert world.attempt["failures"] == 1
    world.collect_garbage()
    world.passes(20)
    world.settle()
    assert world.created == [f"{NAME}-s1", f"{NAME}-s2"]


def test_a_ray_job_that_is_not_in_the_cache_is_looked_for_before_it_is_given_up() -> None:
    world = World.running()
    world.is_prompt = False
    world.cached["ray_jobs"].clear()
    assert world.decide().actions == (ReadRayJob(name=f"{NAME}-s1"),)
    world.settle()
    assert world.attempt["failures"] == 0
    world.delete_ray_job(f"{NAME}-s1")
    world.collect_garbage()
    world.cached["ray_jobs"].clear()
    world.settle()
    assert world.attempt["lastFailure"]["reason"] == "RayJobDeleted"


def test_a_driver_of_an_older_attempt_or_epoch_is_not_listened_to() -> None:
    world = World.running()
    world.fails()
    world.settle()
    world.passes(30)
    world.settle()
    world.goes_on()
    world.speaks(epoch=5, done=20)
    world.passes(30)
    world.settle()
    before = world.status["progress"]
    for said in ({"attempt": 1}, {"task": "finetune"}, {"epoch": 4}):
        world.passes(60)
        world.speaks(**{"epoch": 6, "done": 99, "result": RESULT, **said})
        world.settle()
        assert world.status["progress"] == before
    world.finishes()
    world.settle()
    assert world.stands("Complete") == ""


def test_a_ray_job_that_succeeds_without_a_result_waits_for_it_a_minute_and_is_tried_again() -> None:
    world = World.running()
    world.finishes()
    waiting = world.settle()
    assert waiting.wake_at == world.now + seconds(60)
    world.passes(60)
    world.settle()
    assert world.attempt["lastFailure"]["message"] == "The driver ended, and its result did not arrive."
    assert world.stands("Failed") == ""


def test_a_late_result_is_taken() -> None:
    world = World.running()
    world.finishes()
    world.settle()
    world.passes(59)
    world.speaks(stage="report", result=RESULT)
    world.settle()
    assert world.stands("Complete") == "True/Succeeded"


@pytest.mark.parametrize("code", [64, 65, 66, 67, 68, 69])
@pytest.mark.parametrize("speaks", [True, False])
def test_exit_codes_64_to_69_are_permanent_whoever_tells_them(code: int, speaks: bool) -> None:
    world = World.running()
    if speaks:
        world.speaks(failure=failure(code))
    world.fails(EXITED.format(code))
    world.settle()
    assert world.stands("Failed") == "True/PermanentError"
    assert world.attempt["failures"] == 1


@pytest.mark.parametrize("code", [1, 2, 63, 70, 74, 75, 137, 255])
@pytest.mark.parametrize("speaks", [True, False])
def test_other_exit_codes_are_tried_again(code: int, speaks: bool) -> None:
    world = World.running()
    if speaks:
        world.speaks(failure=failure(code))
    world.fails(EXITED.format(code))
    world.settle()
    assert world.attempt["lastFailure"]["reason"] == "DriverFailed"
    assert world.status["phase"] == "Retrying"


@pytest.mark.parametrize(
    "message", ["", "exit code 64", "log: Job entrypoint command failed with exit code 64", "failed with exit code x"]
)
def test_an_exit_code_in_the_log_of_a_driver_is_not_its_own(message: str) -> None:
    world = World.running()
    world.fails(message)
    world.settle()
    assert world.attempt["lastFailure"]["reason"] == "DriverFailed"
    assert world.stands("Failed") == ""


def test_twenty_thousand_characters_of_log_do_not_get_into_the_status() -> None:
    world = World.running()
    world.fails(EXITED.format(1) + "x" * 20_000)
    world.settle()
    message = world.attempt["lastFailure"]["message"]
    assert message.startswith("AppFailed: Job entrypoint command failed with exit code 1, last available logs")
    assert "Traceback" not in message


def test_a_driver_that_gave_up_waits_for_its_ray_job_to_end() -> None:
    world = World.running()
    world.speaks(failure=failure(65))
    world.settle()
    assert world.attempt["failures"] == 0
    world.passes(900)
    world.settle()
    assert world.stands("Failed") == "True/PermanentError"


def test_what_kuberay_refuses_is_permanent_in_its_own_words_and_gives_its_quota_back() -> None:
    world = World.of()
    world.settle()
    world.ray_status(jobDeploymentStatus="ValidationFailed", message="RayJob name should be no more than 47 characters")
    world.settle()
    status, reason, message = world.condition("Failed")
    assert (status, reason) == ("True", "PermanentError")
    assert "KubeRay: RayJob name should be no more than 47 characters" in message
    assert "deletionTimestamp" in world.ray_job()["metadata"]


def test_a_ray_job_that_somebody_stopped_is_tried_again() -> None:
    world = World.running()
    world.finishes(jobStatus="STOPPED")
    world.settle()
    assert "ray job stop" in world.attempt["lastFailure"]["message"]
    assert world.status["phase"] == "Retrying"


def test_at_the_limit_the_job_fails_for_the_reason_of_its_last_attempt() -> None:
    world = World.running({"spec.policy": {"backoffLimit": 2}})
    for number in (1, 2):
        world.fails()
        world.settle()
        assert world.attempt["failures"] == number
        world.passes(60)
        world.settle()
        world.goes_on()
    world.passes(900)
    world.settle()
    assert world.condition("Failed") == (
        "True",
        "Stalled",
        "select failed after 3 attempts: No progress for 900 s since embed 10/100.",
    )
    assert world.told[-3:] == ["Stalled", "AttemptFailed", "Failed"]


def test_a_limit_of_zero_tries_once() -> None:
    world = World.running({"spec.policy": {"backoffLimit": 0}})
    world.fails()
    world.settle()
    assert world.stands("Failed") == "True/DriverFailed"


def test_the_limit_may_be_raised_while_it_lasts() -> None:
    world = World.running({"spec.policy": {"backoffLimit": 1}})
    world.fails()
    world.settle()
    world.edit(policy={"backoffLimit": 2})
    world.passes(60)
    world.settle()
    world.goes_on()
    world.fails()
    world.settle()
    assert world.status["phase"] == "Retrying"


@pytest.mark.parametrize(
    ("failures", "least", "most"), [(1, 10, 12), (2, 20, 24), (3, 40, 48), (6, 300, 360), (99, 300, 360)]
)
def test_the_wait_doubles_up_to_five_minutes_and_is_spread(failures: int, least: int, most: int) -> None:
    waits = {backoff(f"uid-{number}", number, failures).total_seconds() for number in range(50)}
    assert least <= min(waits) < max(waits) <= most


def test_the_wait_of_an_attempt_does_not_depend_on_when_it_is_asked() -> None:
    assert backoff("uid", 3, 2) == backoff("uid", 3, 2) != backoff("uid", 4, 2)


def test_a_clock_that_was_set_back_does_not_make_a_retry_wait_for_ever() -> None:
    world = World.running()
    world.fails()
    world.settle()
    world.passes(-3600)
    world.settle()
    assert world.created == [f"{NAME}-s1", f"{NAME}-s2"]
