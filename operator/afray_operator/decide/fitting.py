"""Keeps a status below its limit, whatever others have said: long words go; numbers, digests and reasons stay."""

from __future__ import annotations

import json
from typing import Final

from afray.api.status import JobStatus
from afray_operator.decide.context import later, with_attempt
from afray_operator.decide.messages import clip

LARGEST: Final = 8000
"""Bytes of the status as JSON."""
_LONGEST_LOG_URI: Final = 1024
_SHORTER: Final = (400, 200, 100, 40)


def fit(status: JobStatus) -> JobStatus:
    """The same status, with shorter words if it would be too large."""
    if status_size(status) <= LARGEST:
        return status
    status = _without_log(status)
    for size in _SHORTER:
        status = _with_messages(status, size)
        if status_size(status) <= LARGEST:
            return status
    if status.result is None:
        return status
    return later(status, result=status.result.model_copy(update={"uri": ""}))


def status_size(status: JobStatus) -> int:
    """Bytes as JSON."""
    return len(json.dumps(status.to_json(), ensure_ascii=False).encode(errors="replace"))


def _without_log(status: JobStatus) -> JobStatus:
    failure = status.attempt.last_failure if status.attempt is not None else None
    if failure is None or len(failure.log_uri.encode(errors="replace")) <= _LONGEST_LOG_URI:
        return status
    return with_attempt(status, last_failure=failure.model_copy(update={"log_uri": ""}))


def _with_messages(status: JobStatus, size: int) -> JobStatus:
    conditions = tuple(
        condition.model_copy(update={"message": clip(condition.message, size=size)}) for condition in status.conditions
    )
    status = later(status, conditions=conditions)
    failure = status.attempt.last_failure if status.attempt is not None else None
    if failure is None:
        return status
    return with_attempt(status, last_failure=failure.model_copy(update={"message": clip(failure.message, size=size)}))
