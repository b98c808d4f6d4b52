"""What spec.policy and spec.suspend promise: attempts, deadlines, stopping and going on, cleaning up."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from testbed.followed_jobs import FollowedJob
from testbed.grounds import Ground
from testbed.jobs import KIND, conditions_of
from testbed.s3_faults import Fault
from testbed.small_jobs import QUEUE, SHARDS, create_queue

pytestmark = [pytest.mark.cluster, pytest.mark.nightly, pytest.mark.timeout(1500)]

FIRST_DELAY = timedelta(seconds=10)


def test_a_suspended_job_holds_no_pod_and_goes_on_from_what_is_committed(ground: Ground) -> None:
    held = ground.hold_last_shard()
    job = ground.start(ground.job())
    ground.await_held(job, held)
    job.suspend(True)
    job.await_condition("Suspended", "True", "UserRequested")
    assert ground.working_pods() == []
    assert ground.kubectl.list("rayjobs", ground.namespace) == []
    finished = ground.shard_epochs()
    assert len(finished) == SHARDS - 1
    ground.storage.lift(held)

    job.suspend(False)
    complete = job.await_complete()
    assert (complete["attempt"]["number"], complete["attempt"].get("failures", 0)) == (2, 0)
    assert_went_on(ground, finished)


def test_an_attempt_that_lost_its_store_is_tried_again_after_a_while_and_goes_on_where_it_was(ground: Ground) -> None:
    before = ground.inventory()
    held = ground.hold_last_shard()
    manifest = ground.job()
    manifest["spec"]["runtime"]["env"].append({"name": "AFRAY_STORE_RETRY_SECONDS", "value": "5"})
    job = ground.start(manifest)
    ground.await_held(job, held)
    finished = ground.shard_epochs()
    ground.storage.inject(Fault(pattern=held, status=503))
    job.wait_until("a failed attempt", lambda: job.failures == 1)
    failure = job.status["attempt"]["lastFailure"]
    assert (failure["number"], failure["reason"]) == (1, "DriverFailed")
    assert failure["message"].startswith("StoreUnreachable: ")
    assert "HTTP 503" in ground.storage.read(failure["logUri"]).decode()
    ground.storage.lift(held)

    complete = job.await_complete()
    assert (complete["attempt"]["number"], complete["attempt"]["failures"]) == (2, 1)
    second = ground.kubectl.get("rayjob", "small-s2", ground.namespace)
    waited = moment(second["metadata"]["creationTimestamp"]) - moment(failure["time"])
    assert waited >= FIRST_DELAY
    assert_went_on(ground, finished)

    set_policy(job, ttlSecondsAfterFinished=1)
    ground.await_inventory(before)
    assert ground.storage.list(f"s3://{ground.namespace}/small/selection"), "stored results outlive the job"


def test_an_error_that_no_attempt_can_help_ends_the_job_at_once_and_it_is_deleted_in_time(ground: Ground) -> None:
    before = ground.inventory()
    manifest = ground.job()
    manifest["spec"]["pool"]["uri"] = f"s3://{ground.namespace}/nothing"
    job = ground.start(manifest)
    job.await_condition("Failed", "True", "PermanentError")
    said, attempt = conditions_of({"status": job.status})["Failed"]["message"], job.status["attempt"]
    assert said.startswith("select failed after 1 attempt: PoolError: ")
    assert (attempt["number"], attempt["failures"]) == (1, 1)
    assert attempt["lastFailure"]["logUri"] in said
    assert b"PoolError" in ground.storage.read(attempt["lastFailure"]["logUri"])
    job.wait_until("its pods to leave", lambda: not ground.working_pods())
    assert ground.inventory() > before

    set_policy(job, ttlSecondsAfterFinished=1)
    ground.await_inventory(before)
    assert ground.storage.list(f"s3://{ground.namespace}/small/logs/"), "stored results outlive the job"


def test_what_cannot_start_fails_at_the_start_deadline_with_the_words_of_those_who_know_why(ground: Ground) -> None:
    homeless, unpullable = ground.job("homeless"), ground.job("unpullable")
    unpullable["spec"]["runtime"]["image"] = "registry.invalid/afray:none"
    for manifest in (homeless, unpullable):
        manifest["spec"]["policy"] = {"startDeadlineSeconds": 60, "backoffLimit": 0}
    jobs = [ground.start(homeless, nowhere="workers"), ground.start(unpullable)]
    expected = (("Unschedulable", "0/2 nodes are available"), ("ImagePullFailed", "registry.invalid/afray:none"))
    for job, (reason, words) in zip(jobs, expected, strict=True):
        job.await_condition("Failed", "True", reason)
        said = conditions_of({"status": job.status})["Failed"]["message"]
        assert said.startswith("select failed after 1 attempt: Not ready 60 s after admission: Pod ")
        assert words in said
    jobs[0].wait_until("all pods to leave", lambda: not ground.working_pods())


def test_a_job_that_has_used_up_its_active_time_ends_without_another_attempt(ground: Ground) -> None:
    ground.hold_last_shard()
    manifest = ground.job()
    manifest["spec"]["policy"] = {"activeDeadlineSeconds": 60}
    job = ground.start(manifest)
    job.await_condition("Failed", "True", "DeadlineExceeded")
    said, status = conditions_of({"status": job.status})["Failed"]["message"], job.status
    assert said.startswith("select was active for 60 s over 1 attempts.")
    assert moment(status["completionTime"]) - moment(status["startTime"]) >= timedelta(seconds=60)
    assert (status["attempt"]["number"], status["attempt"].get("failures", 0)) == (1, 0)
    job.wait_until("its pods to leave", lambda: not ground.working_pods())


def test_a_deleted_job_leaves_nothing_behind_whatever_stage_it_was_at(ground: Ground) -> None:
    create_queue(ground.kubectl, ground.namespace, {"cpu": "100m", "memory": "1Gi", "nvidia.com/gpu": "1"})
    before = ground.inventory()
    held = ground.hold_last_shard()
    stopped = ground.job("stopped")
    stopped["spec"]["suspend"] = True
    retrying = ground.job("retrying")
    retrying["spec"]["policy"] = {"startDeadlineSeconds": 60}
    jobs = {
        "retrying": ground.start(retrying, nowhere="head"),
        "running": ground.start(ground.job("running")),
        "queued": ground.start(ground.job("queued", queue_name=QUEUE)),
        "starting": ground.start(ground.job("starting"), nowhere="head"),
        "stopped": ground.start(stopped),
    }
    ground.await_held(jobs["running"], held)
    jobs["queued"].await_condition("QuotaReserved", "False", "QueueTooSmall")
    jobs["starting"].await_condition("ClusterReady", "False", "Unschedulable")
    jobs["stopped"].await_condition("Suspended", "True", "UserRequested")
    assert {name.partition("/")[0] for name in ground.inventory() - before} >= {
        "rayjob.ray.io", "raycluster.ray.io", "job.batch", "pod", "service", "configmap", "serviceaccount",
        "role.rbac.authorization.k8s.io", "rolebinding.rbac.authorization.k8s.io", "workload.kueue.x-k8s.io",
    }  # fmt: skip
    jobs["retrying"].wait_until("a pause between attempts", lambda: jobs["retrying"].status["phase"] == "Retrying")
    for job in jobs.values():
        ground.delete(job)
    ground.await_inventory(before)


def test_the_second_of_two_jobs_on_one_output_is_refused_and_the_first_completes(ground: Ground) -> None:
    held = ground.hold_last_shard()
    first = ground.start(ground.job())
    ground.await_held(first, held)
    same = ground.job("second")
    same["spec"]["output"]["uri"] = f"s3://{ground.namespace}/small"
    second = ground.start(same)
    second.await_condition("Failed", "True", "PermanentError")
    conditions = conditions_of({"status": second.status})
    assert "OwnershipError" in conditions["Failed"]["message"]
    assert "small" in conditions["Failed"]["message"].partition("OwnershipError")[2]
    assert f"spec.output.uri is also that of {ground.namespace}/small: only one" in conditions["Accepted"]["message"]
    events = ground.kubectl.list("events", ground.namespace)
    assert {each["involvedObject"]["name"] for each in events if each["reason"] == "OutputShared"} >= {"second"}
    ground.storage.lift(held)

    complete = first.await_complete()
    assert (complete["attempt"]["number"], complete["attempt"].get("failures", 0)) == (1, 0)
    assert len(set(ground.shard_epochs())) == 1


def assert_went_on(ground: Ground, finished: list[int]) -> None:
    """A later driver did the last shard, and none of the others again."""
    *before, last = ground.shard_epochs()
    assert before == finished
    assert last > max(finished)


def set_policy(job: FollowedJob, **policy: object) -> None:
    patch = json.dumps({"spec": {"policy": policy}})
    job.kubectl("patch", KIND, job.name, "-n", job.namespace, "--type=merge", "-p", patch)


def moment(text: Any) -> datetime:
    return datetime.fromisoformat(text)
