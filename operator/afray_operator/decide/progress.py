"""What a driver says, as it goes into the status: seldom, capped, and with the operator's own time of its advance."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from afray.api.status import JobStatus, ProgressStatus
from afray.contract.progress import ProgressPayload
from afray_operator.decide.context import Context, current_ray_job, driver_word, later

SELDOM: Final = timedelta(seconds=30)
"""Between two writes of progress that is not a new stage."""
OFTEN: Final = timedelta(seconds=2)
"""Between two writes of any: whoever patches the ConfigMap without end shall not cost a write each time."""


def has_moved(status: JobStatus, payload: ProgressPayload) -> bool:
    """Whether stage, step or `done` advanced over what is recorded. Times do not matter: clocks differ, drivers lie."""
    recorded = status.progress
    if recorded is None or _is_elsewhere(recorded, payload):
        return True
    return payload.done > recorded.done


def _is_elsewhere(recorded: ProgressStatus, payload: ProgressPayload) -> bool:
    here = (payload.attempt, payload.epoch, payload.stage, payload.step)
    return (recorded.attempt, recorded.epoch, recorded.stage, recorded.step) != here


def record_progress(context: Context, status: JobStatus) -> JobStatus:
    """Take over what the current driver says, if it is time to."""
    payload = driver_word(context, status)
    if payload is None:
        return _believe_anew(context, status)
    due = progress_due(context, status)
    is_due = due is not None and due <= context.now
    return later(status, progress=_progress(context, status, payload)) if is_due else status


def _believe_anew(context: Context, status: JobStatus) -> JobStatus:
    """Forget the epoch once the ConfigMap is deleted: that is how people get rid of one that no driver ever had."""
    recorded = status.progress
    is_deleted = not context.seen.progress.exists and current_ray_job(context, status) is not None
    if not is_deleted or recorded is None or not recorded.epoch:
        return status
    return later(status, progress=recorded.model_copy(update={"epoch": 0}))


def progress_due(context: Context, status: JobStatus) -> datetime | None:
    """When the driver's news are to be written; None if there are none."""
    payload, recorded = driver_word(context, status), status.progress
    if payload is None:
        return None
    if recorded is None:
        return context.now
    said = _progress(context, status, payload)
    if said.model_copy(update={"recorded_at": recorded.recorded_at}) == recorded:
        return None
    pause = OFTEN if _is_elsewhere(recorded, payload) else SELDOM
    return context.now if recorded.recorded_at > context.now else recorded.recorded_at + pause


def _progress(context: Context, status: JobStatus, payload: ProgressPayload) -> ProgressStatus:
    recorded = status.progress
    moved = recorded is None or has_moved(status, payload)
    keeps_place = recorded is not None and not _is_elsewhere(recorded, payload)
    done = max(payload.done, recorded.done) if recorded is not None and keeps_place else payload.done
    heartbeat = min(payload.heartbeat, context.now).replace(microsecond=0)
    return ProgressStatus(
        stage=payload.stage,
        step=payload.step,
        unit=payload.unit,
        done=done,
        total=payload.total,
        rate=payload.rate,
        eta_seconds=payload.eta_seconds,
        summary=summarize(payload.stage, done, payload.total),
        epoch=payload.epoch,
        attempt=payload.attempt,
        heartbeat_time=heartbeat,
        advanced_at=context.now if moved or recorded is None else recorded.advanced_at,
        recorded_at=context.now,
    )


def summarize(stage: str, done: int, total: int | None) -> str:
    """Such as "embed 412/820"."""
    share = f" {done}/{total}" if total is not None else f" {done}" if done else ""
    return f"{stage[: 64 - len(share)]}{share}"
