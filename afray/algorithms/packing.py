"""Which clusters travel together: tasks of similar work, the longest first, so that no worker ends on a giant."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

I64 = NDArray[np.int64]

TASK_COST = 2 * 2**20
"""Cost of a task; about 10 ms of work, a few megabytes of rows."""
COST_PER_ROW = 512
"""What a row costs beside its pairs, in pairs."""


def pack(sizes: I64) -> list[I64]:
    """Cluster numbers per task, largest clusters first. A cluster above TASK_COST is a task of its own."""
    return split(cost(sizes), TASK_COST)


def split(costs: I64, most: int) -> list[I64]:
    """Numbers per task of about cost `most`, the most expensive first; what costs more is a task of its own."""
    order = np.argsort(-costs, kind="stable")
    before = np.cumsum(costs[order]) - costs[order]
    return np.split(order, np.flatnonzero(np.diff(before // most)) + 1)


def cost(sizes: I64) -> I64:
    """What clusters of these sizes take, in pairs of rows: (K,)."""
    return sizes * (sizes + COST_PER_ROW)
