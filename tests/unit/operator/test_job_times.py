"""How long jobs waited and ran is counted once each, by namespace and queue."""

from __future__ import annotations

from dataclasses import replace

from afray_operator.decide import decide
from afray_operator.job_times import JobTimes
from afray_operator.teams import MOST_TEAMS, Teams
from helpers import kube_objects
from helpers.kube_objects import RESULT, failure
from helpers.operator_world import World
from prometheus_client import CollectorRegistry

TEAM = {"namespace": "plant", "queue": "team-a"}
WAIT, RUN = "afray_job_queue_wait_seconds", "afray_job_run_seconds"


class Timed:
    """The histograms of a world, whose every change of status they are told."""

    def __init__(self, world: World) -> None:
        self.world, self.registry = world, CollectorRegistry()
        self.times = JobTimes(self.registry, Teams())

    def settle(self) -> None:
        """Decide until nothing changes."""
        for _ in range(10):
            seen = self.world.look()
            self.times.observe(seen, decide(seen, self.world.now).status, self.world.now)
            self.world.step()

    def is_admitted_after(self, seconds: float) -> None:
        self.world.passes(seconds)
        self.world.admits()
        self.settle()

    def count(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(f"{name}_count", {**TEAM, **labels}) or 0

    def sum(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(f"{name}_sum", {**TEAM, **labels}) or 0


def queued() -> Timed:
    """A job whose RayJob was created now, and waits."""
    timed = Timed(World.of(queue=True))
    timed.settle()
    timed.world.ray_job()["metadata"]["creationTimestamp"] = kube_objects.moment(timed.world.now)
    timed.world.queues()
    timed.settle()
    return timed


def test_a_wait_is_counted_once_from_the_creation_of_the_ray_job() -> None:
    timed = queued()
    assert timed.count(WAIT) == 0
    timed.is_admitted_after(30)
    timed.world.passes(600)
    timed.settle()
    assert (timed.count(WAIT), timed.sum(WAIT)) == (1, 30)


def test_after_preemption_the_wait_counts_from_the_eviction() -> None:
    timed = queued()
    timed.is_admitted_after(30)
    timed.world.starts()
    timed.world.passes(3600)
    timed.world.runs()
    timed.settle()
    timed.world.evicts()
    timed.settle()
    timed.is_admitted_after(10)
    assert (timed.count(WAIT), timed.sum(WAIT)) == (2, 40)


def test_a_new_attempt_waits_from_the_creation_of_its_own_ray_job() -> None:
    timed = queued()
    timed.is_admitted_after(30)
    timed.world.starts()
    timed.world.runs()
    timed.settle()
    timed.world.speaks(failure=failure(1))
    timed.world.finishes(jobDeploymentStatus="Failed", jobStatus="FAILED")
    for _ in range(10):
        timed.world.passes(60)
        timed.world.collect_garbage()
        timed.settle()
    assert timed.world.created[-1].endswith("-s2")
    timed.world.ray_job()["metadata"]["creationTimestamp"] = kube_objects.moment(timed.world.now)
    timed.is_admitted_after(5)
    assert (timed.count(WAIT), timed.sum(WAIT)) == (2, 35)


def test_a_run_is_counted_once_from_the_first_admission_to_its_end() -> None:
    timed = queued()
    timed.is_admitted_after(30)
    timed.world.starts()
    timed.world.runs()
    timed.world.passes(100)
    timed.settle()
    timed.world.speaks(stage="report", result=RESULT)
    timed.world.finishes()
    timed.settle()
    assert timed.world.status["phase"] == "Succeeded"
    assert (timed.count(RUN, outcome="succeeded"), timed.sum(RUN, outcome="succeeded")) == (1, 100)
    assert timed.count(RUN, outcome="failed") == 0


def test_series_begin_at_0_once_the_job_waits_in_a_queue_that_is_there() -> None:
    timed = Timed(World.of(queue=True))
    timed.settle()
    assert timed.registry.get_sample_value(f"{WAIT}_count", TEAM) is None
    timed.world.queues(message="LocalQueue team-a doesn't exist")
    timed.settle()
    assert timed.registry.get_sample_value(f"{WAIT}_count", TEAM) is None
    timed.world.queues()
    timed.settle()
    assert timed.registry.get_sample_value(f"{WAIT}_count", TEAM) == 0
    for outcome in ("succeeded", "failed"):
        assert timed.registry.get_sample_value(f"{RUN}_count", {**TEAM, "outcome": outcome}) == 0


def test_queues_that_people_make_up_do_not_make_series_without_end() -> None:
    timed = queued()
    seen = timed.world.look()
    timed.world.passes(7)
    timed.world.admits()
    admitted = timed.world.look()
    status = decide(admitted, timed.world.now).status
    for number in range(MOST_TEAMS + 20):
        one = replace(admitted, labels={kube_objects.QUEUE_LABEL: f"queue-{number}"}, status=seen.status)
        timed.times.observe(one, status, timed.world.now)
    (family,) = (family for family in timed.registry.collect() if family.name == WAIT)
    teams = {tuple(sorted(sample.labels.items())) for sample in family.samples if sample.name.endswith("_count")}
    assert len(teams) == MOST_TEAMS + 1
    assert timed.registry.get_sample_value(f"{WAIT}_count", {"namespace": "", "queue": ""}) == 21  # team-a has its own
