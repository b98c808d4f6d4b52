from __future__ import annotations

import json
import pickle
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from helpers import oracle, selections, synthetic
from helpers.selections import PLAIN, WAYS, Way
from helpers.synthetic import F32, I64, SmallPool
from hypothesis import given, settings
from hypothesis import strategies as st

from afray.algorithms import bilaf
from afray.algorithms.clusters import BilafOptions, Tuning
from afray.algorithms.gemm import Compute
from afray.algorithms.shards import LocalShards
from afray.errors import AfrayError, SpecError

GOLDEN = json.loads((Path(__file__).parents[2] / "data" / "stage2-golden.json").read_text())
POOLS_PER_KIND = 40
RELEASED = BilafOptions(mode="released")


@cache
def benchmark_pool() -> tuple[F32, I64]:
    cores = np.sort(np.random.default_rng(0).choice(50_000, 250, replace=False))
    return synthetic.make(50_000, 250), cores


def select(pool: SmallPool, options: BilafOptions | None = None, way: Way = PLAIN) -> list[int]:
    chosen: list[int] = selections.select(pool.features, pool.core_rows, pool.budget, options, way).rows.tolist()
    return chosen


@pytest.mark.parametrize("seeds", [range(start, start + 10) for start in range(0, POOLS_PER_KIND, 10)], ids=str)
@pytest.mark.parametrize("kind", synthetic.KINDS)
def test_paper_mode_selects_what_the_papers_text_selects_however_it_is_computed(kind: str, seeds: range) -> None:
    for seed in seeds:
        pool = synthetic.small_pool(kind, seed)
        expected = oracle.bilaf(pool.features, pool.core_rows, pool.budget)
        for name, way in WAYS.items():
            assert select(pool, way=way) == expected, f"seed {seed}, {name}"


@pytest.mark.parametrize("seed", range(6))
def test_opponents_that_float32_cannot_tell_apart_are_told_apart(seed: int) -> None:
    # Bunches of cores within 1e-8 of each other: candidate lists end in the middle of a bunch.
    rng = np.random.default_rng(seed)
    features = synthetic.mixture(rng, 240, 24)
    bunches = features[:4].repeat(8, axis=0) + np.float32(1e-8) * rng.standard_normal((32, 24)).astype(np.float32)
    features[100:132] = bunches[rng.permutation(32)]
    cores = np.sort(np.r_[rng.choice(100, 3, replace=False), 100:132]).astype(np.int64)
    expected = oracle.bilaf_picks(features, cores, 90, measure=oracle.ticks)
    for way in [PLAIN, *(Way(shards=5, compute=Compute(block=19), tuning=Tuning(lists=lists)) for lists in (2, 3, 6))]:
        chosen = selections.select(features, cores, 90, way=way)
        assert chosen.rows.tolist() == [pick.row for pick in expected]
        assert chosen.opponent.tolist() == [-1 if pick.opponent is None else pick.opponent for pick in expected]


@pytest.mark.parametrize("kind", synthetic.KINDS)
def test_released_mode_selects_what_the_released_code_selects_or_fails_where_it_fails(kind: str) -> None:
    for seed in range(25):
        pool = synthetic.small_pool(kind, seed)
        for way in (PLAIN, WAYS["most clusters too large for a table, one opponent remembered"]):
            try:
                expected = oracle.bilaf_released(pool.features, pool.core_rows, pool.budget)
            except oracle.ReleasedCodeCrashes:
                with pytest.raises(AfrayError, match="cluster of core row"):
                    select(pool, RELEASED, way)
            else:
                assert select(pool, RELEASED, way) == expected, f"seed {seed}"


@pytest.mark.parametrize("entry", GOLDEN["budgets"], ids=lambda entry: str(entry["budget"]))
def test_the_released_code_s_own_lists_come_out_in_released_mode(entry: dict[str, object]) -> None:
    chosen = selections.select(*benchmark_pool(), int(str(entry["budget"])), RELEASED)
    assert chosen.rows[:12].tolist() == entry["released_first"]
    assert selections.digest(chosen.rows) == entry["released"]


