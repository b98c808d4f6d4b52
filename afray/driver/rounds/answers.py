"""What people said about the rows of all rounds so far: one canonical file, kept with the selection made of it."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, ValidationError

from afray.errors import IntegrityError
from afray.pool.answers import Answers
from afray.storage.canonical import canonical_json

ROLE = "answers.json"
"""Of the kept file, in the commit of the selection."""


class _Kept(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class RoundAnswers(_Kept):
    """One round: its certificate, the label file that came back, and what it says by id."""

    certificate: str
    """sha256 of the file."""
    file: str
    """sha256 of the label file."""
    labels: dict[str, str]
    unlabelled: list[str]
    """Rows that people looked at without giving them a label, ascending."""


class AllAnswers(_Kept):
    """Every round before the selection, the first one first."""

    rounds: list[RoundAnswers]

    @property
    def labels(self) -> Mapping[str, str]:
        """Label by id, over all rounds."""
        return {row_id: label for one in self.rounds for row_id, label in one.labels.items()}

    @property
    def ids(self) -> tuple[str, ...]:
        """Every answered row: nobody is asked about it again."""
        return tuple(row_id for one in self.rounds for row_id in (*one.labels, *one.unlabelled))


def describe(answers: Answers, *, certificate: str, file: str) -> RoundAnswers:
    """The answers of one round."""
    unlabelled = sorted(answers.skipped | answers.unsure)
    return RoundAnswers(certificate=certificate, file=file, labels=dict(answers.labels), unlabelled=unlabelled)


def write(answers: AllAnswers) -> bytes:
    """The canonical file."""
    return canonical_json(answers.model_dump(mode="json"))


def read(content: bytes) -> AllAnswers:
    """The answers in a kept file. Raises IntegrityError for what this version does not write."""
    try:
        return AllAnswers.model_validate_json(content)
    except ValidationError as invalid:
        raise IntegrityError(
            f"{ROLE}: not a file of answers as this version writes it ({invalid.error_count()} faults). Restore the "
            "output of that round"
        ) from invalid
