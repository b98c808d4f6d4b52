"""What a stage came to: its result, taken from the driver that found it, and kept whatever happens afterwards."""

from __future__ import annotations

from afray.api.stages import Stage
from afray.api.status import FinetuneStatus, JobStatus, LabelsStatus, ResultStatus
from afray.contract.progress import LabelsResult, ProgressPayload
from afray_operator.decide import clocks, label_files
from afray_operator.decide.attempts import next_attempt, stop_clock
from afray_operator.decide.context import (
    Context,
    current_ray_job,
    driver_word,
    has_failed,
    is_lost,
    is_stopping,
    is_suspended,
    later,
)
from afray_operator.manifests.label_files import labels_digest, named_labels


def record_outcome(context: Context, status: JobStatus) -> JobStatus:
    """Take over the stage's result once its RayJob is over."""
    payload = driver_word(context, status)
    if payload is None or payload.failure is not None or has_failed(status) or not _is_over(context, status):
        return status
    kept = _outcome(context, status, payload)
    if not kept:
        return status
    recorded = later(stop_clock(status, context.now), **kept)
    is_refused = payload.task.checks_labels and payload.labels is not None and not payload.labels.accepted
    return next_attempt(recorded, anew=True) if is_refused else recorded


def _is_over(context: Context, status: JobStatus) -> bool:
    """The RayJob is finished, gone or evicted; or it does not notice that its driver is done, as without KubeRay."""
    found = current_ray_job(context, status)
    if found is None:
        return is_lost(context, status) or is_stopping(status) or is_suspended(status)
    deadline = clocks.stall_deadline(context, status)
    is_overdue = deadline is not None and context.now >= deadline
    return found.is_finished or found.is_suspended or found.is_deleting or is_overdue


def _outcome(context: Context, status: JobStatus, payload: ProgressPayload) -> dict[str, object]:
    """The fields of the status that the driver's result fills; none if it has no result."""
    match payload.task:
        case Stage.select if payload.result is not None and status.result is None:
            return {"result": ResultStatus.model_validate(payload.result.model_dump())}
        case Stage.previous | Stage.labels if payload.labels is not None:
            return _labels(context, status, payload.task, payload.labels)
        case Stage.finetune if payload.finetune is not None and status.finetune is None:
            return {"finetune": FinetuneStatus.model_validate(payload.finetune.model_dump())}
        case _:
            return {}


def _labels(context: Context, status: JobStatus, stage: Stage, found: LabelsResult) -> dict[str, object]:
    """What a check found, of the file that its RayJob was started for."""
    file, ray_job = label_files.label_file(context.job, status, stage), current_ray_job(context, status)
    if file.is_accepted:
        return {}
    digest = ray_job.labels_digest if ray_job is not None else labels_digest(named_labels(context.job, stage))
    return label_files.record(stage, LabelsStatus.model_validate({**found.model_dump(), "spec_hash": digest}))
