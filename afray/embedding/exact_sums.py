"""Kernels of normalisation: exact sums of float32 columns, and fixed-order float64 arithmetic on rows.

A float32 is m * 2**(e - 150) with an integer |m| < 2**24 and e in 1..254. Summing m per dimension and e in int64 is
exact, and a row's place or a shard's size cannot show. Squares are summed in two halves of 24 bits: 2**39 rows fit.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from afray.algorithms.jit import compiled

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

EXPONENTS = 255
SUM_BITS = 149
"""Column sums come in units of 2**-149, the smallest float32."""
SQUARE_BITS = 2 * SUM_BITS


def sum_columns(vectors: F32) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Exact column sums of (n, D) finite values, and of their squares, in units of 2**-149 and 2**-298."""
    assert np.isfinite(vectors).all()
    dim = vectors.shape[1]
    sums, low, high = (np.zeros((dim, EXPONENTS), np.int64) for _ in range(3))
    _sort_into(np.ascontiguousarray(vectors).view(np.int32), sums, low, high)
    totals, squares = [0] * dim, [0] * dim
    for d, e in zip(*(axis.tolist() for axis in np.nonzero(high | low)), strict=True):
        totals[d] += int(sums[d, e]) << (e - 1)
        squares[d] += (int(low[d, e]) + (int(high[d, e]) << 24)) << (2 * e - 2)
    return tuple(totals), tuple(squares)


@compiled
def _sort_into(bits: NDArray[np.int32], sums: I64, low: I64, high: I64) -> None:
    """Add the integers m and m * m of each value to the place of its dimension and exponent."""
    for i in range(bits.shape[0]):
        for d in range(bits.shape[1]):
            pattern = np.int64(bits[i, d])
            stored = (pattern >> 23) & 255
            # Numbers below 2**-126 are stored under 0, without the leading bit, but count as under 1.
            m = (pattern & 0x7FFFFF) | (0x800000 if stored > 0 else 0)
            e = stored if stored > 0 else np.int64(1)
            square = m * m
            sums[d, e] += -m if pattern < 0 else m
            low[d, e] += square & 0xFFFFFF
            high[d, e] += square >> 24


@compiled
def largest_square(vectors: F32) -> float:
    """The largest squared length of a row of (n, D), summed in float64 from left to right; 0 without rows."""
    largest = 0.0
    for i in range(vectors.shape[0]):
        total = 0.0
        for d in range(vectors.shape[1]):
            value = np.float64(vectors[i, d])
            total += value * value
        largest = max(largest, total)
    return largest


@compiled
def scale_rows(vectors: F32, unit: F32) -> None:
    """unit[i] = vectors[i] / |vectors[i]|, zero rows as they are; both (n, D)."""
    for i in range(vectors.shape[0]):
        total = 0.0
        for d in range(vectors.shape[1]):
            value = np.float64(vectors[i, d])
            total += value * value
        length = math.sqrt(total)
        for d in range(vectors.shape[1]):
            unit[i, d] = np.float64(vectors[i, d]) / length if length > 0.0 else 0.0


@compiled
def standardize_rows(vectors: F32, mean: F64, std: F64, unit: F32) -> None:
    """unit[i] = z / |z| with z = (vectors[i] - mean) / std, 0 where std is 0; (n, D) and (D,)."""
    z = np.empty(vectors.shape[1], np.float64)
    for i in range(vectors.shape[0]):
        total = 0.0
        for d in range(vectors.shape[1]):
            z[d] = (np.float64(vectors[i, d]) - mean[d]) / std[d] if std[d] > 0.0 else 0.0
            total += z[d] * z[d]
        length = math.sqrt(total)
        for d in range(vectors.shape[1]):
            unit[i, d] = z[d] / length if length > 0.0 else 0.0
