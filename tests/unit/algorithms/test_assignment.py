from __future__ import annotations

import numpy as np
import pytest
from helpers import oracle, synthetic

from afray.algorithms import assignment, candidates
from afray.algorithms.gemm import Compute
from afray.algorithms.shards import LocalShards


@pytest.mark.parametrize("kind", synthetic.KINDS)
@pytest.mark.parametrize("seed", range(8))
def test_every_row_gets_its_nearest_centre_and_ties_go_to_the_lower_one(kind: str, seed: int) -> None:
    pool = synthetic.small_pool(kind, seed)
    centres = pool.features[pool.core_rows]
    expected = oracle.distances(pool.features, centres).argmin(axis=1)
    for shards, compute in [
        (1, Compute()),
        (7, Compute(block=13)),
        (2, Compute(gemm="torch", block=100)),
    ]:
        labels = LocalShards(pool.features, shards=shards).map(assignment.nearest_step, centres, compute)
        np.testing.assert_array_equal(np.concatenate(labels), expected)


def test_identical_centres_beyond_the_candidate_list_still_yield_the_lowest() -> None:
    centres = np.repeat(synthetic.small_pool("mixture", 0).features[:3], 40, axis=0)
    (labels,) = LocalShards(centres).map(assignment.nearest_step, centres, Compute())
    np.testing.assert_array_equal(labels, np.repeat([0, 40, 80], 40))


def test_more_centres_than_one_tile_agree_with_plain_distances() -> None:
    features = synthetic.make(candidates.TILE + 900, 20, dim=16)
    centres, rows = features[:-400], features[-400:]
    (labels,) = LocalShards(rows).map(assignment.nearest_step, centres, Compute())
    np.testing.assert_array_equal(labels, oracle.distances(rows, centres).argmin(axis=1))


def test_read_only_rows_of_a_memory_map_are_accepted_by_every_product() -> None:
    features = synthetic.make(200, 5, dim=16)
    features.flags.writeable = False
    for backend in ("numpy", "torch"):
        (labels,) = LocalShards(features).map(assignment.nearest_step, features[:7], Compute(gemm=backend))
        np.testing.assert_array_equal(labels[:7], np.arange(7))


@pytest.mark.parametrize("shards", [1, 2, 7])
def test_clusters_gather_their_rows_from_all_shards_in_ascending_order(shards: int) -> None:
    pool = synthetic.small_pool("half_copies", 3)
    core_count = len(pool.core_rows)
    _, labels = oracle.assign(pool.features, pool.core_rows)
    assigned = assignment.assign(
        LocalShards(pool.features, shards=shards), pool.core_rows, lists=4, compute=Compute(block=31)
    )
    gathered = assignment.gather(assigned.held, np.arange(core_count))
    np.testing.assert_array_equal(assigned.sizes, np.bincount(labels, minlength=core_count))
    for cluster, members in enumerate(gathered):
        np.testing.assert_array_equal(members.rows, np.flatnonzero(labels == cluster))


def test_identical_cores_each_keep_themselves() -> None:
    features = np.full((6, 8), 0.25, np.float32)
    assigned = assignment.assign(LocalShards(features, shards=2), np.array([1, 4]), lists=4, compute=Compute())
    lower, upper = assignment.gather(assigned.held, np.array([0, 1]))
    assert lower.rows.tolist() == [0, 1, 2, 3, 5]
    assert upper.rows.tolist() == [4]
