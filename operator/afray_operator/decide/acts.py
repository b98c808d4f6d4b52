"""What is to be done now, given what is written down: remove what should not be there, make what should."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from afray.api.stages import Stage
from afray.api.status import AttemptStatus, JobStatus
from afray_operator.decide.actions import (
    Action,
    CreateRayJob,
    DeleteRayJob,
    EnsureAccount,
    EnsureConfigMap,
    EnsureRole,
    EnsureRoleBinding,
    ReadRayJob,
)
from afray_operator.decide.context import (
    Context,
    attempt_name,
    current_ray_job,
    has_failed,
    is_final,
    is_outline,
    is_stopping,
    is_suspended,
    is_unconfirmed,
    lingering_pods,
    lingering_ray_jobs,
    name_is_taken,
)
from afray_operator.decide.stages import awaits_labels
from afray_operator.manifests import supporting
from afray_operator.manifests.rayjobs import Attempt, account, ray_job
from afray_operator.observed.facts import Observed, RayJobSeen


def acts(context: Context, status: JobStatus) -> tuple[Action, ...]:
    """Actions in their order. A status that is not stored yet licenses none of them."""
    found = [*clean_up(context.seen, status), *_confirm(context, status), *_restore_progress(context, status)]
    return tuple(found) if found else tuple(_create(context, status))


def clean_up(seen: Observed, status: JobStatus) -> Iterator[Action]:
    """Delete RayJobs of ours that are over or in the way; the last finished one stays, for its submitter's log."""
    mine = [found for found in seen.ray_jobs if seen.is_ours(found) and not found.is_deleting]
    outdated = sorted((found for found in mine if found.is_finished), key=_age)[:-1]
    for found in mine:
        if found in outdated if found.is_finished else not _may_stay(status, found):
            yield DeleteRayJob(name=found.name, uid=found.uid)


def _age(found: RayJobSeen) -> tuple[int, int]:
    return (list(Stage).index(found.stage) if found.stage is not None else -1), found.attempt


def _may_stay(status: JobStatus, found: RayJobSeen) -> bool:
    """Whether an unfinished RayJob is the one of the current attempt, and that attempt goes on."""
    attempt = status.attempt
    if attempt is None or is_final(status) or is_stopping(status) or is_suspended(status) or has_failed(status):
        return False
    is_current = (found.stage, found.attempt) == (attempt.stage, attempt.number)
    return is_current and attempt.ray_job_uid in ("", found.uid)


def _confirm(context: Context, status: JobStatus) -> Iterator[Action]:
    if is_unconfirmed(context, status) and not is_suspended(status):
        assert status.attempt is not None
        yield ReadRayJob(name=attempt_name(context, status.attempt))


def _restore_progress(context: Context, status: JobStatus) -> Iterator[Action]:
    """The ConfigMap of a running driver, if somebody deleted it: the driver's next write fills it."""
    is_missed = current_ray_job(context, status) is not None and not context.seen.progress.exists
    if is_missed and not _was_refused(context.seen, context.now):
        yield EnsureConfigMap(manifest=supporting.progress_config_map(context.seen.owner))


def _create(context: Context, status: JobStatus) -> Iterator[Action]:
    attempt = status.attempt
    if attempt is None or not wants_ray_job(context, status) or _was_refused(context.seen, context.now):
        return
    if in_the_way(context, status):
        return
    seen, job = context.seen, context.job
    assert job.spec.runtime is not None
    pods_account = account(job.spec.runtime, seen.owner.name)
    yield EnsureConfigMap(manifest=supporting.progress_config_map(seen.owner))
    if not job.spec.runtime.service_account_name:
        yield EnsureAccount(manifest=supporting.service_account(seen.owner))
    yield EnsureRole(manifest=supporting.role(seen.owner))
    yield EnsureRoleBinding(manifest=supporting.role_binding(seen.owner, pods_account))
    yield _new_ray_job(context, attempt)


def _new_ray_job(context: Context, attempt: AttemptStatus) -> CreateRayJob:
    seen = context.seen
    planned = Attempt(owner=seen.owner, job=context.job, labels=seen.labels, stage=attempt.stage, number=attempt.number)
    return CreateRayJob(name=planned.name, stage=attempt.stage, attempt=attempt.number, manifest=ray_job(planned))


def wants_ray_job(context: Context, status: JobStatus) -> bool:
    """Whether the current attempt is to have a RayJob, and has none. Out of an outline none can be made."""
    attempt = status.attempt
    if is_outline(context.job):
        return False
    if attempt is None or attempt.ray_job_uid or has_failed(status) or is_stopping(status) or is_suspended(status):
        return False
    is_wanted = not awaits_labels(context, status) and not context.job.spec.suspend
    return is_wanted and current_ray_job(context, status) is None


def in_the_way(context: Context, status: JobStatus) -> str:
    """What a new RayJob has to wait for, in words; "" for nothing."""
    if name_is_taken(context, status):
        assert status.attempt is not None
        return f"RayJob {attempt_name(context, status.attempt)} is somebody else's"
    if others := lingering_ray_jobs(context):
        return f"RayJob {others[0].name} is still there"
    if pods := lingering_pods(context):
        return f"Pod {pods[0].name} of an earlier attempt is still there"
    return ""


def _was_refused(seen: Observed, now: datetime) -> bool:
    """Whether a creation was refused so lately that it is not worth another try."""
    return seen.refusal is not None and seen.refusal.is_fresh(now)
