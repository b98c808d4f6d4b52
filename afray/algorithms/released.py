"""The pick loop as the authors released it, traits included; for comparison with published id lists.

The opponent of a row is its nearest foreign core, once and for all; the removal counts the pick itself; budgets know
no bounds, so ids may repeat. Where the released code crashes, so does this, with the cause. The one liberty: sorts are
stable, where the released ones depend on the processor.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from afray.algorithms import preconditions, scoring
from afray.algorithms.boundary import Picks, Survey
from afray.algorithms.cluster import Cluster
from afray.algorithms.jit import compiled
from afray.algorithms.picking import ticks_from
from afray.errors import SpecError

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


def pick(cluster: Cluster, seen: Survey, joined: I64, budget: int, opponent_penalty: float, core_row: int) -> Picks:
    """Pick `budget` rows, core first; `joined` are the kept positions in the order of joining.

    `core_row` names the cluster in errors. Raises SpecError where the released code crashes.
    """
    _refuse_crash(cluster, joined, budget, core_row)
    removal = len(joined) // budget
    penalties = scoring.penalties(opponent_penalty, budget)
    positions, scores = pick_all(cluster, joined, seen.intra, seen.nearest, seen.opponent, budget, removal, penalties)
    against = np.where(np.arange(budget) > 0, seen.opponent[positions], -1)
    return Picks(positions=positions, scores=scores, opponents=against)


def refuse_identical_cores(core_rows: I64, centres: F32) -> None:
    """Of two identical cores the released code gives the second an empty cluster, and fails."""
    if pair := preconditions.find_identical(centres):
        lower, upper = (int(core_rows[number]) for number in pair)
        raise crash(upper, f"core row {lower} has the same features")


def crash(core_row: int, cause: str) -> SpecError:
    """The error that stands for a crash of the released code."""
    return SpecError(
        "spec.selection.boundary.mode",
        "released",
        f"the released code fails in the cluster of core row {core_row}: {cause}",
        "Use mode: paper, which has no such case, or another budget.",
    )


def _refuse_crash(cluster: Cluster, joined: I64, budget: int, core_row: int) -> None:
    if budget < 1:
        raise crash(core_row, "its share of the budget is 0")
    if len(cluster.centres) < 2:
        raise crash(core_row, "there is no other core")
    if budget > 1 and cluster.core not in joined:
        raise crash(core_row, "the core itself was removed as an outlier, behind its own copies")


@compiled
def pick_all(
    cluster: Cluster, joined: I64, intra: F64, nearest: I64, opponent: I64, budget: int, removal: int, penalties: F64
) -> tuple[I64, F64]:
    """Positions and scores (NaN for the core), each (budget,). Candidates stay in the order of the last sort."""
    positions, scores = np.full(budget, cluster.core), np.full(budget, np.nan)
    facing = np.zeros(len(cluster.centres), np.int64)
    candidates = joined.copy()
    for place in range(1, budget):
        ticks = ticks_from(cluster, positions[place - 1], candidates)
        candidates = candidates[np.argsort(ticks, kind="mergesort")][removal:]
        best_score = np.inf
        for row in candidates:
            score = scoring.boundary_score(np.float64(nearest[row]), intra[row], penalties[facing[opponent[row]]])
            if score < best_score:
                positions[place], best_score = row, score
        scores[place] = best_score
        # A repeated core adds no penalty in the released code.
        if positions[place] != cluster.core:
            facing[opponent[positions[place]]] += 1
    return positions, scores
