"""k-centre greedy, farthest first: each pick is the row furthest from all picks before it.

One trip to the workers per pick would be mostly waiting. Instead every shard proposes its furthest rows, and the driver
goes on picking among them alone: distances to the nearest pick only shrink, so a proposed row that is still at least
as far as the last one proposed by every shard is the furthest of all. Then the workers catch up with the new picks.
Work: one product of all rows with all picks; 8 bytes per row travel at each catching up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from afray.algorithms import draws, numerics
from afray.algorithms.closeness import closeness, lowest_closeness
from afray.algorithms.draws import NO_ROWS
from afray.algorithms.gemm import Compute
from afray.algorithms.jit import compiled
from afray.algorithms.shards import Progress, Shard, Shards, count_rows, silent

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]

PROPOSED, FEWEST_PROPOSED = 1024, 32
"""Rows proposed at once by all shards together, and by a shard at least. More of them save trips to the workers, and
cost the driver a distance each per pick."""
PICKED = -1
"""Stands for the distance of a row that is picked; behind every distance."""
UNKNOWN = np.iinfo(np.int64).max
CHUNK = 64
"""Rows looked at together: most chunks hold no row that a pick comes nearer to."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Proposal:
    """One shard's canonical distances to the nearest pick (n,), and its furthest rows (ties: lower row first)."""

    ticks: I64
    furthest: I64
    """Row numbers; all rows of the shard if it has no more."""


def cores(
    shards: Shards, size: int, seed: int, compute: Compute, progress: Progress = silent, labelled: I64 = NO_ROWS
) -> I64:
    """`size` rows in pick order, from the labelled rows on, or else from a drawn first row on; ties to the lower row.

    Needs 1 <= size <= rows without a label.
    """
    total = count_rows(shards)
    new = labelled if len(labelled) else draws.draw(total, 1, seed, "start")
    picks = NO_ROWS if len(labelled) else new
    ticks = np.full(total, UNKNOWN, np.int64)
    proposed = max(FEWEST_PROPOSED, PROPOSED // len(shards.sizes))
    while len(picks) < size:
        ticks[new] = PICKED
        proposals: list[Proposal] = shards.map(catch_up, shards.take(new), ticks, proposed, compute)
        ticks = np.concatenate([proposal.ticks for proposal in proposals])
        new = _pick_proposed(shards, proposals, ticks, size - len(picks), compute)
        picks = np.concatenate([picks, new])
        progress("core", len(picks), size)
    return picks


def catch_up(shard: Shard, picks: F32, ticks: I64, proposed: int, compute: Compute) -> Proposal:
    """Take new picks (p, D) into account; `ticks` are the pool's distances to the nearest earlier pick."""
    own = ticks[shard.start : shard.start + len(shard.features)].copy()
    for first in range(0, len(shard.features), compute.block):
        block = slice(first, first + compute.block)
        lower(shard.features[block], picks, own[block], compute)
    order = np.lexsort((shard.rows, -own))[:proposed]
    return Proposal(ticks=own, furthest=shard.rows[order])


def lower(features: F32, picks: F32, ticks: I64, compute: Compute) -> None:
    """Lower each row's distance (n,) to that of its nearest pick, in place."""
    near = closeness(picks, features, compute)
    _lower_near(near.values, near.error, features, picks, ticks)


@compiled
def _lower_near(values: F32, error: float, features: F32, picks: F32, ticks: I64) -> None:
    lowest = np.empty(len(ticks))
    for i in range(len(ticks)):
        lowest[i] = lowest_closeness(ticks[i], error) if ticks[i] > 0 else np.inf
    for p in range(values.shape[0]):
        for first in range(0, values.shape[1], CHUNK):
            end = min(first + CHUNK, values.shape[1])
            count = 0
            for i in range(first, end):
                count += values[p, i] >= lowest[i]
            if count == 0:
                continue
            for i in range(first, end):
                if values[p, i] >= lowest[i]:
                    distance = numerics.distance_ticks(features, i, picks, p)
                    if distance < ticks[i]:
                        ticks[i] = distance
                        lowest[i] = lowest_closeness(distance, error) if distance > 0 else np.inf


def _pick_proposed(shards: Shards, proposals: list[Proposal], ticks: I64, wanted: int, compute: Compute) -> I64:
    """Up to `wanted` further picks, at least one: as many as are certain without asking the workers again."""
    rows = np.sort(np.concatenate([proposal.furthest for proposal in proposals]))
    features, left = shards.take(rows), ticks[rows]
    certain = _last_certain(proposals, ticks)
    picks: list[int] = []
    # Products as small as these only lose by more than one BLAS thread.
    with threadpool_limits(1):
        while len(picks) < wanted:
            furthest = int(np.argmax(left))
            if (-left[furthest], rows[furthest]) > certain:
                break
            picks.append(furthest)
            left[furthest] = PICKED
            lower(features, features[furthest : furthest + 1], left, compute)
    return rows[picks]


def _last_certain(proposals: list[Proposal], ticks: I64) -> tuple[int, int]:
    """Rows that no shard proposed come after this (-distance, row)."""
    last = [int(proposal.furthest[-1]) for proposal in proposals if len(proposal.furthest) < len(proposal.ticks)]
    return min(((-int(ticks[row]), row) for row in last), default=(-PICKED, 0))