@pytest.mark.parametrize("entry", GOLDEN["budgets"], ids=lambda entry: str(entry["budget"]))
def test_published_selections_of_the_benchmark_pool_come_out_in_paper_mode(entry: dict[str, object]) -> None:
    chosen = selections.select(*benchmark_pool(), int(str(entry["budget"])), way=Way(shards=3))
    assert chosen.rows[:12].tolist() == entry["paper_first"]
    assert selections.digest(chosen.rows) == entry["paper"]


def test_a_fifth_of_exact_copies_changes_nothing_between_ways_of_computing() -> None:
    features = synthetic.make(8000, 40).copy()
    rng = np.random.default_rng(1)
    features[rng.permutation(8000)[:1600]] = features[rng.integers(8000, size=1600)]
    cores = np.sort(rng.choice(8000, 40, replace=False))
    reference = selections.select(features, cores, 600)
    for shards, threads, block, gemm in [(2, 2, 1024, "numpy"), (7, 1, 133, "numpy"), (1, 1, 700, "torch")]:
        way = Way(shards=shards, threads=threads, compute=Compute(gemm=gemm, block=block))
        same = selections.select(features, cores, 600, way=way)
        for name in ("rows", "score", "distance", "opponent", "excluded_rows", "excluded_density", "score_counts"):
            np.testing.assert_array_equal(getattr(same, name), getattr(reference, name), err_msg=name)


def test_a_selection_says_score_opponent_and_distance_of_each_pick() -> None:
    pool = synthetic.small_pool("mixture", 1)
    chosen = selections.select(pool.features, pool.core_rows, pool.budget)
    picks = oracle.bilaf_picks(pool.features, pool.core_rows, pool.budget)
    assert chosen.is_core.tolist() == [pick.score is None for pick in picks]
    assert chosen.opponent.tolist() == [-1 if pick.opponent is None else pick.opponent for pick in picks]
    np.testing.assert_allclose(
        chosen.score, [np.nan if pick.score is None else pick.score for pick in picks], atol=1e-8
    )
    to_core = np.linalg.norm(pool.features[chosen.rows] - pool.features[chosen.cluster], axis=1)
    np.testing.assert_allclose(chosen.distance, to_core, atol=1e-6)


def test_ranks_go_by_core_row_and_start_each_cluster_with_its_core() -> None:
    pool = synthetic.small_pool("mixture", 2)
    chosen = selections.select(pool.features, pool.core_rows, pool.budget)
    assert chosen.rows[chosen.is_core].tolist() == pool.core_rows.tolist()
    assert (np.diff(chosen.cluster) >= 0).all()
    _, firsts = np.unique(chosen.cluster, return_index=True)
    assert chosen.is_core[firsts].all()
    assert chosen.cluster_sizes.sum() == len(pool.features)


def test_removed_rows_belong_to_their_nearest_core_and_are_never_selected() -> None:
    pool = synthetic.small_pool("half_copies", 5)
    chosen = selections.select(pool.features, pool.core_rows, pool.budget)
    _, labels = oracle.assign(pool.features, pool.core_rows)
    assert len(chosen.excluded_rows) > 0
    assert chosen.kept + len(chosen.excluded_rows) == len(pool.features)
    assert (np.diff(chosen.excluded_rows) > 0).all()
    np.testing.assert_array_equal(chosen.excluded_cluster, pool.core_rows[labels[chosen.excluded_rows]])
    assert not set(chosen.excluded_rows) & set(chosen.rows)


def test_the_histogram_counts_the_plain_score_of_every_kept_row_but_the_cores() -> None:
    pool = synthetic.small_pool("mixture", 3)
    chosen = selections.select(pool.features, pool.core_rows, pool.budget)
    to_cores, labels = oracle.assign(pool.features, pool.core_rows)
    kept = np.setdiff1d(np.arange(len(pool.features)), chosen.excluded_rows)
    scores = []
    for row in np.setdiff1d(kept, pool.core_rows):
        mates = pool.features[kept[labels[kept] == labels[row]]]
        intra = oracle.mean(oracle.distances(pool.features[row : row + 1], mates)[0])
        scores.append(oracle.score(np.delete(to_cores[row], labels[row]).min(), intra, 1.0))
    expected, _ = np.histogram(scores, bins=len(chosen.score_counts), range=(-1, 1))
    np.testing.assert_array_equal(chosen.score_counts, expected)


