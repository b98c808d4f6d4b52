"""Stopping at the user's wish, and going on."""

from __future__ import annotations

import pytest
from afray_operator.decide.actions import DeleteRayJob
from helpers.kube_objects import NAME, RESULT
from helpers.operator_world import Crash, World


def suspended(world: World) -> World:
    world.edit(suspend=True)
    world.settle()
    world.collect_garbage()
    world.settle()
    return world


@pytest.mark.parametrize("queue", [False, True])
def test_a_suspended_job_deletes_its_ray_job_and_is_suspended_when_no_pod_is_left(queue: bool) -> None:
    world = World.running(queue=queue)
    world.edit(suspend=True)
    world.settle()
    assert world.stands("Suspended") == "False/Stopping"
    assert world.status["phase"] == "Suspending"
    assert "deletionTimestamp" in world.ray_job()["metadata"]
    world.collect_garbage()
    world.settle()
    assert world.stands("Suspended") == "True/UserRequested"
    assert world.status["phase"] == "Suspended"
    assert world.objects["pods"] == {}
    assert world.told[-1] == "Suspended"


def test_that_a_job_stops_is_written_down_before_its_ray_job_is_deleted() -> None:
    world = World.running()
    world.edit(suspend=True)
    assert world.step().actions == ()
    assert world.stands("Suspended") == "False/Stopping"
    (action,) = world.step().actions
    assert isinstance(action, DeleteRayJob)


def test_a_resumed_job_goes_on_with_the_next_number_and_no_failure() -> None:
    world = suspended(World.running())
    world.edit(suspend=False)
    world.settle()
    assert world.stands("Suspended") == "False/Resumed"
    assert (world.attempt["number"], world.attempt["failures"]) == (2, 0)
    assert world.created == [f"{NAME}-s1", f"{NAME}-s2"]
    assert world.told[-2:] == ["Resumed", "AttemptCreated"] or world.told[-2:] == ["AttemptCreated", "Resumed"]


def test_a_resume_that_comes_while_pods_are_leaving_waits_for_them() -> None:
    world = World.running()
    world.edit(suspend=True)
    world.settle()
    world.edit(suspend=False)
    world.settle()
    assert world.created == [f"{NAME}-s1"]
    world.collect_garbage()
    world.settle()
    assert world.created == [f"{NAME}-s1", f"{NAME}-s2"]
    assert world.attempt["failures"] == 0


@pytest.mark.parametrize("writes", range(4))
def test_an_operator_that_dies_while_it_stops_a_job_that_is_resumed_meanwhile_counts_nothing(writes: int) -> None:
    world = World.running()
    world.edit(suspend=True)
    world.dies_after = writes
    try:
        world.settle()
    except Crash:
        world.restart()
    world.edit(suspend=False)
    world.collect_garbage()
    world.restart()
    world.settle()
    world.collect_garbage()
    world.settle()
    assert world.attempt["failures"] == 0


def test_twenty_flaps_leave_one_ray_job_and_no_failure() -> None:
    world = World.running()
    for flap in range(20):
        world.edit(suspend=True)
        if flap % 3:
            world.settle()
        world.edit(suspend=False)
        world.settle()
        world.collect_garbage()
    world.settle()
    assert len(world.live_ray_jobs()) == 1
    assert world.attempt["failures"] == 0


def test_a_job_that_is_suspended_from_the_start_is_accepted_and_gets_nothing() -> None:
    world = World.of({"spec.suspend": True})
    world.settle()
    assert world.stands("Accepted") == "True/Valid"
    assert world.stands("Suspended") == "True/UserRequested"
    assert world.created == []
    assert "attempt" not in world.status
    world.edit(suspend=False)
    world.settle()
    assert world.created == [f"{NAME}-s1"]


def test_suspension_stops_the_clocks() -> None:
    world = suspended(World.running({"spec.policy": {"activeDeadlineSeconds": 600}}))
    world.passes(100_000)
    waiting = world.settle()
    assert (world.stands("Failed"), waiting.wake_at) == ("", None)
    assert world.attempt["activeSeconds"] == 20


def test_a_wait_for_a_retry_can_be_suspended_and_is_over_at_the_resume() -> None:
    world = World.running()
    world.fails()
    world.settle()
    suspended(world)
    world.passes(1000)
    world.settle()
    assert world.created == [f"{NAME}-s1"]
    world.edit(suspend=False)
    world.settle()
    assert (world.attempt["number"], world.attempt["failures"]) == (2, 1)


def test_a_result_that_came_before_the_suspension_counts() -> None:
    world = World.running()
    world.speaks(stage="report", result=RESULT)
    world.finishes()
    world.edit(suspend=True)
    world.settle()
    assert world.stands("Complete") == "True/Succeeded"


def test_a_result_that_came_while_the_job_was_stopping_counts() -> None:
    world = World.running()
    world.edit(suspend=True)
    world.settle()
    world.speaks(stage="report", result=RESULT)
    world.collect_garbage()
    world.settle()
    assert world.stands("Complete") == "True/Succeeded"


def test_a_job_whose_ray_job_was_deleted_by_hand_can_be_suspended() -> None:
    world = World.running()
    world.delete_ray_job(f"{NAME}-s1")
    world.settle()
    world.collect_garbage()
    world.edit(suspend=True)
    world.restart()
    world.settle()
    assert world.status["phase"] == "Suspended"


def test_a_suspended_job_asks_the_api_server_nothing() -> None:
    world = suspended(World.running())
    for _ in range(3):
        world.restart()
        assert world.decide().actions == ()


def test_a_finished_ray_job_stays_over_a_suspension() -> None:
    world = World.running()
    world.fails()
    suspended(world)
    assert list(world.objects["ray_jobs"]) == [f"{NAME}-s1"]
