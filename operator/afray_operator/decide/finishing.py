"""The end of a job: complete or failed, once and for good; then its time to live."""

from __future__ import annotations

from datetime import datetime, timedelta

from afray.api.conditions import ConditionType, Reason
from afray.api.job import SelectionJob
from afray.api.status import AttemptFailure, JobStatus
from afray_operator.decide import clocks
from afray_operator.decide.attempts import stop_clock
from afray_operator.decide.context import Context, later
from afray_operator.decide.messages import Judgement, clip, holds, set_condition


def complete_job(context: Context, status: JobStatus) -> JobStatus:
    """Everything that was asked for is done."""
    return _end(context, status, ConditionType.complete, holds(Reason.succeeded, _achieved(status)))


def _achieved(status: JobStatus) -> str:
    selected = f"{status.result.selected} rows selected" if status.result is not None else "Selected"
    return f"{selected}, finetuned." if status.finetune is not None else f"{selected}."


def fail_job(context: Context, status: JobStatus) -> JobStatus:
    """The last attempt failed for good: its reason is the job's."""
    attempt = status.attempt
    assert attempt is not None
    assert attempt.last_failure is not None
    message = failure_message(attempt.last_failure, attempt.failures)
    return _end(context, status, ConditionType.failed, holds(attempt.last_failure.reason, message))


def failure_message(failure: AttemptFailure, failures: int) -> str:
    """What failed, after how many attempts, the first cause, and where the log is."""
    tries = "1 attempt" if failures == 1 else f"{failures} attempts"
    said = f"{failure.stage.value} failed after {tries}: {failure.message}"
    if not failure.log_uri:
        return clip(said)
    log = f" Log: {failure.log_uri}"
    return clip(said, characters=400 - len(log)) + log if len(log) <= 200 else clip(said)


def fail_at_deadline(context: Context, status: JobStatus) -> JobStatus:
    """End the job when a stage has used up its active time."""
    if not clocks.deadline_has_passed(context, status):
        return status
    assert status.attempt is not None
    limit = clocks.active_limit(context, status)
    message = (
        f"{status.attempt.stage.value} was active for {limit} s over {status.attempt.number} attempts. What is "
        "committed stays: the same spec with a later deadline, as a new job on the same output, goes on from there."
    )
    return _end(context, status, ConditionType.failed, holds(Reason.deadline_exceeded, message))


def _end(context: Context, status: JobStatus, kind: ConditionType, judgement: Judgement) -> JobStatus:
    seen, now = context.seen, context.now
    ended = later(stop_clock(status, now), completion_time=now)
    if ended.attempt is not None:
        ended = later(ended, attempt=ended.attempt.model_copy(update={"retry_after": None}))
    return set_condition(ended, kind, judgement, generation=seen.generation, now=now)


def expires_at(status: JobStatus, job: SelectionJob | None) -> datetime | None:
    """When a finished job is to be deleted; None for never."""
    seconds = job.spec.policy.ttl_seconds_after_finished if job is not None else None
    if seconds is None or status.completion_time is None:
        return None
    return status.completion_time + timedelta(seconds=seconds)
