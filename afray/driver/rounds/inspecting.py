"""Everything that there is to say about a label file, before a job is made to take it.

The rules are those by which `spec.previous.labels` and `spec.labels` are refused; here they are all heard, not only the
first one that is broken.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from afray.api.job import SelectionJob
from afray.api.training import AnnotationsSpec
from afray.driver.labelling import find_unfit, list_open
from afray.driver.rounds.accepting import find_unasked
from afray.driver.rounds.classes import find_poor_of
from afray.driver.rounds.earlier import EarlierRound, open_round
from afray.pool.answers import Answers
from afray.pool.findings import Finding
from afray.pool.labels import fetch, parse_answers
from afray.reporting import certificate as certificates


class Purpose(StrEnum):
    """What labels are wanted for."""

    round = "round"
    """spec.previous.labels of the next round."""
    finetune = "finetune"
    """spec.labels: finetune and linear probe."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """A label file beside the rows that a round selected."""

    place: str
    job: str
    """Name of the job that selected the rows."""
    purpose: Purpose
    asked: int
    """Rows that were selected."""
    labels: Mapping[str, str]
    """Of selected rows, by id."""
    skipped: int
    unsure: int
    open: int
    """Selected rows without an answer."""
    faults: tuple[Finding, ...]
    """Why it is refused; empty if it is not."""
    notes: tuple[Finding, ...]
    """What is worth knowing all the same."""


def inspect(output: str, labels: AnnotationsSpec, purpose: Purpose | None) -> Inspection:
    """A label file for the rows that the run at `output` (a full location) selected.

    `purpose`: None for what the job of that run asks for. Raises what opening a round raises, PoolError for a file
    that cannot be read any further, and StorageError if it is not there.
    """
    earlier = open_round(f"{output.rstrip('/')}/{certificates.NAME}")
    purpose = purpose or default_purpose(earlier.job)
    place, content = fetch(labels)
    faults: list[Finding] = []
    answers = parse_answers(labels, place, content, complain=faults.append)
    faults += find_unfit(answers, earlier.selected) if purpose is Purpose.finetune else find_unasked(answers, earlier)
    faulty, asked = {row_id for fault in faults for row_id in fault.rows}, frozenset(earlier.selected)
    open_rows = list_open(answers, earlier.selected)
    untold = [row_id for row_id in open_rows if row_id not in faulty]
    return Inspection(
        place=place,
        job=earlier.job.metadata.name,
        purpose=purpose,
        asked=len(asked),
        labels={row_id: label for row_id, label in answers.labels.items() if row_id in asked},
        skipped=len(answers.skipped & asked),
        unsure=len(answers.unsure & asked),
        open=len(open_rows),
        faults=tuple(faults),
        notes=(*_describe_rows(answers, untold), *_describe_classes(answers, earlier)),
    )


def default_purpose(job: SelectionJob) -> Purpose:
    """A job that finetunes or evaluates takes its labels in spec.labels; any other waits for a next round."""
    return Purpose.finetune if job.spec.finetune or job.spec.evaluation else Purpose.round


def _describe_rows(answers: Answers, open_rows: Sequence[str]) -> Iterator[Finding]:
    rows = {
        "nobody has answered": dict.fromkeys(open_rows, ""),
        "people disagree about": answers.disputed,
        "people are unsure about": dict.fromkeys(sorted(answers.unsure), ""),
        "people skipped": dict.fromkeys(sorted(answers.skipped), ""),
    }
    remedies = (
        "Label them, or leave them: a later round may choose them again",
        "The label that most gave counts, a tie makes the row unsure; where that is wrong, settle it in the file",
        "They count as answered, have no label, and are not chosen again",
        "They count as answered, have no label, and are not chosen again",
    )
    for (what, found), remedy in zip(rows.items(), remedies, strict=True):
        if found:
            yield Finding(problem=f"{_count(len(found))} {what}", remedy=remedy, rows=found)


def _describe_classes(answers: Answers, earlier: EarlierRound) -> Iterator[Finding]:
    if answers.labels:
        yield from find_poor_of({**earlier.known.labels, **answers.labels}, earlier.job)


def _count(rows: int) -> str:
    return "1 row that" if rows == 1 else f"{rows} rows that"
