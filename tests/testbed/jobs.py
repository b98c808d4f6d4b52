"""SelectionJobs on a cluster: a user's manifest with the testbed's templates laid over it, followed to its end."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from testbed.kubectl import Kubectl, Manifest
from testbed.steps import StepFailed

KIND = "selectionjobs.afray.dev"
LOOK_SECONDS = 1.0


def read_job(path: Path) -> dict[str, Any]:
    """Return the manifest in a file."""
    job: dict[str, Any] = yaml.safe_load(path.read_text())
    return job


def laid_over(job: Manifest, namespace: str, template: Mapping[str, Any]) -> dict[str, Any]:
    """Return a job of a namespace, with a template for its head and each group of workers."""
    laid = copy.deepcopy(dict(job))
    laid["metadata"]["namespace"] = namespace
    cluster = laid["spec"]["cluster"]
    for part in (cluster.setdefault("head", {}), *cluster["workers"]):
        part["template"] = copy.deepcopy(dict(template))
    return laid


def await_complete(kubectl: Kubectl, name: str, namespace: str, *, seconds: float) -> dict[str, Any]:
    """Wait until a job is complete and return it. Raises StepFailed with its own words as soon as it has failed."""
    return await_condition(kubectl, name, namespace, "Complete=Succeeded", seconds=seconds)


def await_condition(kubectl: Kubectl, name: str, namespace: str, wanted: str, *, seconds: float) -> dict[str, Any]:
    """Wait for a condition with a reason, such as Suspended=UserRequested, and return the job.

    Raises StepFailed with the job's own words when time is up, and as soon as the job is over otherwise.
    """
    deadline = time.monotonic() + seconds
    while True:
        job = kubectl.get(KIND, name, namespace)
        conditions = conditions_of(job)
        if any(f"{kind}={condition['reason']}" == wanted for kind, condition in conditions.items()):
            return job
        is_over = _is_true(conditions, "Complete") or _is_true(conditions, "Failed")
        if is_over or time.monotonic() > deadline:
            raise _failure(name, namespace, conditions)
        time.sleep(LOOK_SECONDS)


def conditions_of(job: Manifest) -> dict[str, dict[str, str]]:
    """Return the conditions of a job by type."""
    return {condition["type"]: condition for condition in job.get("status", {}).get("conditions", ())}


def _is_true(conditions: Mapping[str, Mapping[str, str]], name: str) -> bool:
    return name in conditions and conditions[name]["status"] == "True"


def _failure(name: str, namespace: str, conditions: Mapping[str, Mapping[str, str]]) -> StepFailed:
    said = "\n".join(
        f"{kind}={condition['status']} {condition['reason']}: {condition['message']}"
        for kind, condition in conditions.items()
    )
    remedy = f"see `kubectl describe sj {name} -n {namespace}`, the pods of that namespace, and docs/conditions.md"
    return StepFailed(f"waiting for SelectionJob {namespace}/{name}", said or "it has no status yet", remedy)
