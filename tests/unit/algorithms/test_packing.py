from __future__ import annotations

import numpy as np

from afray.algorithms import packing


def cost(sizes: np.ndarray) -> int:
    return int((sizes * (sizes + packing.COST_PER_ROW)).sum())


def test_each_cluster_is_in_one_task_and_the_largest_start_first() -> None:
    sizes = np.random.default_rng(0).integers(1, 3000, 500)
    tasks = packing.pack(sizes)
    assert sorted(np.concatenate(tasks)) == list(range(500))
    largest = [int(sizes[task].max()) for task in tasks]
    assert largest == sorted(largest, reverse=True)


def test_tasks_are_neither_tiny_nor_huge() -> None:
    sizes = np.random.default_rng(0).integers(1, 500, 2000)
    tasks = packing.pack(sizes)
    costs = [cost(sizes[task]) for task in tasks]
    single = cost(sizes[sizes.argmax()][None])
    assert max(costs) <= packing.TASK_COST + single
    assert min(costs[:-1]) >= packing.TASK_COST - single


def test_a_giant_cluster_is_a_task_of_its_own() -> None:
    tasks = packing.pack(np.array([10, 20_000, 10]))
    assert tasks[0].tolist() == [1]
