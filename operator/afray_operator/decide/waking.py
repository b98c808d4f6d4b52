"""When to look again though nothing may have changed: the next moment at which a clock decides something."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from afray.api.status import JobStatus
from afray_operator.decide import clocks
from afray_operator.decide.acts import wants_ray_job
from afray_operator.decide.context import (
    ABANDONED_AFTER,
    Context,
    current_ray_job,
    has_failed,
    is_stopping,
    is_suspended,
)
from afray_operator.decide.failures import HEAD_GRACE, RESULT_GRACE
from afray_operator.decide.progress import progress_due


def wake_at(context: Context, status: JobStatus) -> datetime | None:
    """The earliest to come; None if only a change can matter. What is past has had its effect, or has none."""
    return min((moment for moment in _moments(context, status) if moment > context.now), default=None)


def _moments(context: Context, status: JobStatus) -> Iterator[datetime]:
    deadlines = (
        clocks.start_deadline(context, status),
        clocks.stall_deadline(context, status),
        clocks.stage_deadline(context, status),
        progress_due(context, status),
    )
    yield from (moment for moment in deadlines if moment is not None)
    attempt = status.attempt
    if attempt is not None and attempt.retry_after is not None and has_failed(status) and not is_suspended(status):
        yield attempt.retry_after
    yield from _of_pods(context, status)
    found = current_ray_job(context, status)
    if found is not None and found.deployment == "Complete" and found.ended is not None:
        yield found.ended + RESULT_GRACE
    if context.seen.refusal is not None:
        yield context.seen.refusal.try_again


def _of_pods(context: Context, status: JobStatus) -> Iterator[datetime]:
    """Pods that were told to leave: a head that does not, and any that are given up."""
    is_waiting = is_stopping(status) or wants_ray_job(context, status)
    for pod in context.seen.pods:
        if pod.gone_by is None or pod.is_finished:
            continue
        if pod.role == "head":
            yield pod.gone_by + HEAD_GRACE + timedelta(seconds=1)
        if is_waiting:
            yield pod.gone_by + ABANDONED_AFTER + timedelta(seconds=1)
