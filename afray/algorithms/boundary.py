"""The second level of BiLAF within one cluster: measure kept rows against foreign cores, then pick on the boundary."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from afray.algorithms import numerics, opponents, picking, scoring
from afray.algorithms.cluster import Cluster
from afray.algorithms.jit import compiled
from afray.algorithms.pairs import PairDistances
from afray.algorithms.sorted_lists import FAR

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]

SUM_TICKS = float(1 << 36)
"""Ticks per unit of a feature and of a squared length: sums of 2**26 rows of norm <= 1 fit into an int64."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Survey:
    """Per row of a cluster (n,); meaningful for kept rows only."""

    kept: Mask
    intra: F64
    """Mean distance (or root mean square) to the kept rows, itself included, in ticks."""
    nearest: I64
    """Distance to the nearest foreign core in ticks; FAR if there is none."""
    opponent: I64
    """Number of that core, -1 if there is none."""
    plain: F64
    """Boundary score without penalties; NaN for removed rows and if there is no foreign core."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Picks:
    """The core and its picks in order, by position; score NaN and opponent -1 where there is none: each (B,)."""

    positions: I64
    scores: F64
    opponents: I64


def survey(cluster: Cluster, pairs: PairDistances, kept_positions: I64, *, as_rms: bool = False) -> Survey:
    """Everything about a cluster's kept rows that stays the same while rows are picked.

    `as_rms` takes the root of the mean square for the mean distance.
    """
    size = len(cluster.rows)
    kept = np.zeros(size, np.bool_)
    kept[kept_positions] = True
    intra = rms_ticks(cluster.rows, kept) if as_rms else _mean_distances(pairs, kept)
    nearest, opponent = np.full(size, FAR), np.full(size, -1)
    plain = np.full(size, np.nan)
    if len(cluster.centres) > 1:
        opponents.nearest_opponents(cluster, kept, nearest, opponent)
        plain = scoring.plain_scores(kept, intra, nearest)
    return Survey(kept=kept, intra=intra, nearest=nearest, opponent=opponent, plain=plain)


def pick(cluster: Cluster, seen: Survey, budget: int, opponent_penalty: float, opponents: int) -> Picks:
    """Pick `budget` rows, 1 <= budget <= kept rows, core first (paper mode).

    Up to `opponents` foreign cores are remembered per row: a matter of speed and memory. With a single core there is
    no boundary: picks then go to the lowest row left, without a score.
    """
    penalties = scoring.penalties(opponent_penalty, budget)
    bounds = np.where(np.isnan(seen.plain), np.inf, seen.plain)
    positions, scores, against = picking.pick_all(cluster, seen.kept, seen.intra, bounds, budget, penalties, opponents)
    scores[against < 0] = np.nan
    return Picks(positions=positions, scores=scores, opponents=against)


def _mean_distances(pairs: PairDistances, kept: Mask) -> F64:
    return _intra_giant(pairs, kept) if pairs.is_giant else mean_ticks(pairs.table, kept)


@compiled
def rms_ticks(rows: F32, kept: Mask) -> F64:
    """Root of the mean squared distance of each kept row to all kept rows, from their sums alone: no pairs.

    The mean of |x - y|**2 over y is |x|**2 - 2 x.mean + mean of |y|**2. Sums are of integers, so they have no order.
    """
    sums, squares, count = np.zeros(rows.shape[1], np.int64), np.int64(0), kept.sum()
    for row in range(len(rows)):
        if kept[row]:
            squares += np.int64(np.rint(numerics.dot(rows, row, rows, row) * SUM_TICKS))
            for q in range(rows.shape[1]):
                sums[q] += np.int64(np.rint(rows[row, q] * SUM_TICKS))
    mean = (sums / (SUM_TICKS * count)).reshape(1, -1)
    roots = np.zeros(len(rows))
    for row in range(len(rows)):
        if kept[row]:
            square = numerics.dot(rows, row, rows, row) - 2.0 * numerics.dot(rows, row, mean, 0)
            roots[row] = math.sqrt(max(square + squares / (SUM_TICKS * count), 0.0)) * numerics.TICKS
    return roots


@compiled
def mean_ticks(table: I64, kept: Mask) -> F64:
    """Mean distance of each kept row to all kept rows; sums are integers, so their order plays no part."""
    size = len(kept)
    means = np.zeros(size)
    count = kept.sum()
    for row in range(size):
        if kept[row]:
            total = 0
            for other in range(size):
                total += table[row, other] if kept[other] else 0
            means[row] = total / count
    return means


def _intra_giant(pairs: PairDistances, kept: Mask) -> F64:
    positions = np.flatnonzero(kept)
    sums, means = np.zeros(len(positions), np.int64), np.zeros(len(kept))
    for down, _, ticks in pairs.strips(positions, positions):
        sums[down] += ticks.sum(axis=1)
    means[positions] = sums / len(positions)
    return means
