"""How rows pull the parametric centres of ActiveFT: one pass of a shard's rows over all centres.

A float32 product proposes, per row, the centre with the largest cosine; where another one comes within the error bound,
float64 products in fixed order decide, ties to the lower centre. A row's weighted features are rounded to integers
before they are added, so the sums do not depend on blocks, shards or threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from afray.algorithms import draws, numerics, precisions
from afray.algorithms.devices import DeviceScores
from afray.algorithms.gemm import Compute
from afray.algorithms.jit import compiled
from afray.algorithms.shards import Shard

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]

WEIGHT_TICKS = float(1 << 24)
"""Ticks per unit of a weight and of a weighted feature: the resolution of float32 at 1."""
CARRY_AFTER = 127
"""A weighted feature is at most 2**24 ticks (and a few, where a norm is rounded up); 127 of them fit into an int32."""
TILE = 2048
"""Centres per product: with 1024 rows, 8 MiB of scores are still near when they are scanned."""
LANES = 64
"""Rows looked at together for scores within the margin: most such groups hold none."""
FEW = 16
"""Up to a sixteenth of all rows it is faster to pick out their scores than to go through those of all."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Field:
    """What a row feels: unit vectors (K, D) of the centres, their total repulsion (K,), and the temperature."""

    units: F32
    totals: F64
    temperature: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Rows that take part: those whose key under `salt` is at most `largest_key` (see `draws`)."""

    salt: np.uint64
    largest_key: np.uint64


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pull:
    """Sums over the rows each centre wins: weight * features (K, D) and weight (K,), in ticks; and the rows in all."""

    vectors: I64
    weights: I64
    rows: int


def merge(parts: Sequence[Pull]) -> Pull:
    """The sum of all parts, exact for up to 2**32 rows."""
    return Pull(
        vectors=sum((part.vectors for part in parts[1:]), start=parts[0].vectors),
        weights=sum((part.weights for part in parts[1:]), start=parts[0].weights),
        rows=sum(part.rows for part in parts),
    )


def pull(shard: Shard, field: Field, sample: Sample | None, compute: Compute) -> Pull:
    """The pull of a shard's rows (all, or those of the sample) on every centre."""
    rows = _sampled(shard, sample)
    search, sums = Search(field.units, compute), Accumulator(field)
    for block in _blocks(shard.features, rows, search.block):
        sums.add(block, search.winners(block))
    return Pull(vectors=sums.vectors + sums.pending, weights=sums.weights, rows=len(rows))


def _sampled(shard: Shard, sample: Sample | None) -> I64:
    """Positions within the shard."""
    if sample is None:
        return np.arange(len(shard.features), dtype=np.int64)
    return np.flatnonzero(draws.keys(shard.rows, sample.salt) <= sample.largest_key)


def _blocks(features: F32, rows: I64, size: int) -> Iterator[F32]:
    for first in range(0, len(rows), size):
        part = rows[first : first + size]
        contiguous = part[-1] - part[0] == len(part) - 1
        yield features[part[0] : part[-1] + 1] if contiguous else features[part]


class Search:
    """Finds the centre with the largest cosine for each row of a block; keeps its buffers between blocks."""

    def __init__(self, units: F32, compute: Compute) -> None:
        self._units, self._compute = units, compute
        self.block = min(compute.block, compute.rows_within(0.25, 4 * len(units)))
        """Rows per call of `winners`, at most."""
        self._margin = 2.0 * precisions.bound(units.shape[1], 1.0, 1.0, compute.precision)
        self._device = DeviceScores(units, None, compute) if compute.scores_there and len(units) > 1 else None
        self._scores = np.empty(0 if self._device else len(units) * self.block, np.float32)

    def winners(self, block: F32) -> I32:
        if self._device is not None:
            return self._winners_there(self._device, block)
        centres, rows = len(self._units), len(block)
        scores = self._scores[: centres * rows].reshape(centres, rows)
        best, second = np.full(rows, -np.inf, np.float32), np.full(rows, -np.inf, np.float32)
        winners = np.zeros(rows, np.int32)
        for first in range(0, centres, TILE):
            tile = slice(first, first + TILE)
            self._compute.proposal_product(self._units[tile], block.T, scores[tile])
            scan(scores[tile], first, best, second, winners)
        self._settle(block, best, second, lambda some: scores if len(some) == rows else scores[:, some], winners)
        return winners

    def _winners_there(self, device: DeviceScores, block: F32) -> I32:
        leaders, top, scores = device.top(block, 2)
        winners = leaders[:, 0].astype(np.int32)
        best, second = np.ascontiguousarray(top.T)
        self._settle(block, best, second, lambda some: device.take(scores, some).T, winners)
        return winners

    def _settle(self, block: F32, best: F32, second: F32, take: Callable[[I64], F32], winners: I32) -> None:
        """Let exact cosines decide where the margin leaves it open; take(rows) gives their scores (K, len(rows))."""
        close = np.flatnonzero(second >= best - self._margin)
        if len(close) == 0 or not self._compute.certify:
            return
        if len(close) > len(block) // FEW:
            close = np.arange(len(block))
        settled, scores = winners[close], np.ascontiguousarray(take(close))
        _certify(block[close], self._units, scores, best[close], second[close], self._margin, settled)
        winners[close] = settled


