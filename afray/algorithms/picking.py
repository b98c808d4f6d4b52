"""The pick loop of a cluster in paper mode: the lowest boundary score, then its surroundings leave, and again.

Penalties only grow, so the score a row had when last looked at stays a lower bound: a row is looked at again only
while that bound could still win.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from afray.algorithms import numerics
from afray.algorithms.cluster import Cluster
from afray.algorithms.jit import compiled
from afray.algorithms.opponents import Opponents, list_all, list_candidates
from afray.algorithms.scoring import listed_score, score_of_all
from afray.algorithms.sorted_lists import FAR, insert

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]


@compiled
def pick_all(
    cluster: Cluster, kept: Mask, intra: F64, plain: F64, budget: int, penalties: F64, longest: int
) -> tuple[I64, F64, I64]:
    """Positions of core and picks, their scores (NaN for the core) and opponents (-1): each (budget,).

    `plain` are the scores without penalties. At most budget - 2 opponents carry a penalty when the last pick is made,
    so among a row's budget - 1 nearest opponents one is free of it: longer lists are never needed. Lists of many picks
    end at `longest` all the same, for memory; where that is too short, all opponents are measured for a moment.
    """
    count, centres = len(kept), len(cluster.centres)
    width = min(budget - 1, centres - 1, longest)
    opponents = Opponents(
        np.empty((count, width), np.int64), np.empty((count, width), np.int32), np.full(count, -1, np.int64)
    )
    positions = np.full(budget, cluster.core)
    scores, against = np.full(budget, np.nan), np.full(budget, -1)
    candidates, bounds, facing = kept.copy(), plain.copy(), np.zeros(centres, np.int64)
    removal = kept.sum() // budget
    for place in range(1, budget):
        drop_nearest(cluster, candidates, positions[place - 1], removal)
        positions[place], scores[place], against[place] = lowest(
            cluster, candidates, intra, bounds, opponents, facing, penalties
        )
        if against[place] >= 0:
            facing[against[place]] += 1
    return positions, scores, against


@compiled
def drop_nearest(cluster: Cluster, candidates: Mask, pick: int, removal: int) -> None:
    """The pick itself and the removal - 1 candidates nearest to it, by (distance, row), are candidates no more."""
    candidates[pick] = False
    if removal < 2:
        return
    nearest, rows = np.full((1, removal - 1), FAR), np.empty((1, removal - 1), np.int64)
    remaining = np.flatnonzero(candidates)
    ticks = ticks_from(cluster, pick, remaining)
    for place in range(len(remaining)):
        insert(nearest, rows, 0, ticks[place], remaining[place])
    for place in range(removal - 1):
        candidates[rows[0, place]] = False


@compiled
def ticks_from(cluster: Cluster, row: int, others: I64) -> I64:
    """Distances from one row to others, looked up if there is a table."""
    ticks = np.empty(len(others), np.int64)
    if len(cluster.table):
        for place in range(len(others)):
            ticks[place] = cluster.table[row, others[place]]
    else:
        for place in range(len(others)):
            ticks[place] = numerics.distance_ticks(cluster.rows, row, cluster.rows, others[place])
    return ticks


@compiled
def lowest(
    cluster: Cluster, candidates: Mask, intra: F64, bounds: F64, opponents: Opponents, facing: I64, penalties: F64
) -> tuple[int, float, int]:
    """The candidate of lowest score, ties to the lower row; its score and opponent. Raises bounds as it goes."""
    best, best_score, best_centre = len(candidates), np.inf, -1
    start = most_promising(candidates, bounds)
    for turn in range(-1, len(candidates)):
        row = start if turn < 0 else turn
        if not candidates[row] or not comes_first(bounds[row], row, best_score, best):
            continue
        if opponents.floor[row] < 0:
            list_candidates(cluster, row, opponents)
        score, centre, others = listed_score(opponents, row, intra[row], facing, penalties)
        if others < np.inf and comes_first(min(score, others), row, best_score, best):
            list_all(cluster, row, opponents)
            score, centre, others = listed_score(opponents, row, intra[row], facing, penalties)
            if others < np.inf and comes_first(min(score, others), row, best_score, best):
                score, centre = score_of_all(cluster, row, intra[row], facing, penalties)
                others = np.inf
        bounds[row] = min(score, others)
        if others == np.inf and comes_first(score, row, best_score, best):
            best, best_score, best_centre = row, score, centre
    return best, best_score, best_centre


@compiled
def most_promising(candidates: Mask, bounds: F64) -> int:
    """The candidate of lowest bound: looked at first, it spares most others."""
    best, best_bound = 0, np.inf
    for row in range(len(candidates)):
        if candidates[row] and bounds[row] < best_bound:
            best, best_bound = row, bounds[row]
    return best


@compiled
def comes_first(score: float, row: int, best_score: float, best: int) -> bool:
    """Whether (score, row) is before (best_score, best)."""
    return score < best_score or (score == best_score and row < best)
