"""How rows pull the parametric centres of ActiveFT: one pass of a shard's rows over all centres.

A float32 product proposes, per row, the centre with the largest cosine; where another one comes within the error bound,
float64 products in fixed order decide, ties to the lower centre. A row's weighted features are rounded to integers
before they are added, so the sums do not depend on blocks, shards or threads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from afray.algorithms import draws, gemm, numerics
from afray.algorithms.gemm import Compute
from afray.algorithms.jit import compiled
from afray.algorithms.shards import Shard

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]

WEIGHT_TICKS = float(1 << 30)
"""Ticks per unit of a weighted feature: finer than the float32 it comes from."""
EXACT_ROWS = 1 << 22
"""|weight * feature| <= 1 + 2**-20, so sums of this many rows stay below 2**53 ticks, exact in float64 lanes."""
LARGEST_PRODUCT = 1 << 26
"""Scores held at once by a thread: 256 MB."""
TILE = 512
"""Centres per product: 512 x 1024 scores are still in cache when they are scanned."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Field:
    """What a row feels: unit vectors (K, D) of the centres, their total repulsion (K,), and the temperature."""

    units: F64
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
    spans = [rows[first : first + EXACT_ROWS] for first in range(0, len(rows), EXACT_ROWS)] or [rows]
    return merge([_pull_span(shard.features, span, field, compute) for span in spans])


def _sampled(shard: Shard, sample: Sample | None) -> I64:
    """Positions within the shard."""
    if sample is None:
        return np.arange(len(shard.features), dtype=np.int64)
    return np.flatnonzero(draws.keys(shard.rows, sample.salt) <= sample.largest_key)


def _pull_span(features: F32, rows: I64, field: Field, compute: Compute) -> Pull:
    vectors, weights = np.zeros(field.units.shape), np.zeros(len(field.units))
    search = Search(field.units, compute)
    for block in _blocks(features, rows, search.block):
        winners = search.winners(block)
        accumulate(block, winners, field.units, field.totals, field.temperature, vectors, weights)
    return Pull(vectors=vectors.astype(np.int64), weights=weights.astype(np.int64), rows=len(rows))


def _blocks(features: F32, rows: I64, size: int) -> Iterator[F32]:
    for first in range(0, len(rows), size):
        part = rows[first : first + size]
        contiguous = part[-1] - part[0] == len(part) - 1
        yield features[part[0] : part[-1] + 1] if contiguous else features[part]


class Search:
    """Finds the centre with the largest cosine for each row of a block; keeps its buffers between blocks."""

    def __init__(self, units: F64, compute: Compute) -> None:
        self._units, self._compute = units, compute
        self._units32 = units.astype(np.float32)
        self.block = max(1, min(compute.block, LARGEST_PRODUCT // len(units)))
        """Rows per call of `winners`, at most."""
        self._scores = np.empty(len(units) * self.block, np.float32)
        self._margin = 2.0 * gemm.bound(units.shape[1], 1.0, 1.0)

    def winners(self, block: F32) -> I32:
        centres, rows = len(self._units), len(block)
        scores = self._scores[: centres * rows].reshape(centres, rows)
        best, second = np.full(rows, -np.inf, np.float32), np.full(rows, -np.inf, np.float32)
        winners = np.zeros(rows, np.int32)
        for first in range(0, centres, TILE):
            tile = slice(first, first + TILE)
            self._compute.product(self._units32[tile], block.T, scores[tile])
            _scan(scores[tile], first, best, second, winners)
        if self._compute.certify:
            _certify(block, self._units, scores, best, second, self._margin, winners)
        return winners


@compiled
def _scan(scores: F32, first: int, best: F32, second: F32, winners: I32) -> None:
    """The two largest scores of every row (column here) so far; written without branches, to run in vector lanes."""
    for k in range(scores.shape[0]):
        for i in range(scores.shape[1]):
            score, leader = scores[k, i], best[i]
            loser = leader if score > leader else score
            second[i] = loser if loser > second[i] else second[i]
            winners[i] = first + k if score > leader else winners[i]
            best[i] = score if score > leader else leader


@compiled
def _certify(block: F32, units: F64, scores: F32, best: F32, second: F32, margin: float, winners: I32) -> None:
    for i in range(scores.shape[1]):
        limit = best[i] - margin
        if second[i] < limit:
            continue
        largest = -np.inf
        for k in range(scores.shape[0]):
            if scores[k, i] >= limit:
                cosine = numerics.dot(block, i, units, k)
                if cosine > largest:
                    largest = cosine
                    winners[i] = k


@compiled
def accumulate(
    block: F32, winners: I32, units: F64, totals: F64, temperature: float, vectors: F64, weights: F64
) -> None:
    """Add weight * features of each row to its winner; weight = R / (p + R) with p = exp((cosine - 1) / tau)."""
    for i in range(block.shape[0]):
        c = winners[i]
        attraction = numerics.exp((numerics.dot(block, i, units, c) - 1.0) / temperature)
        weight = totals[c] / (attraction + totals[c]) * WEIGHT_TICKS
        weights[c] += np.rint(weight)
        for q in range(block.shape[1]):
            vectors[c, q] += np.rint(weight * block[i, q])
