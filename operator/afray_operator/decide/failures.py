"""Why an attempt failed: the first cause that applies. Its class, not its words, says whether another one may help."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from afray.api.conditions import Reason
from afray.api.status import AttemptFailure, AttemptStatus, JobStatus
from afray_operator.decide import clocks
from afray_operator.decide.attempts import fail_attempt
from afray_operator.decide.context import (
    Context,
    attempt_name,
    current_ray_job,
    driver_word,
    has_failed,
    is_lost,
    is_stopping,
    is_suspended,
)
from afray_operator.decide.finishing import fail_job
from afray_operator.decide.messages import clip
from afray_operator.decide.troubles import worst_trouble
from afray_operator.manifests.pods import SUBMITTER_ROLE
from afray_operator.observed.facts import PodSeen, RayJobSeen

RESULT_GRACE: Final = timedelta(seconds=60)
"""Between a RayJob's success and its result: the two come through different watches."""
HEAD_GRACE: Final = timedelta(seconds=10)
"""A head that should have left that long ago is on a node that does not answer."""
_PERMANENT: Final = range(64, 70)
_LOST_HEAD: Final = frozenset({"SubmissionFailed", "JobStatusCheckTimeoutExceeded"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why an attempt is over."""

    reason: Reason
    message: str
    is_permanent: bool = False
    log_uri: str = ""


Check = Callable[[Context, JobStatus], Cause | None]


def note_failure(context: Context, status: JobStatus) -> JobStatus:
    """Count the current attempt as failed if there is a cause, and end the job if another attempt can not help."""
    attempt = status.attempt
    if attempt is None or has_failed(status) or is_stopping(status) or is_suspended(status):
        return status
    cause = next((found for check in CHECKS if (found := check(context, status)) is not None), None)
    if cause is None:
        return status
    failure = AttemptFailure(
        number=attempt.number,
        stage=attempt.stage,
        reason=cause.reason,
        message=clip(cause.message, characters=300),
        log_uri=cause.log_uri,
        time=context.now,
    )
    failed = fail_attempt(context, status, failure)
    return fail_job(context, failed) if cause.is_permanent or _is_spent(context, failed) else failed


def _is_spent(context: Context, status: JobStatus) -> bool:
    assert status.attempt is not None
    return status.attempt.failures > context.job.spec.policy.backoff_limit


def driver_gave_up(context: Context, status: JobStatus) -> Cause | None:
    """The driver says why itself, and its RayJob is over, or does not notice."""
    payload = driver_word(context, status)
    if payload is None or payload.failure is None or not _is_over(context, status):
        return None
    failure = payload.failure
    is_permanent = failure.exit_code in _PERMANENT
    return Cause(
        reason=Reason.permanent_error if is_permanent else Reason.driver_failed,
        message=f"{failure.reason}: {failure.message}" if failure.message else failure.reason,
        is_permanent=is_permanent,
        log_uri=failure.log_uri,
    )


def _is_over(context: Context, status: JobStatus) -> bool:
    found = current_ray_job(context, status)
    has_ended = is_lost(context, status) or (found is not None and found.is_finished)
    return has_ended or _has_passed(clocks.stall_deadline(context, status), context.now)


def unknown_payload(context: Context, status: JobStatus) -> Cause | None:
    """The driver of another afray speaks what this operator does not understand; no other attempt will."""
    version = context.seen.progress.version
    if version is None or status.attempt is None or status.attempt.started_time is None:
        return None
    message = (
        f"The driver writes progress of version {version}, which this operator does not read. Use an image in "
        "spec.runtime whose afray version is the operator's, or the one before."
    )
    return Cause(reason=Reason.permanent_error, message=message, is_permanent=True)


def ray_job_is_invalid(context: Context, status: JobStatus) -> Cause | None:
    """KubeRay itself refuses the RayJob."""
    found = current_ray_job(context, status)
    if found is None or found.deployment != "ValidationFailed":
        return None
    return Cause(reason=Reason.permanent_error, message=f"KubeRay: {found.message}", is_permanent=True)


def ray_job_failed(context: Context, status: JobStatus) -> Cause | None:
    """The RayJob failed, and the driver could not say why."""
    found = current_ray_job(context, status)
    if found is None or found.deployment != "Failed":
        return None
    if found.exit_code in _PERMANENT:
        return Cause(reason=Reason.permanent_error, message=_said(found), is_permanent=True)
    if found.exit_code is None and found.reason in _LOST_HEAD:
        return Cause(reason=Reason.head_lost, message=_said(found) + _said_by_submitter(context, status))
    return Cause(reason=Reason.driver_failed, message=_said(found))


def ended_without_result(context: Context, status: JobStatus) -> Cause | None:
    """The RayJob ended well, or was stopped, and no result came: another attempt finds all work done."""
    found = current_ray_job(context, status)
    if found is None or found.deployment != "Complete":
        return None
    if found.job_status == "STOPPED":
        return Cause(reason=Reason.driver_failed, message="The Ray job was stopped by hand (ray job stop).")
    if found.ended is not None and context.now - found.ended < RESULT_GRACE:
        return None
    return Cause(reason=Reason.driver_failed, message="The driver ended, and its result did not arrive.")


def ray_job_deleted(context: Context, status: JobStatus) -> Cause | None:
    """Somebody else deleted the RayJob."""
    if not is_lost(context, status):
        return None
    assert status.attempt is not None
    message = f"RayJob {attempt_name(context, status.attempt)} was deleted, and not by this operator."
    return Cause(reason=Reason.ray_job_deleted, message=message)


def head_is_unreachable(context: Context, status: JobStatus) -> Cause | None:
    """The head pod does not leave though it was told to: its node is lost, and the driver with it."""
    attempt = status.attempt
    if attempt is None or attempt.started_time is None:
        return None
    for pod in _pods(context, attempt, "head"):
        if not pod.is_finished and pod.gone_by is not None and context.now > pod.gone_by + HEAD_GRACE:
            return Cause(reason=Reason.head_lost, message=f"Pod {pod.name} is on a node that does not answer.")
    return None


def start_took_too_long(context: Context, status: JobStatus) -> Cause | None:
    """Not ready in time; the reason is what the pods lack, as far as anybody knows."""
    if not _has_passed(clocks.start_deadline(context, status), context.now):
        return None
    seconds = context.job.spec.policy.start_deadline_seconds
    trouble = worst_trouble(context, status)
    if trouble is None:
        message = f"The cluster was not ready {seconds} s after admission."
        return Cause(reason=Reason.start_deadline_exceeded, message=message)
    return Cause(reason=trouble.reason, message=f"Not ready {seconds} s after admission: {trouble.message}")


def work_stalled(context: Context, status: JobStatus) -> Cause | None:
    """Neither stage nor `done` advanced; a heartbeat alone is no progress."""
    if not _has_passed(clocks.stall_deadline(context, status), context.now):
        return None
    seconds = context.job.spec.policy.stall_timeout_seconds
    where = status.progress.summary if status.progress is not None else "its start"
    return Cause(reason=Reason.stalled, message=f"No progress for {seconds} s since {where}.")


CHECKS: Final[tuple[Check, ...]] = (
    driver_gave_up,
    ray_job_is_invalid,
    ray_job_failed,
    ended_without_result,
    ray_job_deleted,
    unknown_payload,
    head_is_unreachable,
    start_took_too_long,
    work_stalled,
)


def _has_passed(deadline: datetime | None, now: datetime) -> bool:
    return deadline is not None and now >= deadline


def _said_by_submitter(context: Context, status: JobStatus) -> str:
    """KubeRay only counts the submitter's tries; whether its image lacks Ray or the head went away, it says itself."""
    assert status.attempt is not None
    words = (pod.last_words for pod in _pods(context, status.attempt, SUBMITTER_ROLE))
    return next((f" The submitter ended with {said}" for said in words if said), "")


def _pods(context: Context, attempt: AttemptStatus, role: str) -> Iterator[PodSeen]:
    """The pods of an attempt in one role."""
    here = (attempt.stage, attempt.number, role)
    return (pod for pod in context.seen.pods if (pod.stage, pod.attempt, pod.role) == here)


def _said(found: RayJobSeen) -> str:
    return ": ".join(filter(None, (found.reason, found.message))) or "KubeRay gave no reason."
