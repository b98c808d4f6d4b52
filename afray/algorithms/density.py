"""Kernels of the outlier removal: rows join a cluster in rounds, the densest first.

The density of a row is its mean distance to the nearest members that joined before it (BiLAF, section on denoising).
Every row keeps a short sorted list of them, so a round costs one look at each pair of waiting row and newcomer.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from afray.algorithms import numerics
from afray.algorithms.jit import compiled
from afray.algorithms.sorted_lists import FAR, insert

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


@compiled
def join_all(
    table: I64, rows: F32, first: I64, rounds: int, nearest: I64, places: I64, density: F64, misread: bool
) -> I64:
    """All rounds on a table of distances: positions in the order of joining, (rounds * len(first),).

    `nearest` and `places` (n, k) are the rows' lists: ticks, and the place of that member in the order of joining.
    """
    step = len(first)
    order = np.empty(step * rounds, np.int64)
    waiting = np.arange(len(table))
    joined = first
    for number in range(rounds):
        for place in range(step):
            order[number * step + place] = joined[place]
        if number + 1 < rounds:
            waiting = without(waiting, joined, len(table))
            absorb(table, waiting, joined, waiting, number * step, nearest, places)
            count = min(nearest.shape[1], (number + 1) * step)
            joined = densest(table, rows, waiting, step, count, nearest, places, density, misread)
    return order


@compiled
def without(waiting: I64, joined: I64, size: int) -> I64:
    """The waiting rows, ascending, less those that joined; rows are positions below `size`."""
    has_joined = np.zeros(size, np.bool_)
    for row in joined:
        has_joined[row] = True
    rest = np.empty(len(waiting) - len(joined), np.int64)
    count = 0
    for row in waiting:
        if not has_joined[row]:
            rest[count] = row
            count += 1
    return rest


@compiled
def absorb(distances: I64, lines: I64, columns: I64, waiting: I64, first_place: int, nearest: I64, places: I64) -> None:
    """Offer each waiting row the newcomers: distances[lines[a], columns[b]] belongs to waiting[a], place first + b."""
    for a in range(len(waiting)):
        for b in range(len(columns)):
            insert(nearest, places, waiting[a], distances[lines[a], columns[b]], first_place + b)


@compiled
def densest(
    table: I64,
    rows: F32,
    waiting: I64,
    step: int,
    count: int,
    nearest: I64,
    places: I64,
    density: F64,
    misread: bool,
) -> I64:
    """The `step` densest waiting rows, ties to the lower row; notes the density of all of them.

    `count` members have a place in the lists. `misread` repeats a slip of the released code: it takes places in the
    order of joining for rows of the cluster.
    """
    sums, joining = np.full((1, step), FAR), np.empty((1, step), np.int64)
    for row in waiting:
        total = sum_misread(table, rows, row, places, count) if misread else sum_nearest(nearest, row, count)
        density[row] = total / count
        insert(sums, joining, 0, total, row)
    return joining.ravel()


@compiled
def sum_nearest(nearest: I64, row: int, count: int) -> int:
    """Sum of a row's `count` shortest distances to members."""
    total = 0
    for k in range(count):
        total += nearest[row, k]
    return total


@compiled
def sum_misread(table: I64, rows: F32, row: int, places: I64, count: int) -> int:
    """Sum of a row's distances to the rows whose numbers are its neighbours' places."""
    total = 0
    if len(table):
        for k in range(count):
            total += table[row, places[row, k]]
    else:
        for k in range(count):
            total += numerics.distance_ticks(rows, row, rows, places[row, k])
    return total
