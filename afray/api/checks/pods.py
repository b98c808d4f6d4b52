"""Pods that Kubernetes, Kueue or Ray would refuse late or, worse, take as meant."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from afray.api.checks import violation
from afray.api.job import SelectionJob
from afray.api.problems import HIDDEN, Problem
from afray.api.quantities import amount, is_whole

GPU: Final = "nvidia.com/gpu"
RESERVED_GROUPS: Final = ("head", "submitter")
RESERVED_VARIABLES: Final = "SELECTION_"
LEAST_MEMORY: Final = Decimal(64 * 1024**2)
LARGEST_SPEC: Final = 32_000
"""Bytes of JSON."""
SECRET_ENDINGS: Final = (
    "SECRET", "TOKEN", "PASSWORD", "ACCESS_KEY", "ACCOUNT_KEY", "STORAGE_KEY", "SAS_KEY", "API_KEY",
)  # fmt: skip


def pods(job: SelectionJob) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield (path below spec, resources) of the head and of each worker group."""
    if job.spec.cluster is not None:
        yield "cluster.head", job.spec.cluster.head.resources
        for position, group in enumerate(job.spec.cluster.workers):
            yield f"cluster.workers[{position}]", group.resources


def resources_are_missing(job: SelectionJob) -> Iterator[Problem]:
    """Ray sizes a node, and Kueue its quota, by cpu and memory."""
    for path, resources in pods(job):
        for name, example in (("cpu", '"8"'), ("memory", "32Gi")):
            if name not in resources:
                yield violation(f"{path}.resources.{name}", None, "is required", f"Add {name}: {example}.")


def memory_without_a_unit(job: SelectionJob) -> Iterator[Problem]:
    """`memory: 4` is four bytes and `512m` half a byte; both are accepted, and the pod dies at its start."""
    for path, resources in pods(job):
        if "memory" in resources and amount(resources["memory"]) < LEAST_MEMORY:
            remedy = "Add a unit, such as 4Gi: without one it is bytes, and m is a thousandth."
            yield violation(f"{path}.resources.memory", resources["memory"], "is less than 64Mi", remedy)


def part_of_a_device(job: SelectionJob) -> Iterator[Problem]:
    """Devices are handed out whole."""
    for path, resources in pods(job):
        for name, quantity in resources.items():
            if "/" in name and not is_whole(quantity):
                field = f'{path}.resources["{name}"]'
                yield violation(field, quantity, "is not a whole number of devices", "Ask for whole devices.")


def reserved_group_name(job: SelectionJob) -> Iterator[Problem]:
    """Kueue names its other pod sets so."""
    for position, group in enumerate(job.spec.cluster.workers if job.spec.cluster else ()):
        if group.name in RESERVED_GROUPS:
            field = f"cluster.workers[{position}].name"
            yield violation(field, group.name, "is reserved", "Use another name, such as gpu or cpu.")


def group_named_twice(job: SelectionJob) -> Iterator[Problem]:
    """A group is found by its name."""
    seen: set[str] = set()
    for position, group in enumerate(job.spec.cluster.workers if job.spec.cluster else ()):
        if group.name in seen:
            yield violation(f"cluster.workers[{position}]", group.name, "occurs twice", "Give each group its own name.")
        seen.add(group.name)


def finetune_group_is_unknown(job: SelectionJob) -> Iterator[Problem]:
    """A finetune on a cluster takes its pods from one of the worker groups."""
    if job.spec.finetune is None or job.spec.cluster is None:
        return
    group = job.spec.finetune.workers.group
    names = list(dict.fromkeys(worker.name for worker in job.spec.cluster.workers))
    if group is None and len(names) > 1:
        remedy = f"Add group: one of {', '.join(names)}."
        yield violation("finetune.workers.group", None, "is required beside several worker groups", remedy)
    if group is not None and group not in names:
        remedy = f"Use one of: {', '.join(names)}."
        yield violation("finetune.workers.group", group, "is not a worker group of spec.cluster", remedy)


def device_that_no_worker_has(job: SelectionJob) -> Iterator[Problem]:
    """The job would start, see no such device, and fail."""
    if job.spec.cluster is None:
        return
    device = job.spec.embedding.device
    if device == "mps":
        yield violation("embedding.device", device, "exists on a Mac, not in a pod", "Use auto, cuda or cpu.")
    if device == "cuda" and not gpu_groups(job):
        remedy = f'Add {GPU}: "1" to the resources of a worker group, or use device: auto.'
        yield violation("embedding.device", device, f"needs {GPU}, and no worker group asks for it", remedy)


def gpu_groups(job: SelectionJob) -> tuple[str, ...]:
    """Names of the worker groups that ask for GPUs."""
    groups = job.spec.cluster.workers if job.spec.cluster is not None else ()
    return tuple(group.name for group in groups if amount(group.resources.get(GPU, "0")))


def variable_set_twice(job: SelectionJob) -> Iterator[Problem]:
    """The last one wins silently."""
    seen: set[str] = set()
    for position, variable in enumerate(job.spec.runtime.env if job.spec.runtime else ()):
        if variable.name in seen:
            yield violation(f"runtime.env[{position}]", variable.name, "is set twice", "Keep one of them.")
        seen.add(variable.name)


def reserved_variable(job: SelectionJob) -> Iterator[Problem]:
    """The operator tells the driver its task by these."""
    for position, variable in enumerate(job.spec.runtime.env if job.spec.runtime else ()):
        if variable.name.startswith(RESERVED_VARIABLES):
            field = f"runtime.env[{position}].name"
            yield violation(field, variable.name, f"starts with {RESERVED_VARIABLES}, which is reserved", "Rename it.")


def secret_in_clear(job: SelectionJob) -> Iterator[Problem]:
    """A manifest is stored in etcd and git, and shown by `kubectl get -o yaml`."""
    for position, variable in enumerate(job.spec.runtime.env if job.spec.runtime else ()):
        yield from clear_secret(f"runtime.env[{position}]", variable.name, variable.value)


def clear_secret(path: str, name: str, value: object) -> Iterator[Problem]:
    """The problem of a variable, at a path below spec, that has a value and is called like a secret."""
    if value and name.upper().endswith(SECRET_ENDINGS):
        remedy = f"Put it into a Secret: valueFrom: {{secretKeyRef: {{name: ..., key: {name}}}}}."
        yield violation(f"{path}.value", HIDDEN, f"gives the secret {name} in clear", remedy)


def spec_is_too_large(job: SelectionJob) -> Iterator[Problem]:
    """The driver gets the spec in one environment variable of its pod."""
    size = len(json.dumps(job.to_manifest()["spec"], ensure_ascii=False).encode())
    if size > LARGEST_SPEC:
        remedy = "Shorten pod templates, or use fewer worker groups."
        yield violation("cluster", f"{size} bytes", f"makes the spec larger than {LARGEST_SPEC} bytes", remedy)


def block_is_missing(job: SelectionJob) -> Iterator[Problem]:
    """Without image and pods there is nothing to start."""
    for name, block in (("runtime", job.spec.runtime), ("cluster", job.spec.cluster)):
        if block is None:
            remedy = "Add it, or check the manifest with --for run."
            yield violation(name, None, "is required on a cluster", remedy)
