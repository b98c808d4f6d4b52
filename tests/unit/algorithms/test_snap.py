from __future__ import annotations

import numpy as np
import pytest
from helpers import core_oracles, synthetic

from afray.algorithms import snap
from afray.algorithms.gemm import Compute
from afray.algorithms.shards import LocalShards


@pytest.mark.parametrize("kind", synthetic.KINDS)
@pytest.mark.parametrize("seed", range(12))
def test_each_centre_takes_its_nearest_free_row_in_turn(kind: str, seed: int) -> None:
    features = synthetic.small_pool(kind, seed).features
    rng = np.random.default_rng(seed)
    centres = features[rng.integers(len(features), size=40)]
    if seed % 2:
        centres += np.float32(0.01) * rng.standard_normal(centres.shape).astype(np.float32)
    expected = core_oracles.snap(features, centres)
    for shards, compute in [(1, Compute()), (2, Compute(gemm="torch", block=100)), (7, Compute(block=13))]:
        assert snap.snap(LocalShards(features, shards=shards), centres, compute).tolist() == expected


def test_equal_centres_among_equal_rows_take_them_in_order() -> None:
    features = np.full((300, 8), 0.25, np.float32)
    centres = np.full((200, 8), 0.5, np.float32)
    rows = snap.snap(LocalShards(features, shards=3, threads=2), centres, Compute(block=31))
    np.testing.assert_array_equal(rows, np.arange(200))


def test_as_many_centres_as_rows_take_every_row_once() -> None:
    features = synthetic.small_pool("twentyfold_copies", 1).features
    rows = snap.snap(LocalShards(features, shards=2), features[::-1].copy(), Compute())
    np.testing.assert_array_equal(np.sort(rows), np.arange(len(features)))


def test_more_centres_than_one_tile_agree_with_plain_loops() -> None:
    features = synthetic.make(snap.TILE + 200, 20, dim=16)
    centres = features[: snap.TILE + 100]
    np.testing.assert_array_equal(snap.snap(LocalShards(features), centres, Compute()), np.arange(snap.TILE + 100))


def test_of_equally_far_rows_the_higher_ones_leave_a_full_list_first() -> None:
    far, near, centre = np.eye(3, 8, dtype=np.float32)
    near = (near + 3 * centre) / np.float32(4)
    features = np.stack([*[far] * (snap.FIRST_WIDTH + 2), near])
    rows = snap.snap(LocalShards(features), np.stack([centre] * 4), Compute())
    assert rows.tolist() == [len(features) - 1, 0, 1, 2]
