"""Centres that may be nearest to a row: float32 scores propose a short list, canonical distances settle what is close.

A score is x.c - |c|**2 / 2, so the largest score is the smallest distance. Scores come from any matrix product and are
wrong by at most `slack`; two centres further apart than twice that need no second look. Scores coarser than float32
propose longer lists, whose centres are scored anew; where one that is not listed may be better, all are, in float32.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from afray.algorithms import gemm, numerics, precisions
from afray.algorithms.devices import DeviceScores
from afray.algorithms.jit import compiled, compiled_scan
from afray.algorithms.precisions import FLOAT32, Precision

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I32 = NDArray[np.int32]

TILE = 4096
"""Centres per product: keeps a block's product in cache and bounds its memory for any number of centres."""
LANES = 16
"""Scores of a run, looked at together: a run that no list needs costs one vectorised maximum."""
COARSE_SHARE, COARSE_SPARE = 0.5, 8
"""Coarse scores list this share more centres than are wanted, and so many besides: enough for 99 % of a pool's rows."""
NOBODY = 2**31 - 1
FARTHER_THAN_ANY = 2**62
"""Ticks beyond any distance."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Per row the `m` centres of largest score, best first: `centres` and `scores` are (n, m)."""

    centres: I32
    scores: F32

    @property
    def arrays(self) -> tuple[I32, F32]:
        """Both."""
        return self.centres, self.scores


def slack(dim: int, row_norm: float, centre_norm: float, precision: Precision = FLOAT32) -> float:
    """How far a score may lie from the canonical one, for rows and centres up to the given norms.

    Beside the product's error this covers the rounding of canonical distances to ticks: centres whose distances differ
    by less than a tick are equals there, and the lower one wins.
    """
    tick = 1.0 / numerics.TICKS
    return precisions.bound(dim, row_norm, centre_norm, precision) + (row_norm + centre_norm) * tick + tick * tick


def largest_norm(rows: F32) -> float:
    """Largest Euclidean norm of `rows`, good to the 1 % that `precisions.bound` leaves."""
    return float(np.sqrt(np.einsum("ij,ij->i", rows, rows).max(initial=0.0)))


class Scorer:
    """Centres prepared for many rows. `centres` is (K, D) float32."""

    def __init__(self, centres: F32, compute: gemm.Compute) -> None:
        self._centres = frozen(centres)
        self._transposed = np.ascontiguousarray(centres.T)
        self._half_norms = (0.5 * (centres.astype(np.float64) ** 2).sum(axis=1)).astype(np.float32)
        self._norm = largest_norm(centres)
        self._compute = compute
        self._product = np.empty(compute.block * min(len(centres), TILE), np.float32)
        self._device = DeviceScores(centres, self._half_norms, compute) if compute.scores_there else None

    def nearest(self, rows: F32, length: int) -> tuple[I32, Candidates]:
        """The nearest centre of each of `rows` (n, D), ties to the lower one, and its `length` (at most K) best."""
        labels = np.empty(len(rows), np.int32)
        lists = _empty_lists(len(rows), min(length, len(self._centres)))
        for start in range(0, len(rows), self._compute.block):
            part = slice(start, start + self._compute.block)
            found = self._rank(rows[part], lists.centres.shape[1])
            labels[part] = self._settle(rows[part], found)
            lists.centres[part], lists.scores[part] = found.centres, found.scores
        return labels, lists

    def _rank(self, block: F32, wanted: int) -> Candidates:
        """The `wanted` best centres of each row, by scores as good as float32 ones."""
        if not self._compute.is_coarse:
            return self._rank_here(block, wanted, self._compute.product)
        listed = min(wanted + int(COARSE_SHARE * wanted) + COARSE_SPARE, len(self._centres))
        coarse = self._propose(block, listed)
        if not self._compute.certify:
            return Candidates(coarse.centres[:, :wanted], coarse.scores[:, :wanted])
        found = _empty_lists(len(block), wanted)
        error = slack(block.shape[1], largest_norm(block), self._norm, self._compute.precision)
        rescore(frozen(block), self._centres, self._half_norms, coarse.centres, coarse.scores, error, *found.arrays)
        unproven = np.flatnonzero(found.scores[:, -1] < coarse.scores[:, -1] + error)
        if len(unproven) and listed < len(self._centres):
            finer = self._rank_here(block[unproven], wanted, self._compute.product)
            found.centres[unproven], found.scores[unproven] = finer.arrays
        return found

    def _propose(self, block: F32, listed: int) -> Candidates:
        if self._device is None:
            return self._rank_here(block, listed, self._compute.proposal_product)
        return _rank_there(self._device, block, listed)

    def _rank_here(self, block: F32, length: int, product: gemm.Gemm) -> Candidates:
        found = _empty_lists(len(block), length)
        for first, last in _tiles(len(self._centres)):
            scores = self._product[: len(block) * (last - first)].reshape(len(block), last - first)
            product(block, self._transposed[:, first:last], scores)
            merge_tile(scores, self._half_norms[first:last], first, *found.arrays)
        return found

    def _settle(self, block: F32, found: Candidates) -> I32:
        labels = found.centres[:, 0].copy()
        if found.centres.shape[1] == 1 or not self._compute.certify:
            return labels
        margin = 2.0 * slack(block.shape[1], largest_norm(block), self._norm)
        limits = found.scores[:, 0].astype(np.float64) - margin
        close = np.flatnonzero(found.scores[:, 1] >= limits)
        if len(close):
            labels[close] = nearest_candidate(
                block[close], self._centres, found.centres[close], found.scores[close], limits[close]
            )
        return labels


