"""What people said about rows: a label, or that they had none to give; and one answer out of several people's.

An answer without a label is worth knowing too: somebody looked at the row, and nobody needs to be asked again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Status(StrEnum):
    """What kind of answer a row got."""

    labelled = "labelled"
    skipped = "skipped"
    """Nobody who saw the row wanted to label it."""
    unsure = "unsure"
    """No label is right for sure: people were in doubt, or disagreed evenly."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The outcome for one row."""

    status: Status
    label: str = ""
    """Only if labelled."""
    said: str = ""
    """Where people gave more than one label: each label with how many gave it."""

    def __str__(self) -> str:
        return f"label {self.label!r}" if self.status is Status.labelled else f"status {self.status}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """What one person said about one row."""

    label: str | None
    """None: skipped, or unsure."""
    annotator: str | None
    """None if nobody knows any more; such votes count as those of different people."""
    given: datetime
    is_unsure: bool = False
    """Looked at, and in doubt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """The outcome for every answered row of a file, by id."""

    labels: Mapping[str, str]
    skipped: frozenset[str] = frozenset()
    unsure: frozenset[str] = frozenset()
    listed: int
    """Rows or tasks in the file, with those that nobody has answered."""
    disputed: Mapping[str, str] = field(default_factory=dict)
    """Rows that people gave more than one label, whatever came of it: each label with how many gave it."""

    @property
    def ids(self) -> tuple[str, ...]:
        """Every answered row: the labelled ones in the order of the file, then the others by id."""
        return (*self.labels, *sorted(self.skipped | self.unsure))


def gather(answers: Mapping[str, Answer], *, listed: int) -> Answers:
    """Sort answers by what they are worth."""
    return Answers(
        labels={row_id: answer.label for row_id, answer in answers.items() if answer.status is Status.labelled},
        skipped=frozenset(row_id for row_id, answer in answers.items() if answer.status is Status.skipped),
        unsure=frozenset(row_id for row_id, answer in answers.items() if answer.status is Status.unsure),
        listed=listed,
        disputed={row_id: answer.said for row_id, answer in answers.items() if answer.said},
    )


def settle(votes: Sequence[Vote]) -> Answer:
    """One answer out of the votes on a row, at least one.

    Each person's newest vote counts (given at the same time: the later one in the sequence). The label that most people
    gave wins; two labels ahead with as many votes each leave the row unsure. Doubts and then skips only count if nobody
    gave a label.
    """
    newest = {_voter(vote, position): vote for position, vote in sorted(enumerate(votes), key=_age)}.values()
    ballot = Counter(vote.label for vote in newest if vote.label is not None)
    if not ballot:
        return Answer(Status.unsure if any(vote.is_unsure for vote in newest) else Status.skipped)
    (label, most), *others = ballot.most_common()
    said = ", ".join(f"{count} {one!r}" for one, count in sorted(ballot.items())) if others else ""
    if others and others[0][1] == most:
        return Answer(Status.unsure, said=said)
    return Answer(Status.labelled, label, said)


def _voter(vote: Vote, position: int) -> str | int:
    return position if vote.annotator is None else vote.annotator


def _age(numbered: tuple[int, Vote]) -> datetime:
    return numbered[1].given
