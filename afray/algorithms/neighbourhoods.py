"""Which labelled rows are near to every row: what makes the sum of a coverage gain local.

A candidate is judged by the rows whose nearest labelled row is among its own `neighbours` nearest ones. Each worker
finds them for its shard, and keeps for every labelled row both sides: the rows that it stands for, and the candidates
that may take them over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from afray.algorithms import candidates, margins, numerics
from afray.algorithms.closeness import half_squares
from afray.algorithms.gemm import Compute
from afray.algorithms.jit import compiled
from afray.algorithms.margins import LinearModel
from afray.algorithms.precisions import FLOAT32
from afray.algorithms.shards import RowSource, Shard
from afray.algorithms.sorted_lists import FAR, insert

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]

SPARE = 4
"""Labelled rows listed beyond those wanted; if these are as near within the error, all of them are measured."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Grouped:
    """Row numbers by labelled row: those of number l are rows[starts[l] : starts[l + 1]], ascending."""

    rows: I32
    starts: I64

    def of(self, number: int) -> I32:
        """The rows of one labelled row."""
        return self.rows[self.starts[number] : self.starts[number + 1]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Neighbourhoods:
    """One shard, seen from K labelled rows."""

    start: int
    """Row number of the shard's first row."""
    ticks: I64
    """Distance of each row of the shard to its nearest labelled row (n,)."""
    weights: I64
    """Uncertainty of each row (n,)."""
    half_squares: F32
    """|x|**2 / 2 of each row (n,)."""
    stands_for: Grouped
    """Rows by their nearest labelled row, without those that no pick could be worth anything to."""
    candidates: Grouped
    """Rows without a label, by each of their nearest labelled rows."""

    @property
    def labelled(self) -> int:
        """K."""
        return len(self.stands_for.starts) - 1


def survey_step(
    shard: Shard, labelled: I64, features: F32, neighbours: int, model: LinearModel | None, compute: Compute
) -> Neighbourhoods:
    """Look at one shard. `labelled` (K,) ascends; `features` (K, D) are theirs. Without a model all are uncertain."""
    count = len(shard.features)
    nearest = np.empty((count, min(neighbours, len(labelled))), np.int32)
    ticks = np.empty(count, np.int64)
    weights = np.full(count, margins.UNCERTAIN, np.int64)
    scorer = NearestLabelled(features, compute)
    for first in range(0, count, compute.block):
        block = slice(first, first + compute.block)
        nearest[block], ticks[block] = scorer.find(shard.features[block], nearest.shape[1])
        if model is not None:
            weights[block] = margins.uncertainties(shard.features[block], model, compute)
    matters = (ticks > 0) & (weights > 0)
    is_labelled = np.isin(shard.rows, labelled)
    return Neighbourhoods(
        start=shard.start,
        ticks=ticks,
        weights=weights,
        half_squares=half_squares(shard.features),
        stands_for=_group(shard.rows[matters], nearest[matters, :1], len(labelled)),
        candidates=_group(shard.rows[~is_labelled], nearest[~is_labelled], len(labelled)),
    )


def _group(rows: I64, numbers: I32, count: int) -> Grouped:
    """Rows (n,) by each of their numbers (n, p), which are below `count`."""
    order = np.argsort(numbers.ravel(), kind="stable")
    sizes = np.bincount(numbers.ravel(), minlength=count)
    grouped = rows.astype(np.int32)[order // numbers.shape[1]]
    return Grouped(rows=grouped, starts=np.cumsum([0, *sizes]).astype(np.int64))


class NearestLabelled:
    """Finds the nearest labelled rows (K, D) of many rows."""

    def __init__(self, features: F32, compute: Compute) -> None:
        # Coarser scores would leave too many to measure: it takes the p-th nearest to end a list, not the nearest.
        self._scorer = candidates.Scorer(features, replace(compute, proposals=FLOAT32.name))
        self._features = candidates.frozen(features)
        self._norm = candidates.largest_norm(features)

    def find(self, rows: F32, count: int) -> tuple[I32, I64]:
        """Numbers of the `count` <= K nearest of each row (n, count), the nearest first, and the distance to that one.

        By canonical distance, ties to the lower number. The others come in no order.
        """
        _, found = self._scorer.nearest(rows, count + SPARE)
        margin = 2.0 * candidates.slack(rows.shape[1], candidates.largest_norm(rows), self._norm)
        ticks = np.full((len(rows), count), FAR, np.int64)
        nearest = np.full((len(rows), count), candidates.NOBODY, np.int32)
        _settle(candidates.frozen(rows), self._features, found.centres, found.scores, margin, ticks, nearest)
        return nearest, ticks[:, 0]


@compiled
def _settle(rows: F32, features: F32, listed: I32, scores: F32, margin: float, ticks: I64, nearest: I32) -> None:
    """Distances decide who is nearest, and where scores within the margin leave open who is among the nearest."""
    (count, wanted), length = nearest.shape, listed.shape[1]
    for i in range(count):
        # The wanted ones that score best are no worse than this, so none of the nearest may score lower by the margin.
        limit = np.float64(scores[i, wanted - 1]) - margin
        everyone = scores[i, length - 1] >= limit and length < len(features)
        is_open = everyone or (length > wanted and scores[i, wanted] >= limit)
        if not is_open:
            nearest[i] = listed[i, :wanted]
            _lead(rows, features, i, scores, margin, ticks, nearest)
            continue
        for place in range(len(features) if everyone else length):
            if not everyone and scores[i, place] < limit:
                break
            number = place if everyone else listed[i, place]
            insert(ticks, nearest, i, numerics.distance_ticks(rows, i, features, number), number)


@compiled
def _lead(rows: F32, features: F32, i: int, scores: F32, margin: float, ticks: I64, nearest: I32) -> None:
    """Put the nearest of row i first, of those that score best within the margin."""
    limit = np.float64(scores[i, 0]) - margin
    for place in range(nearest.shape[1]):
        if scores[i, place] < limit:
            break
        number = nearest[i, place]
        distance = numerics.distance_ticks(rows, i, features, number)
        if distance < ticks[i, 0] or (distance == ticks[i, 0] and number < nearest[i, 0]):
            ticks[i, 0], nearest[i, place], nearest[i, 0] = distance, nearest[i, 0], number


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Facts:
    """What all shards come to."""

    median: int
    """Lower median of the distances to the nearest labelled row; of those above zero if it would be zero.

    One tick if there are none: then no row is worth anything, and the width of the kernel means nothing.
    """
    total: int
    """Sum of the uncertainties of all rows."""
    total_labelled: int
    """The same of labelled rows."""
    sizes: I64
    """Rows that each labelled row stands for (K,)."""
    candidates: I64
    """Candidates of each labelled row (K,)."""


def facts_step(_: RowSource, labelled: I64, held: Sequence[Neighbourhoods]) -> Facts:
    """Counts and sums over all shards."""
    ticks, weights = join(held)
    return Facts(
        median=_median(ticks),
        total=int(weights.sum()),
        total_labelled=int(weights[labelled].sum()),
        sizes=np.sum([np.diff(each.stands_for.starts) for each in held], axis=0),
        candidates=np.sum([np.diff(each.candidates.starts) for each in held], axis=0),
    )


def _median(ticks: I64) -> int:
    apart = np.sort(ticks[ticks > 0])
    if len(apart) == 0:
        return 1
    zeros, middle = len(ticks) - len(apart), (len(ticks) - 1) // 2
    return int(apart[middle - zeros if middle >= zeros else (len(apart) - 1) // 2])


def join(held: Sequence[Neighbourhoods]) -> tuple[I64, I64]:
    """Distances to the nearest labelled row, and uncertainties, of all rows: (N,) each."""
    return np.concatenate([each.ticks for each in held]), np.concatenate([each.weights for each in held])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """Some rows of all shards: their numbers, and what the survey found out about each."""

    rows: I64
    ticks: I64
    weights: I64
    half_squares: F32

    def take(self, places: slice) -> Rows:
        """Those of a stretch."""
        return Rows(
            rows=self.rows[places],
            ticks=self.ticks[places],
            weights=self.weights[places],
            half_squares=self.half_squares[places],
        )


def stood_for(held: Sequence[Neighbourhoods], number: int) -> Rows:
    """The rows that a labelled row stands for."""
    return _describe(held, [each.stands_for.of(number) for each in held])


def candidates_of(held: Sequence[Neighbourhoods], number: int, wanted: I64 | None) -> Rows:
    """The candidates of a labelled row: all, or those `wanted` (ascending)."""
    rows = [each.candidates.of(number) for each in held]
    return _describe(held, rows if wanted is None else [_among(found, wanted) for found in rows])


def _among(rows: I32, wanted: I64) -> I32:
    """Those of `rows` that are in `wanted` (ascending, at least one)."""
    places = np.minimum(np.searchsorted(wanted, rows), len(wanted) - 1)
    here: I32 = rows[wanted[places] == rows]
    return here


def _describe(held: Sequence[Neighbourhoods], rows: list[I32]) -> Rows:
    places = [found - each.start for each, found in zip(held, rows, strict=True)]
    return Rows(
        rows=np.concatenate(rows).astype(np.int64),
        ticks=np.concatenate([each.ticks[here] for each, here in zip(held, places, strict=True)]),
        weights=np.concatenate([each.weights[here] for each, here in zip(held, places, strict=True)]),
        half_squares=np.concatenate([each.half_squares[here] for each, here in zip(held, places, strict=True)]),
    )
