"""TypiClust: k-means into as many clusters as labels, then the most typical row of each.

A row's typicality is its mean distance to its nearest neighbours inside its cluster, smaller = more typical; since all
rows of a cluster have equally many neighbours, sums of canonical distances decide. A cluster without rows (k-means may
leave some) passes its label on: to the largest cluster, the next one to the second largest, and so round. Rows that
have labels already are centres of clusters of their own, and count against these clusters' shares.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from afray.algorithms import assignment, kmeans, numerics
from afray.algorithms.closeness import closeness
from afray.algorithms.draws import NO_ROWS
from afray.algorithms.gemm import Compute
from afray.algorithms.jit import compiled
from afray.algorithms.shards import Progress, RowSource, Shards, silent

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

NEIGHBOURS = 20
"""Of the paper; fewer in clusters of fewer than 21 rows."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cluster:
    """Rows of one cluster, ascending, and how many of them to pick."""

    rows: I64
    picks: int


def cores(
    shards: Shards, size: int, seed: int, compute: Compute, progress: Progress = silent, labelled: I64 = NO_ROWS
) -> I64:
    """`size` rows in pick order: see `pick`. Needs 1 <= size <= rows without a label."""
    centres = kmeans.centres(shards, size, seed, compute, progress, labelled)
    labels = np.concatenate(shards.map(assignment.nearest_step, centres, compute))
    return pick(shards, labels.astype(np.int64), size, compute, labelled)


def pick(shards: Shards, labels: I64, size: int, compute: Compute, labelled: I64 = NO_ROWS) -> I64:
    """`size` rows for clusters given by the label (0..size-1, more by the number of labelled rows) of every row (N,).

    The most typical row of every cluster, largest cluster first (ties: lower label), then the second most typical ones
    as far as labels are left, and so on. A cluster with labelled rows (ascending) gets so many picks fewer.
    """
    clusters = [_without(cluster, labelled) for cluster in share_out(labels, len(labelled) + size)]
    typical: list[I64] = shards.each(most_typical, [cluster for cluster in clusters if cluster.picks], compute)
    rounds = itertools.zip_longest(*typical)
    picks = [row for one_round in rounds for row in one_round if row is not None]
    # A cluster with more labels than its share leaves the others more than `size`.
    return np.array(picks[:size], np.int64)


def _without(cluster: Cluster, labelled: I64) -> Cluster:
    has_label = np.isin(cluster.rows, labelled)
    return Cluster(rows=cluster.rows[~has_label], picks=max(0, cluster.picks - int(has_label.sum())))


def share_out(labels: I64, size: int) -> list[Cluster]:
    """Clusters that have rows, largest first (ties: lower label), with their shares of `size` picks."""
    members = np.split(np.argsort(labels, kind="stable"), np.cumsum(np.bincount(labels, minlength=size))[:-1])
    filled = sorted((rows for rows in members if len(rows)), key=len, reverse=True)
    sizes = np.array([len(rows) for rows in filled])
    picks = np.zeros(len(filled), np.int64)
    while picks.sum() < size:
        unfinished = np.flatnonzero(picks < sizes)
        picks[unfinished[: size - picks.sum()]] += 1
    return [Cluster(rows=rows, picks=int(count)) for rows, count in zip(filled, picks, strict=True)]


def most_typical(source: RowSource, cluster: Cluster, compute: Compute) -> I64:
    """The `picks` rows with the smallest sum of distances to their nearest neighbours, ties to the lower row."""
    if len(cluster.rows) == 1:
        return cluster.rows
    features = source.take(cluster.rows)
    neighbours = min(NEIGHBOURS, len(features) - 1)
    lower, upper = _bound_sums(features, neighbours, compute)
    contenders = np.flatnonzero(lower <= np.partition(upper, cluster.picks - 1)[cluster.picks - 1])
    sums = np.array([_exact_sum(features, int(row), neighbours) for row in contenders])
    best = np.lexsort((contenders, sums))[: cluster.picks]
    return cluster.rows[contenders[best]]


def _bound_sums(features: F32, neighbours: int, compute: Compute) -> tuple[F64, F64]:
    """Lower and upper bounds of each row's sum: a sorted list of distances moves by no more than its entries do."""
    lower, upper = np.empty(len(features)), np.empty(len(features))
    size = min(compute.block, compute.rows_within(0.25, 4 * len(features)))
    for first in range(0, len(features), size):
        block = slice(first, first + size)
        near = closeness(features[block], features, compute)
        np.fill_diagonal(near.values[:, first:], -np.inf)
        squares = -2.0 * np.partition(near.values, -neighbours, axis=1)[:, -neighbours:].astype(np.float64)
        lower[block] = np.sqrt(np.maximum(squares - 2.0 * near.error, 0.0)).sum(axis=1)
        upper[block] = np.sqrt(np.maximum(squares + 2.0 * near.error, 0.0)).sum(axis=1)
    return lower, upper


def _exact_sum(features: F32, row: int, neighbours: int) -> int:
    ticks = np.empty(len(features), np.int64)
    _measure(features, row, ticks)
    # The row itself is at distance 0: among the smallest, and without weight.
    return int(np.partition(ticks, neighbours)[: neighbours + 1].sum())


@compiled
def _measure(features: F32, row: int, ticks: I64) -> None:
    for other in range(features.shape[0]):
        ticks[other] = numerics.distance_ticks(features, row, features, other)
