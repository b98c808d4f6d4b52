"""What candidates may cover, as bounds: four bytes a pair of candidate and row, for all candidates of a pool at once.

A candidate has a list for every cell that it reaches into. (A cell holds the rows of one labelled row, or a strip of
them.) An entry is a row's place in the cell and a bound of the kernel, in sixteen of its steps: fine enough beside the
error of the float32 product that it comes from. Where lists find no room, the sum of their bounds is left.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from afray.algorithms.jit import compiled
from afray.algorithms.kernel import WHOLE

Bools = NDArray[np.bool_]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]
U16 = NDArray[np.uint16]
U32 = NDArray[np.uint32]

PLACE_BITS = 16
"""A cell has fewer than 65,536 rows, so that a list's length fits too."""
LOST_BITS = (WHOLE - 1).bit_length() - PLACE_BITS
"""Of a kernel, so that what is left of 1 to WHOLE fits beside the place."""
LOW = (1 << PLACE_BITS) - 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reaches:
    """Lists of many candidates in some cells. Only lists that hold something are there.

    Most are short, and there are some sixteen for every row of the pool: what each takes beside its entries counts.
    """

    rows: I64
    """Rows of these cells, cell after cell (R,)."""
    row_counts: I64
    """Rows of each cell (C,)."""
    candidates: I32
    """Whose list it is (L,), cell after cell."""
    list_counts: I64
    """Lists of each cell (C,)."""
    lengths: U16
    """Entries of each list (L,)."""
    entries: U32
    unlisted: I64
    """Candidates whose lists found no room, once for each cell (m,)."""
    most: I64
    """What each of these gains there at most, before anything is picked (m,)."""

    @property
    def list_bytes(self) -> int:
        """What its lists take."""
        return list_bytes(len(self.entries), len(self.candidates))

    @property
    def bases(self) -> I64:
        """Where each list's cell begins in `rows` (L,)."""
        return np.repeat(np.cumsum(self.row_counts) - self.row_counts, self.list_counts)

    @property
    def starts(self) -> I64:
        """List l is entries[starts[l] : starts[l + 1]] (L + 1,)."""
        starts = np.zeros(len(self.lengths) + 1, np.int64)
        np.cumsum(self.lengths, out=starts[1:])
        return starts

    def add_bounds(self, covered: I64, weights: I64, gains: I64) -> None:
        """Add to `gains` what candidates still gain in these cells at most; all three (N,)."""
        totals = sum_bounds(self.bases, self.starts, self.entries, covered[self.rows], weights[self.rows])
        _add(self.candidates, totals, gains)
        _add(self.unlisted, self.most, gains)


def list_bytes(entries: int, lists: int) -> int:
    """What so many entries take in so many lists."""
    return 4 * entries + 6 * lists


NOTHING = Reaches(
    rows=np.empty(0, np.int64),
    row_counts=np.empty(0, np.int64),
    candidates=np.empty(0, np.int32),
    list_counts=np.empty(0, np.int64),
    lengths=np.empty(0, np.uint16),
    entries=np.empty(0, np.uint32),
    unlisted=np.empty(0, np.int64),
    most=np.empty(0, np.int64),
)


def join(parts: Sequence[Reaches]) -> Reaches:
    """All of them, in their order."""
    arrays = {
        each.name: np.concatenate([getattr(part, each.name) for part in (NOTHING, *parts)]) for each in fields(Reaches)
    }
    return Reaches(**arrays)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reach:
    """Rows that one candidate may cover better than they are covered, and the kernel of each, or a bound of it."""

    rows: I64
    kernels: I64


def gather(reaches: Sequence[Reaches], wanted: I64, covered: I64) -> Iterator[Reach]:
    """The reach of each of the `wanted` candidates over all cells; `covered` (N,)."""
    places = np.full(len(covered), -1, np.int32)
    places[wanted] = np.arange(len(wanted))
    lines = [np.flatnonzero(places[each.candidates] >= 0) for each in reaches]
    counts = np.zeros(len(wanted), np.int64)
    for each, some in zip(reaches, lines, strict=True):
        _add(places[each.candidates[some]], each.lengths[some], counts)
    starts = np.cumsum(counts) - counts
    ends = starts.copy()
    rows, kernels = np.empty(counts.sum(), np.int64), np.empty(counts.sum(), np.int64)
    for each, some in zip(reaches, lines, strict=True):
        whose = places[each.candidates[some]]
        _copy(some, whose, each.bases, each.starts, each.entries, each.rows, covered, ends, rows, kernels)
    for first, last in zip(starts.tolist(), ends.tolist(), strict=True):
        yield Reach(rows=rows[first:last], kernels=kernels[first:last])


def count_pairs(reaches: Sequence[Reaches], rows: int, longest: int) -> tuple[Bools, I64]:
    """Which of all rows (N,) are listed in every cell, and how many pairs each has: `longest` for one that is not."""
    is_listed, pairs = np.ones(rows, np.bool_), np.zeros(rows, np.int64)
    for each in reaches:
        is_listed[each.unlisted] = False
        _add(each.candidates, each.lengths, pairs)
    pairs[~is_listed] = longest
    return is_listed, pairs


@compiled
def sum_bounds(bases: I64, starts: I64, entries: U32, covered: I64, weights: I64) -> I64:
    """What each list (L,) is worth at most; `covered` and `weights` are those of the cells' rows."""
    totals = np.empty(len(bases), np.int64)
    for line in range(len(bases)):
        total = 0
        for p in range(starts[line], starts[line + 1]):
            row = bases[line] + place_of(entries[p])
            total += weights[row] * max(bound_of(entries[p]) - covered[row], 0)
        totals[line] = total
    return totals


@compiled
def _add(places: I32 | I64, values: U16 | I64, totals: I64) -> None:
    """As np.add.at, in a twentieth of its time."""
    for p in range(len(places)):
        totals[places[p]] += values[p]


@compiled
def to_entry(place: int, kernel: int) -> int:
    """A row's place in its cell and a kernel from 0 to WHOLE."""
    return (place << PLACE_BITS) | (max(kernel - 1, 0) >> LOST_BITS)


@compiled
def place_of(entry: int) -> int:
    """The place in an entry."""
    return int(np.int64(entry)) >> PLACE_BITS


@compiled
def bound_of(entry: int) -> int:
    """The kernel in an entry, rounded up."""
    return ((int(np.int64(entry)) & LOW) + 1) << LOST_BITS


@compiled
def _copy(
    lines: I64,
    whose: I32,
    bases: I64,
    starts: I64,
    entries: U32,
    rows: I64,
    covered: I64,
    ends: I64,
    found: I64,
    kernels: I64,
) -> None:
    """Append entries that are worth anything to their candidate's, which end at `ends`."""
    for line, place in zip(lines, whose):  # noqa: B905 - numba knows no strict
        for p in range(starts[line], starts[line + 1]):
            row, bound = rows[bases[line] + place_of(entries[p])], bound_of(entries[p])
            if bound > covered[row]:
                found[ends[place]], kernels[ends[place]] = row, bound
                ends[place] += 1
