"""What the selection turned out to be worth: the linear probe beside random labels, and one full finetune.

Needs labels of the selected rows; without them a job ends after its selection, and says how to go on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from afray.algorithms import draws
from afray.driver.embedding import EmbeddedPool
from afray.driver.features import PreparedPool
from afray.driver.heldout import embed_beside
from afray.driver.kept import check_quarantine
from afray.driver.labelled import LabelledSet, find_labelled
from afray.driver.labelling import Labels, check_selected
from afray.driver.outputs import HELDOUT_QUARANTINE, Outcome, publish_quarantine
from afray.driver.rounds import answers
from afray.driver.rounds.frozen import find_rows
from afray.driver.workspace import Workspace
from afray.errors import PoolError
from afray.evaluation.labels import LabelledRows, OneClass
from afray.reporting.report import Evaluation, Finetune, LinearProbe, RandomDraw
from afray.reporting.round_facts import Bought
from afray.storage.commits import committed, read_blob
from afray.storage.ownership import SELECTION

if TYPE_CHECKING:
    from afray.evaluation.probe import RandomComparison

I64 = NDArray[np.int64]
SEEDS = range(5)
"""Random label sets that the selected labels are compared with."""
HOW_TO_GO_ON = (
    "No labels yet: let people label the rows of selection.csv, name their file in spec.labels, and run again."
)
NO_SELECTED_ROW = (
    "No selected row has a label in spec.pool.labels, so there is no probe and no finetune: let people label the rows "
    "of selection.csv, name their file in spec.labels, and run again."
)


class Unlabelled(PoolError):
    """No selected row has a label yet: nothing to measure, and no fault of the selection."""


def evaluate(workspace: Workspace, prepared: PreparedPool, outcome: Outcome, labels: Labels) -> Evaluation:
    """All figures that the job's labels allow; where they allow none, a note says why.

    Raises PoolError for labels that do not fit the rows.
    """
    try:
        return evaluate_strictly(workspace, prepared, outcome, labels)
    except (Unlabelled, OneClass) as reason:
        workspace.stages.display.note(str(reason))
        return Evaluation()


def evaluate_strictly(workspace: Workspace, prepared: PreparedPool, outcome: Outcome, labels: Labels) -> Evaluation:
    """The same for a stage that exists for it alone: of all labels that were paid for, those of earlier rounds too.

    Raises Unlabelled and OneClass too.
    """
    if labels.of_selection is None:
        raise Unlabelled(HOW_TO_GO_ON)
    if labels.selected is not None:
        check_selected(labels.selected, outcome.tables.selection["id"].to_pylist())
    known = earlier_labels(workspace)
    labelled = find_labelled(
        prepared.pool, {**labels.of_selection, **known}, "spec.labels" if labels.selected else "spec.pool.labels"
    )
    chosen = outcome.selection.rows
    if not len(labelled.among(chosen).rows):
        raise Unlabelled(NO_SELECTED_ROW)
    before = find_rows(prepared.pool, list(known))
    paid = labelled.among(np.concatenate([chosen, before]))
    return measure(workspace, prepared, paid, labelled, labels, labelled.among(before))


def earlier_labels(workspace: Workspace) -> Mapping[str, str]:
    """Label by id of the rounds before, as kept with the selection; none in a first round."""
    stored = committed(workspace.output, SELECTION)
    kept = stored.blobs.get(answers.ROLE) if stored else None
    return answers.read(read_blob(workspace.output, kept)).labels if kept else {}


def measure(
    workspace: Workspace,
    prepared: PreparedPool,
    selected: LabelledSet,
    labelled: LabelledSet,
    labels: Labels,
    before: LabelledSet,
) -> Evaluation:
    """Probe and finetune of labelled rows; `before`: those of earlier rounds among the selected ones.

    Raises OneClass if there is nothing to tell apart.
    """
    heldout = embed_heldout(workspace, prepared.pool, labels)
    spec = workspace.job.spec
    return Evaluation(
        probe=run_probe(workspace, prepared, selected, labelled, heldout) if heldout else None,
        finetune=run_finetune(workspace, selected, heldout) if spec.finetune else None,
        bought=compare_rounds(workspace, prepared, before, selected, heldout) if heldout and len(before.rows) else None,
    )


def embed_heldout(workspace: Workspace, pool: EmbeddedPool, labels: Labels) -> LabelledSet | None:
    """The held-out rows that have labels, embedded as the pool was; None if the job names none.

    Raises PoolError for vectors of another length than the pool's.
    """
    spec = workspace.job.spec
    if spec.evaluation is None or labels.heldout is None:
        return None
    heldout = embed_beside(workspace, spec.evaluation, pool, labels.heldout)
    if heldout.rows.quarantine.num_rows:
        publish_quarantine(workspace.output, heldout, HELDOUT_QUARANTINE, fence=workspace.fence)
    check_quarantine(heldout.rows, spec.pool.max_bad_fraction, field="spec.evaluation", file=HELDOUT_QUARANTINE)
    if heldout.dim != pool.dim:
        raise PoolError(
            f"spec.evaluation.uri: the vectors of {heldout.source.uri} have {heldout.dim} numbers, and those of "
            f"{pool.source.uri} (spec.pool.uri) have {pool.dim}. Embed the held-out rows by the model of the pool"
        )
    return find_labelled(heldout, labels.heldout, "spec.evaluation.labels")


def run_probe(
    workspace: Workspace, prepared: PreparedPool, selected: LabelledSet, labelled: LabelledSet, heldout: LabelledSet
) -> LinearProbe:
    """The probe on the selected labels, beside as many random labels for each of SEEDS where the pool has them."""
    from afray.evaluation.probe import compare_with_random

    with workspace.stages.stage("probe", total=len(SEEDS) + 1, unit="fits"):
        test = _rows(PreparedPool(workspace, heldout.pool, like=prepared), heldout)
        count = len(selected.rows)
        # Without labels for the rest of the pool there is nothing to draw from.
        seeds = SEEDS if len(labelled.rows) > count else ()
        drawn = {seed: labelled.rows[draws.draw(len(labelled.rows), count, seed, "probe")] for seed in seeds}
        needed = labelled.among(np.concatenate([selected.rows, *drawn.values()]))
        comparison = compare_with_random(
            _rows(prepared, needed),
            test,
            selected=np.searchsorted(needed.rows, selected.rows),
            random={seed: np.searchsorted(needed.rows, rows) for seed, rows in drawn.items()},
        )
    return _figures(comparison, count, len(heldout.rows), tuple(seeds))


def compare_rounds(
    workspace: Workspace, prepared: PreparedPool, before: LabelledSet, now: LabelledSet, heldout: LabelledSet
) -> Bought:
    """What the labels of this round changed for the held-out rows."""
    from afray.evaluation.by_round import judge_heldout
    from afray.reporting.round_summary import describe_gain

    test = _rows(PreparedPool(workspace, heldout.pool, like=prepared), heldout)
    return describe_gain(judge_heldout(_rows(prepared, before), _rows(prepared, now), test))


def run_finetune(workspace: Workspace, selected: LabelledSet, heldout: LabelledSet | None) -> Finetune:
    """The finetune that spec.finetune asks for."""
    from afray.driver.finetuning import finetune

    return finetune(workspace, selected, heldout)


def _rows(prepared: PreparedPool, labelled: LabelledSet) -> LabelledRows:
    return LabelledRows(vectors=prepared.shards.take(labelled.rows), labels=labelled.labels)


def _figures(comparison: RandomComparison, labels: int, test_rows: int, seeds: tuple[int, ...]) -> LinearProbe:
    selected = comparison.selected
    return LinearProbe(
        labels=labels,
        selected=selected.accuracy,
        macro_recall=selected.macro_recall,
        classes_hit=selected.classes_hit,
        random=tuple(
            RandomDraw(seed=seed, accuracy=draw.accuracy, macro_recall=draw.macro_recall, classes_hit=draw.classes_hit)
            for seed, draw in zip(seeds, comparison.random, strict=True)
        ),
        random_mean=comparison.random_mean,
        random_sd=comparison.random_sd,
        random_macro_recall=comparison.random_macro_recall,
        random_classes_hit=comparison.random_classes_hit,
        test_rows=test_rows,
    )
