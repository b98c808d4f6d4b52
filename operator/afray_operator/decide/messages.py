"""Sentences of the status: short, and whole conditions from their parts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from afray.api.conditions import ConditionStatus, ConditionType, Reason
from afray.api.status import LONGEST_MESSAGE, Condition, JobStatus

LONGEST_BYTES: Final = 600
"""Of a message: characters are not bytes."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a condition says, but for its times."""

    status: ConditionStatus
    reason: Reason
    message: str = ""


def holds(reason: Reason, message: str = "") -> Judgement:
    """It is so."""
    return Judgement(ConditionStatus.true, reason, message)


def fails(reason: Reason, message: str = "") -> Judgement:
    """It is not so."""
    return Judgement(ConditionStatus.false, reason, message)


def unknown(reason: Reason, message: str = "") -> Judgement:
    """Nobody can tell."""
    return Judgement(ConditionStatus.unknown, reason, message)


def clip(text: str, *, characters: int = LONGEST_MESSAGE, size: int = LONGEST_BYTES) -> str:
    """The text, shortened with an ellipsis if it has too many characters or bytes."""
    text = text.encode(errors="replace").decode()
    if len(text) <= characters and len(text.encode()) <= size:
        return text
    kept = text[: characters - 1]
    while len(kept.encode()) > size - 3:
        kept = kept[:-1]
    return f"{kept.rstrip()}…"


def set_condition(
    status: JobStatus, kind: ConditionType, judgement: Judgement, *, generation: int, now: datetime
) -> JobStatus:
    """The status with one condition set; it keeps its time unless its truth changed."""
    condition = Condition(
        type=kind,
        status=judgement.status,
        reason=judgement.reason,
        message=clip(judgement.message),
        observed_generation=generation,
        last_transition_time=now,
    )
    return status.with_condition(condition)
