"""What a candidate would cover: the rows that it lies nearer to than their nearest labelled row, and how well it does.

Tasks go by labelled row: its candidates against the rows that it stands for. One matrix product leaves out the pairs
that lie too far apart (nearly all); the rest is measured canonically.

    gain of x = sum over rows i of its neighbourhood of  u_i max(0, kernel(x, i) - kernel(nearest labelled row, i))
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from afray.algorithms import candidates, numerics
from afray.algorithms.closeness import lowest_closeness
from afray.algorithms.gemm import Compute
from afray.algorithms.jit import compiled
from afray.algorithms.kernel import kernels
from afray.algorithms.neighbourhoods import Neighbourhoods, Rows, candidates_of, stood_for
from afray.algorithms.shards import RowSource

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]

CHUNK = 64
"""Rows looked at together: most chunks hold no row near enough."""
STRIP = 4096
"""Rows stood for that are in memory at a time."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pairs:
    """Candidates (row numbers) and rows that they come nearer to; one entry each, (m,)."""

    candidates: I64
    rows: I64
    ticks: I64
    """Distance between the two."""


@dataclass(frozen=True, slots=True, eq=False)
class Near:
    """Near pairs of a block of candidates and a strip of rows: positions in both, and the distance; (m,) each."""

    candidates: I64
    rows: I64
    ticks: I64


def gains_step(
    source: RowSource, numbers: I64, held: Sequence[Neighbourhoods], width: float, shift: int, compute: Compute
) -> tuple[I64, I64]:
    """For some labelled rows: candidates that gain anything, and how much. A candidate may occur more than once.

    `shift`: bits that every uncertainty loses, so that sums fit into an int64.
    """
    rows, gains = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for strip, block, near in _all_pairs(source, numbers, held, None, compute):
        total = _add_up(near, strip, width, shift, len(block.rows))
        rows.append(block.rows[total > 0])
        gains.append(total[total > 0])
    return np.concatenate(rows), np.concatenate(gains)


def pairs_step(source: RowSource, numbers: I64, held: Sequence[Neighbourhoods], wanted: I64, compute: Compute) -> Pairs:
    """For some labelled rows: all that the `wanted` candidates (ascending) come nearer to."""
    pairs = [
        Pairs(candidates=block.rows[near.candidates], rows=strip.rows[near.rows], ticks=near.ticks)
        for strip, block, near in _all_pairs(source, numbers, held, wanted, compute)
    ]
    return join(pairs)


def join(pairs: Sequence[Pairs]) -> Pairs:
    """All of them, in their order."""
    nothing = np.empty(0, np.int64)
    return Pairs(
        candidates=np.concatenate([nothing, *(each.candidates for each in pairs)]),
        rows=np.concatenate([nothing, *(each.rows for each in pairs)]),
        ticks=np.concatenate([nothing, *(each.ticks for each in pairs)]),
    )


def _all_pairs(
    source: RowSource, numbers: I64, held: Sequence[Neighbourhoods], wanted: I64 | None, compute: Compute
) -> Iterator[tuple[Rows, Rows, Near]]:
    """Strips of rows stood for, blocks of their candidates, and what is near between the two."""
    norm = max((float(np.sqrt(2.0 * each.half_squares.max(initial=0.0))) for each in held), default=0.0)
    for number in numbers.tolist():
        some = candidates_of(held, number, wanted)
        for strip in _cut(stood_for(held, number), STRIP) if len(some.rows) else ():
            others = source.take(strip.rows)
            error = candidates.slack(others.shape[1], norm, norm)
            for block in _cut(some, compute.block):
                features = source.take(block.rows)
                values = np.empty((len(features), len(others)), np.float32)
                compute.product(features, others.T, values)
                near = _measure_near(
                    values, block.half_squares, strip.half_squares, error, features, others, strip.ticks
                )
                yield strip, block, Near(*near)


def _cut(rows: Rows, size: int) -> Iterator[Rows]:
    return (rows.take(slice(first, first + size)) for first in range(0, len(rows.rows), size))


@compiled
def _measure_near(
    values: F32, halves: F32, other_halves: F32, error: float, some: F32, others: F32, reach: I64
) -> tuple[I64, I64, I64]:
    """Pairs whose canonical distance is below the other's reach; products `values` (n, m) say where to look."""
    lowest = np.empty(len(others), np.float32)
    for i in range(len(others)):
        # Below zero; a little lower is on the safe side of rounding to float32.
        lowest[i] = lowest_closeness(reach[i], error) * (1.0 + 4.0 * numerics.U32)
    left, right, ticks = np.empty(CHUNK, np.int64), np.empty(CHUNK, np.int64), np.empty(CHUNK, np.int64)
    found = 0
    for k in range(len(some)):
        for first in range(0, len(others), CHUNK):
            end = min(first + CHUNK, len(others))
            count = 0
            for i in range(first, end):
                count += (values[k, i] - halves[k]) - other_halves[i] >= lowest[i]
            if count == 0:
                continue
            if found + count > len(left):
                left, right, ticks = _longer(left, count), _longer(right, count), _longer(ticks, count)
            for i in range(first, end):
                if (values[k, i] - halves[k]) - other_halves[i] >= lowest[i]:
                    distance = numerics.distance_ticks(some, k, others, i)
                    if distance < reach[i]:
                        left[found], right[found], ticks[found] = k, i, distance
                        found += 1
    return left[:found], right[:found], ticks[:found]


@compiled
def _longer(array: I64, more: int) -> I64:
    longer = np.empty(2 * len(array) + more, np.int64)
    longer[: len(array)] = array
    return longer


def _add_up(near: Near, strip: Rows, width: float, shift: int, count: int) -> I64:
    """What each of `count` candidates gains on a strip: (count,)."""
    found, covered = kernels(near.ticks, width), kernels(strip.ticks, width)
    return _sum_gains(near.candidates, near.rows, found, covered, strip.weights >> shift, count)


@compiled
def _sum_gains(places: I64, rows: I64, found: I64, covered: I64, weights: I64, count: int) -> I64:
    gains = np.zeros(count, np.int64)
    for pair in range(len(places)):
        gains[places[pair]] += weights[rows[pair]] * (found[pair] - covered[rows[pair]])
    return gains
