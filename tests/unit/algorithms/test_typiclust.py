from __future__ import annotations

import numpy as np
import pytest
from helpers import core_oracles, synthetic

from afray.algorithms import typiclust
from afray.algorithms.gemm import Compute
from afray.algorithms.shards import LocalShards

LAYOUTS = [
    (1, 1, Compute()),
    (2, 2, Compute(gemm="torch", block=100)),
    (7, 1, Compute(block=13)),
]


@pytest.mark.parametrize("kind", synthetic.KINDS)
@pytest.mark.parametrize("seed", range(40))
def test_picks_within_given_clusters_equal_plain_float64_loops(kind: str, seed: int) -> None:
    pool = synthetic.small_pool(kind, seed)
    centres = pool.features[pool.core_rows]
    labels = core_oracles.distances(pool.features, centres).argmin(axis=1)
    size = len(centres) + seed % 4  # clusters beyond the centres are empty
    expected = core_oracles.typiclust(pool.features, labels, size)
    for shards, threads, compute in LAYOUTS:
        rows = LocalShards(pool.features, shards=shards, threads=threads)
        assert typiclust.pick(rows, labels, size, compute).tolist() == expected


def test_labels_of_empty_clusters_go_to_the_largest_clusters_in_turn() -> None:
    labels = np.array([0, 1, 1, 1, 3, 3, 3, 3])
    shares = typiclust.share_out(labels, 7)
    assert [(cluster.rows.tolist(), cluster.picks) for cluster in shares] == [
        ([4, 5, 6, 7], 3),
        ([1, 2, 3], 3),
        ([0], 1),
    ]


@pytest.mark.parametrize("kind", synthetic.KINDS)
def test_the_budget_is_met_with_distinct_rows_whatever_the_pool(kind: str) -> None:
    pool = synthetic.small_pool(kind, 0)
    picks = [
        typiclust.cores(LocalShards(pool.features, shards=shards, threads=threads), pool.budget, 0, compute).tolist()
        for shards, threads, compute in LAYOUTS
    ]
    assert len(set(picks[0])) == pool.budget
    assert picks[0] == picks[1] == picks[2]


def test_equal_rows_are_picked_from_the_lowest_on() -> None:
    features = np.full((50, 8), 0.25, np.float32)
    assert typiclust.pick(LocalShards(features), np.zeros(50, np.int64), 4, Compute()).tolist() == [0, 1, 2, 3]
