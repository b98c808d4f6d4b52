"""The whole status, from what is written down and what is seen: conditions first, then the one word for people.

Every condition speaks of the present. Those of the attempt say why there is none, where there is none.
"""

from __future__ import annotations

from afray.api.conditions import ConditionStatus, ConditionType, Phase, Reason
from afray.api.stages import Stage
from afray.api.status import JobStatus
from afray_operator.decide import quota as quotas
from afray_operator.decide import readiness, work
from afray_operator.decide.context import (
    Context,
    has_failed,
    is_final,
    is_stopping,
    is_suspended,
    later,
)
from afray_operator.decide.label_files import CONDITIONS
from afray_operator.decide.messages import Judgement, fails, set_condition
from afray_operator.decide.stages import awaits_labels

_OF_THE_ATTEMPT = (ConditionType.quota_reserved, ConditionType.cluster_ready, ConditionType.progressing)


def describe(context: Context, status: JobStatus, standing: Judgement) -> JobStatus:
    """Conditions, phase and reason of an accepted job. `standing` is what Accepted says."""
    said = {ConditionType.accepted: standing, **_attempt(context, status), **_work(context, status)}
    for kind, judgement in said.items():
        status = set_condition(status, kind, judgement, generation=context.seen.generation, now=context.now)
    status = _with_generation(context, status)
    phase, reason = phase_of(context, status)
    return later(status, phase=phase, reason=reason, observed_generation=context.seen.generation)


def _attempt(context: Context, status: JobStatus) -> dict[ConditionType, Judgement]:
    pause = _pause(context, status)
    if pause is not None:
        return {**dict.fromkeys(_OF_THE_ATTEMPT, pause), ConditionType.progressing: _stall(status) or pause}
    return {
        ConditionType.quota_reserved: quotas.quota(context, status),
        ConditionType.cluster_ready: readiness.readiness(context, status),
        ConditionType.progressing: readiness.progress_of_work(context, status),
    }


def _pause(context: Context, status: JobStatus) -> Judgement | None:
    """Why there is no attempt that runs or is to run now; None if there is one."""
    if is_final(status):
        return fails(Reason.finished)
    if is_suspended(status):
        return fails(Reason.suspended)
    if is_stopping(status):
        return fails(Reason.stopping)
    if awaits_labels(context, status):
        return fails(Reason.awaiting_labels)
    return _between_attempts(status) if has_failed(status) else None


def _between_attempts(status: JobStatus, reason: Reason = Reason.retrying) -> Judgement:
    attempt = status.attempt
    assert attempt is not None
    assert attempt.last_failure is not None
    return fails(reason, f"Attempt {attempt.number} failed: {attempt.last_failure.message}")


def _stall(status: JobStatus) -> Judgement | None:
    """What Progressing says between attempts, if the last one stalled."""
    failure = status.attempt.last_failure if status.attempt is not None else None
    is_between = has_failed(status) and not (is_final(status) or is_suspended(status) or is_stopping(status))
    if not is_between or failure is None or failure.reason is not Reason.stalled:
        return None
    return _between_attempts(status, Reason.stalled)


def _work(context: Context, status: JobStatus) -> dict[ConditionType, Judgement]:
    """What the job is for. At the end, what did not come will not come any more."""
    found: dict[ConditionType, Judgement] = {}
    if context.job.spec.previous is not None:
        found[ConditionType.previous_labels_ready] = work.previous_labels(context, status)
    found[ConditionType.selection_complete] = work.selection(status)
    if context.job.spec.finetune is not None:
        found[ConditionType.labels_ready] = work.labels(context, status)
    found[ConditionType.finetune_complete] = work.finetune(context, status)
    if not is_final(status):
        return found
    over = fails(Reason.finished)
    keeps = (Reason.disabled,)
    return {
        kind: judgement if judgement.status is ConditionStatus.true or judgement.reason in keeps else over
        for kind, judgement in found.items()
    }


def _with_generation(context: Context, status: JobStatus) -> JobStatus:
    """Conditions that were not judged now hold for this generation too."""
    conditions = tuple(
        condition.model_copy(update={"observed_generation": context.seen.generation}) for condition in status.conditions
    )
    return later(status, conditions=conditions)


def phase_of(context: Context, status: JobStatus) -> tuple[Phase, Reason | None]:
    """The one word, and the reason of the condition that it comes from."""
    if status.holds(ConditionType.complete):
        return Phase.succeeded, _reason(status, ConditionType.complete)
    if status.holds(ConditionType.failed):
        return Phase.failed, _reason(status, ConditionType.failed)
    if is_suspended(status) or is_stopping(status):
        phase = Phase.suspended if is_suspended(status) else Phase.suspending
        return phase, _reason(status, ConditionType.suspended)
    if status.stage is not None and awaits_labels(context, status):
        return Phase.awaiting_labels, _reason(status, CONDITIONS[status.stage])
    if has_failed(status):
        return Phase.retrying, _reason(status, ConditionType.progressing)
    return _phase_of_attempt(context, status)


_AT_WORK = {
    Stage.previous: Phase.validating_labels,
    Stage.select: Phase.running,
    Stage.labels: Phase.validating_labels,
    Stage.finetune: Phase.finetuning,
}


def _phase_of_attempt(context: Context, status: JobStatus) -> tuple[Phase, Reason | None]:
    attempt = status.attempt
    if attempt is not None and attempt.started_time is not None:
        return _AT_WORK[attempt.stage], _reason(status, ConditionType.progressing)
    quota, pods = (_reason(status, kind) for kind in (ConditionType.quota_reserved, ConditionType.cluster_ready))
    will_queue = quota is Reason.not_started and pods is Reason.not_started and context.seen.queue != ""
    if status.holds(ConditionType.quota_reserved) or (quota is Reason.not_started and not will_queue):
        return Phase.starting, pods
    return Phase.queued, quota


def _reason(status: JobStatus, kind: ConditionType) -> Reason | None:
    condition = status.condition(kind)
    return condition.reason if condition is not None else None
