"""Raw objects of Kubernetes, KubeRay and Kueue as their API servers write them, as far as the operator reads them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from helpers.manifests import REMOVED, cluster_manifest

from afray import __version__

Raw = dict[str, Any]

NAMESPACE, NAME, UID = "plant", "weld-pilot", "uid-of-the-job"
QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
QUEUE = {QUEUE_LABEL: "team-a"}
START = datetime(2026, 11, 25, 12, 0, 0, tzinfo=UTC)


def moment(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def selection_job(changes: Mapping[str, object] | None = None, *, labels: Mapping[str, str] | None = None) -> Raw:
    """A SelectionJob as it is read from the API server."""
    made: Raw = dict(cluster_manifest(changes))
    made["metadata"] = {
        "name": NAME,
        "namespace": NAMESPACE,
        "uid": UID,
        "generation": 1,
        "resourceVersion": "1",
        "labels": dict(labels or {}),
        "creationTimestamp": moment(START),
    }
    return made


def labels_of(stage: str, attempt: int, **more: str) -> dict[str, str]:
    return {"afray.dev/job": NAME, "afray.dev/stage": stage, "afray.dev/attempt": str(attempt), **more}


def pod(
    name: str,
    *,
    stage: str = "select",
    attempt: int = 1,
    role: str = "gpu",
    phase: str = "Running",
    ready: bool = True,
    waiting: tuple[str, str] | None = None,
    ended: tuple[int, str] | None = None,
    unschedulable: str = "",
    gone_by: datetime | None = None,
) -> Raw:
    """A pod of one attempt."""
    conditions: list[Raw] = [{"type": "Ready", "status": "True" if ready else "False"}]
    if unschedulable:
        scheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": unschedulable}
        conditions.append(scheduled)
    status: Raw = {"phase": phase, "conditions": conditions}
    if waiting or ended:
        container: Raw = {"name": "ray", "image": "afray:1"}
        if waiting:
            container["state"] = {"waiting": dict(zip(("reason", "message"), waiting, strict=True))}
        if ended:
            when = "lastState" if waiting else "state"
            container[when] = {"terminated": dict(zip(("exitCode", "message"), ended, strict=True))}
        status["containerStatuses"] = [container]
    metadata: Raw = {"name": name, "namespace": NAMESPACE, "uid": f"uid-{name}"}
    metadata["labels"] = labels_of(stage, attempt, **{"afray.dev/role": role})
    if gone_by is not None:
        metadata["deletionTimestamp"] = moment(gone_by)
    return {"metadata": metadata, "status": status}


def with_gpus(made: Raw, gpus: int, *, created: datetime = START) -> Raw:
    """The pod, whose container requests GPUs."""
    made["metadata"]["creationTimestamp"] = moment(created)
    made["spec"] = {"containers": [{"name": "ray", "resources": {"limits": {"nvidia.com/gpu": str(gpus)}}}]}
    return made


def ran(made: Raw, started: datetime, ended: datetime | None = None) -> Raw:
    """The pod, whose container runs, or ran."""
    span = {"startedAt": moment(started), **({"finishedAt": moment(ended)} if ended else {})}
    state = {"terminated" if ended else "running": span}
    made["status"]["containerStatuses"] = [{"name": "ray", "image": "afray:1", "state": state}]
    return made


def ray_cluster(name: str, *, desired: int = 2, ready: int = 2, head: bool = True, failure: str = "") -> Raw:
    """A RayCluster."""
    conditions = [{"type": "HeadPodReady", "status": "True" if head else "False", "reason": "x", "message": ""}]
    if failure:
        conditions.append({"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": failure})
    status = {"desiredWorkerReplicas": desired, "readyWorkerReplicas": ready, "conditions": conditions}
    return {"metadata": {"name": name, "namespace": NAMESPACE, "uid": f"uid-{name}"}, "status": status}


def workload(ray_job_uid: str, **conditions: tuple[str, str, str]) -> Raw:
    """A Workload; conditions as QuotaReserved=("False", reason, message)."""
    said = [
        dict(zip(("type", "status", "reason", "message"), (kind, *rest), strict=True))
        for kind, rest in conditions.items()
    ]
    metadata = {"name": f"wl-{ray_job_uid}", "namespace": NAMESPACE, "labels": {"kueue.x-k8s.io/job-uid": ray_job_uid}}
    return {"metadata": metadata, "status": {"conditions": said}}


def config_map(name: str, data: Mapping[str, str], *, owner: str = UID) -> Raw:
    """A ConfigMap of the job."""
    owners = [{"kind": "SelectionJob", "name": NAME, "uid": owner, "controller": True}]
    return {"metadata": {"name": name, "namespace": NAMESPACE, "ownerReferences": owners}, "data": dict(data)}


def payload(at: datetime = START, **changes: Any) -> Raw:
    """A driver's progress, version 1."""
    said = {
        "version": 1,
        "afrayVersion": __version__,
        "epoch": 1,
        "attempt": 1,
        "task": "select",
        "stage": "embed",
        "done": 10,
        "total": 100,
        "advancedAt": moment(at),
        "heartbeat": moment(at),
    }
    return {name: value for name, value in {**said, **changes}.items() if value is not REMOVED}


RESULT = {"uri": "s3://plant/out/selection.parquet", "digest": "a" * 64, "selected": 100, "poolSize": 1000}
FINETUNED = {"accuracy": 0.9, "macroRecall": 0.8, "seconds": 12.5, "biased": True}
CHECKED = {"sha256": "b" * 64, "accepted": True, "answered": 100, "asked": 100, "unknown": 0, "classes": 2}


def failure(exit_code: int, reason: str = "PoolError", message: str = "no rows", log: str = "") -> Raw:
    return {"exitCode": exit_code, "reason": reason, "message": message, "logUri": log}


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)
