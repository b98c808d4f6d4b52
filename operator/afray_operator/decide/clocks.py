"""What runs by the clock: active time between admission and eviction, the deadlines of start and stage, the stall.

All times are the operator's own: what a driver says of time is only shown.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from afray.api.stages import Stage
from afray.api.status import JobStatus
from afray_operator.decide.attempts import active_seconds, stop_clock
from afray_operator.decide.context import (
    Context,
    attempt_name,
    current_ray_job,
    driver_word,
    has_failed,
    is_lost,
    is_stopping,
    is_suspended,
    later,
    with_attempt,
)
from afray_operator.decide.progress import has_moved
from afray_operator.observed.facts import RayJobSeen


def record_ray_job(context: Context, status: JobStatus) -> JobStatus:
    """Write down which RayJob the current attempt has: from then on its absence means that it is lost."""
    found = current_ray_job(context, status)
    attempt = status.attempt
    if found is None or attempt is None or attempt.ray_job_uid or found.is_deleting:
        return status
    return with_attempt(status, ray_job_name=attempt_name(context, attempt), ray_job_uid=found.uid)


def run_clock(context: Context, status: JobStatus) -> JobStatus:
    """Start and stop the active time as the attempt is admitted, started, evicted or lost."""
    attempt = status.attempt
    if attempt is None or has_failed(status) or is_stopping(status) or is_suspended(status):
        return status
    found = current_ray_job(context, status)
    if found is None or found.is_suspended:
        is_certain = found is not None or is_lost(context, status)
        return stop_clock(status, context.now) if is_certain else status
    if attempt.active_since is None:
        status = with_attempt(status, active_since=context.now, admitted_time=context.now)
    if status.start_time is None:
        status = later(status, start_time=context.now)
    assert status.attempt is not None
    if status.attempt.started_time is None and _has_started(context, status, found):
        status = with_attempt(status, started_time=context.now)
    return status


def _has_started(context: Context, status: JobStatus, found: RayJobSeen) -> bool:
    """KubeRay submits once head and workers are ready; KubeRay may be down, and a driver speak all the same."""
    payload = driver_word(context, status)
    return found.deployment == "Running" or (payload is not None and has_moved(status, payload))


def start_deadline(context: Context, status: JobStatus) -> datetime | None:
    """When an admitted attempt must have started."""
    attempt = status.attempt
    if attempt is None or attempt.admitted_time is None or attempt.started_time is not None or has_failed(status):
        return None
    return attempt.admitted_time + timedelta(seconds=context.job.spec.policy.start_deadline_seconds)


def stall_deadline(context: Context, status: JobStatus) -> datetime | None:
    """When a started attempt must have advanced again."""
    attempt, progress = status.attempt, status.progress
    if attempt is None or attempt.started_time is None or has_failed(status):
        return None
    last = attempt.started_time
    payload = driver_word(context, status)
    if payload is not None and has_moved(status, payload):
        last = context.now
    elif progress is not None and progress.attempt == attempt.number:
        last = max(last, progress.advanced_at)
    return last + timedelta(seconds=context.job.spec.policy.stall_timeout_seconds)


def stage_deadline(context: Context, status: JobStatus) -> datetime | None:
    """When the active time of the stage is used up, if it goes on without a break."""
    attempt, limit = status.attempt, active_limit(context, status)
    if attempt is None or attempt.active_since is None or limit is None:
        return None
    return context.now + timedelta(seconds=limit - active_seconds(attempt, context.now))


def active_limit(context: Context, status: JobStatus) -> int | None:
    """Active seconds that the stage may use."""
    spec = context.job.spec
    is_finetune = status.attempt is not None and status.attempt.stage is Stage.finetune
    if is_finetune and spec.finetune is not None and spec.finetune.active_deadline_seconds is not None:
        return spec.finetune.active_deadline_seconds
    return spec.policy.active_deadline_seconds


def deadline_has_passed(context: Context, status: JobStatus) -> bool:
    """Whether the stage used up its active time."""
    attempt, limit = status.attempt, active_limit(context, status)
    return attempt is not None and limit is not None and active_seconds(attempt, context.now) >= limit
