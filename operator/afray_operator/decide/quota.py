"""The condition QuotaReserved: whether Kueue lets the current attempt run, in Kueue's own words if it does not."""

from __future__ import annotations

from typing import Final

from afray.api.conditions import ConditionType, Reason
from afray.api.status import JobStatus
from afray_operator.decide.context import Context, current_ray_job
from afray_operator.decide.messages import Judgement, fails, holds
from afray_operator.observed.facts import Fact, RayJobSeen, WorkloadSeen

_TOO_BIG: Final = ("maximum capacity", "ExceedsMaxQuota")
_NO_QUEUE: Final = ("doesn't exist", "terminating or missing")
_INSTALL_KUEUE: Final = (
    "Kueue is not installed, or serves no v1beta2 Workloads. Install Kueue 0.15 or newer, or take the label away."
)
_UNREADABLE: Final = (
    "Why, Kueue's Workload says (kubectl describe workloads), which the operator may not read: grant it get, list and "
    "watch of workloads.kueue.x-k8s.io."
)


def quota(context: Context, status: JobStatus) -> Judgement:
    """What the condition says of an attempt that goes on."""
    found = current_ray_job(context, status)
    if found is None:
        return fails(Reason.not_started, "The RayJob is not created yet.")
    if not found.is_suspended:
        if found.queue:
            return holds(Reason.admitted, f"Admitted from queue {found.queue}.")
        return holds(Reason.not_managed, "The job names no queue: it needs no admission.")
    return _waiting(context, status, found)


def _waiting(context: Context, status: JobStatus, found: RayJobSeen) -> Judgement:
    workload = next((seen for seen in context.seen.workloads if seen.ray_job_uid == found.uid), None)
    if not found.queue:
        return fails(
            Reason.no_queue_name,
            "The RayJob was suspended, though the job names no queue: this cluster admits by queue only. Label the "
            "job with kueue.x-k8s.io/queue-name, or set suspend: false on the RayJob.",
        )
    if not context.seen.offers.kueue:
        return fails(Reason.kueue_missing, f"Queue {found.queue} is asked for, and {_INSTALL_KUEUE}")
    if not context.seen.offers.kueue_readable and not _was_evicted(status, None):
        return fails(Reason.queued, f"The job waits in queue {found.queue}. {_UNREADABLE}")
    return _in_queue(status, found, workload)


def _in_queue(status: JobStatus, found: RayJobSeen, workload: WorkloadSeen | None) -> Judgement:
    reserved = workload.quota_reserved if workload is not None else None
    evicted = workload.evicted if workload is not None else None
    said = _sentence(workload)
    if reserved is not None and any(sign in reserved.message for sign in _NO_QUEUE):
        return fails(Reason.queue_missing, f"{said}. Label the job with a queue of this namespace (kubectl get queue).")
    if reserved is not None and any(sign in f"{reserved.reason} {reserved.message}" for sign in _TOO_BIG):
        return fails(Reason.queue_too_small, f"{said}. This queue can never run the job: ask for less, or another one.")
    if _was_evicted(status, evicted):
        why = f"{evicted.reason}: {evicted.message} " if evicted is not None and evicted.holds else ""
        return fails(Reason.preempted, f"{why}Finished work is kept; it goes on when readmitted. {said}".strip())
    return fails(Reason.queued, said or f"Kueue has not looked at it yet (queue {found.queue}).")


def _was_evicted(status: JobStatus, evicted: Fact | None) -> bool:
    """Kueue says so, or quota was there before and is not now."""
    before = status.condition(ConditionType.quota_reserved)
    had_quota = before is not None and before.reason in (Reason.admitted, Reason.preempted)
    return had_quota or (evicted is not None and evicted.holds)


def _sentence(workload: WorkloadSeen | None) -> str:
    """What Kueue says of the quota, or of its other checks."""
    if workload is None or workload.quota_reserved is None:
        return ""
    if not workload.quota_reserved.holds:
        return workload.quota_reserved.message
    admitted = workload.admitted
    checks = admitted.message if admitted is not None and not admitted.holds else ""
    return f"Quota is reserved; Kueue waits for its admission checks. {checks}".strip()