def test_with_as_many_cores_as_budget_outliers_are_found_all_the_same() -> None:
    pool = synthetic.small_pool("mixture", 4)
    chosen = selections.select(pool.features, pool.core_rows, len(pool.core_rows))
    assert chosen.rows.tolist() == pool.core_rows.tolist()
    assert chosen.is_core.all()
    assert len(chosen.excluded_rows) > 0
    assert np.isfinite(chosen.excluded_density).all()
    assert chosen.score_counts.sum() == chosen.kept - len(pool.core_rows)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_one_core_has_no_boundary_so_picks_go_to_the_lowest_row_left(way: Way) -> None:
    features = synthetic.make(50, 2, dim=16)
    chosen = selections.select(features, np.array([20]), 3, way=way)
    assert chosen.rows[0] == 20
    assert np.isnan(chosen.score).all()
    assert chosen.opponent.tolist() == [-1, -1, -1]
    assert chosen.score_counts.sum() == 0
    removed = set(chosen.excluded_rows.tolist())
    nearest_15 = np.argsort(oracle.distances(features[[20]], features)[0], kind="stable")
    gone = [row for row in nearest_15 if row not in removed][: (50 - len(removed)) // 3]
    assert chosen.rows[1] == min(set(range(50)) - removed - set(gone))


def test_a_pool_of_nothing_but_copies_yields_distinct_rows_in_order() -> None:
    features = np.full((120, 8), 0.3, np.float32)
    chosen = selections.select(features, np.array([3, 50]), 30)
    assert len(set(chosen.rows.tolist())) == 30
    assert chosen.cluster_sizes.tolist() == [119, 1]
    assert chosen.score[1:-1].tolist() == [0.0] * 28


def test_identical_cores_each_keep_themselves() -> None:
    features = synthetic.make(200, 4, dim=16)
    features[[40, 90]] = features[7]
    cores = np.array([7, 40, 90, 150])
    chosen = selections.select(features, cores, 20)
    assert chosen.rows[chosen.is_core].tolist() == cores.tolist()
    assert chosen.cluster_sizes[1:3].tolist() == [1, 1]


def test_more_labels_than_small_clusters_hold_go_to_the_others() -> None:
    pool = synthetic.small_pool("lattice", 6)
    kept = selections.select(pool.features, pool.core_rows, len(pool.core_rows)).kept
    everything = selections.select(pool.features, pool.core_rows, kept)
    assert len(set(everything.rows.tolist())) == kept
    assert set(everything.rows) | set(everything.excluded_rows) == set(range(len(pool.features)))


def test_every_row_can_be_its_own_core() -> None:
    features = synthetic.make(30, 3, dim=8)
    chosen = selections.select(features, np.arange(30), 30)
    assert chosen.rows.tolist() == list(range(30))
    assert chosen.kept == 30


def test_features_that_only_can_be_read_are_enough() -> None:
    pool = synthetic.small_pool("mixture", 8)
    expected = select(pool)
    pool.features.flags.writeable = False
    for way in WAYS.values():
        assert select(pool, way=way) == expected


def test_a_run_reports_its_progress_in_rows() -> None:
    pool = synthetic.small_pool("mixture", 9)
    seen: list[tuple[str, int, int]] = []
    bilaf.select(
        LocalShards(pool.features),
        pool.core_rows,
        pool.budget,
        progress=lambda step, done, total: seen.append((step, done, total)),
    )
    rows = len(pool.features)
    assert seen == [("assign", 0, rows), ("assign", rows, rows), ("select", rows, rows)]


class TestRefusals:
    features = synthetic.make(60, 3, dim=8)

    def refused(self, cores: list[int], budget: int, options: BilafOptions | None = None) -> SpecError:
        with pytest.raises(SpecError) as caught:
            selections.select(self.features, np.array(cores, np.int64), budget, options)
        assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
        return caught.value

    def test_more_cores_than_labels(self) -> None:
        assert "3 core rows" in str(self.refused([1, 2, 3], 2))

    def test_more_labels_than_rows(self) -> None:
        error = self.refused([1, 2], 61)
        assert (error.field, error.value) == ("spec.selection.budget", 61)
        assert "60 rows" in error.problem

    def test_more_labels_than_outlier_removal_leaves(self) -> None:
        kept = selections.select(self.features, np.array([1, 2]), 2).kept
        error = self.refused([1, 2], kept + 1)
        assert f"leaves {kept} of 60 rows" in error.problem
        assert f"at most {kept}" in error.remedy
        assert "removalRatio" in error.remedy

    def test_no_cores(self) -> None:
        assert "no core rows" in str(self.refused([], 5))

    def test_a_core_named_twice(self) -> None:
        error = self.refused([4, 9, 9], 5)
        assert error.value == 9

    def test_a_core_outside_the_pool(self) -> None:
        assert self.refused([4, 60], 5).value == 60
        assert self.refused([-1, 6], 5).value == -1

    def test_released_mode_with_one_core(self) -> None:
        assert "no other core" in str(self.refused([4], 5, RELEASED))

    def test_released_mode_with_identical_cores(self) -> None:
        twins = self.features.copy()
        twins[33] = twins[4]
        with pytest.raises(SpecError, match=r"core row 33: core row 4 has the same features"):
            selections.select(twins, np.array([4, 33]), 5, RELEASED)

    def test_released_mode_with_a_cluster_whose_share_is_nothing(self) -> None:
        lonely = np.zeros((60, 16), np.float32)
        lonely[:56, :8] = synthetic.make(56, 1, dim=8)
        lonely[56:, 8:12] = np.eye(4)
        # Floors 4, 0, 0, 0, 0 of 5 labels: one cluster of the four gets the last label.
        with pytest.raises(SpecError, match=r"core row 57: its share of the budget is 0"):
            selections.select(lonely, np.array([0, 56, 57, 58, 59]), 5, RELEASED)


def test_released_mode_repeats_rows_where_a_cluster_has_fewer_than_its_share() -> None:
    features = synthetic.make(40, 2, dim=8)
    features[30:] = -features[0] + np.float32(1e-3) * np.arange(10, dtype=np.float32)[:, None]
    features[30:] /= np.linalg.norm(features[30:], axis=1, keepdims=True)
    cores, budget = np.array([0, *range(31, 34)]), 24
    chosen = selections.select(features, cores, budget, RELEASED).rows.tolist()
    assert len(set(chosen)) < budget
    assert chosen == oracle.bilaf_released(features, cores, budget)


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(sorted(synthetic.KINDS)),
    rows=st.integers(2, 70),
    dim=st.integers(1, 20),
    share=st.floats(0, 1),
    core_share=st.floats(0, 1),
    ratio=st.sampled_from([0.0, 0.1, 0.5, 0.99]),
    neighbours=st.sampled_from([1, 10, 80]),
    penalty=st.sampled_from([1.0, 1.1, 50.0]),
    seed=st.integers(0, 1000),
)
def test_any_pool_gets_its_budget_of_distinct_rows_around_its_cores_in_every_way(
    kind: str,
    rows: int,
    dim: int,
    share: float,
    core_share: float,
    ratio: float,
    neighbours: int,
    penalty: float,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    features = synthetic.KINDS[kind](rng, rows, dim)
    cores = np.sort(rng.choice(rows, 1 + round(core_share * (rows - 1)), replace=False))
    options = BilafOptions(removal_ratio=ratio, neighbours=neighbours, opponent_penalty=penalty)
    kept = selections.select(features, cores, len(cores), options).kept
    budget = len(cores) + round(share * (kept - len(cores)))
    chosen = selections.select(features, cores, budget, options)
    assert len(chosen.rows) == budget
    assert len(set(chosen.rows.tolist())) == budget
    assert set(cores) <= set(chosen.rows)
    other = Way(shards=3, compute=Compute(block=5, gemm="torch"), tuning=Tuning(lists=2, table_rows=11, opponents=2))
    assert selections.select(features, cores, budget, options, other).rows.tolist() == chosen.rows.tolist()
