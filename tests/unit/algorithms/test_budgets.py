from __future__ import annotations

import numpy as np
from helpers import oracle
from hypothesis import given
from hypothesis import strategies as st

from afray.algorithms import budgets

SIZES = st.lists(st.integers(1, 40), min_size=1, max_size=12)


def split(budget: int, sizes: list[int]) -> list[int]:
    labels: list[int] = budgets.allocate(budget, np.array(sizes)).tolist()
    return labels


@given(sizes=SIZES, share=st.floats(0, 1))
def test_the_split_equals_a_scan_for_every_single_label(sizes: list[int], share: float) -> None:
    budget = len(sizes) + round(share * (sum(sizes) - len(sizes)))
    labels = split(budget, sizes)
    assert labels == oracle.allocate(budget, sizes)
    assert sum(labels) == budget
    assert all(1 <= count <= size for count, size in zip(labels, sizes, strict=True))


@given(sizes=SIZES, budget=st.integers(1, 400))
def test_the_released_split_equals_a_scan_without_bounds(sizes: list[int], budget: int) -> None:
    assert budgets.allocate_released(budget, np.array(sizes)).tolist() == oracle.allocate_released(budget, sizes)


def test_left_over_labels_go_to_the_smallest_allocation_then_the_larger_cluster_then_the_lower() -> None:
    # Floors of 7 labels are 2, 2, 1, 1: the last label goes to the larger of the two smallest.
    assert split(7, [20, 20, 13, 14]) == [2, 2, 1, 2]
    assert split(7, [20, 20, 14, 14]) == [2, 2, 2, 1]


def test_a_deficit_after_clipping_goes_to_the_smallest_allocation_with_room() -> None:
    # Floors 0, 0, 9; two left-over labels raise the first two; nothing to clip but the order shows with small sizes.
    assert split(11, [1, 1, 30]) == [1, 1, 9]
    # Left-over labels pile up on clusters that cannot hold them and come back to the one that can.
    assert split(9, [1, 1, 1, 1, 30]) == [1, 1, 1, 1, 5]


def test_a_surplus_after_clipping_is_taken_from_the_largest_allocation() -> None:
    # Floors 2, 2, 2 and zeros; raising every zero to one costs two labels: the smaller cluster pays, then the lower.
    assert split(9, [100, 100, 99, 1, 1, 1, 1, 1]) == [1, 2, 1, 1, 1, 1, 1, 1]


def test_each_cluster_gets_one_label_when_budget_and_cores_are_as_many() -> None:
    assert split(4, [1000, 1, 50, 2]) == [1, 1, 1, 1]


def test_all_rows_are_labelled_when_the_budget_is_all_rows() -> None:
    assert split(16, [10, 1, 5]) == [10, 1, 5]


def test_many_clusters_are_split_without_scanning_them_for_each_label() -> None:
    sizes = np.random.default_rng(0).integers(1, 100, 100_000)
    labels = budgets.allocate(150_000, sizes)
    assert labels.sum() == 150_000
    assert ((labels >= 1) & (labels <= sizes)).all()
