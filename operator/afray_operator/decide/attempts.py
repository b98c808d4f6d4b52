"""From one attempt to the next: what counts, and when the next one starts.

`number` counts every attempt of a stage, `failures` only those that failed; suspension and preemption are none.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Final

from afray.api.stages import Stage
from afray.api.status import AttemptFailure, AttemptStatus, JobStatus
from afray_operator.decide.context import (
    Context,
    current_ray_job,
    has_failed,
    is_stopping,
    is_suspended,
    later,
    with_attempt,
)
from afray_operator.manifests.label_files import labels_digest, named_labels
from afray_operator.observed.facts import RayJobSeen

FIRST_DELAY: Final = 10
LONGEST_DELAY: Final = 300
JITTER: Final = 0.2


def begin_stage(context: Context, status: JobStatus, stage: Stage) -> JobStatus:
    """The first attempt of a stage, everything counts anew; or the last that is there, where the status was lost."""
    mine = (found for found in context.seen.ray_jobs if context.seen.is_ours(found) and found.stage is stage)
    number = max((found.attempt for found in mine), default=1)
    return later(status, stage=stage, attempt=AttemptStatus(stage=stage, number=max(1, number)), progress=None)


def next_attempt(status: JobStatus, *, anew: bool = False) -> JobStatus:
    """The next attempt of the same stage; `anew` if what failed before does not matter any more."""
    last = status.attempt
    assert last is not None
    fresh = AttemptStatus(stage=last.stage, number=last.number + 1)
    if not anew:
        kept = {"failures": last.failures, "active_seconds": last.active_seconds, "last_failure": last.last_failure}
        fresh = fresh.model_copy(update=kept)
    return later(status, attempt=fresh)


def fail_attempt(context: Context, status: JobStatus, failure: AttemptFailure) -> JobStatus:
    """Count the current attempt as failed; the next one starts after a while."""
    attempt = status.attempt
    assert attempt is not None
    failures = attempt.failures + 1
    delay = backoff(context.seen.owner.uid, attempt.number, failures)
    changes = {"failures": failures, "last_failure": failure, "retry_after": context.now + delay}
    return with_attempt(stop_clock(status, context.now), **changes)


def backoff(uid: str, number: int, failures: int) -> timedelta:
    """10 s, doubled with every failure up to 5 minutes, and spread by what does not change when it is asked again."""
    spread = int.from_bytes(hashlib.sha256(f"{uid}/{number}".encode()).digest()[:4]) / 2**32
    seconds = min(LONGEST_DELAY, FIRST_DELAY * 2 ** (min(failures, 10) - 1))
    return timedelta(seconds=round(seconds * (1 + JITTER * spread)))


def stop_clock(status: JobStatus, now: datetime) -> JobStatus:
    """End the present span of active time."""
    attempt = status.attempt
    if attempt is None or attempt.active_since is None:
        return status
    stopped = {
        "active_seconds": active_seconds(attempt, now),
        "active_since": None,
        "admitted_time": None,
        "started_time": None,
    }
    return with_attempt(status, **stopped)


def active_seconds(attempt: AttemptStatus, now: datetime) -> int:
    """Active time of the stage until now, over all its attempts."""
    if attempt.active_since is None:
        return attempt.active_seconds
    return attempt.active_seconds + max(0, int((now - attempt.active_since).total_seconds()))


def retry_when_due(context: Context, status: JobStatus) -> JobStatus:
    """After a failure and its delay: the next attempt."""
    if not has_failed(status) or is_suspended(status) or is_stopping(status) or context.job.spec.suspend:
        return status
    assert status.attempt is not None
    return next_attempt(status) if is_due(status.attempt, context.now) else status


def is_due(attempt: AttemptStatus, now: datetime) -> bool:
    """Whether the wait is over. One that is longer than any delay means that the clock was set back."""
    if attempt.retry_after is None or now >= attempt.retry_after:
        return True
    return attempt.retry_after - now > timedelta(seconds=LONGEST_DELAY * (1 + JITTER) + 1)


def replace_outdated(context: Context, status: JobStatus) -> JobStatus:
    """A RayJob that waits in another queue, or checks other labels, than the job names by now: the next attempt.

    Nothing failed, so nothing counts.
    """
    found = current_ray_job(context, status)
    if found is None or found.is_finished or has_failed(status) or is_stopping(status):
        return status
    waits_elsewhere = found.is_suspended and found.asked_queue != context.seen.queue
    checks_others = _checks_others(context, found)
    if not waits_elsewhere and not checks_others:
        return status
    return next_attempt(stop_clock(status, context.now), anew=checks_others)


def _checks_others(context: Context, found: RayJobSeen) -> bool:
    """Whether it looks at a label file that the spec does not name any more."""
    if found.stage is None or not found.stage.checks_labels:
        return False
    return found.labels_digest != labels_digest(named_labels(context.job, found.stage))
