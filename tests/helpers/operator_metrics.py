"""The operator's metrics, as an operator that knows some jobs exposes them."""

from __future__ import annotations

from datetime import timedelta

from afray_operator.cache import Cache
from afray_operator.decide import decide
from afray_operator.kinds import EVENT, SELECTION_JOB
from afray_operator.metrics import OperatorMetrics
from afray_operator.observed import Observed
from afray_operator.watching import Watches
from afray_operator.workqueue import WorkQueue
from helpers import kube_objects
from helpers.kube_objects import NAME, NAMESPACE, START, Raw, moment
from helpers.operator_world import World
from helpers.small_api import SmallApi

from afray.api.conditions import Phase
from afray.api.status import JobStatus, UsageStatus

JOB = {"namespace": NAMESPACE, "name": NAME, "queue": "team-a"}
STATUS = {
    "phase": "Running",
    "reason": "Heartbeat",
    "attempt": {"stage": "select", "number": 2, "failures": 1},
    "progress": {"stage": "embed", "done": 10, "total": 40, "heartbeatTime": moment(START)},
    "usage": {"gpuSeconds": 7200, "failedGpuSeconds": 3600, "gpus": 2, "countedUntil": moment(START)},
}


class Metrics:
    """The metrics of an operator that knows some jobs."""

    def __init__(self) -> None:
        self.watches = Watches(api=SmallApi(), cache=Cache(), queue=WorkQueue())
        self.leads = True
        self.left: set[str] = set()
        self.metrics = OperatorMetrics(self.watches, lambda: self.leads, lambda: self.left)

    def value(self, metric: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(metric, labels)

    def knows(self, name: str = NAME, **status: object) -> Raw:
        raw = kube_objects.selection_job(labels=kube_objects.QUEUE)
        raw["metadata"] |= {"name": name, "uid": f"uid-{name}"}
        raw["status"] = {**STATUS, **status}
        self.watches.saw(SELECTION_JOB, "ADDED", raw)
        return raw


def admitted() -> tuple[Observed, JobStatus]:
    """A job before and after its admission."""
    world = World.of(queue=True)
    world.settle()
    world.ray_job()["metadata"]["creationTimestamp"] = moment(world.now)
    world.admits()
    seen = world.look()
    return seen, decide(seen, world.now).status


def with_every_metric() -> Metrics:
    """One that has seen something of everything."""
    operator = Metrics()
    operator.knows()
    with operator.metrics.reconciling():
        operator.metrics.writes.labels(EVENT.kind, "create").inc()
    seen, status = admitted()
    usage = UsageStatus(gpu_seconds=7200, failed_gpu_seconds=3600, counted_until=START)
    ended = status.model_copy(
        update={"phase": Phase.failed, "completion_time": START + timedelta(hours=1), "usage": usage}
    )
    operator.metrics.observe_change(seen, ended, START + timedelta(hours=1))
    return operator
