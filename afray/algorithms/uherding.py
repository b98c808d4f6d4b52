"""The second round: rows that cover best what the labels so far leave uncertain.

    survey of every row -> width of the kernel -> lists of what every row may cover -> picked by one worker

After uncertainty herding (arXiv 2412.20644), as measured in docs/rounds.md: the sum is local, nothing is drawn. Given
the model, ids do not depend on shards, workers, blocks, threads or the matrix library.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from afray.algorithms import coverage, herding, neighbourhoods, packing
from afray.algorithms.coverage import ListTask, Scale
from afray.algorithms.gemm import Compute
from afray.algorithms.herding import HerdTask
from afray.algorithms.kernel import WHOLE
from afray.algorithms.margins import LinearModel
from afray.algorithms.neighbourhoods import Facts
from afray.algorithms.shards import Progress, Shards, count_rows, silent
from afray.errors import SpecError

I64 = NDArray[np.int64]

METHOD = "spec.selection.method"
PAIRS_PER_TASK = 2**24
"""About 80 ms of work."""
UNEVEN = 1.5
"""All lists together get as much as one worker may fill, for one maps them all. A task's may take so much more than its
share: they are longer in some places than in others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HerdingOptions:
    """What the rule may be told; defaults are the measured ones."""

    kernel_scale: float = 0.7
    """Width of the kernel, per median distance to the nearest labelled row."""
    neighbours: int = 16
    """Nearest labelled rows whose rows a candidate is judged by."""

    def __post_init__(self) -> None:
        assert self.kernel_scale > 0.0
        assert self.neighbours >= 1


DEFAULT_OPTIONS = HerdingOptions()
DEFAULT_COMPUTE = Compute()


def select(
    shards: Shards,
    labelled: I64,
    model: LinearModel | None,
    budget: int,
    options: HerdingOptions = DEFAULT_OPTIONS,
    compute: Compute = DEFAULT_COMPUTE,
    progress: Progress = silent,
) -> I64:
    """`budget` rows without a label, in pick order; ties to the lower row.

    `labelled` (K,) ascends; without a model every row is uncertain. Needs 1 <= K and budget <= N - K.
    Raises SpecError if the model is sure of every row without a label.
    """
    assert len(labelled) > 0, "the width of the kernel comes from labelled rows"
    survey = _survey(shards, labelled, model, options, compute)
    if survey.facts.total == survey.facts.total_labelled:
        problem = "the labels so far leave no row uncertain"
        raise SpecError(METHOD, "uherding", problem, "Stop labelling, or go on by coverage alone with method: kmeans.")
    row_count = count_rows(shards)
    progress("gains", 0, row_count)
    listed = _list(shards, survey, compute)
    progress("gains", row_count, row_count)
    reach = int(np.sort(survey.facts.sizes)[-options.neighbours :].sum())
    task = HerdTask(budget=budget, labelled=labelled, reach=reach)
    (picks,) = shards.each(herding.herd_step, [task], survey.held, listed, survey.scale, compute)
    progress("select", budget, budget)
    found: I64 = picks
    return found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Survey:
    """The pool as the labelled rows divide it; `held` stays with the workers."""

    held: list[object]
    facts: Facts
    scale: Scale


def _survey(
    shards: Shards, labelled: I64, model: LinearModel | None, options: HerdingOptions, compute: Compute
) -> Survey:
    features = shards.take(labelled)
    held = shards.hold(neighbourhoods.survey_step, labelled, features, options.neighbours, model, compute)
    (facts,) = shards.each(neighbourhoods.facts_step, [labelled], held)
    scale = Scale(width=options.kernel_scale * facts.median, shift=spare_bits(facts.total))
    return Survey(held=held, facts=facts, scale=scale)


def spare_bits(total: int) -> int:
    """Bits that uncertainties must lose so that all of them, times the largest kernel, add up within an int64."""
    return max(0, (total * WHOLE).bit_length() - 63)


def _list(shards: Shards, survey: Survey, compute: Compute) -> list[object]:
    """What every row may cover, as lists that stay with the workers."""
    work = survey.facts.sizes * survey.facts.candidates
    room = UNEVEN * compute.memory / max(1, work.sum())
    tasks = [
        ListTask(numbers=numbers, room=int(room * work[numbers].sum()))
        for numbers in packing.split(work, PAIRS_PER_TASK)
    ]
    return shards.hold_each(coverage.list_step, tasks, survey.held, survey.scale, compute)
