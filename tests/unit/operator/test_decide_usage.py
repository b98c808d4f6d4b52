"""GPU-seconds: exact where pods are seen to end, whoever looks when; estimated for what vanished unseen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest
from afray_operator.decide import decide
from afray_operator.decide.fitting import LARGEST, status_size
from afray_operator.decide.usage import charge
from afray_operator.observed import Observed
from afray_operator.observed.facts import PodSeen
from afray_operator.observed.pods import read_pod
from helpers import kube_objects
from helpers.kube_objects import START, moment, seconds
from helpers.operator_world import World
from hypothesis import given
from hypothesis import strategies as st

from afray.api.stages import Stage
from afray.api.status import MOST_ATTEMPTS, AttemptStatus, JobStatus, UsageStatus


def usage(world: World) -> dict[str, object]:
    found: dict[str, object] = world.status.get("usage", {})
    return found


def test_a_job_holds_gpus_from_the_start_of_its_containers_to_their_end() -> None:
    world = World.running()
    assert usage(world)["gpus"] == 2
    world.passes(1000)
    world.succeeds(result=kube_objects.RESULT)
    assert world.status["phase"] == "Succeeded"
    assert usage(world) == {
        "gpuSeconds": 2 * 1000,
        "failedGpuSeconds": 0,
        "gpus": 0,
        "countedUntil": moment(world.now),
        "attempts": [{"stage": "select", "number": 1, "gpuSeconds": 2000, "failed": False}],
    }


def test_pods_that_outlive_their_job_cost_until_they_end() -> None:
    world = World.running()
    world.passes(100)
    world.speaks(stage="report", result=kube_objects.RESULT)
    world.ray_status(jobDeploymentStatus="Complete", jobStatus="SUCCEEDED", endTime=moment(world.now))
    assert world.settle().wake_at == world.now + timedelta(minutes=5)
    assert (world.status["phase"], usage(world)["gpus"]) == ("Succeeded", 2)
    world.passes(7)
    world.remove_pods(world.ray_job())
    assert world.settle().wake_at is None
    assert (usage(world)["gpuSeconds"], usage(world)["gpus"]) == (2 * 107, 0)


def test_what_an_attempt_held_that_failed_is_told_apart() -> None:
    world = World.running()
    world.passes(100)
    world.fails()
    world.settle()
    assert usage(world)["failedGpuSeconds"] == 200
    world.passes(20)
    world.settle()
    world.goes_on()
    world.passes(1000)
    world.succeeds(result=kube_objects.RESULT)
    assert usage(world)["gpuSeconds"] == 200 + 2000
    assert usage(world)["failedGpuSeconds"] == 200
    assert [(one["number"], one["gpuSeconds"], one["failed"]) for one in usage(world)["attempts"]] == [  # type: ignore[attr-defined]
        (1, 200, True),
        (2, 2000, False),
    ]


def test_preemption_and_suspension_cost_what_they_held_and_fail_nothing() -> None:
    world = World.running(queue=True)
    world.passes(100)
    world.evicts()
    world.settle()
    world.passes(5000)
    world.goes_on()
    world.passes(50)
    world.edit(suspend=True)
    world.settle()
    world.collect_garbage()
    world.settle()
    assert world.status["phase"] == "Suspended"
    assert (usage(world)["gpuSeconds"], usage(world)["failedGpuSeconds"]) == (300, 0)


def test_a_silent_job_is_written_every_five_minutes() -> None:
    world = World.of({"spec.policy": {"stallTimeoutSeconds": 86_400}})
    world.settle()
    world.runs()
    world.settle()
    patches = world.patches
    for _ in range(10):
        wake_at = world.settle().wake_at
        assert wake_at == world.now + timedelta(minutes=5)
        world.passes(300)
    world.settle()
    assert world.patches == patches + 10
    assert usage(world)["gpuSeconds"] == 2 * 3000


def test_pods_that_vanish_while_no_operator_runs_cost_until_their_ray_job_ended() -> None:
    world = World.running()
    world.passes(100)
    world.speaks(stage="report", result=kube_objects.RESULT)
    world.finishes()
    world.passes(3600)
    world.restart()
    world.settle()
    assert usage(world)["gpuSeconds"] == 200


def test_pods_that_vanish_unseen_with_their_ray_job_cost_until_they_are_missed() -> None:
    world = World.running()
    world.passes(100)
    world.delete_ray_job(world.created[-1])
    world.collect_garbage()
    world.passes(20)
    world.restart()
    world.settle()
    assert usage(world)["gpuSeconds"] == 2 * 120
    assert usage(world)["gpus"] == 0
    world.passes(5000)
    world.settle()
    assert usage(world)["gpuSeconds"] == 2 * 120


def test_a_job_without_gpus_has_no_usage() -> None:
    world = World.running({"spec.cluster.workers[0].resources": {"cpu": "8", "memory": "32Gi"}})
    world.succeeds(result=kube_objects.RESULT)
    assert usage(world) == {}


def test_a_container_that_was_restarted_has_two_runs() -> None:
    pod = kube_objects.ran(kube_objects.with_gpus(kube_objects.pod("a"), 4), START + seconds(50))
    last = {"terminated": {"startedAt": moment(START), "finishedAt": moment(START + seconds(40))}}
    pod["status"]["containerStatuses"][0]["lastState"] = last
    assert charged(read_pod(pod), at=60) == 4 * 50


def test_a_pod_on_a_lost_node_costs_until_it_should_have_left() -> None:
    pod = kube_objects.pod("a", gone_by=START + seconds(30))
    assert charged(read_pod(kube_objects.ran(kube_objects.with_gpus(pod, 2), START)), at=1000) == 2 * 30


def test_a_node_whose_clock_is_wrong_does_not_charge_time_before_the_pod() -> None:
    pod = kube_objects.with_gpus(kube_objects.pod("a"), 1)
    assert charged(read_pod(kube_objects.ran(pod, START - timedelta(days=400))), at=10) == 10


@pytest.mark.parametrize("written", ["-1", "0.5", "two", "", "99999999"])
def test_a_number_of_gpus_that_is_none_counts_as_none(written: str) -> None:
    pod = kube_objects.with_gpus(kube_objects.pod("a"), 1)
    pod["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] = written
    assert charged(read_pod(kube_objects.ran(pod, START)), at=10) == 0


def charged(*pods: PodSeen, at: int) -> int:
    """GPU-seconds of a job whose status has none."""
    status = charge(with_pods(pods), JobStatus(), START + seconds(at))
    return status.usage.gpu_seconds if status.usage is not None else 0


def with_pods(pods: tuple[PodSeen, ...] = (), departed: tuple[PodSeen, ...] = ()) -> Observed:
    return replace(World.of().look(), pods=pods, departed=departed)


def test_the_last_attempts_are_listed_and_all_are_counted() -> None:
    status = JobStatus()
    for number in range(1, 9):
        pod = kube_objects.ran(kube_objects.with_gpus(kube_objects.pod("a", attempt=number), 1), START)
        seen = replace(with_pods((read_pod(pod),)), status=status)
        mark = START + seconds(10 * number)
        if status.usage is not None:
            seen = replace(seen, status=status.model_copy(update={"usage": recounted(status.usage)}))
        status = charge(seen, seen.status, mark)
    assert status.usage is not None
    assert [one.number for one in status.usage.attempts] == list(range(9 - MOST_ATTEMPTS, 9))
    assert status.usage.gpu_seconds == sum(10 * number for number in range(1, 9))


def recounted(usage: UsageStatus) -> UsageStatus:
    """As if nothing had been counted in the attempts to come."""
    return usage.model_copy(update={"counted_until": START})


def test_a_full_status_stays_small_with_its_usage() -> None:
    world = World.running()
    world.passes(100)
    world.cached_job = None
    assert world.job is not None
    listed = [{"stage": "finetune", "number": 10**6, "gpuSeconds": 2**53, "failed": True}] * MOST_ATTEMPTS
    world.job["status"]["usage"] |= {"gpuSeconds": 2**53, "failedGpuSeconds": 2**53, "attempts": listed}
    for condition in world.job["status"]["conditions"]:
        condition["message"] = "é" * 400
    world.job["status"]["progress"]["summary"] = "é" * 64
    world.settle()
    assert status_size(decide(world.look(), world.now).status) <= LARGEST


@dataclass(frozen=True)
class Life:
    """A pod's container, and when the operator learns of its start and end."""

    gpus: int
    start: int
    length: int
    attempt: int


