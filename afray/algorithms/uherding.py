"""The second round: rows that cover best what the labels so far leave uncertain.

    survey of every row -> width of the kernel -> gains of all candidates -> the best listed -> picked while certain
                                                                                 ^-- more are listed --'

After uncertainty herding (arXiv 2412.20644), as measured in docs/rounds.md: the sum is local, nothing is drawn. Given
the model, ids do not depend on shards, workers, blocks, threads or the matrix library.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from afray.algorithms import coverage, neighbourhoods, packing
from afray.algorithms.coverage import Pairs
from afray.algorithms.gemm import Compute
from afray.algorithms.herding import Herd
from afray.algorithms.kernel import WHOLE, kernels
from afray.algorithms.margins import LinearModel
from afray.algorithms.shards import Progress, Shards, silent
from afray.errors import SpecError

I64 = NDArray[np.int64]

LISTED = 1024
"""Candidates listed at once beyond four times those still to be picked."""
METHOD = "spec.selection.method"
TAKEN = -1
"""Stands for the gain of a row that is listed, picked or labelled; below every gain."""


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
    if not np.delete(survey.weights, labelled).any():
        problem = "the labels so far leave no row uncertain"
        raise SpecError(METHOD, "uherding", problem, "Stop labelling, or go on by coverage alone with method: kmeans.")
    gains = _measure_gains(shards, survey, compute, progress)
    gains[labelled] = TAKEN
    herd = Herd(kernels(survey.ticks, survey.width), survey.weights >> survey.shift)
    picks: list[int] = []
    while len(picks) < budget:
        wanted = budget - len(picks)
        rows = _best(gains, 4 * wanted + LISTED)
        herd.add(rows, _list_pairs(shards, survey, rows, compute), survey.width)
        gains[rows] = TAKEN
        best_left = int(np.argmax(gains))
        picks += herd.pick(wanted, (-int(gains[best_left]), best_left))
        progress("select", len(picks), budget)
    return np.array(picks, np.int64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Survey:
    """The pool as the labelled rows divide it; `held` stays with the workers."""

    held: list[object]
    tasks: list[I64]
    """Numbers of labelled rows that are looked at together."""
    width: float
    ticks: I64
    """Distance of each row to its nearest labelled row (N,)."""
    weights: I64
    """Uncertainty of each row (N,)."""
    shift: int
    """Bits that all uncertainties lose."""


def _survey(
    shards: Shards, labelled: I64, model: LinearModel | None, options: HerdingOptions, compute: Compute
) -> Survey:
    features = shards.take(labelled)
    held = shards.hold(neighbourhoods.survey_step, labelled, features, options.neighbours, model, compute)
    (median,) = shards.each(neighbourhoods.median_step, [None], held)
    (sizes,) = shards.each(neighbourhoods.sizes_step, [None], held)
    ((ticks, weights),) = shards.each(neighbourhoods.facts_step, [None], held)
    width = options.kernel_scale * median
    shift = spare_bits(sum(weights.tolist()))
    return Survey(held=held, tasks=packing.pack(sizes), width=width, ticks=ticks, weights=weights, shift=shift)


def spare_bits(total: int) -> int:
    """Bits that uncertainties must lose so that all of them, times the largest kernel, add up within an int64."""
    return max(0, (total * WHOLE).bit_length() - 63)


def _measure_gains(shards: Shards, survey: Survey, compute: Compute, progress: Progress) -> I64:
    """What every row would gain as the first pick: (N,)."""
    gains = np.zeros(len(survey.ticks), np.int64)
    progress("gains", 0, len(gains))
    for rows, found in shards.each(coverage.gains_step, survey.tasks, survey.held, survey.width, survey.shift, compute):
        np.add.at(gains, rows, found)
    progress("gains", len(gains), len(gains))
    return gains


def _best(gains: I64, count: int) -> I64:
    """The `count` rows of largest gain, ties to the lower row, as far as there are any: ascending."""
    free = np.flatnonzero(gains != TAKEN)
    if len(free) > count:
        free = free[np.lexsort((free, -gains[free]))[:count]]
    return np.sort(free)


def _list_pairs(shards: Shards, survey: Survey, rows: I64, compute: Compute) -> Pairs:
    return coverage.join(shards.each(coverage.pairs_step, survey.tasks, survey.held, rows, compute))
