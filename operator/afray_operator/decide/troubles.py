"""What keeps the current attempt's pods from running, in the words of the kubelet, the scheduler or KubeRay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from afray.api.conditions import Reason
from afray.api.status import JobStatus
from afray_operator.decide.context import Context, current_ray_job
from afray_operator.observed.facts import PodSeen, RayClusterSeen, Trouble

REASONS: Final = {
    Trouble.image: Reason.image_pull_failed,
    Trouble.configuration: Reason.configuration_missing,
    Trouble.crash: Reason.container_failed,
    Trouble.unschedulable: Reason.unschedulable,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Why pods do not run."""

    reason: Reason
    message: str


def worst_trouble(context: Context, status: JobStatus) -> Finding | None:
    """The worst trouble of any pod, else what keeps KubeRay from making pods."""
    troubled = [(list(Trouble).index(pod.trouble), pod.name, pod) for pod in own_pods(context, status) if pod.trouble]
    if troubled:
        pod = min(troubled)[2]
        assert pod.trouble is not None
        return Finding(reason=REASONS[pod.trouble], message=f"Pod {pod.name}: {pod.said}")
    cluster = own_cluster(context, status)
    if cluster is not None and cluster.trouble:
        return Finding(reason=Reason.creation_refused, message=f"KubeRay: {cluster.trouble}")
    return None


def own_pods(context: Context, status: JobStatus) -> tuple[PodSeen, ...]:
    """Pods of the current attempt that are there to stay."""
    if status.attempt is None:
        return ()
    here = (status.attempt.stage, status.attempt.number)
    pods = (pod for pod in context.seen.pods if (pod.stage, pod.attempt) == here)
    return tuple(pod for pod in pods if not pod.is_finished and pod.gone_by is None)


def own_cluster(context: Context, status: JobStatus) -> RayClusterSeen | None:
    """The RayCluster of the current attempt."""
    found = current_ray_job(context, status)
    if found is None:
        return None
    return next((cluster for cluster in context.seen.ray_clusters if cluster.name == found.cluster), None)
