"""The boundary score (BiLAF eq. 4-7): how near a row is to a foreign core, against its own cluster. Lower is nearer.

Scores are float64 of integers, rounded so that a longer distance or a heavier penalty never lowers a score. This makes
short lists of opponents exact: the nearest one without a penalty beats all that are further away.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from afray.algorithms import numerics
from afray.algorithms.cluster import Cluster
from afray.algorithms.jit import compiled
from afray.algorithms.opponents import Opponents, all_opponents
from afray.algorithms.sorted_lists import FAR

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]

HEAVIEST = 1e100
"""Penalties stop growing here, far from where float64 would overflow."""


def penalties(factor: float, count: int) -> F64:
    """factor ** t for t picks that face an opponent, t = 0 .. count, by repeated multiplication: (count + 1,)."""
    grown = [1.0]
    for _ in range(count):
        grown.append(min(grown[-1] * factor, HEAVIEST))
    return np.array(grown)


@compiled
def boundary_score(distance: float, intra: float, penalty: float) -> float:
    """(penalty * distance - intra) / max(distance, intra), and 0 if both are 0; distances in ticks.

    Each branch divides before it subtracts, so that rounding keeps the order of distances and of penalties.
    """
    if distance > intra:
        return penalty - intra / distance
    if intra > 0.0:
        return penalty * distance / intra - 1.0
    return 0.0


@compiled
def plain_scores(kept: Mask, intra: F64, nearest: I64) -> F64:
    """Score of each kept row without penalties, which its nearest opponent attains; NaN elsewhere: (n,)."""
    scores = np.full(len(kept), np.nan)
    for row in range(len(kept)):
        if kept[row]:
            scores[row] = boundary_score(np.float64(nearest[row]), intra[row], 1.0)
    return scores


@compiled
def listed_score(opponents: Opponents, row: int, intra: float, facing: I64, penalties: F64) -> tuple[float, int, float]:
    """Lowest score of a row over its list, the opponent that attains it, and infinity if that is proven.

    Not proven: the third value is what an opponent outside the list scores at least. Opponents behind the first one
    without a penalty are not looked at: they are further or, at the same distance, of a higher number.
    """
    best, best_score, is_proven = -1, np.inf, opponents.floor[row] == FAR
    for p in range(opponents.ticks.shape[1]):
        ticks = opponents.ticks[row, p]
        if ticks == FAR:
            break
        centre = int(opponents.centres[row, p])
        score = boundary_score(np.float64(ticks), intra, penalties[facing[centre]])
        if score < best_score or (score == best_score and centre < best):
            best, best_score = centre, score
        if facing[centre] == 0:
            is_proven = True
            break
    others = boundary_score(np.float64(opponents.floor[row]), intra, 1.0)
    return best_score, best, np.inf if is_proven or best_score < others else others


@compiled
def score_of_all(cluster: Cluster, row: int, intra: float, facing: I64, penalties: F64) -> tuple[float, int]:
    """Lowest score of a row over all its opponents, none remembered, and the opponent that attains it.

    As if they were listed: only those up to the nearest one without a penalty (by distance, then number) count.
    """
    others = all_opponents(cluster, row)
    ticks = np.empty(len(others), np.int64)
    last_ticks, last = FAR, len(cluster.centres)
    for place in range(len(others)):
        ticks[place] = numerics.distance_ticks(cluster.rows, row, cluster.centres, others[place])
        if facing[others[place]] == 0 and ticks[place] < last_ticks:
            last_ticks, last = ticks[place], others[place]
    best, best_score = -1, np.inf
    for place in range(len(others)):
        centre = others[place]
        if ticks[place] < last_ticks or (ticks[place] == last_ticks and centre <= last):
            score = boundary_score(np.float64(ticks[place]), intra, penalties[facing[centre]])
            if score < best_score:
                best, best_score = centre, score
    return best_score, best
