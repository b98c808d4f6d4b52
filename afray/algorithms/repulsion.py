"""How the parametric centres of ActiveFT repel each other: two K x K products, exact in any library.

Centre c with unit vector T_c needs R_c = 1 + sum over k != c of W_ck and H_c = sum over k != c of W_ck T_k, where
W_ck = exp((T_c . T_k - 1) / tau). (The loss has exp(T_c . T_k / tau); the factor exp(1 / tau) is taken out of R, H and
of the rows' own terms, so nothing overflows. The term k = c is 1 in R; in H it points along T_c, where the gradient is
projected out.) A float64 product has one value, whatever the order of its sum and with or without fused multiply-add,
if every term and every partial sum is a float64. So it is here:

T T':  T holds multiples of 2**-24, so terms are multiples of 2**-48. By Cauchy-Schwarz no partial sum exceeds
       max |T_c|**2, and |T_c| <= 1 + sqrt(D) 2**-25 < 1.0001 for D up to 2**20. Such multiples below 2 are float64.
W T:   row c of W is scaled by a power of two and rounded to integers that sum to at most 2**27; times multiples of
       2**-24 up to 1.0001, every partial sum is a multiple of 2**-24 below 2**28, and that is a float64.
       The rounding is 2**-26 of the row's sum (of K 2**-40 if that is more), finer than the float32 features.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from afray.algorithms import numerics
from afray.algorithms.gemm import Compute
from afray.algorithms.jit import compiled
from afray.algorithms.shards import RowSource, Shards

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

TILE = 1024
"""Centres per tile, at most: its product with 10,000 centres takes 80 MB."""
SUM_TICKS = float(1 << 40)
"""R is a sum of integers, multiples of 2**-40; W <= 1, so 2**22 centres fit into an int64."""
ROW_BITS = 26
"""A scaled row of W sums to at most 2**26, and rounding adds at most K / 2."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Push:
    """R (K,) and H (K, D) of the module's docstring, without the factor exp(1 / tau)."""

    totals: F64
    vectors: F64


def push(shards: Shards, units: F32, temperature: float, compute: Compute) -> Push:
    """Repulsion between all centres; units (K, D) on the grid. Tiles go to the workers, a single one stays here."""
    size = min(TILE, compute.rows_within(0.5, 8 * len(units)))
    tiles = [slice(first, first + size) for first in range(0, len(units), size)]
    if len(tiles) == 1:
        return _push_tile(shards, tiles[0], units, temperature, compute)
    parts: list[Push] = shards.each(_push_tile, tiles, units, temperature, compute)
    return Push(
        totals=np.concatenate([part.totals for part in parts]),
        vectors=np.concatenate([part.vectors for part in parts]),
    )


def _push_tile(_: RowSource, part: slice, units: F32, temperature: float, compute: Compute) -> Push:
    exact = units.astype(np.float64)
    tile = exact[part]
    affinity = np.empty((len(tile), len(exact)))
    compute.product(tile, exact.T, affinity)
    totals, scales = np.empty(len(tile)), np.empty(len(tile))
    _weigh(affinity, part.start, temperature, totals, scales)
    vectors = np.empty_like(tile)
    compute.product(affinity, exact, vectors)
    return Push(totals=totals, vectors=vectors * scales[:, None])


@compiled
def _weigh(affinity: F64, first: int, temperature: float, totals: F64, scales: F64) -> None:
    """Turn cosines into scaled integer weights in place; totals are R, scales undo the scaling of each row."""
    for c in range(affinity.shape[0]):
        for k in range(affinity.shape[1]):
            affinity[c, k] = numerics.exp((affinity[c, k] - 1.0) / temperature)
        affinity[c, first + c] = 0.0
        total = np.int64(0)
        for k in range(affinity.shape[1]):
            total += np.int64(np.rint(affinity[c, k] * SUM_TICKS))
        totals[c] = 1.0 + total / SUM_TICKS
        upper_bound = (total + affinity.shape[1]) / SUM_TICKS
        exponent = ROW_BITS - math.frexp(upper_bound)[1]
        scale = math.ldexp(1.0, exponent)
        scales[c] = 1.0 / scale
        for k in range(affinity.shape[1]):
            affinity[c, k] = np.rint(affinity[c, k] * scale)