lives = st.builds(
    Life, gpus=st.integers(0, 8), start=st.integers(0, 900), length=st.integers(0, 900), attempt=st.integers(1, 3)
)


@given(st.lists(lives, max_size=6), st.lists(st.integers(0, 2000), max_size=12))
def test_the_sum_does_not_depend_on_when_the_operator_looks(pods: list[Life], looks: list[int]) -> None:
    """Every pod is seen when it ends or, once gone, at the next look."""
    status = JobStatus(attempt=AttemptStatus(stage=Stage.select, number=3))
    for at in [*sorted(looks), 2000]:
        counted = status.usage.counted_until if status.usage is not None else START
        here = tuple(seen_at(number, pod, at) for number, pod in enumerate(pods) if pod.start <= at < end(pod))
        gone = (seen_at(number, pod, at) for number, pod in enumerate(pods) if end(pod) <= at)
        departed = tuple(pod for pod in gone if any(run.ended and run.ended >= counted for run in pod.gpu_runs))
        seen = replace(with_pods(here, departed), status=status)
        status = charge(seen, status, START + seconds(at))
    spent = status.usage.gpu_seconds if status.usage is not None else 0
    assert spent == sum(pod.gpus * pod.length for pod in pods)
    of_attempts = {one.number: one.gpu_seconds for one in status.usage.attempts} if status.usage is not None else {}
    for number in (1, 2, 3):
        assert of_attempts.get(number, 0) == sum(pod.gpus * pod.length for pod in pods if pod.attempt == number)


def end(pod: Life) -> int:
    return pod.start + pod.length


def seen_at(number: int, pod: Life, at: int) -> PodSeen:
    made = kube_objects.with_gpus(
        kube_objects.pod(f"pod-{number}", attempt=pod.attempt), pod.gpus, created=when(pod.start)
    )
    return read_pod(kube_objects.ran(made, when(pod.start), when(end(pod)) if end(pod) <= at else None))


def when(at: int) -> datetime:
    return START + seconds(at)
