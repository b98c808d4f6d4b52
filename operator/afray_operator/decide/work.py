"""The conditions of what a job is for: SelectionComplete, LabelsReady, FinetuneComplete."""

from __future__ import annotations

from afray.api.conditions import ConditionType, Reason
from afray.api.stages import Stage
from afray.api.status import JobStatus, LabelsStatus
from afray_operator.decide.context import Context
from afray_operator.decide.messages import Judgement, fails, holds
from afray_operator.decide.stages import has_labels, labels_are_refused


def selection(status: JobStatus) -> Judgement:
    """What SelectionComplete says."""
    if status.result is not None:
        return holds(
            Reason.manifest_verified, f"{status.result.selected} of {status.result.pool_size} rows are chosen."
        )
    return _not_done(status, Stage.select)


def labels(context: Context, status: JobStatus) -> Judgement:
    """What LabelsReady says, of a job that finetunes."""
    if status.result is None:
        return fails(Reason.not_started, "Labels are looked at when the selection is complete.")
    checked = status.labels
    if checked is not None and checked.accepted:
        return holds(Reason.accepted, f"{checked.answered} of {checked.asked} selected rows are answered.")
    if has_labels(context, status):
        return holds(Reason.pool_labels, "pool.labels are taken.")
    if context.job.spec.labels is None:
        said = "Label the selected rows, then set spec.labels: {uri, format}. Nothing runs, and no clock, meanwhile."
        return fails(Reason.awaiting_labels, said)
    if checked is not None and labels_are_refused(context, status):
        return fails(Reason.rejected, _refusal(context, status, checked))
    return fails(Reason.validating, "The label file is checked.")


def _refusal(context: Context, status: JobStatus, checked: LabelsStatus) -> str:
    """The driver's reason, as long as it is known; then as it was last told."""
    payload = context.seen.progress.payload
    said = payload.labels if payload is not None else None
    before = status.condition(ConditionType.labels_ready)
    if said is None or said.sha256 != checked.sha256 or said.accepted:
        if before is not None and before.reason is Reason.rejected:
            return before.message
        reason = ""
    else:
        reason = said.message
    counts = (
        f"{checked.answered} of {checked.asked} rows answered, {checked.unknown} unknown ids, {checked.classes} classes"
    )
    return f"{reason or 'The label file is refused.'} ({counts}). Set spec.labels to another uri or sha256."


def finetune(context: Context, status: JobStatus) -> Judgement:
    """What FinetuneComplete says."""
    if context.job.spec.finetune is None:
        return fails(Reason.disabled, "spec.finetune is not set.")
    if status.finetune is not None:
        note = " (on selected rows, biased)" if status.finetune.biased else ""
        return holds(Reason.done, f"Accuracy {status.finetune.accuracy:.3f}{note}.")
    return _not_done(status, Stage.finetune)


def _not_done(status: JobStatus, stage: Stage) -> Judgement:
    attempt = status.attempt
    is_running = attempt is not None and attempt.stage is stage and attempt.started_time is not None
    return fails(Reason.running if is_running else Reason.not_started)
