"""Waiting until the pods that a job was given are Ray nodes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence

import ray

from afray.errors import Retryable
from afray.runtime.slots import GROUP_LABEL, WorkerGroup

POLL_SECONDS = 0.5


def await_pods(groups: Sequence[WorkerGroup], *, patience_seconds: float, tell: Callable[[int], None]) -> None:
    """Wait until every declared pod is a node of the Ray cluster at hand; `tell` hears how many are.

    Raises Retryable naming what is missing after `patience_seconds`.
    """
    deadline = time.monotonic() + patience_seconds
    while missing := missing_pods(groups):
        declared = sum(group.pods for group in groups)
        tell(declared - missing.total())
        if time.monotonic() > deadline:
            absent = ", ".join(f"{count} of group {name}" for name, count in sorted(missing.items()))
            raise Retryable(
                f"spec.cluster.workers: after {patience_seconds:.0f} s {declared - missing.total()} of {declared} pods "
                f"have joined Ray; missing: {absent}. Look at the events and logs of the other pods"
            )
        time.sleep(POLL_SECONDS)


def missing_pods(groups: Sequence[WorkerGroup]) -> Counter[str]:
    """Declared pods that are no living Ray nodes, by group."""
    alive = Counter(node["Labels"].get(GROUP_LABEL, "") for node in ray.nodes() if node["Alive"])
    return Counter({group.name: group.pods for group in groups}) - alive
