"""Deadlines and stalls: what counts as active, as started, as progress; whose clock is believed."""

from __future__ import annotations

import pytest
from helpers.kube_objects import NAME, moment, pod, seconds
from helpers.operator_world import World

QUEUED_DEADLINE = {"spec.policy": {"activeDeadlineSeconds": 600}}


def test_time_in_the_queue_is_not_active() -> None:
    world = World.of(QUEUED_DEADLINE, queue=True)
    world.settle()
    world.passes(100_000)
    world.settle()
    assert world.stands("Failed") == ""
    world.admits()
    waiting = world.settle()
    assert waiting.wake_at == world.now + seconds(600)


def test_active_time_is_summed_over_evictions_and_attempts_and_does_not_run_between_them() -> None:
    world = World.running(QUEUED_DEADLINE, queue=True)
    world.passes(80)
    world.evicts()
    world.settle()
    assert world.attempt["activeSeconds"] == 100
    world.passes(5000)
    world.admits()
    world.settle()
    world.passes(100)
    world.fails()
    world.settle()
    assert world.attempt["activeSeconds"] == 200
    world.passes(5000)
    world.settle()
    world.goes_on()
    world.speaks(done=50)
    world.passes(379)
    world.settle()
    assert world.stands("Failed") == ""
    world.passes(1)
    world.settle()
    status, reason, message = world.condition("Failed")
    assert (status, reason) == ("True", "DeadlineExceeded")
    assert message.startswith("select was active for 600 s over 2 attempts.")


def test_a_deadline_that_is_moved_counts_from_now_on() -> None:
    world = World.running(QUEUED_DEADLINE)
    world.edit(policy={"activeDeadlineSeconds": 60})
    world.passes(39)
    world.settle()
    assert world.stands("Failed") == ""
    world.passes(1)
    world.settle()
    assert world.stands("Failed") == "True/DeadlineExceeded"


def test_a_deadline_that_is_moved_before_what_a_suspended_job_used_ends_it() -> None:
    world = World.running()
    world.edit(suspend=True)
    world.passes(100)
    world.settle()
    world.collect_garbage()
    world.settle()
    world.edit(policy={"activeDeadlineSeconds": 120})
    world.settle()
    assert world.stands("Failed") == "True/DeadlineExceeded"


def test_the_finetune_has_a_deadline_of_its_own_and_counts_anew() -> None:
    world = World.running(
        {
            **QUEUED_DEADLINE,
            "spec.finetune": {"epochs": 1, "activeDeadlineSeconds": 100},
            "spec.pool.labels": {"uri": "s3://plant/known.csv", "format": "csv"},
        }
    )
    world.passes(500)
    world.succeeds(result={"uri": "s3://x/y", "digest": "a" * 64, "selected": 1, "poolSize": 2})
    world.passes(99)
    world.settle()
    assert world.stands("Failed") == ""
    world.passes(1)
    world.settle()
    status, reason, message = world.condition("Failed")
    assert (status, reason) == ("True", "DeadlineExceeded")
    assert message.startswith("finetune was active for 100 s")
    assert world.stands("SelectionComplete") == "True/ManifestVerified"


def test_the_start_deadline_counts_from_admission_each_time() -> None:
    world = World.of({"spec.policy": {"startDeadlineSeconds": 100}}, queue=True)
    world.settle()
    world.passes(5000)
    world.admits()
    world.settle()
    world.passes(99)
    world.evicts()
    world.settle()
    world.passes(5000)
    world.admits()
    waiting = world.settle()
    assert waiting.wake_at == world.now + seconds(100)
    assert world.attempt["failures"] == 0


def test_a_cluster_that_lost_a_worker_does_not_start_again() -> None:
    world = World.running({"spec.policy": {"startDeadlineSeconds": 100}})
    cluster = world.objects["ray_clusters"][world.ray_job()["status"]["rayClusterName"]]
    cluster["status"]["readyWorkerReplicas"] = 0
    world.passes(500)
    world.speaks(done=50)
    world.settle()
    assert world.attempt["failures"] == 0


@pytest.mark.parametrize(
    ("trouble", "reason", "said"),
    [
        ({"waiting": ("ImagePullBackOff", 'Back-off pulling image "afray:9"')}, "ImagePullFailed", "afray:9"),
        ({"waiting": ("InvalidImageName", "")}, "ImagePullFailed", "InvalidImageName (afray:1)"),
        ({"waiting": ("CreateContainerConfigError", 'secret "s3" not found')}, "ConfigurationMissing", "s3"),
        ({"waiting": ("CrashLoopBackOff", "back-off 5m0s")}, "ContainerFailed", "back-off"),
        (
            {"waiting": ("CrashLoopBackOff", "back-off"), "ended": (1, "Starting\nno space left")},
            "ContainerFailed",
            "CrashLoopBackOff: exit code 1: no space left",
        ),
        ({"waiting": ("CrashLoopBackOff", "back-off"), "ended": (137, "")}, "ContainerFailed", "exit code 137"),
        ({"unschedulable": "0/2 nodes: insufficient nvidia.com/gpu"}, "Unschedulable", "0/2 nodes"),
    ],
)
def test_what_keeps_pods_from_starting_is_told_at_once_and_fails_the_attempt_at_its_deadline(
    trouble: dict[str, object], reason: str, said: str
) -> None:
    world = World.of()
    world.settle()
    world.starts()
    name = next(iter(world.objects["pods"]))
    world.objects["pods"][name] = pod(name, phase="Pending", ready=False, **trouble)  # type: ignore[arg-type]
    world.settle()
    assert world.stands("ClusterReady") == f"False/{reason}"
    assert name in world.condition("ClusterReady")[2]
    assert said in world.condition("ClusterReady")[2]
    world.passes(1800)
    world.settle()
    failure = world.attempt["lastFailure"]
    assert failure["reason"] == reason
    assert failure["message"].startswith(f"Not ready 1800 s after admission: Pod {name}: ")


