"""Which labels a job has, and whether they fit its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from afray.api.job import SelectionJob
from afray.errors import PoolError
from afray.pool.answers import Answers
from afray.pool.labels import check_known, read_answers, read_labels
from afray.reporting.digests import content_digest
from afray.storage.canonical import canonical_json

REQUIRED_COVERAGE = 0.95
"""Share of the selected rows that spec.labels must answer; below it the file is taken for unfinished."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """Label by id, as far as the job names label files."""

    pool: Mapping[str, str] | None
    """spec.pool.labels: known beforehand, for any rows."""
    selected: Answers | None
    """spec.labels: given by people, for selected rows."""
    heldout: Mapping[str, str] | None
    """spec.evaluation.labels."""

    @property
    def digest(self) -> str:
        """sha256 over all labels: a changed label file means a new evaluation."""
        files: list[JsonValue] = [None if file is None else dict(file) for file in (self.pool, self.heldout)]
        return content_digest(canonical_json([*files, _describe(self.selected)]))

    @property
    def of_selection(self) -> Mapping[str, str] | None:
        """The labels to finetune with: people's, else those known beforehand."""
        return self.selected.labels if self.selected is not None else self.pool


def load_labels(job: SelectionJob) -> Labels:
    """Read every label file of a job. Raises PoolError, IntegrityError and StorageError."""
    spec = job.spec
    return Labels(
        pool=read_labels(spec.pool.labels) if spec.pool.labels else None,
        selected=read_answers(spec.labels, sha256=spec.labels.sha256) if spec.labels else None,
        heldout=read_labels(spec.evaluation.labels) if spec.evaluation else None,
    )


def check_selected(answers: Answers, selected_ids: list[str]) -> None:
    """Raises PoolError unless spec.labels names selected rows only, answers enough of them, and knows two classes.

    A row that people skipped or were unsure about is answered.
    """
    check_known(
        answers.ids,
        selected_ids,
        field="spec.labels",
        problem="are of no selected row",
        remedy="leave out what selection.csv does not list (spec.pool.labels may have it), or correct the column id",
    )
    check_coverage(answers, selected_ids, field="spec.labels")
    classes = sorted(set(answers.labels.values()))
    if len(classes) < 2:
        named = f"{classes[0]!r} only" if classes else "no class"
        raise PoolError(f"spec.labels: the labels name {named}; two classes are needed. Check the label file")


def check_coverage(answers: Answers, selected_ids: Sequence[str], *, field: str) -> None:
    """Raises PoolError if the answers (of selected rows only) leave too many rows open; `field` names their file."""
    selected, answered = dict.fromkeys(selected_ids), frozenset(answers.ids)
    missing = [row_id for row_id in selected if row_id not in answered]
    if len(answered) < REQUIRED_COVERAGE * len(selected):
        raise PoolError(
            f"{field}: {len(answered)} of {len(selected)} selected rows are answered, {REQUIRED_COVERAGE:.0%} are "
            f"needed; {len(missing)} are missing, the first of them {missing[0]!r}. Label or skip the rest"
        )


def _describe(answers: Answers | None) -> JsonValue:
    if answers is None:
        return None
    return [dict(answers.labels), [*sorted(answers.skipped)], [*sorted(answers.unsure)]]