def _rank_there(device: DeviceScores, block: F32, length: int) -> Candidates:
    found = _empty_lists(len(block), length)
    for first in range(0, len(block), device.rows):
        part = slice(first, first + device.rows)
        found.centres[part], found.scores[part], _ = device.top(block[part], length)
    return found


def _empty_lists(rows: int, length: int) -> Candidates:
    return Candidates(np.full((rows, length), -1, np.int32), np.full((rows, length), -np.inf, np.float32))


def frozen(array: F32) -> F32:
    """A read-only view. Kernels are compiled once per kind of array; what workers share is read-only, so all is."""
    view = array.view()
    view.flags.writeable = False
    return view


def _tiles(count: int) -> Iterator[tuple[int, int]]:
    """Nearly equal ranges of at most TILE centres."""
    pieces = -(-count // TILE)
    return itertools.pairwise(count * piece // pieces for piece in range(pieces + 1))


@compiled_scan
def merge_tile(product: F32, half_norms: F32, first: int, centres: I32, scores: F32) -> None:
    """Merge the scores of centres first, first + 1, ... into each row's list. `product` is (n, W), lists (n, m).

    The best score of each run comes first: what m of them reach, or the list has already, no score below gets past, so
    that few runs are looked into. (Measured: half the time of going through all runs that better the list so far.)
    """
    rows, width = product.shape
    length = scores.shape[1]
    best, bar = np.empty(-(-width // LANES), np.float32), np.empty(length, np.float32)
    for i in range(rows):
        row = product[i]
        _best_of_runs(row, half_norms, best)
        bar[:] = scores[i]
        for run in range(len(best)):
            if best[run] > bar[length - 1]:
                _insert(bar, best[run])
        for run in range(len(best)):
            if best[run] >= bar[length - 1]:
                for j in range(run * LANES, min((run + 1) * LANES, width)):
                    score = row[j] - half_norms[j]
                    if score > scores[i, length - 1]:
                        insert_score(centres[i], scores[i], first + j, score)


@compiled_scan
def _best_of_runs(products: F32, half_norms: F32, best: F32) -> None:
    """The largest score of each LANES centres; the last run may be shorter."""
    whole = len(products) // LANES
    for run in range(whole):
        largest = np.float32(-np.inf)
        for lane in range(LANES):
            largest = max(largest, products[run * LANES + lane] - half_norms[run * LANES + lane])
        best[run] = largest
    best[whole:] = -np.inf
    for j in range(whole * LANES, len(products)):
        best[whole] = max(best[whole], products[j] - half_norms[j])


@compiled_scan
def _insert(descending: F32, score: float) -> None:
    """Put a score above the last one into its place; the last one falls out."""
    place = len(descending) - 1
    while place > 0 and descending[place - 1] < score:
        descending[place] = descending[place - 1]
        place -= 1
    descending[place] = score


@compiled_scan
def insert_score(centres: I32, scores: F32, centre: int, score: float) -> None:
    """Put a centre into a full list, best score first; the last entry falls out."""
    place = scores.shape[0] - 1
    while place > 0 and scores[place - 1] < score:
        scores[place] = scores[place - 1]
        centres[place] = centres[place - 1]
        place -= 1
    scores[place] = score
    centres[place] = centre


@compiled
def rescore(
    rows: F32, centres: F32, half_norms: F32, listed: I32, coarse: F32, error: float, best: I32, scores: F32
) -> None:
    """Put the best of each row's listed centres into its list (n, m), by products in float64.

    Coarse scores descend, and are wrong by at most `error`: the first that can not get in any more is the last.
    """
    last = scores.shape[1] - 1
    for i in range(len(rows)):
        for p in range(listed.shape[1]):
            if coarse[i, p] + error < scores[i, last]:
                break
            centre = listed[i, p]
            score = np.float32(numerics.dot(rows, i, centres, centre)) - half_norms[centre]
            if score > scores[i, last]:
                insert_score(best[i], scores[i], centre, score)


@compiled
def nearest_candidate(rows: F32, centres: F32, listed: I32, scores: F32, limits: F64) -> I32:
    """Of each row's listed centres with a score >= its limit, the canonically nearest, ties to the lower centre.

    If even the last listed one is that close, an unlisted one may be too: then all centres are tried.
    """
    count, length = listed.shape
    nearest = np.empty(count, np.int32)
    for i in range(count):
        everyone = scores[i, length - 1] >= limits[i] and length < centres.shape[0]
        best_ticks = FARTHER_THAN_ANY
        best = NOBODY
        for p in range(centres.shape[0] if everyone else length):
            if not everyone and scores[i, p] < limits[i]:
                break
            centre = p if everyone else listed[i, p]
            ticks = numerics.distance_ticks(rows, i, centres, centre)
            if ticks < best_ticks or (ticks == best_ticks and centre < best):
                best_ticks, best = ticks, centre
        nearest[i] = best
    return nearest
