"""The RayJob of one attempt. It is created once and never applied again: Kueue writes into it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue

from afray import __version__
from afray.api.cluster import ClusterSpec, WorkerGroupSpec
from afray.api.job import SelectionJob
from afray.api.runtime import RuntimeSpec
from afray.contract import names
from afray.contract.environment import DriverEnvironment, lease_seconds
from afray.contract.names import Stage
from afray_operator.manifests.label_files import labels_digest, named_labels
from afray_operator.manifests.merging import Manifest
from afray_operator.manifests.ownership import Owner
from afray_operator.manifests.pods import PodPlan, head_pod, submitter_pod, worker_pod

QUEUE_ANNOTATION: Final = f"{names.GROUP}/queue"
"""The queue that we asked for; the label may come from Kueue's default queue."""
LABELS_ANNOTATION: Final = f"{names.GROUP}/labels"
"""Digest of the block that names the label file which a RayJob checks."""
COPIED_LABELS: Final = (names.QUEUE_LABEL, names.PRIORITY_LABEL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What a RayJob is made from. `job` holds the accepted templates, `labels` are those of the SelectionJob."""

    owner: Owner
    job: SelectionJob
    labels: Mapping[str, str]
    stage: Stage
    number: int

    @property
    def name(self) -> str:
        """The RayJob's name."""
        return names.rayjob_name(self.owner.name, self.stage, self.number)

    @property
    def queue(self) -> str:
        """Kueue's queue, "" for none."""
        return self.labels.get(names.QUEUE_LABEL, "")


def ray_job(attempt: Attempt) -> Manifest:
    """The whole object. With a queue it starts suspended, so it never runs past its queue, also while Kueue is down."""
    runtime, cluster = _blocks(attempt.job)
    return {
        "apiVersion": "ray.io/v1",
        "kind": "RayJob",
        "metadata": _metadata(attempt),
        "spec": {
            "entrypoint": names.ENTRYPOINT,
            "submissionMode": "K8sJobMode",
            "suspend": bool(attempt.queue),
            "backoffLimit": 0,
            # A second submitter would start the driver again on a head that was replaced: one attempt, one head.
            "submitterConfig": {"backoffLimit": 0},
            "shutdownAfterJobFinishes": True,
            "submitterPodTemplate": submitter_pod(_plan(attempt, runtime), cluster.head.template),
            "rayClusterSpec": _ray_cluster(attempt, runtime, cluster),
        },
    }


def account(runtime: RuntimeSpec, job: str) -> str:
    """The account of the pods."""
    return runtime.service_account_name or names.account_name(job)


def _blocks(job: SelectionJob) -> tuple[RuntimeSpec, ClusterSpec]:
    assert job.spec.runtime is not None, "asked for by the rules for a cluster"
    assert job.spec.cluster is not None, "asked for by the rules for a cluster"
    return job.spec.runtime, job.spec.cluster


def _attempt_labels(attempt: Attempt) -> Manifest:
    return {
        names.JOB_LABEL: attempt.owner.name,
        names.STAGE_LABEL: attempt.stage.value,
        names.ATTEMPT_LABEL: str(attempt.number),
    }


def _metadata(attempt: Attempt) -> Manifest:
    copied: Manifest = {name: attempt.labels[name] for name in COPIED_LABELS if attempt.labels.get(name)}
    annotations: Manifest = {QUEUE_ANNOTATION: attempt.queue}
    if attempt.stage.checks_labels:
        annotations[LABELS_ANNOTATION] = labels_digest(named_labels(attempt.job, attempt.stage))
    metadata = attempt.owner.metadata(attempt.name)
    return {**metadata, "labels": {**_attempt_labels(attempt), **copied}, "annotations": annotations}


def _plan(attempt: Attempt, runtime: RuntimeSpec) -> PodPlan:
    environment = DriverEnvironment(
        job=attempt.job,
        attempt=attempt.number,
        job_uid=attempt.owner.uid,
        stage=attempt.stage,
        progress=names.progress_name(attempt.owner.name),
        lease_seconds=lease_seconds(attempt.job.spec.policy.stall_timeout_seconds),
        operator=__version__,
        queue=attempt.queue,
    )
    labels = {name: str(value) for name, value in _attempt_labels(attempt).items()}
    return PodPlan(
        runtime=runtime,
        account=account(runtime, attempt.owner.name),
        labels=labels,
        variables=environment.to_variables(),
    )


def _ray_cluster(attempt: Attempt, runtime: RuntimeSpec, cluster: ClusterSpec) -> Manifest:
    plan = _plan(attempt, runtime)
    resources = cluster.head.resources
    if attempt.stage.checks_labels:
        resources = {name: amount for name, amount in resources.items() if "/" not in name}
    return {
        "rayVersion": runtime.ray_version,
        "headGroupSpec": {
            "rayStartParams": {"num-cpus": "0"},  # no task may land beside the driver
            "template": head_pod(plan, resources, cluster.head.template),
        },
        "workerGroupSpecs": [_worker_group(plan, group, replicas) for group, replicas in _groups(attempt, cluster)],
    }


def _groups(attempt: Attempt, cluster: ClusterSpec) -> list[tuple[WorkerGroupSpec, int]]:
    """The worker groups of a stage: all to select, none to check labels, the one that the spec names to finetune."""
    if attempt.stage is Stage.select:
        return [(group, group.replicas) for group in cluster.workers]
    if attempt.stage.checks_labels or attempt.job.spec.finetune is None:
        return []
    workers = attempt.job.spec.finetune.workers
    return [(group, workers.replicas) for group in cluster.workers if workers.group in (None, group.name)][:1]


def _worker_group(plan: PodPlan, group: WorkerGroupSpec, replicas: int) -> JsonValue:
    return {
        "groupName": group.name,
        "replicas": replicas,
        "minReplicas": replicas,
        "maxReplicas": replicas,
        "rayStartParams": {},
        "template": worker_pod(plan, group.name, group.resources, group.template),
    }
