"""One look at an accepted job, and what the rules ask of it: its RayJob, its driver's word, who still holds pods.

seen.status --rules--> status      rules read the world and the status so far, and return the next status
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from afray.api.conditions import ConditionType, Reason
from afray.api.job import SelectionJob
from afray.api.status import AttemptStatus, JobStatus
from afray.contract import names
from afray.contract.progress import ProgressPayload
from afray_operator.observed.facts import Observed, PodSeen, RayJobSeen

ABANDONED_AFTER: Final = timedelta(seconds=60)
"""A pod that should have left that long ago sits on a lost node; the storage's fence stops it if it still lives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What was seen, of a job that makes sense. `job` holds the accepted pod templates."""

    seen: Observed
    job: SelectionJob
    now: datetime


def is_outline(job: SelectionJob) -> bool:
    """Whether only what stops and limits the job is known: its spec does not load any more."""
    return job.spec.cluster is None


def attempt_name(context: Context, attempt: AttemptStatus) -> str:
    """The name of the attempt's RayJob."""
    return names.rayjob_name(context.seen.owner.name, attempt.stage, attempt.number)


def current_ray_job(context: Context, status: JobStatus) -> RayJobSeen | None:
    """The RayJob of the current attempt: ours, and the very one that was recorded."""
    if status.attempt is None:
        return None
    found = context.seen.ray_job(attempt_name(context, status.attempt))
    if found is None or not context.seen.is_ours(found):
        return None
    return found if status.attempt.ray_job_uid in ("", found.uid) else None


def name_is_taken(context: Context, status: JobStatus) -> bool:
    """Whether a RayJob that is not ours has the name that the current attempt needs."""
    if status.attempt is None or status.attempt.ray_job_uid:
        return False
    found = context.seen.ray_job(attempt_name(context, status.attempt))
    return found is not None and not context.seen.is_ours(found)


def is_unconfirmed(context: Context, status: JobStatus) -> bool:
    """Whether the recorded RayJob is not seen, and it matters, and is not yet certain, that it is gone."""
    attempt = status.attempt
    if attempt is None or not attempt.ray_job_uid or has_failed(status):
        return False
    name = attempt_name(context, attempt)
    return context.seen.ray_job(name) is None and name not in context.seen.missing


def is_lost(context: Context, status: JobStatus) -> bool:
    """Whether the recorded RayJob is certainly gone, or going."""
    attempt = status.attempt
    if attempt is None or not attempt.ray_job_uid or is_unconfirmed(context, status):
        return False
    found = current_ray_job(context, status)
    return found is None or found.is_deleting


def driver_word(context: Context, status: JobStatus) -> ProgressPayload | None:
    """What the current attempt's own driver says; older attempts, stages and epochs are not listened to."""
    payload = _of_this_attempt(context, status)
    return payload if payload is not None and payload.epoch >= newest_epoch(status) else None


def outdated_word(context: Context, status: JobStatus) -> ProgressPayload | None:
    """What is not listened to, though it is of the current attempt: a newer epoch has spoken."""
    payload = _of_this_attempt(context, status)
    return payload if payload is not None and payload.epoch < newest_epoch(status) else None


def _of_this_attempt(context: Context, status: JobStatus) -> ProgressPayload | None:
    payload, attempt = context.seen.progress.payload, status.attempt
    if payload is None or attempt is None or (payload.attempt, payload.task) != (attempt.number, attempt.stage):
        return None
    return payload


def newest_epoch(status: JobStatus) -> int:
    """The highest epoch that spoke for the current attempt."""
    recorded, attempt = status.progress, status.attempt
    return recorded.epoch if recorded and attempt and recorded.attempt == attempt.number else 0


def lingering_pods(context: Context, *, of: AttemptStatus | None = None) -> tuple[PodSeen, ...]:
    """Pods of the job that run or may run, but for those of one attempt."""
    spared = (of.stage, of.number) if of is not None else None
    return tuple(pod for pod in context.seen.pods if (pod.stage, pod.attempt) != spared and _may_run(pod, context.now))


def _may_run(pod: PodSeen, now: datetime) -> bool:
    return not pod.is_finished and (pod.gone_by is None or now <= pod.gone_by + ABANDONED_AFTER)


def lingering_ray_jobs(context: Context, *, but: str = "") -> tuple[RayJobSeen, ...]:
    """RayJobs of this job, or of one of the same name before it, that are not finished, but for the named one."""
    attempts = (ray_job for ray_job in context.seen.ray_jobs if ray_job.stage is not None and ray_job.attempt)
    return tuple(ray_job for ray_job in attempts if ray_job.name != but and not ray_job.is_finished)


def has_failed(status: JobStatus) -> bool:
    """Whether the current attempt is over, and failed."""
    attempt = status.attempt
    if attempt is None or attempt.last_failure is None:
        return False
    return (attempt.last_failure.stage, attempt.last_failure.number) == (attempt.stage, attempt.number)


def is_final(status: JobStatus) -> bool:
    """Whether the job is over for good."""
    return status.holds(ConditionType.complete) or status.holds(ConditionType.failed)


def is_stopping(status: JobStatus) -> bool:
    """Whether the job was told to stop, and its pods are still there."""
    condition = status.condition(ConditionType.suspended)
    return condition is not None and condition.reason is Reason.stopping


def is_suspended(status: JobStatus) -> bool:
    """Whether the job is stopped."""
    return status.holds(ConditionType.suspended)


def later(status: JobStatus, **changes: object) -> JobStatus:
    """The status with some fields set."""
    return status.model_copy(update=changes)


def with_attempt(status: JobStatus, **changes: object) -> JobStatus:
    """The status with some fields of its attempt set."""
    assert status.attempt is not None
    return later(status, attempt=status.attempt.model_copy(update=changes))
