"""The conditions of what a job is for: PreviousLabelsReady, SelectionComplete, LabelsReady, FinetuneComplete."""

from __future__ import annotations

from typing import Final

from afray.api.conditions import Reason
from afray.api.stages import Stage
from afray.api.status import JobStatus
from afray_operator.decide.context import Context
from afray_operator.decide.label_files import CONDITIONS, LabelFile, label_file
from afray_operator.decide.messages import Judgement, fails, holds
from afray_operator.decide.stages import has_labels
from afray_operator.manifests.label_files import FIELDS


def selection(status: JobStatus) -> Judgement:
    """What SelectionComplete says."""
    if status.result is not None:
        return holds(
            Reason.manifest_verified, f"{status.result.selected} of {status.result.pool_size} rows are chosen."
        )
    return _not_done(status, Stage.select)


def previous_labels(context: Context, status: JobStatus) -> Judgement:
    """What PreviousLabelsReady says, of a job that goes on from a round before it."""
    return _of_file(context, status, Stage.previous)


def labels(context: Context, status: JobStatus) -> Judgement:
    """What LabelsReady says, of a job that finetunes."""
    if status.result is None:
        return fails(Reason.not_started, "Labels are looked at when the selection is complete.")
    if not label_file(context.job, status, Stage.labels).is_accepted and has_labels(context, status):
        return holds(Reason.pool_labels, "pool.labels are taken.")
    return _of_file(context, status, Stage.labels)


_ROWS: Final = {Stage.previous: "rows of the round before", Stage.labels: "selected rows"}


def _of_file(context: Context, status: JobStatus, stage: Stage) -> Judgement:
    """What is said of the file that a stage checks."""
    file, rows = label_file(context.job, status, stage), _ROWS[stage]
    if file.checked is not None and file.is_accepted:
        return holds(Reason.accepted, f"{file.checked.answered} of {file.checked.asked} {rows} are answered.")
    if file.named is None:
        said = f"Label the {rows}, then set {FIELDS[stage]}: {{uri, format}}. Nothing runs, and no clock, meanwhile."
        return fails(Reason.awaiting_labels, said)
    if file.is_refused:
        return fails(Reason.rejected, _refusal(context, status, file, stage))
    return fails(Reason.validating, "The label file is checked.")


def _refusal(context: Context, status: JobStatus, file: LabelFile, stage: Stage) -> str:
    """The driver's reason, as long as it is known; then as it was last told."""
    checked, payload = file.checked, context.seen.progress.payload
    assert checked is not None, "it was refused"
    said = payload.labels if payload is not None and payload.task is stage else None
    before = status.condition(CONDITIONS[stage])
    if said is None or said.sha256 != checked.sha256 or said.accepted:
        if before is not None and before.reason is Reason.rejected:
            return before.message
        reason = ""
    else:
        reason = said.message
    counts = (
        f"{checked.answered} of {checked.asked} rows answered, {checked.unknown} unknown ids, {checked.classes} classes"
    )
    return f"{reason or 'The label file is refused.'} ({counts}). Set {FIELDS[stage]} to another uri or sha256."


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
