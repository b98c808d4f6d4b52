"""From stage to stage: select, then the labels of people or of the pool, then finetune.

    select --result--> [labels: wait, check; refused: wait again] --accepted--> finetune --> complete

While people label, the attempt that will check their file is there by number only: it has no RayJob and no quota.
"""

from __future__ import annotations

from afray.api.stages import Stage
from afray.api.status import JobStatus
from afray_operator.decide.attempts import begin_stage
from afray_operator.decide.context import Context, is_stopping, is_suspended
from afray_operator.decide.finishing import complete_job
from afray_operator.manifests.rayjobs import labels_digest


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
        return begin_stage(context, status, Stage.select)
    if status.stage is Stage.labels and has_labels(context, status):
        return begin_stage(context, status, Stage.finetune)
    return status


def has_labels(context: Context, status: JobStatus) -> bool:
    """Whether finetune can begin: labels of the pool, or a file that was accepted, which is final."""
    if status.labels is not None and status.labels.accepted:
        return True
    return context.job.spec.labels is None and context.job.spec.pool.labels is not None


def labels_are_refused(context: Context, status: JobStatus) -> bool:
    """Whether the file that spec.labels names was checked and refused."""
    if status.labels is None or status.labels.accepted:
        return False
    return status.labels.spec_hash == labels_digest(context.job.spec.labels)


def awaits_labels(context: Context, status: JobStatus) -> bool:
    """Whether nothing is to do until people give labels, or other ones."""
    if status.stage is not Stage.labels or has_labels(context, status):
        return False
    return context.job.spec.labels is None or labels_are_refused(context, status)
