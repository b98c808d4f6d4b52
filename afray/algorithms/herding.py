"""Lazy greedy on bounds: gains only fall, so an old one is a bound, and only a row that leads is measured.

    bounds of all candidates -> the best of them -> leads by a bound as of now -> measured -> still leads: picked
            ^-------------- no longer ahead of all others -------------'

One worker picks, with the bounds that all have listed. Distances decide, and they are measured here.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from afray.algorithms import candidates, coverage, neighbourhoods, numerics, reaches
from afray.algorithms.coverage import Scale
from afray.algorithms.gemm import Compute
from afray.algorithms.jit import compiled
from afray.algorithms.kernel import kernels
from afray.algorithms.neighbourhoods import Neighbourhoods
from afray.algorithms.reaches import Reach, Reaches
from afray.algorithms.shards import RowSource

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]

LEADERS, LEADERS_PER_PICK = 1024, 4
"""Candidates taken out at once: so many, and so many for each row still to be picked, if their pairs find room."""
PAIR_BYTES = 24
"""Of a leader's pair: row, kernel, and its entry twice while it is listed anew."""
TAKEN = -1
"""Stands for the gain of a row that is picked, labelled or among the leaders; below every gain."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HerdTask:
    """How many rows to pick, the rows that have labels, and what the largest list may hold."""

    budget: int
    labelled: I64
    reach: int
    """Rows that any candidate may cover, at most."""


def herd_step(
    source: RowSource,
    task: HerdTask,
    held: Sequence[Neighbourhoods],
    listed: Sequence[Reaches],
    scale: Scale,
    compute: Compute,
) -> I64:
    """`budget` rows without a label, in pick order: (budget,)."""
    ticks, weights = neighbourhoods.join(held)
    covered, weights = kernels(ticks, scale.width), weights >> scale.shift
    herd = Herd(covered, weights, lambda row, rows: kernels(_measure(source, row, rows), scale.width))
    is_listed, pairs = reaches.count_pairs(listed, len(ticks), task.reach)
    most = compute.rows_within(1.0, PAIR_BYTES)
    gains = np.full(len(ticks), np.iinfo(np.int64).max)
    gains[task.labelled] = TAKEN
    picks: list[int] = []
    while (wanted := task.budget - len(picks)) > 0:
        _lower(gains, listed, covered, weights)
        best = _best(gains, LEADERS + LEADERS_PER_PICK * wanted)
        rows = np.sort(best[: max(1, np.searchsorted(np.cumsum(pairs[best]), most, side="right"))])
        there, missing = rows[is_listed[rows]], rows[~is_listed[rows]]
        herd.add(there, reaches.gather(listed, there, covered))
        if len(missing):
            anew = coverage.list_wanted(source, missing, held, scale, compute)
            herd.add(missing, reaches.gather([anew], missing, covered))
        gains[rows] = TAKEN
        best_left = int(np.argmax(gains))
        picks += herd.pick(wanted, (-int(gains[best_left]), best_left))
        for row, gain in herd.drain():
            gains[row] = gain
    return np.array(picks, np.int64)


def _lower(gains: I64, listed: Sequence[Reaches], covered: I64, weights: I64) -> None:
    """Bounds as they are now. An earlier one may be lower: of a row that was measured, or had no list."""
    bounds = np.zeros(len(gains), np.int64)
    for each in listed:
        each.add_bounds(covered, weights, bounds)
    np.minimum(gains, bounds, out=gains)


def _best(gains: I64, count: int) -> I64:
    """The `count` rows of largest gain, best first, ties to the lower row, as far as there are any."""
    free = np.flatnonzero(gains != TAKEN)
    if len(free) > count:
        least = np.partition(gains[free], len(free) - count)[len(free) - count]
        free = free[gains[free] >= least]
    ordered: I64 = free[np.lexsort((free, -gains[free]))[:count]]
    return ordered


def _measure(source: RowSource, row: int, rows: I64) -> I64:
    """Canonical distances of a row to some others."""
    return _last_to_others(candidates.frozen(source.take(np.append(rows, row))))


@compiled
def _last_to_others(features: F32) -> I64:
    last = len(features) - 1
    ticks = np.empty(last, np.int64)
    for other in range(last):
        ticks[other] = numerics.distance_ticks(features, last, features, other)
    return ticks


class Herd:
    """Candidates that lead, best first, and what the picks so far cover."""

    def __init__(self, covered: I64, weights: I64, measure: Callable[[int, I64], I64]) -> None:
        """`covered` (N,) is the kernel of each row and its nearest labelled row, and rises as rows are picked.

        `weights` (N,) are uncertainties; `measure` gives the kernels of a candidate and some rows.
        """
        self._covered, self._weights, self._measure = covered, weights, measure
        self._reach: dict[int, Reach] = {}
        self._measured: set[int] = set()
        self._best: list[tuple[int, int]] = []
        """(-gain or a bound of it, row), a heap."""

    def add(self, rows: I64, found: Iterable[Reach]) -> None:
        """Candidates with all that they may cover, as bounds."""
        self._reach |= zip(rows.tolist(), found, strict=True)
        for row in rows.tolist():
            heapq.heappush(self._best, (-self._gain(row), row))

    def pick(self, wanted: int, bound: tuple[int, int]) -> list[int]:
        """Up to `wanted` rows in order, ties to the lower row, while they come before `bound`: (-gain, row)."""
        picks: list[int] = []
        while self._best and len(picks) < wanted and self._best[0] <= bound:
            known, row = self._best[0]
            if (gain := self._gain(row)) != -known:
                heapq.heapreplace(self._best, (-gain, row))
            elif row not in self._measured:
                rows = self._reach[row].rows
                self._reach[row] = Reach(rows=rows, kernels=self._measure(row, rows))
                self._measured.add(row)
            else:
                heapq.heappop(self._best)
                taken = self._reach.pop(row)
                _cover(taken.rows, taken.kernels, self._covered)
                picks.append(row)
        return picks

    def drain(self) -> list[tuple[int, int]]:
        """Take out all that were not picked: rows, and their last known gains."""
        left = [(row, -known) for known, row in self._best]
        self._best, self._reach, self._measured = [], {}, set()
        return left

    def _gain(self, row: int) -> int:
        reach = self._reach[row]
        return _gain(reach.rows, reach.kernels, self._covered, self._weights)


@compiled
def _gain(rows: I64, found: I64, covered: I64, weights: I64) -> int:
    total = 0
    for place in range(len(rows)):
        total += weights[rows[place]] * max(found[place] - covered[rows[place]], 0)
    return total


@compiled
def _cover(rows: I64, found: I64, covered: I64) -> None:
    for place in range(len(rows)):
        covered[rows[place]] = max(covered[rows[place]], found[place])
