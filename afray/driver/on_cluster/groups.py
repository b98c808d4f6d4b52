"""The pods of a stage as room for workers: one worker per GPU, or per CPU as far as memory goes, none on the head."""

from __future__ import annotations

from afray.api.checks.pods import GPU
from afray.api.cluster import WorkerGroupSpec
from afray.api.job import SelectionJob
from afray.api.quantities import amount
from afray.contract.names import Stage
from afray.runtime.slots import BYTES_PER_WORKER, Slot, WorkerGroup


def worker_groups(job: SelectionJob, stage: Stage) -> tuple[WorkerGroup, ...]:
    """The pods that the operator starts for a stage: all groups to select, the named one to finetune, none else.

    GPUs are left out where the spec says `device: cpu`.
    """
    spec = job.spec
    groups = spec.cluster.workers if spec.cluster is not None else ()
    uses_gpus = spec.embedding.device != "cpu"
    match stage:
        case Stage.select:
            return tuple(cut_group(group, group.replicas, uses_gpus=uses_gpus) for group in groups)
        case Stage.finetune if spec.finetune is not None:
            wanted = spec.finetune.workers
            named = [group for group in groups if wanted.group in (None, group.name)]
            return tuple(cut_group(group, wanted.replicas, uses_gpus=uses_gpus) for group in named[:1])
        case _:
            return ()


def cut_group(group: WorkerGroupSpec, pods: int, *, uses_gpus: bool) -> WorkerGroup:
    """A group's pods, cut into equal slots that together take all that a pod has."""
    # KubeRay rounds a part of a CPU up; what is asked for here always fits.
    cpus = max(1, int(amount(group.resources["cpu"])))
    gpus = int(amount(group.resources.get(GPU, "0"))) if uses_gpus else 0
    fitting = max(1, min(cpus, int(amount(group.resources["memory"])) // BYTES_PER_WORKER))
    count = gpus or fitting
    # Ray takes parts of one CPU, but only whole numbers above.
    slot = Slot(cpus=cpus // count or cpus / count, gpus=1.0 if gpus else 0.0, group=group.name)
    trainer = slot if gpus else Slot(cpus=cpus, group=group.name)
    return WorkerGroup(name=group.name, pods=pods, slot=slot, slots_per_pod=count, trainer=trainer)
