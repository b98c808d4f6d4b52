from __future__ import annotations

import numpy as np
import pytest
from helpers import core_oracles, synthetic

from afray.algorithms import draws, kmeans
from afray.algorithms.gemm import Compute
from afray.algorithms.shards import LocalShards

LAYOUTS = [
    (1, 1, Compute()),
    (2, 2, Compute(gemm="torch", block=100)),
    (7, 1, Compute(block=13)),
]


@pytest.mark.parametrize("kind", synthetic.KINDS)
@pytest.mark.parametrize("seed", range(10))
def test_centres_equal_a_plain_transcription_of_the_rule(kind: str, seed: int) -> None:
    pool = synthetic.small_pool(kind, seed)
    start = draws.draw(len(pool.features), len(pool.core_rows), seed, "start")
    expected = core_oracles.kmeans(pool.features, start)
    for shards, threads, compute in LAYOUTS:
        rows = LocalShards(pool.features, shards=shards, threads=threads)
        np.testing.assert_array_equal(kmeans.centres(rows, len(start), seed, compute), expected)


def test_it_stops_when_no_row_changes_its_centre() -> None:
    features = np.repeat(np.eye(4, 8, dtype=np.float32), 10, axis=0)
    rounds: list[int] = []
    kmeans.centres(LocalShards(features), 3, 0, Compute(), lambda _step, done, _total: rounds.append(done))
    assert rounds[-1] < kmeans.ROUNDS


def test_a_centre_without_rows_stays_where_it_is() -> None:
    features = np.full((20, 8), 0.25, np.float32)
    centres = kmeans.centres(LocalShards(features), 3, 0, Compute())
    np.testing.assert_allclose(centres, np.full((3, 8), 8**-0.5), rtol=1e-6)


def test_rows_that_cancel_out_leave_their_centre_in_place() -> None:
    features = np.concatenate([np.eye(1, 8), -np.eye(1, 8)]).astype(np.float32)
    (centre,) = kmeans.centres(LocalShards(features), 1, 0, Compute())
    np.testing.assert_array_equal(centre, features[draws.draw(2, 1, 0, "start")[0]])


@pytest.mark.parametrize("kind", synthetic.KINDS)
def test_cores_are_distinct_ascending_rows(kind: str) -> None:
    pool = synthetic.small_pool(kind, 0)
    cores = kmeans.cores(LocalShards(pool.features, shards=3), pool.budget, 0, Compute())
    assert len(cores) == pool.budget
    assert (np.diff(cores) > 0).all()
