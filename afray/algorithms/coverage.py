"""What a candidate may cover: the rows that it lies nearer to than their nearest labelled row, and how well at most.

Work goes by labelled row: its candidates against the rows that it stands for. One float32 product leaves out the pairs
that lie too far apart (nearly all) and bounds the kernel of the others. Nothing is measured here.

    gain of x = sum over rows i of its neighbourhood of  u_i max(0, kernel(x, i) - kernel(nearest labelled row, i))
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from afray.algorithms import candidates, numerics, reaches
from afray.algorithms.closeness import lowest_closeness
from afray.algorithms.gemm import Compute
from afray.algorithms.jit import compiled
from afray.algorithms.kernel import EXPONENT_STEPS, LARGEST_EXPONENT, WHOLE, kernels
from afray.algorithms.neighbourhoods import Neighbourhoods, Rows, candidates_of, stood_for
from afray.algorithms.reaches import Reaches
from afray.algorithms.shards import RowSource

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]
U32 = NDArray[np.uint32]

STRIP = 4096
"""Rows stood for that are in memory at a time: a cell has no more."""
WORD = 8
"""Rows looked at together: most such groups hold none that is near enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """What turns distances and uncertainties into gains."""

    width: float
    """Of the kernel, in ticks."""
    shift: int
    """Bits that every uncertainty loses, so that sums fit into an int64."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ListTask:
    """Labelled rows by number, and the bytes that lists for them may take."""

    numbers: I64
    room: int


def list_step(
    source: RowSource, task: ListTask, held: Sequence[Neighbourhoods], scale: Scale, compute: Compute
) -> Reaches:
    """What all candidates of some labelled rows may cover of the rows that these stand for."""
    parts: list[Reaches] = []
    room, norm = task.room, _largest_norm(held)
    for number in task.numbers.tolist():
        some = candidates_of(held, number, None)
        for cell in _cells(source, held, number, norm, scale):
            parts.append(cell.list(source, some, room, compute))
            room -= parts[-1].list_bytes
    return reaches.join(parts)


def list_wanted(
    source: RowSource, wanted: I64, held: Sequence[Neighbourhoods], scale: Scale, compute: Compute
) -> Reaches:
    """What the `wanted` candidates (ascending) may cover, whatever room that takes."""
    parts: list[Reaches] = []
    norm = _largest_norm(held)
    for number in range(held[0].labelled):
        some = candidates_of(held, number, wanted)
        cells = _cells(source, held, number, norm, scale) if len(some.rows) else ()
        parts += (cell.list(source, some, np.iinfo(np.int64).max, compute) for cell in cells)
    return reaches.join(parts)


def _largest_norm(held: Sequence[Neighbourhoods]) -> float:
    return max(float(np.sqrt(2.0 * each.half_squares.max(initial=0.0))) for each in held)


def _cells(
    source: RowSource, held: Sequence[Neighbourhoods], number: int, norm: float, scale: Scale
) -> Iterator[_Cell]:
    for rows in _cut(stood_for(held, number), STRIP):
        yield _Cell(rows, source.take(rows.rows), norm, scale)


def _cut(rows: Rows, size: int) -> Iterator[Rows]:
    return (rows.take(slice(first, first + size)) for first in range(0, len(rows.rows), size))


class _Cell:
    """Rows that a labelled row stands for, and what it takes to be worth anything to each of them."""

    def __init__(self, rows: Rows, features: F32, norm: float, scale: Scale) -> None:
        self._rows, self._width = rows, scale.width
        self._transposed = np.ascontiguousarray(features.T)
        self._error = candidates.slack(features.shape[1], norm, norm)
        self._limits = _lowest(rows.ticks, rows.half_squares, self._error)
        self._covered, self._weights = kernels(rows.ticks, scale.width), rows.weights >> scale.shift

    def list(self, source: RowSource, some: Rows, room: int, compute: Compute) -> Reaches:
        """What some candidates may cover of these rows; lists of up to `room` bytes."""
        nothing = np.empty(0, np.int64)
        rows, lengths, entries, unlisted, most = [nothing], [nothing], [np.empty(0, np.uint32)], [nothing], [nothing]
        buffers = _Buffers(min(compute.block, len(some.rows)) * len(self._rows.rows))
        for block in _cut(some, compute.block):
            starts, found = self._find(source.take(block.rows), block.half_squares, compute, buffers)
            if (taken := reaches.list_bytes(len(found), int(np.count_nonzero(np.diff(starts))))) <= room:
                room -= taken
                rows.append(block.rows)
                lengths.append(np.diff(starts))
                entries.append(found)
            else:
                unlisted.append(block.rows)
                bases = np.zeros(len(block.rows), np.int64)
                most.append(reaches.sum_bounds(bases, starts, found, self._covered, self._weights))
        sizes = np.concatenate(lengths)
        listed = np.flatnonzero(sizes)
        return Reaches(
            rows=self._rows.rows,
            row_counts=np.array([len(self._rows.rows)]),
            candidates=np.concatenate(rows)[listed].astype(np.int32),
            list_counts=np.array([len(listed)]),
            lengths=sizes[listed].astype(np.uint16),
            entries=np.concatenate(entries),
            unlisted=np.concatenate(unlisted),
            most=np.concatenate(most),
        )

    def _find(self, features: F32, halves: F32, compute: Compute, buffers: _Buffers) -> tuple[I64, U32]:
        """Where the entries of each of n candidates begin (n + 1,), and the entries."""
        size = len(features) * self._transposed.shape[1]
        values = buffers.values[:size].reshape(len(features), -1)
        compute.product(features, self._transposed, values)
        starts = np.empty(len(features) + 1, np.int64)
        find_near(values, halves, self._limits, self._rows.half_squares, buffers.places, buffers.closeness, starts)
        places, closeness = buffers.places[: starts[-1]], buffers.closeness[: starts[-1]]
        return starts, bound_kernels(places, closeness, self._error, self._width / numerics.TICKS)


class _Buffers:
    """What a block is worked on in: fresh memory for each would cost more than the search."""

    def __init__(self, size: int) -> None:
        self.values, self.closeness = np.empty(size, np.float32), np.empty(size + 1, np.float32)
        self.places = np.empty(size + 1, np.int32)


@compiled
def _lowest(ticks: I64, halves: F32, error: float) -> F32:
    """What x.i - |x|**2 / 2 comes to at least for all x within `ticks` of row i: (n,). Rounded down."""
    lowest = np.empty(len(ticks), np.float32)
    for i in range(len(ticks)):
        lowest[i] = np.nextafter(np.float32(lowest_closeness(ticks[i], error) + halves[i]), np.float32(-np.inf))
    return lowest


@compiled
def find_near(
    values: F32, halves: F32, limits: F32, other_halves: F32, places: I32, closeness: F32, starts: I64
) -> None:
    """Pairs that reach the other's limit, by products `values` (n, m): places among the m, and how close they are.

    Those of candidate k begin at starts[k]; the arrays have room for one more than all. A pair is written wherever the
    next one goes, and counted if it is near: no branch depends on it.
    """
    count, width = values.shape
    whole = width - width % WORD
    is_near = np.empty(width, np.uint8)
    words = is_near[:whole].view(np.uint64)
    found = 0
    for k in range(count):
        starts[k] = found
        row, half = values[k], halves[k]
        for i in range(width):
            is_near[i] = row[i] - half >= limits[i]
        for word in range(len(words)):
            if words[word] != 0:
                for i in range(WORD * word, WORD * (word + 1)):
                    places[found], closeness[found] = i, (row[i] - half) - other_halves[i]
                    found += is_near[i]
        for i in range(whole, width):
            places[found], closeness[found] = i, (row[i] - half) - other_halves[i]
            found += is_near[i]
    starts[count] = found


@compiled
def bound_kernels(places: I32, closeness: F32, error: float, width: float) -> U32:
    """Entries of pairs that are as close as this, wrong by at most `error`; `width` of the kernel as a distance.

    One step and a half cover the rounding of the kernel, one of the exponent's that of the exponent.
    """
    factor = 1.0 / (width * width)
    entries = np.empty(len(places), np.uint32)
    for p in range(len(places)):
        exponent = max(-(closeness[p] + error), 0.0) * factor - 1.0 / EXPONENT_STEPS
        kernel = int(numerics.exp(-min(exponent, LARGEST_EXPONENT + 1.0)) * WHOLE + 1.5)
        entries[p] = reaches.to_entry(places[p], min(kernel, WHOLE))
    return entries
