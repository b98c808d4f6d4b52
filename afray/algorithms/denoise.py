"""Which rows of a cluster are outliers: those that join last when rows join in order of density (BiLAF, denoising).

    core and its nearest rows -> round 2: the densest of the rest -> ... -> the last to join, and the remainder, go

How many stay follows from the cluster's size alone, so budgets need not wait for this step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from afray.algorithms import density, numerics
from afray.algorithms.pairs import PairDistances
from afray.algorithms.sorted_lists import FAR

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

ROUND_RATIO = 0.1
"""Share of a cluster that joins per round (the paper's P_in)."""
SMALLEST_CLUSTER = 10
"""Clusters below this size are left as they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """`rounds` rounds of `step` rows each (0 if the cluster is left alone), of which the first `kept` rows stay."""

    step: int
    rounds: int
    kept: int


def schedule(size: int, removal_ratio: float) -> Schedule:
    """The rounds of a cluster of `size` rows. The core always stays, whatever the ratio (in [0, 1))."""
    if size < SMALLEST_CLUSTER:
        return Schedule(step=0, rounds=0, kept=size)
    step = max(1, int(ROUND_RATIO * size))
    rounds = size // step
    return Schedule(step=step, rounds=rounds, kept=max(1, int((1.0 - removal_ratio) * (step * rounds))))


def kept_sizes(sizes: I64, removal_ratio: float) -> I64:
    """Rows that stay, per cluster: (K,)."""
    distinct, where = np.unique(sizes, return_inverse=True)
    kept = np.array([schedule(int(size), removal_ratio).kept for size in distinct], np.int64)
    return kept[where]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Denoised:
    """Positions in the cluster: `kept` in the order of joining, `removed` ascending with their densities.

    A density is the mean distance to the nearest members when last ranked, NaN for a row that never was. `limit` is
    that of the last row kept.
    """

    kept: I64
    removed: I64
    removed_density: F64
    limit: float


def remove_outliers(
    pairs: PairDistances, core: int, *, removal_ratio: float, neighbours: int, as_released: bool
) -> Denoised:
    """Split a cluster into kept rows and outliers. `core` is the core's position; `neighbours` the paper's k.

    `as_released` repeats two traits of the released code: a copy of the core may come before it, and densities
    average distances to other rows than the nearest.
    """
    size = len(pairs.rows)
    plan = schedule(size, removal_ratio)
    if plan.rounds == 0:
        return Denoised(kept=np.arange(size), removed=np.empty(0, np.int64), removed_density=np.empty(0), limit=np.nan)
    to_core = pairs.of_row(core)
    if not as_released:
        to_core[core] = -1
    first = np.argsort(to_core, kind="stable")[: plan.step]
    order, ticks = _join(pairs, first, plan.rounds, neighbours, as_released)
    kept = order[: plan.kept]
    is_removed = np.ones(size, np.bool_)
    is_removed[kept] = False
    removed = np.flatnonzero(is_removed)
    densities = ticks / numerics.TICKS
    return Denoised(kept=kept, removed=removed, removed_density=densities[removed], limit=float(densities[kept[-1]]))


def _join(pairs: PairDistances, first: I64, rounds: int, neighbours: int, misread: bool) -> tuple[I64, F64]:
    """Positions in the order of joining, and each row's density in ticks when last ranked."""
    shape = (len(pairs.rows), neighbours)
    nearest, places = np.full(shape, FAR), np.zeros(shape, np.int64)
    ranked = np.full(len(pairs.rows), np.nan)
    join = _join_giant if pairs.is_giant else _join_table
    return join(pairs, first, rounds, nearest, places, ranked, misread), ranked


def _join_table(
    pairs: PairDistances, first: I64, rounds: int, nearest: I64, places: I64, ranked: F64, misread: bool
) -> I64:
    return density.join_all(pairs.table, pairs.rows, first, rounds, nearest, places, ranked, misread)


def _join_giant(
    pairs: PairDistances, first: I64, rounds: int, nearest: I64, places: I64, ranked: F64, misread: bool
) -> I64:
    """`density.join_all` without a table: each round measures waiting rows x newcomers strip by strip."""
    size, step = len(pairs.rows), len(first)
    waiting = np.arange(size)
    order = [first]
    while len(order) < rounds:
        waiting = density.without(waiting, order[-1], size)
        for down, across, ticks in pairs.strips(waiting, order[-1]):
            lines, columns = np.arange(ticks.shape[0]), np.arange(ticks.shape[1])
            first_place = (len(order) - 1) * step + across.start
            density.absorb(ticks, lines, columns, waiting[down], first_place, nearest, places)
        count = min(nearest.shape[1], len(order) * step)
        order.append(density.densest(pairs.table, pairs.rows, waiting, step, count, nearest, places, ranked, misread))
    return np.concatenate(order)
