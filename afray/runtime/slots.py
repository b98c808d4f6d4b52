"""What a crew is made of: room for one worker each, on any machine or in the pods of one group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

GROUP_LABEL: Final = "ray.io/node-group"
"""Label of a Ray node: KubeRay tells Ray the name of the worker group that a pod belongs to."""
BYTES_PER_WORKER: Final = 3 * 2**30
"""Libraries, a model and a shard: below this a worker is likelier to be killed than to help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """What one worker asks Ray for; none of it may change a result."""

    cpus: float = 1.0
    gpus: float = 0.0
    group: str = ""
    """The worker group whose nodes have this slot; "" means any node."""

    @property
    def threads(self) -> int:
        """Threads that its worker may keep busy."""
        return max(1, int(self.cpus))

    @property
    def labels(self) -> dict[str, str]:
        """What Ray requires of the node."""
        return labels_of(self.group)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerGroup:
    """Pods of one kind, one Ray node each, all cut into the same slots."""

    name: str
    pods: int
    slot: Slot
    slots_per_pod: int
    trainer: Slot
    """What one training worker takes: it has a pod, or a GPU of it, to itself."""

    @property
    def slots(self) -> tuple[Slot, ...]:
        """Those of all pods."""
        return (self.slot,) * (self.pods * self.slots_per_pod)


def labels_of(group: str) -> dict[str, str]:
    """The labels that select a group's nodes."""
    return {GROUP_LABEL: group} if group else {}