@compiled
def scan(scores: F32, first: int, best: F32, second: F32, winners: I32) -> None:
    """The two largest scores of every row (column here) so far; written without branches, to run in vector lanes."""
    for k in range(scores.shape[0]):
        for i in range(scores.shape[1]):
            score, leader = scores[k, i], best[i]
            loser = leader if score > leader else score
            second[i] = loser if loser > second[i] else second[i]
            winners[i] = first + k if score > leader else winners[i]
            best[i] = score if score > leader else leader


@compiled
def _certify(block: F32, units: F32, scores: F32, best: F32, second: F32, margin: float, winners: I32) -> None:
    """Let exact cosines decide among scores within the margin of a row's best; ties to the lower centre."""
    count = scores.shape[1]
    limits, largest = np.full(count, np.inf, np.float32), np.full(count, -np.inf)
    for i in range(count):
        if second[i] >= best[i] - margin:
            limits[i] = np.nextafter(np.float32(best[i] - margin), np.float32(-np.inf))
    for k in range(scores.shape[0]):
        row = scores[k]
        for first in range(0, count - count % LANES, LANES):
            hits = 0
            for lane in range(LANES):
                hits += row[first + lane] >= limits[first + lane]
            if hits:
                _compare(block, units, k, row, limits, first, first + LANES, largest, winners)
        _compare(block, units, k, row, limits, count - count % LANES, count, largest, winners)


@compiled
def _compare(
    block: F32, units: F32, k: int, scores: F32, limits: F32, start: int, stop: int, largest: F64, winners: I32
) -> None:
    for i in range(start, stop):
        if scores[i] >= limits[i]:
            cosine = numerics.dot(block, i, units, k)
            if cosine > largest[i]:
                largest[i], winners[i] = cosine, k


class Accumulator:
    """The sums of a pull. Vectors grow in int32 lanes, twice as fast as wider ones, and carry over before they fill."""

    def __init__(self, field: Field) -> None:
        self._field = field
        self.vectors = np.zeros(field.units.shape, np.int64)
        self.pending = np.zeros(field.units.shape, np.int32)
        self.weights = np.zeros(len(field.units), np.int64)
        self._counts = np.zeros(len(field.units), np.int64)

    def add(self, block: F32, winners: I32) -> None:
        """Add weight * features of each row of a block (n, D) to its winner (n,)."""
        field = self._field
        _add(
            block, winners, field.units, field.totals, field.temperature,
            self.weights, self._counts, self.pending, self.vectors,
        )  # fmt: skip


@compiled
def _add(
    block: F32, winners: I32, units: F32, totals: F64, temperature: float,
    weights: I64, counts: I64, pending: I32, vectors: I64,
) -> None:  # fmt: skip
    for i in range(block.shape[0]):
        c = winners[i]
        ticks = weight_ticks(numerics.dot(block, i, units, c), totals[c], temperature)
        weights[c] += np.int64(ticks)
        for q in range(block.shape[1]):
            pending[c, q] += np.int32(np.rint(ticks * block[i, q]))
        counts[c] += 1
        if counts[c] % CARRY_AFTER == 0:
            for q in range(block.shape[1]):
                vectors[c, q] += pending[c, q]
                pending[c, q] = 0


@compiled
def weight_ticks(cosine: float, total: float, temperature: float) -> np.float32:
    """R / (p + R) with p = exp((cosine - 1) / tau), in whole ticks that float32 holds."""
    attraction = numerics.exp((cosine - 1.0) / temperature)
    return np.float32(np.rint(total / (attraction + total) * WEIGHT_TICKS))
