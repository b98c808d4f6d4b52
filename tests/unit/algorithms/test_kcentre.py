from __future__ import annotations

import numpy as np
import pytest
from helpers import core_oracles, synthetic

from afray.algorithms import draws, kcentre
from afray.algorithms.gemm import Compute
from afray.algorithms.shards import LocalShards

LAYOUTS = [
    (1, 1, Compute()),
    (2, 2, Compute(gemm="torch", block=100)),
    (7, 1, Compute(block=13)),
]


@pytest.mark.parametrize("kind", synthetic.KINDS)
@pytest.mark.parametrize("seed", range(40))
def test_picks_equal_plain_float64_loops(kind: str, seed: int) -> None:
    pool = synthetic.small_pool(kind, seed)
    size = min(pool.budget, 60)
    (first,) = draws.draw(len(pool.features), 1, seed, "start")
    expected = core_oracles.farthest_first(pool.features, int(first), size)
    for shards, threads, compute in LAYOUTS:
        rows = LocalShards(pool.features, shards=shards, threads=threads)
        assert kcentre.cores(rows, size, seed, compute).tolist() == expected


def test_picks_stay_right_when_the_proposed_rows_run_out() -> None:
    features = synthetic.make(kcentre.PROPOSED + 500, 10, dim=16)
    (first,) = draws.draw(len(features), 1, 0, "start")
    expected = core_oracles.farthest_first(features, int(first), 300)
    for shards in (1, 16):
        picks = kcentre.cores(LocalShards(features, shards=shards), len(expected), 0, Compute())
        assert picks.tolist() == expected


def test_equal_rows_are_each_picked_once_lower_rows_first() -> None:
    features = np.full((30, 8), 0.25, np.float32)
    picks = kcentre.cores(LocalShards(features, shards=4), 30, 5, Compute())
    first = draws.draw(30, 1, 5, "start")
    np.testing.assert_array_equal(picks, np.concatenate([first, np.setdiff1d(np.arange(30), first)]))