def test_the_worst_trouble_is_told() -> None:
    world = World.of()
    world.settle()
    world.starts()
    world.objects["pods"] = {
        "a": pod("a", phase="Pending", ready=False, unschedulable="no room"),
        "b": pod("b", phase="Pending", ready=False, waiting=("ErrImagePull", "not found")),
    }
    world.settle()
    assert world.stands("ClusterReady") == "False/ImagePullFailed"


def test_what_keeps_kuberay_from_making_pods_is_told() -> None:
    world = World.of()
    world.settle()
    world.starts()
    cluster = world.objects["ray_clusters"][world.ray_job()["status"]["rayClusterName"]]
    failed = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: pods"}
    cluster["status"]["conditions"].append(failed)
    world.objects["pods"].clear()
    world.settle()
    assert world.condition("ClusterReady") == ("False", "CreationRefused", "KubeRay: exceeded quota: pods")


def test_a_driver_that_only_beats_is_stalled() -> None:
    world = World.running()
    for _ in range(29):
        world.passes(30)
        world.speaks(done=10)
        world.settle()
    assert world.attempt["failures"] == 0
    world.passes(30)
    world.speaks(done=10)
    world.settle()
    assert world.attempt["lastFailure"]["reason"] == "Stalled"


def test_a_driver_that_never_speaks_is_stalled() -> None:
    world = World.of({"spec.cluster.workers[0].resources": {"cpu": "8", "memory": "32Gi"}})
    world.settle()
    world.runs()
    waiting = world.settle()
    assert waiting.wake_at == world.now + seconds(900)
    world.passes(900)
    world.settle()
    assert world.attempt["lastFailure"]["message"] == "No progress for 900 s since its start."


def test_a_slow_shard_that_advances_is_not_stalled() -> None:
    world = World.running()
    for done in range(11, 20):
        world.passes(890)
        world.speaks(done=done)
        world.settle()
    assert world.attempt["failures"] == 0


@pytest.mark.parametrize("said", [{"stage": "core"}, {"step": "snap"}, {"epoch": 2}])
def test_a_new_stage_step_or_driver_is_progress_though_it_begins_at_zero(said: dict[str, object]) -> None:
    world = World.running()
    world.passes(890)
    world.speaks(done=0, **said)
    world.settle()
    world.passes(890)
    world.settle()
    assert world.attempt["failures"] == 0


@pytest.mark.parametrize("hours", [-48, 48])
def test_the_clock_of_the_driver_neither_hides_nor_fakes_a_stall(hours: int) -> None:
    world = World.running()
    told = moment(world.now + seconds(3600 * hours))
    for done in (11, 12, 13):
        world.passes(600)
        world.speaks(done=done, advancedAt=told, heartbeat=told)
        world.settle()
        assert world.attempt["failures"] == 0
    for _ in range(3):
        world.passes(300)
        world.speaks(done=13, advancedAt=told, heartbeat=told)
        world.settle()
    assert world.attempt["lastFailure"]["reason"] == "Stalled"


def test_progress_that_came_while_nobody_looked_is_progress() -> None:
    world = World.running()
    world.passes(10_000)
    world.speaks(done=90)
    world.restart()
    world.settle()
    assert world.attempt["failures"] == 0


def test_progress_that_is_too_fresh_to_be_written_is_progress_all_the_same() -> None:
    world = World.running()
    world.passes(890)
    world.speaks(done=10)
    world.settle()
    world.passes(10)
    world.speaks(done=11)
    world.settle()
    assert world.attempt["failures"] == 0


def test_a_job_in_the_queue_or_suspended_does_not_stall() -> None:
    world = World.running(queue=True)
    world.evicts()
    world.settle()
    world.passes(100_000)
    waiting = world.settle()
    assert (world.attempt["failures"], waiting.wake_at) == (0, None)


def test_after_an_eviction_the_stall_counts_from_the_new_start() -> None:
    world = World.running(queue=True)
    world.evicts()
    world.settle()
    world.passes(100_000)
    world.admits()
    world.settle()
    world.runs()
    world.settle()
    world.passes(890)
    world.settle()
    assert world.attempt["failures"] == 0


@pytest.mark.parametrize("jump", [-7200, -60])
def test_a_clock_set_back_fails_nothing(jump: int) -> None:
    world = World.running(QUEUED_DEADLINE)
    world.passes(jump)
    world.speaks(done=20)
    world.settle()
    assert world.status["progress"]["done"] == 20
    world.passes(-jump)
    world.speaks(done=30)
    world.settle()
    assert world.attempt["failures"] == 0
    assert world.stands("Failed") == ""
    assert world.created == [f"{NAME}-s1"]
