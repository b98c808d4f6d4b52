"""Which attempt of a job somebody asks about. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from afray.api.stages import Stage
from afray.client.faults import NothingLogged
from afray.client.records import JobRecord
from afray.client.story import ending, situation
from afray.errors import SpecError


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt of one stage."""

    stage: Stage
    number: int

    def __str__(self) -> str:
        return f"attempt {self.number} of stage {self.stage}"


def choose_attempt(record: JobRecord, stage: Stage | None, number: int | None) -> Attempt:
    """The attempt that was asked for, else the current one.

    Raises NothingLogged if there was none yet, SpecError if the number is missing for another stage.
    """
    current = record.status.attempt
    if current is None:
        raise NothingLogged(
            f"{record.name} has no driver yet: {situation(record)}. Follow it: afray watch {record.name}"
        )
    if stage not in (None, current.stage) and number is None:
        remedy = f"Stages count their attempts for themselves, and the current one is {current.stage}: say which."
        raise SpecError("--attempt", None, f"is missing beside --stage {stage}", remedy)
    return Attempt(stage=stage or current.stage, number=number or current.number)


def is_over(record: JobRecord, attempt: Attempt) -> bool:
    """Whether the attempt can write no more."""
    current = record.status.attempt
    return (
        current is None
        or (current.stage, current.number) != (attempt.stage, attempt.number)
        or ending(record) is not None
    )
