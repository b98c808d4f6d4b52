"""GPU time is counted once, by namespace and queue, and told apart where the attempt failed."""

from __future__ import annotations

from afray_operator.decide import decide
from afray_operator.job_costs import JobCosts
from afray_operator.teams import Teams
from helpers import kube_objects
from helpers.operator_world import World
from prometheus_client import CollectorRegistry


class Costing:
    """The counters beside a world, whose every change of status they are told."""

    def __init__(self, world: World) -> None:
        self.world, self.registry = world, CollectorRegistry()
        self.costs = JobCosts(self.registry, Teams())

    def settle(self) -> None:
        """Decide until nothing changes."""
        for _ in range(10):
            seen = self.world.look()
            self.costs.observe(seen, decide(seen, self.world.now).status)
            self.world.step()

    def spent(self, name: str = "afray_gpu_seconds") -> float | None:
        return self.registry.get_sample_value(f"{name}_total", {"namespace": "plant", "queue": "team-a"})


def test_time_is_counted_once_and_that_of_a_failed_attempt_when_it_has_failed() -> None:
    costing = Costing(World.running(queue=True))
    world = costing.world
    assert costing.spent() is None
    world.passes(100)
    world.speaks(done=50)
    costing.settle()
    assert (costing.spent(), costing.spent("afray_failed_gpu_seconds")) == (200, 0)
    world.passes(50)
    world.fails()
    costing.settle()
    assert (costing.spent(), costing.spent("afray_failed_gpu_seconds")) == (300, 300)
    costing.settle()
    assert costing.spent() == 300


def test_a_job_without_gpus_has_no_series() -> None:
    world = World.running({"spec.cluster.workers[0].resources": {"cpu": "8", "memory": "32Gi"}}, queue=True)
    costing = Costing(world)
    world.succeeds(result=kube_objects.RESULT)
    costing.settle()
    assert costing.spent() is None
