"""The stages that look at a label file: can a round go on from it, can it be trained on?

A refused file is a result, no failure. A driver that checks needs neither workers nor GPUs, and writes nothing but its
log.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from functools import partial

import pyarrow.parquet as pq

from afray.api.training import AnnotationsSpec
from afray.contract.outputs import SELECTED
from afray.contract.progress import LabelsResult, one_line
from afray.driver.labelling import check_selected
from afray.driver.rounds.accepting import check_asked
from afray.driver.rounds.earlier import open_round
from afray.driver.workspace import Workspace
from afray.errors import AfrayError, EnvironmentFault, IntegrityError, PoolError, StorageError
from afray.pool.answers import Answers
from afray.pool.labels import fetch, parse_answers
from afray.reporting import certificate as certificates
from afray.reporting.digests import content_digest
from afray.storage.store import ObjectMissing, Store

Check = Callable[[Answers], None]
"""Raises PoolError for answers that do not fit."""


def check_labels(workspace: Workspace) -> LabelsResult:
    """What comes of spec.labels. Raises PoolError if there is no finished selection, Retryable for a busy store."""
    file = workspace.job.spec.labels
    if file is None:
        raise EnvironmentFault("spec.labels: is missing, and SELECTION_STAGE is labels. Let the operator start it")
    asked = read_selected_ids(workspace.output)
    return _look(workspace, file, asked, partial(check_selected, selected_ids=asked))


def check_previous_labels(workspace: Workspace) -> LabelsResult:
    """What comes of spec.previous.labels. Raises what `open_round` raises, Retryable for a busy store."""
    previous = workspace.job.spec.previous
    if previous is None or previous.labels is None:
        raise EnvironmentFault(
            "spec.previous.labels: is missing, and SELECTION_STAGE is previous. Let the operator start it"
        )
    earlier = open_round(previous.certificate.uri)
    return _look(workspace, previous.labels, earlier.selected, partial(check_asked, earlier=earlier))


def _look(workspace: Workspace, file: AnnotationsSpec, asked: Sequence[str], check: Check) -> LabelsResult:
    with workspace.stages.stage("labels", total=len(asked)) as (bar, _):
        result = judge(file, asked, check)
        bar.update(len(asked), len(asked))
    return result


def read_selected_ids(output: Store) -> list[str]:
    """Ids in rank order, from the table that the certificate names. Raises IntegrityError if it is another by now."""
    try:
        certificate = certificates.read(output.read(certificates.NAME))
    except ObjectMissing:
        raise PoolError(
            f"{output.address(certificates.NAME)}: there is no finished selection here. Run the stage select first"
        ) from None
    content = output.read(SELECTED)
    if content_digest(content) != certificate.outputs.get(SELECTED):
        raise IntegrityError(
            f"{output.address(SELECTED)}: it is not the file that the certificate names. Restore it; "
            "`afray verify` tells what else changed"
        )
    ids: list[str] = pq.read_table(io.BytesIO(content), columns=["id"])["id"].to_pylist()
    return ids


def judge(file: AnnotationsSpec, asked: Sequence[str], check: Check) -> LabelsResult:
    """Whether a label file fits the selected ids, with counts and, if it does not, why."""
    content, answers = b"", None
    try:
        place, content = fetch(file)
        answers = parse_answers(file, place, content, sha256=file.sha256)
        check(answers)
    except (PoolError, StorageError, IntegrityError) as error:
        return _count(content, answers, asked, error)
    return _count(content, answers, asked, None)


def _count(content: bytes, answers: Answers | None, asked: Sequence[str], refusal: AfrayError | None) -> LabelsResult:
    wanted = frozenset(asked)
    answered = frozenset(answers.ids) if answers is not None else frozenset()
    return LabelsResult(
        sha256=hashlib.sha256(content).hexdigest(),
        accepted=refusal is None,
        message=one_line(str(refusal)) if refusal is not None else "",
        answered=len(answered & wanted),
        asked=len(wanted),
        unknown=len(answered - wanted),
        classes=len(set(answers.labels.values())) if answers is not None else 0,
    )
