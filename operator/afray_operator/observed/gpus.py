"""What a pod's containers request of GPUs, and from when to when they ran."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from afray.api.checks.pods import GPU
from afray_operator.observed.facts import GpuRun
from afray_operator.observed.json_access import Raw, block, entries, moment, text

_RUNS: Final = (("state", "running"), ("state", "terminated"), ("lastState", "terminated"))


def read_gpus(pod: Raw) -> int:
    """GPUs of all containers."""
    return sum(_gpus(container) for container in entries(block(pod, "spec"), "containers"))


def read_gpu_runs(pod: Raw) -> Iterator[GpuRun]:
    """The runs of containers with GPUs that the kubelet tells of: the present one and the one before it."""
    requested = {text(container, "name"): _gpus(container) for container in entries(block(pod, "spec"), "containers")}
    for container in entries(block(pod, "status"), "containerStatuses"):
        gpus = requested.get(text(container, "name"), 0)
        runs = (block(container, *path) for path in _RUNS) if gpus else ()
        yield from filter(None, (_run(pod, gpus, run) for run in runs))


def _run(pod: Raw, gpus: int, run: Raw) -> GpuRun | None:
    """Within the life of its pod, whatever a node's clock says; on a lost node it ended when the pod should have left.

    None for a container that never began.
    """
    metadata = block(pod, "metadata")
    created, gone_by = moment(metadata, "creationTimestamp"), moment(metadata, "deletionTimestamp")
    started, finished = moment(run, "startedAt"), moment(run, "finishedAt")
    if started is None or created is None:
        return None
    ended = min(filter(None, (finished, gone_by)), default=None)
    return GpuRun(gpus=gpus, started=max(started, created), ended=ended)


def _gpus(container: Raw) -> int:
    """Devices are whole, and their request is their limit."""
    written = str(block(container, "resources", "limits").get(GPU, ""))
    return int(written) if re.fullmatch(r"[0-9]{1,4}", written) else 0
