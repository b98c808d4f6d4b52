"""Pods that are not as their RayJob asks: a webhook of the cluster, such as that of a service mesh, changed them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from afray.api.job import SelectionJob
from afray.api.status import JobStatus
from afray.contract.names import JOB_LABEL
from afray_operator.decide.context import Context
from afray_operator.decide.troubles import own_pods
from afray_operator.manifests.containers import RAY, SUBMITTER
from afray_operator.manifests.pods import SUBMITTER_ROLE
from afray_operator.manifests.templates import HEAD
from afray_operator.observed.json_access import block, entries, text

NOT_ASKED_FOR: Final = "that the job did not ask for"
_OURS: Final = frozenset((RAY, SUBMITTER, "wait-gcs-ready"))
"""The last is KubeRay's, in workers."""


def mutations(context: Context, status: JobStatus) -> str:
    """A sentence for the condition of the pods; "" if they are as they should be."""
    pods = own_pods(context, status)
    foreign = sorted({name for pod in pods for name in set(pod.containers) - _asked_for(context.job, pod.role)})
    if not foreign:
        return ""
    return (
        f" Pods have containers {NOT_ASKED_FOR} ({', '.join(foreign)}): a webhook of the cluster adds them. "
        f"If they do harm, exempt pods with the label {JOB_LABEL} from it."
    )


def _asked_for(job: SelectionJob, role: str) -> frozenset[str]:
    return _OURS | {name for template in _templates(job, role) for name in _names(template)}


def _templates(job: SelectionJob, role: str) -> Iterator[Mapping[str, object]]:
    cluster = job.spec.cluster
    if cluster is None:
        return
    if role in (HEAD, SUBMITTER_ROLE):
        yield cluster.head.template
    yield from (group.template for group in cluster.workers if group.name == role)


def _names(template: Mapping[str, object]) -> Iterator[str]:
    for kind in ("containers", "initContainers"):
        yield from (text(container, "name") for container in entries(block(template, "spec"), kind))
