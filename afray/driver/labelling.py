"""Which labels a job has, and whether they fit its rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pydantic import JsonValue

from afray.api.job import SelectionJob
from afray.pool.answers import Answers
from afray.pool.findings import Finding, require_none
from afray.pool.labels import find_unknown, read_answers, read_labels
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
    given = job.spec.labels
    selected = read_answers(given, sha256=given.sha256) if given else None
    return replace(load_known_labels(job), selected=selected)


def load_known_labels(job: SelectionJob) -> Labels:
    """Only the files that are known beforehand. Raises the same."""
    spec = job.spec
    return Labels(
        pool=read_labels(spec.pool.labels) if spec.pool.labels else None,
        selected=None,
        heldout=read_labels(spec.evaluation.labels) if spec.evaluation else None,
    )


def check_selected(answers: Answers, selected_ids: list[str]) -> None:
    """Raises PoolError unless spec.labels names selected rows only, answers enough of them, and knows two classes."""
    require_none("spec.labels", find_unfit(answers, selected_ids))


def find_unfit(answers: Answers, selected_ids: Sequence[str]) -> Iterator[Finding]:
    """Why nothing can be trained on these answers to the selected rows; nothing where it can.

    A row that people skipped or were unsure about is answered.
    """
    yield from find_unknown(
        answers.ids,
        selected_ids,
        problem="are of no selected row",
        remedy="leave out what selection.csv does not list (spec.pool.labels may have it), or correct the column id",
    )
    yield from find_open(answers, selected_ids)
    classes = sorted(set(answers.labels.values()))
    if len(classes) < 2:
        named = f"{classes[0]!r} only" if classes else "no class"
        yield Finding(problem=f"the labels name {named}; two classes are needed", remedy="Check the label file")


def find_open(answers: Answers, selected_ids: Sequence[str]) -> Iterator[Finding]:
    """At most one fault: the answers leave too many of the selected rows open."""
    selected, open_rows = dict.fromkeys(selected_ids), list_open(answers, selected_ids)
    answered = len(selected) - len(open_rows)
    if answered < REQUIRED_COVERAGE * len(selected):
        yield Finding(
            problem=f"{answered} of {len(selected)} selected rows are answered, {REQUIRED_COVERAGE:.0%} are needed; "
            f"{len(open_rows)} are missing, the first of them {open_rows[0]!r}",
            remedy="Label or skip the rest",
            rows=dict.fromkeys(open_rows, ""),
        )


def list_open(answers: Answers, selected_ids: Sequence[str]) -> list[str]:
    """The selected rows that nobody has answered."""
    answered = frozenset(answers.ids)
    return [row_id for row_id in dict.fromkeys(selected_ids) if row_id not in answered]


def _describe(answers: Answers | None) -> JsonValue:
    if answers is None:
        return None
    return [dict(answers.labels), [*sorted(answers.skipped)], [*sorted(answers.unsure)]]
