from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from helpers import synthetic
from numpy.typing import NDArray

from afray.algorithms import numerics, pairs
from afray.algorithms.gemm import Compute

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]


def canonical(rows: F32) -> I64:
    size = range(len(rows))
    return np.array([[numerics.distance_ticks(rows, i, rows, j) for j in size] for i in size])


def measured(rows: F32, compute: Compute, *, table_rows: int = 1000) -> pairs.PairDistances:
    return pairs.measure(rows, pairs.Workspace(len(rows), rows.shape[1], table_rows=table_rows), compute)


def rows_of(kind: str, count: int = 90, dim: int = 100) -> F32:
    return synthetic.KINDS[kind](np.random.default_rng(7), count, dim)


@pytest.mark.parametrize("backend", ["numpy", "torch"])
@pytest.mark.parametrize("kind", synthetic.KINDS)
def test_all_pairs_have_their_canonical_distance(kind: str, backend: str) -> None:
    rows = rows_of(kind)
    np.testing.assert_array_equal(measured(rows, Compute(gemm=backend)).table, canonical(rows))


@pytest.mark.parametrize("kind", synthetic.KINDS)
def test_without_a_table_blocks_and_rows_are_the_same_distances(kind: str) -> None:
    rows = rows_of(kind)
    giant = measured(rows, Compute(), table_rows=10)
    expected = canonical(rows)
    assert giant.is_giant
    np.testing.assert_array_equal(giant.of_row(17), expected[17])
    some, others = np.array([5, 80, 3]), np.array([3, 9, 5, 44])
    np.testing.assert_array_equal(giant.block(some, others), expected[np.ix_(some, others)])


@pytest.mark.parametrize("scale", [1e-18, 1e-12, 1e-6, 1e-3])
def test_short_rows_are_measured_as_exactly_as_unit_rows(scale: float) -> None:
    rows = (rows_of("mixture", 40) * np.float32(scale)).astype(np.float32)
    np.testing.assert_array_equal(measured(rows, Compute()).table, canonical(rows))


def test_one_workspace_serves_clusters_of_different_sizes() -> None:
    workspace = pairs.Workspace(60, 100, table_rows=1000)
    for count in (60, 7, 33):
        rows = rows_of("half_copies", count)
        np.testing.assert_array_equal(pairs.measure(rows, workspace, Compute()).table, canonical(rows))


def test_without_the_certificate_some_distances_are_off() -> None:
    rows = rows_of("near_copies")
    assert (measured(rows, Compute(certify=False)).table != canonical(rows)).any()


def test_any_error_within_the_bound_leaves_the_right_distance_or_none() -> None:
    rng = np.random.default_rng(0)
    rows = rows_of("mixture", 400, 16)
    wide = rows.astype(np.float64)
    norms = np.vecdot(wide, wide)
    factor = pairs.error_factor(16, Compute())
    decided = np.empty(400, np.int64)
    for i in range(20):
        # An error e in the product is one of 2 e in the square.
        noise = 0.49 * factor * (norms[i] + norms) * rng.choice([-1.0, 1.0], 400)
        pairs.round_row(wide @ wide[i] + noise, norms[i], norms, factor, decided)
        expected = np.array([numerics.distance_ticks(rows, i, rows, j) for j in range(400)])
        known = decided != pairs.UNDECIDED
        np.testing.assert_array_equal(decided[known], expected[known])
        assert known.mean() > 0.9


def test_few_pairs_of_a_plain_cluster_need_a_second_measurement() -> None:
    rows = rows_of("mixture", 200, 384)
    wide = rows.astype(np.float64)
    norms = np.vecdot(wide, wide)
    ticks = np.empty(199, np.int64)
    pairs.round_row(wide[1:] @ wide[0], norms[0], norms[1:], pairs.error_factor(384, Compute()), ticks)
    assert (ticks == pairs.UNDECIDED).mean() < 0.1


def test_strips_cover_every_pair_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = rows_of("mixture", 30)
    giant = measured(rows, Compute(), table_rows=0)
    monkeypatch.setattr(pairs, "STRIP_COLUMNS", 9)
    some, others = np.arange(3, 30), np.arange(0, 20)
    found, seen = np.zeros((27, 20), np.int64), np.zeros((27, 20), np.int64)
    blocks = list(giant.strips(some, others, pairs=36))
    for down, across, ticks in blocks:
        found[down, across] = ticks
        seen[down, across] += 1
    np.testing.assert_array_equal(found, canonical(rows)[3:, :20])
    assert (seen == 1).all()
    assert len(blocks) > 9


def test_a_giant_cluster_is_never_held_in_float64(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "STRIP_COLUMNS", 50)
    rows = synthetic.make(20_000, 3, dim=64)
    tracemalloc.start()
    try:
        giant = pairs.measure(rows, pairs.Workspace(len(rows), 64, table_rows=100), Compute())
        giant.of_row(7)
        for _ in giant.strips(np.arange(200), np.arange(len(rows)), pairs=10_000):
            pass
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < rows.nbytes / 4
