from __future__ import annotations

import numpy as np
import pytest
from helpers import oracle, synthetic

from afray.algorithms import denoise, pairs
from afray.algorithms.denoise import Denoised
from afray.algorithms.gemm import Compute


def split(
    rows: synthetic.F32,
    core: int = 0,
    *,
    ratio: float = 0.1,
    neighbours: int = 10,
    table_rows: int = 10_000,
    as_released: bool = False,
) -> Denoised:
    measured = pairs.measure(rows, pairs.Workspace(len(rows), rows.shape[1], table_rows=table_rows), Compute())
    return denoise.remove_outliers(measured, core, removal_ratio=ratio, neighbours=neighbours, as_released=as_released)


def rows_of(kind: str, count: int = 87, dim: int = 32) -> synthetic.F32:
    return synthetic.KINDS[kind](np.random.default_rng(5), count, dim)


@pytest.mark.parametrize("size", [*range(10, 130), 257, 399])
def test_the_kept_size_is_a_tenth_less_than_whole_rounds(size: int) -> None:
    plan = denoise.schedule(size, 0.1)
    assert plan.step == size // 10
    assert plan.rounds == size // plan.step
    assert plan.kept == oracle.kept_size(size, oracle.Settings())
    assert 0.8 * size <= plan.kept < 0.92 * size


def test_clusters_below_ten_rows_are_left_alone() -> None:
    outcome = split(rows_of("mixture", 9))
    assert outcome.kept.tolist() == list(range(9))
    assert len(outcome.removed) == 0


def test_sizes_of_many_clusters_follow_the_schedule_of_each() -> None:
    sizes = np.array([3, 10, 10, 99, 250])
    assert denoise.kept_sizes(sizes, 0.2).tolist() == [denoise.schedule(int(size), 0.2).kept for size in sizes]


@pytest.mark.parametrize("kind", synthetic.KINDS)
def test_rows_join_in_order_of_density_and_the_last_are_removed(kind: str) -> None:
    rows = rows_of(kind)
    between = oracle.distances(rows, rows)

    def density(position: int, order: list[int]) -> float:
        return oracle.mean(np.sort(between[position, order])[:10])

    order = oracle.join_order(between, 4, oracle.Settings(), density)
    outcome = split(rows, core=4)
    assert outcome.kept.tolist() == order[: len(outcome.kept)]
    assert sorted([*outcome.kept, *outcome.removed]) == list(range(len(rows)))


@pytest.mark.parametrize("as_released", [False, True])
@pytest.mark.parametrize("kind", synthetic.KINDS)
def test_a_cluster_without_a_table_is_split_alike(kind: str, as_released: bool) -> None:
    table = split(rows_of(kind), as_released=as_released)
    strips = split(rows_of(kind), as_released=as_released, table_rows=0)
    np.testing.assert_array_equal(strips.kept, table.kept)
    np.testing.assert_array_equal(strips.removed, table.removed)
    np.testing.assert_array_equal(strips.removed_density, table.removed_density)
    assert strips.limit == table.limit


def test_the_density_of_a_removed_row_is_its_mean_distance_to_the_nearest_earlier_members() -> None:
    rows = rows_of("mixture", 100)
    outcome = split(rows, neighbours=3)
    between = oracle.distances(rows, rows)
    earlier = outcome.kept[:90]
    expected = [oracle.mean(np.sort(between[row, earlier])[:3]) for row in outcome.removed]
    np.testing.assert_allclose(outcome.removed_density, expected, atol=1e-10)
    before_the_last_round = outcome.kept[:80]
    last = oracle.mean(np.sort(between[outcome.kept[-1], before_the_last_round])[:3])
    np.testing.assert_allclose(outcome.limit, last, atol=1e-10)


def test_a_row_far_from_all_others_is_removed_and_the_most_isolated() -> None:
    rows = rows_of("mixture", 60)
    rows[33] = -rows[:30].mean(axis=0) * 3
    outcome = split(rows)
    assert outcome.removed[np.argmax(outcome.removed_density)] == 33


def test_rows_of_the_first_round_that_go_have_no_density() -> None:
    outcome = split(rows_of("mixture", 100), ratio=0.95)
    assert len(outcome.kept) == 5
    assert np.isnan(outcome.removed_density).sum() == 5


def test_the_core_stays_however_much_is_removed() -> None:
    assert split(rows_of("half_copies", 12), core=7, ratio=0.999).kept.tolist() == [7]


def test_the_core_comes_before_its_own_copies() -> None:
    rows = np.repeat(rows_of("mixture", 5), 20, axis=0)
    assert split(rows, core=77).kept[0] == 77
    assert split(rows, core=77, as_released=True).kept[0] == 60
