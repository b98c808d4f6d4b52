"""Lazy greedy on lists of what each candidate would cover: gains only fall, so an old one is a bound.

The driver's part of a coverage selection. It holds two integers per row of the pool (what is covered, and the row's
weight), and lists of the candidates that were ever among the best.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from afray.algorithms.coverage import Pairs
from afray.algorithms.jit import compiled
from afray.algorithms.kernel import kernels

I64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Reach:
    """What one candidate covers better than labels and picks did when it was listed: rows, and the kernel of each."""

    rows: I64
    kernels: I64


class Herd:
    """Candidates with their lists, best first, and what the picks so far cover."""

    def __init__(self, covered: I64, weights: I64) -> None:
        """`covered` (N,) is the kernel of each row and its nearest labelled row, `weights` (N,) its uncertainty."""
        self._covered, self._weights = covered, weights
        self._reach: dict[int, Reach] = {}
        self._best: list[tuple[int, int]] = []
        """(-gain or a bound of it, row), a heap."""

    def add(self, rows: I64, pairs: Pairs, width: float) -> None:
        """List candidates (ascending) by their pairs, in any order."""
        found = kernels(pairs.ticks, width)
        better = np.flatnonzero(found > self._covered[pairs.rows])
        order = better[np.argsort(pairs.candidates[better], kind="stable")]
        cuts = np.searchsorted(pairs.candidates[order], rows, side="right")
        parts = zip(rows.tolist(), np.split(pairs.rows[order], cuts), np.split(found[order], cuts), strict=False)
        for row, covers, values in parts:
            self._reach[row] = Reach(covers, values)
            heapq.heappush(self._best, (-self._gain(row), row))

    def pick(self, wanted: int, bound: tuple[int, int]) -> list[int]:
        """Up to `wanted` rows in order, ties to the lower row, while they come before `bound`: (-gain, row)."""
        picks: list[int] = []
        while self._best and len(picks) < wanted and self._best[0] <= bound:
            known, row = self._best[0]
            if (gain := self._gain(row)) != -known:
                heapq.heapreplace(self._best, (-gain, row))
                continue
            heapq.heappop(self._best)
            taken = self._reach.pop(row)
            _cover(taken.rows, taken.kernels, self._covered)
            picks.append(row)
        return picks

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
