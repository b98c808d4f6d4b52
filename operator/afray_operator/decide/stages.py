"""From stage to stage: the labels of the round before, select, the labels of people or of the pool, finetune.

    [previous: wait, check; refused: wait again] --accepted--> select       where the spec names a round before
    select --result--> [labels: wait, check; refused: wait again] --accepted--> finetune --> complete

While people label, the attempt that will check their file is there by number only: it has no RayJob and no quota.
"""

from __future__ import annotations

from afray.api.stages import Stage
from afray.api.status import JobStatus
from afray_operator.decide.attempts import begin_stage
from afray_operator.decide.context import Context, is_stopping, is_suspended
from afray_operator.decide.finishing import complete_job
from afray_operator.decide.label_files import label_file


def advance_stage(context: Context, status: JobStatus) -> JobStatus:
    """Begin the next stage, or end the job, once the present one has its outcome."""
    if status.stage is Stage.finetune and status.finetune is not None:
        return complete_job(context, status)
    if status.stage is Stage.select and status.result is not None:
        is_last = context.job.spec.finetune is None
        return complete_job(context, status) if is_last else begin_stage(context, status, Stage.labels)
    if is_stopping(status) or is_suspended(status) or context.job.spec.suspend:
        return status
    if status.stage is None:
        is_first = context.job.spec.previous is None
        return begin_stage(context, status, Stage.select if is_first else Stage.previous)
    if status.stage is Stage.previous and label_file(context.job, status, Stage.previous).is_accepted:
        return begin_stage(context, status, Stage.select)
    if status.stage is Stage.labels and has_labels(context, status):
        return begin_stage(context, status, Stage.finetune)
    return status


def has_labels(context: Context, status: JobStatus) -> bool:
    """Whether finetune can begin: labels of the pool, or a file that was accepted, which is final."""
    if label_file(context.job, status, Stage.labels).is_accepted:
        return True
    return context.job.spec.labels is None and context.job.spec.pool.labels is not None


def awaits_labels(context: Context, status: JobStatus) -> bool:
    """Whether nothing is to do until people give labels, or other ones."""
    stage = status.stage
    if stage is None or not stage.checks_labels or (stage is Stage.labels and has_labels(context, status)):
        return False
    return label_file(context.job, status, stage).is_awaited
