"""How many labels each cluster gets: by its size after outlier removal, in whole numbers that add up to the budget.

Sizes after removal follow from sizes before it (`denoise.schedule`), so budgets are known at barrier 1.
"""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray

I64 = NDArray[np.int64]


def allocate(budget: int, sizes: I64) -> I64:
    """Split `budget` over clusters of `sizes` rows (all >= 1): (K,), each within [1, size], in sum the budget.

    Proportional shares are rounded down; what is left goes one by one to the smallest allocation. Clipping to
    [1, size] then leaves a deficit, filled the same way, or a surplus, taken one by one from the largest.
    Needs len(sizes) <= budget <= sizes.sum().
    """
    allocation: I64 = np.clip(allocate_released(budget, sizes), 1, sizes)
    gap = budget - int(allocation.sum())
    if gap > 0:
        _raise_smallest(allocation, sizes, gap, sizes)
    else:
        _lower_largest(allocation, sizes, -gap)
    return allocation


def allocate_released(budget: int, sizes: I64) -> I64:
    """The split of the released code: no bounds, so a cluster may get nothing, or more than it has."""
    allocation: I64 = np.floor(sizes / sizes.sum() * budget).astype(np.int64)
    _raise_smallest(allocation, sizes, budget - int(allocation.sum()), np.full_like(sizes, budget + 1))
    return allocation


def _raise_smallest(allocation: I64, sizes: I64, count: int, limits: I64) -> None:
    """Add `count` one by one to the smallest allocation below its limit; ties: larger size, then lower cluster."""
    below = np.flatnonzero(allocation < limits)
    heap = list(zip(allocation[below].tolist(), (-sizes[below]).tolist(), below.tolist(), strict=True))
    heapq.heapify(heap)
    for _ in range(count):
        labels, size, cluster = heap[0]
        allocation[cluster] = labels + 1
        if labels + 1 < limits[cluster]:
            heapq.heapreplace(heap, (labels + 1, size, cluster))
        else:
            heapq.heappop(heap)


def _lower_largest(allocation: I64, sizes: I64, count: int) -> None:
    """Take `count` one by one from the largest allocation above 1; ties: smaller size, then lower cluster."""
    above = np.flatnonzero(allocation > 1)
    heap = list(zip((-allocation[above]).tolist(), sizes[above].tolist(), above.tolist(), strict=True))
    heapq.heapify(heap)
    for _ in range(count):
        labels, size, cluster = heap[0]
        allocation[cluster] = -labels - 1
        if -labels - 1 > 1:
            heapq.heapreplace(heap, (labels + 1, size, cluster))
        else:
            heapq.heappop(heap)
