"""Stopping at the user's wish, and going on.

    running --spec.suspend--> Stopping --no RayJob, no pod left--> suspended --not spec.suspend--> next attempt

The RayJob is deleted, never suspended: Kueue would set it going again.
"""

from __future__ import annotations

from afray.api.conditions import ConditionType, Reason
from afray.api.status import JobStatus
from afray_operator.decide.attempts import next_attempt, stop_clock
from afray_operator.decide.context import (
    Context,
    has_failed,
    is_stopping,
    is_suspended,
    is_unconfirmed,
    lingering_pods,
    lingering_ray_jobs,
)
from afray_operator.decide.messages import Judgement, fails, holds, set_condition


def suspend_or_resume(context: Context, status: JobStatus) -> JobStatus:
    """Follow spec.suspend, one step at a time: what has begun to stop stops first."""
    if is_stopping(status):
        return status if holds_anything(context, status) else _set(context, status, _SUSPENDED)
    if context.job.spec.suspend and not is_suspended(status):
        return _set(context, stop_clock(status, context.now), _STOPPING)
    if is_suspended(status) and not context.job.spec.suspend:
        resumed = _set(context, status, _RESUMED)
        was_begun = status.attempt is not None and (status.attempt.ray_job_uid or has_failed(status))
        return next_attempt(resumed) if was_begun else resumed
    return status


def holds_anything(context: Context, status: JobStatus) -> bool:
    """Whether pods, or a RayJob that may make some, are still there."""
    return bool(lingering_ray_jobs(context) or lingering_pods(context) or is_unconfirmed(context, status))


_SUSPENDED = holds(
    Reason.user_requested, "spec.suspend is set; no pod is left. Unset it to go on from the last commit."
)
_STOPPING = fails(Reason.stopping, "spec.suspend is set; pods are leaving.")
_RESUMED = fails(Reason.resumed)


def _set(context: Context, status: JobStatus, judgement: Judgement) -> JobStatus:
    seen = context.seen
    return set_condition(status, ConditionType.suspended, judgement, generation=seen.generation, now=context.now)
