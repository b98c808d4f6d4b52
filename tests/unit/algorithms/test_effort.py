"""Work is counted from sizes as it is done on rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers import synthetic

from afray.algorithms import effort, gemm, kmeans, methods, packing
from afray.algorithms.activeft import ActiveFTOptions
from afray.algorithms.clusters import BilafOptions
from afray.algorithms.effort import Effort, Size
from afray.algorithms.gemm import Compute, Floats
from afray.algorithms.methods import Method, SelectionOptions
from afray.algorithms.shards import LocalShards

ROWS, BUDGET, CORES, DIM = 1200, 60, 12, 32
FEATURES = synthetic.make(ROWS, 12, dim=DIM)
OPTIONS = SelectionOptions(activeft=ActiveFTOptions(steps=4, rows_per_step=500), core_size=CORES)


@pytest.fixture
def products(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Multiplications of every matrix product, by the size of its last matrix's rows: (n, D) times (D, K) is n D K."""
    counted: list[int] = []

    def count(a: Floats, b: Floats, out: Floats) -> None:
        counted.append(a.shape[0] * a.shape[1] * b.shape[1])
        np.matmul(a, b, out=out)

    monkeypatch.setitem(gemm.BACKENDS, "counting", count)
    return counted


def pairs_of(work: Effort) -> float:
    """Pairs that a product is taken of; centres push each other by two."""
    return work.pulled + 2 * (work.pushed + work.pushed_alone) + work.snapped + work.assigned


@pytest.mark.parametrize("method", ["activeft", "kmeans", "kcenter", "random"])
def test_a_method_multiplies_as_often_as_is_counted(method: Method, products: list[int]) -> None:
    methods.select(method, LocalShards(FEATURES), BUDGET, OPTIONS, Compute(gemm="counting"))
    work = effort.count(method, Size(rows=ROWS, cores=BUDGET, budget=BUDGET), OPTIONS)
    assert sum(products) / DIM == pytest.approx(pairs_of(work), rel=0.5 if method == "kmeans" else 0.1)


def test_bilaf_multiplies_as_often_as_is_counted_but_for_how_unequal_its_clusters_are(products: list[int]) -> None:
    chosen = methods.select("bilaf", LocalShards(FEATURES), BUDGET, OPTIONS, Compute(gemm="counting"))
    work = effort.count("bilaf", Size(rows=ROWS, cores=CORES, budget=BUDGET), OPTIONS)
    squares = float((chosen.cluster_sizes**2).sum())
    assert sum(products) / DIM == pytest.approx(pairs_of(work) + squares, rel=0.05)
    unequal = float(packing.cost(chosen.cluster_sizes).sum())
    assert work.clustered == pytest.approx(unequal, rel=0.5)


def test_cores_that_are_given_cost_nothing() -> None:
    size = Size(rows=ROWS, cores=CORES, budget=BUDGET)
    assert effort.count_cores("given", size, OPTIONS) == Effort()
    assert effort.count_cores("kmeans", size, OPTIONS).assigned == kmeans.ROUNDS * ROWS * CORES


def test_only_samples_are_drawn() -> None:
    size = Size(rows=ROWS, cores=CORES, budget=BUDGET)
    assert effort.count_cores("activeft", size, OPTIONS).drawn == 4 * ROWS
    whole = SelectionOptions(activeft=ActiveFTOptions(steps=4))
    assert effort.count_cores("activeft", size, whole).drawn == 0


def test_the_largest_cluster_is_no_larger_than_the_pool() -> None:
    assert effort.largest_share(Size(rows=ROWS, cores=1, budget=1)) == ROWS * (ROWS + packing.COST_PER_ROW)


def test_looking_into_some_groups_takes_fewer_pairs() -> None:
    size = Size(rows=ROWS, cores=400, budget=500)
    probed = effort.count("bilaf", size, replace(OPTIONS, bilaf=BilafOptions(probes=2)))
    exact = effort.count("bilaf", size, OPTIONS)
    # 20 groups, and two of them with 20 cores each, instead of 400 cores.
    assert probed.assigned / exact.assigned == pytest.approx(60 / 400)
    every = effort.count("bilaf", size, replace(OPTIONS, bilaf=BilafOptions(probes=20)))
    assert every.assigned / exact.assigned == pytest.approx(420 / 400)
