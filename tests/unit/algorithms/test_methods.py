from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from helpers import synthetic

from afray.algorithms import draws, methods
from afray.algorithms.activeft import ActiveFTOptions
from afray.algorithms.gemm import Compute
from afray.algorithms.methods import CoreMethod, Method, SelectionOptions
from afray.algorithms.shards import LocalShards

ALONE = [method for method in get_args(Method) if method not in ("bilaf", "uherding")]
"""What needs neither cores nor labels; rows with labels: test_labelled_rows.py."""


def make_options(seed: int = 0) -> SelectionOptions:
    return SelectionOptions(seed=seed, activeft=ActiveFTOptions(seed=seed, steps=10))


@pytest.mark.parametrize("method", ALONE)
@pytest.mark.parametrize("kind", synthetic.KINDS)
def test_a_method_alone_spends_the_budget_on_distinct_core_rows(method: Method, kind: str) -> None:
    pool = synthetic.small_pool(kind, 1)
    selection = methods.select(method, LocalShards(pool.features, shards=2), pool.budget, make_options())
    assert len(np.unique(selection.rows)) == len(selection.rows) == pool.budget
    assert ((selection.rows >= 0) & (selection.rows < len(pool.features))).all()
    assert selection.is_core.all()
    assert selection.kept == len(pool.features)
    np.testing.assert_array_equal(selection.cluster, selection.rows)


@pytest.mark.parametrize("method", ALONE)
def test_shards_threads_blocks_and_products_change_neither_rows_nor_ranks(method: Method) -> None:
    pool = synthetic.small_pool("half_copies", 2)
    expected = methods.select(method, LocalShards(pool.features), pool.budget, make_options()).rows
    for shards, threads, compute in [(2, 2, Compute(block=37, gemm="torch")), (7, 1, Compute(block=13))]:
        rows = LocalShards(pool.features, shards=shards, threads=threads)
        found = methods.select(method, rows, pool.budget, make_options(), compute).rows
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("method", ALONE)
@pytest.mark.parametrize("budget", [1, 3])
def test_a_pool_smaller_than_the_number_of_shards_is_no_special_case(method: Method, budget: int) -> None:
    features = synthetic.small_pool("mixture", 0).features[:3]
    expected = methods.select(method, LocalShards(features), budget, make_options()).rows
    found = methods.select(method, LocalShards(features, shards=7), budget, make_options()).rows
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("method", ALONE)
def test_another_seed_chooses_other_rows(method: Method) -> None:
    pool = synthetic.small_pool("mixture", 2)
    first, second = (methods.select(method, LocalShards(pool.features), 20, make_options(seed)).rows for seed in (0, 1))
    assert set(first.tolist()) != set(second.tolist())


def test_random_ranks_rows_as_drawn_and_kmeans_by_row() -> None:
    pool = synthetic.small_pool("mixture", 3)
    rows = LocalShards(pool.features)
    random, kmeans = (methods.select(method, rows, 30, make_options()).rows for method in ("random", "kmeans"))
    np.testing.assert_array_equal(random, draws.order(len(pool.features), 30, 0, "random"))
    assert (np.diff(kmeans) > 0).all()


@pytest.mark.parametrize("core_method", get_args(CoreMethod))
def test_cores_of_bilaf_ascend(core_method: CoreMethod) -> None:
    pool = synthetic.small_pool("half_copies", 4)
    size = len(pool.core_rows)
    options = SelectionOptions(activeft=ActiveFTOptions(steps=10), core_method=core_method, given_cores=pool.core_rows)
    cores = methods.core_rows(LocalShards(pool.features, shards=3), size, options, Compute(), lambda *_: None)
    assert len(cores) == size
    assert (np.diff(cores) > 0).all()
    assert core_method != "given" or cores.tolist() == pool.core_rows.tolist()


def test_bilaf_keeps_all_its_cores_and_adds_boundary_rows() -> None:
    pool = synthetic.small_pool("mixture", 5)
    options = SelectionOptions(core_method="kmeans", core_size=6)
    selection = methods.select("bilaf", LocalShards(pool.features, shards=2), 30, options)
    expected = methods.core_rows(LocalShards(pool.features), 6, options, Compute(), lambda *_: None)
    assert len(np.unique(selection.rows)) == 30
    np.testing.assert_array_equal(np.sort(selection.rows[selection.is_core]), expected)


def test_blocks_that_shrink_to_fit_little_memory_change_no_method_s_rows() -> None:
    pool = synthetic.small_pool("half_copies", 4)
    for method in get_args(methods.Method):
        options = SelectionOptions(
            activeft=ActiveFTOptions(steps=5), core_size=min(6, pool.budget), labelled=pool.core_rows
        )
        plenty, little = (
            methods.select(method, LocalShards(pool.features), pool.budget, options, Compute(memory=memory))
            for memory in (2**30, 2000)
        )
        np.testing.assert_array_equal(little.rows, plenty.rows, err_msg=method)
        np.testing.assert_array_equal(little.score, plenty.score, err_msg=method)
