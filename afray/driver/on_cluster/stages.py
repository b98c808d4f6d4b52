"""The stages of a job, each in a RayJob of its own, and the result that each ends with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from afray.contract.names import Stage
from afray.contract.progress import FinetuneResult, SelectionResult
from afray.driver.jobs import run_evaluation, run_selection
from afray.driver.labelling import load_labels
from afray.driver.on_cluster.label_check import check_labels, check_previous_labels
from afray.driver.on_cluster.state import Result
from afray.driver.workspace import Workspace
from afray.errors import EnvironmentFault


def select(workspace: Workspace) -> SelectionResult:
    """Index to certificate, and a report of that.

    Files of labels known beforehand are held against the rows now, while nothing expensive has happened; those of
    the selected rows come later.
    """
    job = workspace.job
    known = job.model_copy(update={"spec": job.spec.model_copy(update={"labels": None})})
    report = run_selection(workspace, load_labels(known))
    return SelectionResult(
        uri=job.spec.output.uri,
        digest=report.selection_digest,
        selected=report.funnel.selected,
        pool_size=report.funnel.unique,
    )


def finetune(workspace: Workspace) -> FinetuneResult:
    """Training on the labelled selection, evaluation, and the whole report. Raises PoolError without labels."""
    if workspace.job.spec.finetune is None:
        raise EnvironmentFault("spec.finetune: is missing, and SELECTION_STAGE is finetune. Let the operator start it")
    report = run_evaluation(workspace, load_labels(workspace.job))
    found = report.evaluation.finetune
    assert found is not None, "spec.finetune was asked for, and there were labels"
    return FinetuneResult(
        accuracy=found.accuracy, macro_recall=found.macro_recall, seconds=found.seconds, biased=not found.held_out
    )


STAGES: Final[dict[Stage, Callable[[Workspace], Result]]] = {
    Stage.previous: check_previous_labels,
    Stage.select: select,
    Stage.labels: check_labels,
    Stage.finetune: finetune,
}
