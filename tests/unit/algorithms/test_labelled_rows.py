"""Rows that have labels already: fixed cores of every method, never chosen again, never outliers."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from helpers import core_oracles, synthetic
from helpers.synthetic import SmallPool

from afray.algorithms import activeft, draws, kcentre, kmeans, methods, typiclust
from afray.algorithms.activeft import ActiveFTOptions
from afray.algorithms.gemm import Compute
from afray.algorithms.methods import CoreMethod, Method, SelectionOptions
from afray.algorithms.selection import Selection
from afray.algorithms.shards import LocalShards

LAYOUTS = [
    (1, 1, Compute()),
    (2, 2, Compute(gemm="torch", block=37)),
    (7, 1, Compute(block=13)),
]


def choose(
    pool: SmallPool, method: Method, layout: int = 0, core_method: CoreMethod = "activeft", core_size: int | None = None
) -> Selection:
    shards, threads, compute = LAYOUTS[layout]
    options = SelectionOptions(
        activeft=ActiveFTOptions(steps=10), labelled=pool.core_rows, core_method=core_method, core_size=core_size
    )
    rows = LocalShards(pool.features, shards=shards, threads=threads)
    return methods.select(method, rows, 20, options, compute)


@pytest.mark.parametrize("method", get_args(Method))
@pytest.mark.parametrize("kind", synthetic.KINDS)
def test_the_budget_buys_new_rows_whatever_the_layout(method: Method, kind: str) -> None:
    pool = synthetic.small_pool(kind, 6)
    found = [choose(pool, method, layout).rows.tolist() for layout in range(len(LAYOUTS))]
    assert len(set(found[0])) == 20
    assert not set(found[0]) & set(pool.core_rows.tolist())
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("core_method", ["activeft", "kmeans"])
def test_bilaf_clusters_around_labelled_rows_too_and_removes_none_of_them(core_method: CoreMethod) -> None:
    pool = synthetic.small_pool("mixture", 7)
    chosen = choose(pool, "bilaf", core_method=core_method, core_size=5)
    assert chosen.is_core.sum() == 5
    assert len(chosen.cluster_sizes) == len(pool.core_rows) + 5
    assert not set(chosen.excluded_rows.tolist()) & set(pool.core_rows.tolist())
    assert len(chosen.excluded_rows) > 0
    assert set(chosen.cluster[~chosen.is_core].tolist()) & set(pool.core_rows.tolist())


def test_centres_of_labelled_rows_stay_where_they_are() -> None:
    pool = synthetic.small_pool("mixture", 8)
    features, labelled = pool.features, pool.core_rows
    centres = kmeans.centres(LocalShards(features, shards=2), 5, 0, Compute(), labelled=labelled)
    np.testing.assert_allclose(centres[: len(labelled)], features[labelled], atol=1e-6)
    labels = core_oracles.ticks(features, centres).argmin(axis=1)
    for number in range(len(labelled), len(centres)):
        mean = features[labels == number].astype(np.float64).sum(axis=0)
        np.testing.assert_allclose(centres[number], mean / np.linalg.norm(mean), atol=1e-5)
    theta = activeft.optimise(LocalShards(features), 5, ActiveFTOptions(steps=5), Compute(), labelled=labelled).theta
    np.testing.assert_array_equal(theta[: len(labelled)], features[labelled].astype(np.float64))


def test_k_centre_goes_on_from_all_labelled_rows() -> None:
    pool = synthetic.small_pool("near_copies", 9)
    nearest = core_oracles.distances(pool.features[pool.core_rows], pool.features).min(axis=0)
    picks = kcentre.cores(LocalShards(pool.features, shards=3), 4, 0, Compute(), labelled=pool.core_rows)
    for pick in picks:
        assert nearest[pick] == nearest.max()
        nearest = np.minimum(nearest, core_oracles.distances(pool.features[[pick]], pool.features)[0])


def test_a_cluster_with_more_labels_than_its_share_gets_none_and_the_others_no_more_than_the_budget() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(0.0, 0.1, (40, 8)).astype(np.float32)
    labels = np.repeat([0, 1, 2, 3], 10)
    picks = typiclust.pick(LocalShards(features), labels, 3, Compute(), labelled=np.array([0, 1, 2, 11]))
    assert sorted(picks // 10) == [1, 2, 3]


def test_draws_leave_taken_rows_out_and_are_the_same_without_them() -> None:
    taken = np.array([0, 3, 4, 9])
    free = np.setdiff1d(np.arange(12), taken)
    np.testing.assert_array_equal(draws.order(12, 8, 5, "x", taken), free[draws.order(8, 8, 5, "x")])
    np.testing.assert_array_equal(draws.draw(12, 8, 5, "x", taken), free)
